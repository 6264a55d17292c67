/* DFT and STFT by mixed-radix transforms over exact roots of unity. */
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"
#include "runtime/ops/turn.h"

#define REAL float
#define FFT(name) f32_##name
#include "runtime/ops/fft_body.h"
#undef REAL
#undef FFT
#define REAL double
#define FFT(name) f64_##name
#include "runtime/ops/fft_body.h"
#undef REAL
#undef FFT

/* One line to transform. Complex float32 data stays in float32; real data goes through float64, so that the parts which symmetry makes
 * zero are. */
typedef struct fft_line {
  int64_t n;
  bool wide;
  double sign;
  void *root, *data, *spare; /* n, n, 3 n complex numbers */
} fft_line;

typedef struct {
  fft_line line; /* with the roots; the others lie in the step's work space */
  size_t data, spare;
} line_plan;

static vlm_status prepare_line(vlm_op_call *c, line_plan *p, int64_t n, bool inverse) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  fft_line *line = &p->line;
  *line =
      (fft_line){.n = n, .wide = x->dtype == VLM_F64 || x->dims[x->rank - 1] == 1, .sign = inverse ? 1 : -1};
  size_t size = line->wide ? sizeof(f64_complex) : sizeof(f32_complex);
  VLM_TRY(vlm_op_keep(c, &line->root, n, size));
  VLM_TRY(vlm_op_reserve(c, &p->data, n, size));
  VLM_TRY(vlm_op_reserve(c, &p->spare, 3 * n, size));
  for (int64_t k = 0; k < n; k++) {
    double sine, cosine;
    vlm_sincos_turn(k, n, &sine, &cosine);
    if (line->wide) ((f64_complex *)line->root)[k] = (f64_complex){cosine, line->sign * sine};
    else ((f32_complex *)line->root)[k] = (f32_complex){(float)cosine, (float)(line->sign * sine)};
  }
out:
  return st;
}

static fft_line line_of(const vlm_op_call *c, const line_plan *p) {
  fft_line line = p->line;
  line.data = vlm_op_work(c, p->data);
  line.spare = vlm_op_work(c, p->spare);
  return line;
}

static void put_line(fft_line *line, int64_t k, double re, double im) {
  if (line->wide) ((f64_complex *)line->data)[k] = (f64_complex){re, im};
  else ((f32_complex *)line->data)[k] = (f32_complex){(float)re, (float)im};
}

static double line_part(const fft_line *line, int64_t k, int part) {
  return line->wide ? ((const double *)line->data)[2 * k + part]
                    : (double)((const float *)line->data)[2 * k + part];
}

static void transform_line(fft_line *line) {
  if (line->wide)
    f64_run(line->data, line->spare, (f64_complex *)line->spare + line->n, line->n, line->root, line->sign);
  else
    f32_run(line->data, line->spare, (f32_complex *)line->spare + line->n, line->n, line->root,
            (float)line->sign);
}

/* Value times 1 / n, rounded as the element type does. */
static double scaled(const fft_line *line, double value, bool inverse) {
  if (!inverse) return value;
  return line->wide ? value * (1.0 / (double)line->n)
                    : (double)((float)value * (float)(1.0 / (double)line->n));
}

typedef struct dft_form {
  int axis;
  int64_t length, bins; /* of the transform, of the output axis */
  bool inverse, onesided;
  bool to_real; /* inverse of a one-sided spectrum */
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
  VLM_CHECK(x->rank >= 2 && (x->dims[x->rank - 1] == 1 || x->dims[x->rank - 1] == 2), c->err, VLM_INPUT,
            "the last dim of the input is not 1 or 2");
  if (c->node->opset >= 20) VLM_TRY(read_scalar(c, 2, -2, &axis));
  VLM_TRY(vlm_axis(c, axis, x->rank, false, &f->axis));
  VLM_CHECK(f->axis < x->rank - 1, c->err, VLM_INPUT, "axis %lld is the axis of real and imaginary parts",
            (long long)axis);
  f->inverse = vlm_arg_int(c, 1, 0) != 0;
  f->onesided = vlm_arg_int(c, 2, 0) != 0;
  f->to_real = f->inverse && f->onesided;
  int64_t n = x->dims[f->axis];
  VLM_TRY(read_scalar(c, 1, f->to_real ? 2 * (n - 1) : n, &f->length));
  VLM_CHECK(f->length > 0 && f->length < (INT64_C(1) << 30), c->err, VLM_INPUT, "dft_length is %lld",
            (long long)f->length);
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

/* Reads n entries of a real (1) or complex (2) tensor, `stride` numbers apart; what is missing is zero or, for one-sided spectra,
 * mirrored. */
static void load_line(fft_line *line, const double *x, int64_t n, int64_t stride, int64_t parts,
                      const dft_form *f) {
  for (int64_t j = 0; j < line->n; j++) {
    bool mirror = f->to_real && j > line->n / 2;
    int64_t k = mirror ? line->n - j : j;
    double im = k < n && parts == 2 ? x[k * stride + 1] : 0;
    put_line(line, j, k < n ? x[k * stride] : 0, mirror ? -im : im);
  }
}

typedef struct {
  dft_form form;
  line_plan line;
  vlm_doubles x;
  vlm_wide_result y;
} dft_state;

vlm_status vlm_prepare_DFT(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  dft_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_form(c, &s->form));
  VLM_TRY(prepare_line(c, &s->line, s->form.length, s->form.inverse));
  VLM_TRY(vlm_doubles_prepare(c, &s->x, 0));
  VLM_TRY(vlm_wide_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_run_DFT(vlm_op_call *c) {
  const dft_state *s = c->state;
  const dft_form *f = &s->form;
  const vlm_tensor *x = c->in[0], *y = c->out[0];
  fft_line line = line_of(c, &s->line);
  const double *from = vlm_doubles_get(c, &s->x);
  double *to = vlm_wide_result_get(c, &s->y);
  int64_t parts = x->dims[x->rank - 1], out_parts = y->dims[y->rank - 1],
          inner = vlm_tensor_span(x, f->axis + 1, x->rank - 1), n = x->dims[f->axis];
  for (int64_t i = 0, lines = vlm_tensor_span(x, 0, f->axis) * inner; i < lines; i++) {
    int64_t outer = i / inner, k = i % inner;
    load_line(&line, from + (outer * n * inner + k) * parts, n, inner * parts, parts, f);
    transform_line(&line);
    for (int64_t j = 0; j < f->bins; j++)
      for (int part = 0; part < out_parts; part++)
        to[((outer * f->bins + j) * inner + k) * out_parts + part] =
            scaled(&line, line_part(&line, j, part), f->inverse);
  }
  vlm_store_f64(c, 0, to);
  return VLM_OK;
}

/* ---- STFT ---- */

typedef struct stft_form {
  int64_t length, step, frames, bins;
} stft_form;

static vlm_status read_stft(vlm_op_call *c, stft_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *window = vlm_in(c, 2);
  VLM_CHECK(x->rank == 3 && (x->dims[2] == 1 || x->dims[2] == 2), c->err, VLM_INPUT,
            "signal does not have the shape [batch, length, 1 or 2]");
  VLM_TRY(read_scalar(c, 1, 0, &f->step));
  VLM_TRY(read_scalar(c, 3, window ? vlm_tensor_count(window) : x->dims[1], &f->length));
  VLM_CHECK(f->step > 0 && f->length > 0 && f->length < (1 << 30), c->err, VLM_INPUT,
            "frame_step is %lld, frame_length %lld", (long long)f->step, (long long)f->length);
  VLM_CHECK(!window || vlm_tensor_count(window) == f->length, c->err, VLM_INPUT,
            "window has %lld entries, frame_length is %lld", (long long)vlm_tensor_count(window),
            (long long)f->length);
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

typedef struct {
  stft_form form;
  line_plan line;
  vlm_doubles x, window;
  vlm_wide_result y;
} stft_state;

vlm_status vlm_prepare_STFT(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  stft_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_stft(c, &s->form));
  VLM_TRY(prepare_line(c, &s->line, s->form.length, false));
  VLM_TRY(vlm_doubles_prepare(c, &s->x, 0));
  VLM_TRY(vlm_doubles_prepare(c, &s->window, 2));
  VLM_TRY(vlm_wide_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_run_STFT(vlm_op_call *c) {
  const stft_state *s = c->state;
  const stft_form *f = &s->form;
  const vlm_tensor *x = c->in[0];
  fft_line line = line_of(c, &s->line);
  const double *from = vlm_doubles_get(c, &s->x), *window = vlm_doubles_get(c, &s->window);
  double *to = vlm_wide_result_get(c, &s->y);
  int64_t parts = x->dims[2];
  for (int64_t i = 0; i < x->dims[0] * f->frames; i++) {
    const double *at = from + (i / f->frames * x->dims[1] + i % f->frames * f->step) * parts;
    for (int64_t j = 0; j < f->length; j++) {
      double w = window ? window[j] : 1;
      put_line(&line, j, at[j * parts] * w, parts == 2 ? at[j * parts + 1] * w : 0);
    }
    transform_line(&line);
    for (int64_t j = 0; j < 2 * f->bins; j++) to[i * f->bins * 2 + j] = line_part(&line, j / 2, (int)(j % 2));
  }
  vlm_store_f64(c, 0, to);
  return VLM_OK;
}
