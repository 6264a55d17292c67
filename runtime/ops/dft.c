/* DFT and STFT: direct sums over exact roots of unity, radix-2 halving where the length allows. */
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/turn.h"

typedef struct complex {
  double re, im;
} complex;

/* roots[k] = exp(-2 pi i k / n), or its conjugate for the inverse. */
static vlm_status make_roots(vlm_op_call *c, int64_t n, bool inverse, complex **roots) {
  vlm_status st = vlm_scratch_array(c, (void **)roots, n, sizeof **roots);
  for (int64_t k = 0; st == VLM_OK && k < n; k++) {
    double s;
    vlm_sincos_turn(k, n, &s, &(*roots)[k].re);
    (*roots)[k].im = inverse ? s : -s;
  }
  return st;
}

/* y[k] = sum over j of x[j * step] * root(jk), n entries; roots has n * stride entries. Even lengths split into two halves. */
static void transform(complex *y, const complex *x, int64_t n, int64_t step, const complex *roots, int64_t stride, complex *work) {
  if (n % 2 == 0) {
    int64_t h = n / 2;
    transform(work, x, h, 2 * step, roots, 2 * stride, y);
    transform(work + h, x + step, h, 2 * step, roots, 2 * stride, y + h);
    for (int64_t k = 0; k < h; k++) {
      complex a = work[k], b = work[h + k], w = roots[k * stride];
      complex t = {b.re * w.re - b.im * w.im, b.re * w.im + b.im * w.re};
      y[k] = (complex){a.re + t.re, a.im + t.im};
      y[h + k] = (complex){a.re - t.re, a.im - t.im};
    }
    return;
  }
  for (int64_t k = 0; k < n; k++) {
    complex sum = {0, 0};
    for (int64_t j = 0; j < n; j++) {
      complex a = x[j * step], w = roots[j * k % n * stride];
      sum.re += a.re * w.re - a.im * w.im;
      sum.im += a.re * w.im + a.im * w.re;
    }
    y[k] = sum;
  }
}

typedef struct dft_form {
  int axis;
  int64_t length, bins;  /* of the transform, of the output axis */
  bool inverse, onesided;
  bool to_real;          /* inverse of a one-sided spectrum */
} dft_form;

static vlm_status read_scalar(vlm_op_call *c, int k, int64_t fallback, int64_t *value) {
  int count;
  *value = fallback;
  if (!vlm_in(c, k) || vlm_tensor_count(c->in[k]) == 0) return VLM_OK;
  return vlm_read_ints(c, c->in[k], value, 1, &count);
}

static vlm_status read_form(vlm_op_call *c, dft_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t axis = vlm_arg_int(c, 0, 1);
  VLM_CHECK(x->rank >= 2 && (x->dims[x->rank - 1] == 1 || x->dims[x->rank - 1] == 2), c->err, VLM_INPUT, "the last dim of the input is not 1 or 2");
  if (c->node->opset >= 20) VLM_TRY(read_scalar(c, 2, -2, &axis));
  VLM_TRY(vlm_axis(c, axis, x->rank, false, &f->axis));
  VLM_CHECK(f->axis < x->rank - 1, c->err, VLM_INPUT, "axis %lld is the axis of real and imaginary parts", (long long)axis);
  f->inverse = vlm_arg_int(c, 1, 0) != 0;
  f->onesided = vlm_arg_int(c, 2, 0) != 0;
  f->to_real = f->inverse && f->onesided;
  int64_t n = x->dims[f->axis];
  VLM_TRY(read_scalar(c, 1, f->to_real ? 2 * (n - 1) : n, &f->length));
  VLM_CHECK(f->length > 0 && f->length < (INT64_C(1) << 30), c->err, VLM_INPUT, "dft_length is %lld", (long long)f->length);
  f->bins = f->onesided && !f->inverse ? f->length / 2 + 1 : f->length;
out:
  return st;
}

vlm_status vlm_infer_DFT(vlm_op_call *c) {
  dft_form f;
  vlm_status st = read_form(c, &f);
  if (st != VLM_OK) return st;
  vlm_tensor y = *c->in[0];
  y.dims[f.axis] = f.bins;
  y.dims[y.rank - 1] = f.to_real ? 1 : 2;
  vlm_out_shape(c, 0, y.dtype, y.rank, y.dims);
  return VLM_OK;
}

/* Reads n entries from a line of a real (1) or complex (2) tensor, `stride` numbers apart; what is missing is zero. */
static void load_line(complex *line, int64_t length, const double *x, int64_t n, int64_t stride, int64_t parts, const dft_form *f) {
  for (int64_t j = 0; j < length; j++) {
    bool there = j < n;
    line[j] = (complex){there ? x[j * stride] : 0, there && parts == 2 ? x[j * stride + 1] : 0};
  }
  for (int64_t j = length / 2 + 1; f->to_real && j < length; j++) line[j] = (complex){line[length - j].re, -line[length - j].im};
}

vlm_status vlm_run_DFT(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *y = c->out[0];
  dft_form f;
  complex *roots, *line;
  const double *from;
  double *to;
  VLM_TRY(read_form(c, &f));
  VLM_TRY(make_roots(c, f.length, f.inverse, &roots));
  VLM_TRY(vlm_scratch_array(c, (void **)&line, 3 * f.length, sizeof *line));
  VLM_TRY(vlm_as_f64(c, x, &from));
  VLM_TRY(vlm_out_f64(c, 0, &to));
  int64_t parts = x->dims[x->rank - 1], out_parts = y->dims[y->rank - 1], inner = vlm_tensor_span(x, f.axis + 1, x->rank - 1), n = x->dims[f.axis];
  double scale = f.inverse ? 1.0 / (double)f.length : 1;
  for (int64_t i = 0, lines = vlm_tensor_span(x, 0, f.axis) * inner; i < lines; i++) {
    int64_t outer = i / inner, k = i % inner;
    load_line(line, f.length, from + (outer * n * inner + k) * parts, n, inner * parts, parts, &f);
    complex *out = line + f.length;
    transform(out, line, f.length, 1, roots, 1, out + f.length);
    for (int64_t j = 0; j < f.bins; j++) {
      double *at = to + ((outer * f.bins + j) * inner + k) * out_parts;
      at[0] = out[j].re * scale;
      if (out_parts == 2) at[1] = out[j].im * scale;
    }
  }
  vlm_store_f64(c, 0, to);
out:
  return st;
}

/* ---- STFT ---- */

typedef struct stft_form {
  int64_t length, step, frames, bins;
} stft_form;

static vlm_status read_stft(vlm_op_call *c, stft_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *window = vlm_in(c, 2);
  VLM_CHECK(x->rank == 3 && (x->dims[2] == 1 || x->dims[2] == 2), c->err, VLM_INPUT, "signal does not have the shape [batch, length, 1 or 2]");
  VLM_TRY(read_scalar(c, 1, 0, &f->step));
  VLM_TRY(read_scalar(c, 3, window ? vlm_tensor_count(window) : x->dims[1], &f->length));
  VLM_CHECK(f->step > 0 && f->length > 0 && f->length < (1 << 30), c->err, VLM_INPUT, "frame_step is %lld, frame_length %lld", (long long)f->step, (long long)f->length);
  VLM_CHECK(!window || vlm_tensor_count(window) == f->length, c->err, VLM_INPUT, "window has %lld entries, frame_length is %lld",
            (long long)vlm_tensor_count(window), (long long)f->length);
  f->frames = x->dims[1] < f->length ? 0 : 1 + (x->dims[1] - f->length) / f->step;
  f->bins = vlm_arg_int(c, 0, 1) ? f->length / 2 + 1 : f->length;
out:
  return st;
}

vlm_status vlm_infer_STFT(vlm_op_call *c) {
  stft_form f;
  vlm_status st = read_stft(c, &f);
  if (st != VLM_OK) return st;
  int64_t dims[4] = {c->in[0]->dims[0], f.frames, f.bins, 2};
  vlm_out_shape(c, 0, c->in[0]->dtype, 4, dims);
  return VLM_OK;
}

vlm_status vlm_run_STFT(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  stft_form f;
  complex *roots, *line;
  const double *from, *window;
  double *to;
  VLM_TRY(read_stft(c, &f));
  VLM_TRY(make_roots(c, f.length, false, &roots));
  VLM_TRY(vlm_scratch_array(c, (void **)&line, 3 * f.length, sizeof *line));
  VLM_TRY(vlm_as_f64(c, x, &from));
  VLM_TRY(vlm_as_f64(c, vlm_in(c, 2), &window));
  VLM_TRY(vlm_out_f64(c, 0, &to));
  int64_t parts = x->dims[2];
  for (int64_t i = 0; i < x->dims[0] * f.frames; i++) {
    const double *at = from + (i / f.frames * x->dims[1] + i % f.frames * f.step) * parts;
    for (int64_t j = 0; j < f.length; j++) {
      double w = window ? window[j] : 1;
      line[j] = (complex){at[j * parts] * w, parts == 2 ? at[j * parts + 1] * w : 0};
    }
    complex *out = line + f.length;
    transform(out, line, f.length, 1, roots, 1, out + f.length);
    memcpy(to + i * f.bins * 2, out, (size_t)f.bins * sizeof *out);
  }
  vlm_store_f64(c, 0, to);
out:
  return st;
}
