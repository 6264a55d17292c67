/* MaxUnpool and Col2Im: the ways back from pooled maxima and from sliding blocks. */
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

static int64_t attr_or(const vlm_attr *a, int i, int64_t fallback) {
  return a->kind == VLM_ATTR_INTS && i < a->count ? a->u.ints[i] : fallback;
}

/* ---- MaxUnpool ---- */

/* Sizes before pooling, as the kernel, strides and pads say. */
static vlm_status unpooled_dims(vlm_op_call *c, int64_t *dims) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  const vlm_attr *kernel = vlm_arg(c, 0), *strides = vlm_arg(c, 1), *pads = vlm_arg(c, 2);
  int space = x->rank - 2;
  VLM_CHECK(space >= 1 && kernel->count == space, c->err, VLM_INPUT, "kernel_shape has %d entries, wanted %d",
            kernel->count, space);
  VLM_CHECK(strides->kind == VLM_ATTR_NONE || strides->count == space, c->err, VLM_INPUT,
            "strides has %d entries, wanted %d", strides->count, space);
  VLM_CHECK(pads->kind == VLM_ATTR_NONE || pads->count == 2 * space, c->err, VLM_INPUT,
            "pads has %d entries, wanted %d", pads->count, 2 * space);
  for (int i = 0; i < 2; i++) dims[i] = x->dims[i];
  for (int i = 0; i < space; i++) {
    int64_t s = attr_or(strides, i, 1), before = attr_or(pads, i, 0), after = attr_or(pads, space + i, 0);
    bool good = s > 0 && vlm_is_extent(s) && vlm_is_extent(kernel->u.ints[i]) && vlm_is_extent(before) &&
                vlm_is_extent(after);
    VLM_CHECK(good && vlm_is_extent(x->dims[2 + i]), c->err, VLM_INPUT,
              "kernel, stride or pads of spatial dim %d are out of range", i);
    dims[2 + i] = (x->dims[2 + i] - 1) * s - before - after + kernel->u.ints[i];
    VLM_CHECK(dims[2 + i] >= 0, c->err, VLM_INPUT, "the pads leave nothing of spatial dim %d", i);
  }
out:
  return st;
}

vlm_status vlm_infer_MaxUnpool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t dims[VLM_MAX_RANK];
  int n;
  VLM_TRY(unpooled_dims(c, dims));
  VLM_CHECK(vlm_tensor_same_shape(x, c->in[1]), c->err, VLM_INPUT,
            "indices does not have the shape of the input");
  if (vlm_in(c, 2)) {
    int64_t given[VLM_MAX_RANK];
    VLM_TRY(vlm_read_ints(c, c->in[2], given, VLM_MAX_RANK, &n));
    VLM_CHECK(n == x->rank, c->err, VLM_INPUT, "output_shape has %d entries, wanted %d", n, x->rank);
    for (int i = 0; i < n; i++)
      VLM_CHECK(given[i] >= dims[i], c->err, VLM_INPUT, "output_shape[%d] is %lld, at least %lld is needed",
                i, (long long)given[i], (long long)dims[i]);
    memcpy(dims, given, sizeof given);
  }
  VLM_TRY(vlm_check_dims(c, x->rank, dims));
  vlm_out_shape(c, 0, x->dtype, x->rank, dims);
out:
  return st;
}

/* The shape that indices count in; a larger output_shape holds it in its front corner. */
vlm_status vlm_prepare_MaxUnpool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor *small;
  VLM_TRY(vlm_op_state_new(c, &small));
  VLM_TRY(vlm_check_whole_bytes(c, 0));
  *small = *c->in[0];
  VLM_TRY(unpooled_dims(c, small->dims));
out:
  return st;
}

vlm_status vlm_run_MaxUnpool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *y = c->out[0], *small = c->state;
  size_t item = (size_t)vlm_dtype_bits(x->dtype) / 8;
  int64_t total = vlm_tensor_count(small);
  vlm_zero_some(y->data, vlm_tensor_bytes(y));
  for (int64_t i = 0, n = vlm_tensor_count(x); i < n; i++) {
    int64_t index = vlm_tensor_get_int(c->in[1], i), at = 0, scale = 1;
    VLM_CHECK(index >= 0 && index < total, c->err, VLM_INPUT, "indices[%lld] is %lld of %lld", (long long)i,
              (long long)index, (long long)total);
    for (int d = x->rank - 1; d >= 0; d--) {
      at += index % small->dims[d] * scale;
      index /= small->dims[d];
      scale *= y->dims[d];
    }
    memcpy((char *)y->data + (size_t)at * item, (const char *)x->data + (size_t)i * item, item);
  }
out:
  return st;
}

/* ---- Col2Im: [N, C * block, L] sliding blocks summed into [N, C, image…] ---- */

typedef struct col2im_fold {
  int space;
  int64_t image[VLM_MAX_RANK], block[VLM_MAX_RANK], steps[VLM_MAX_RANK], dilation[VLM_MAX_RANK],
      before[VLM_MAX_RANK], stride[VLM_MAX_RANK];
  int64_t taps, columns, pixels; /* products of block, steps, image */
} col2im_fold;

static vlm_status read_fold(vlm_op_call *c, col2im_fold *f) {
  vlm_status st = VLM_OK;
  const vlm_attr *dilations = vlm_arg(c, 0), *pads = vlm_arg(c, 1), *strides = vlm_arg(c, 2);
  int n;
  VLM_TRY(vlm_read_ints(c, c->in[1], f->image, VLM_MAX_RANK - 2, &f->space));
  VLM_TRY(vlm_read_ints(c, c->in[2], f->block, VLM_MAX_RANK - 2, &n));
  VLM_CHECK(n == f->space && n > 0, c->err, VLM_INPUT, "image_shape has %d entries, block_shape %d", f->space,
            n);
  f->taps = f->columns = f->pixels = 1;
  for (int i = 0; i < n; i++) {
    f->dilation[i] = attr_or(dilations, i, 1);
    f->stride[i] = attr_or(strides, i, 1);
    f->before[i] = attr_or(pads, i, 0);
    int64_t after = attr_or(pads, i + n, 0);
    VLM_CHECK(f->image[i] > 0 && f->block[i] > 0 && f->dilation[i] > 0 && f->stride[i] > 0 &&
                  vlm_is_extent(f->image[i]) && vlm_is_extent(f->block[i]) && vlm_is_extent(f->dilation[i]) &&
                  vlm_is_extent(f->stride[i]) && vlm_is_extent(f->before[i]) && vlm_is_extent(after),
              c->err, VLM_INPUT, "sizes, dilations, strides or pads of spatial dim %d are out of range", i);
    int64_t room = f->image[i] + f->before[i] + after - (f->dilation[i] * (f->block[i] - 1) + 1);
    VLM_CHECK(room >= 0, c->err, VLM_INPUT, "the block does not fit the image along dim %d", i);
    f->steps[i] = room / f->stride[i] + 1;
    bool overflow = __builtin_mul_overflow(f->taps, f->block[i], &f->taps) ||
                    __builtin_mul_overflow(f->columns, f->steps[i], &f->columns) ||
                    __builtin_mul_overflow(f->pixels, f->image[i], &f->pixels);
    VLM_CHECK(!overflow, c->err, VLM_LIMIT, "the image is too large");
  }
out:
  return st;
}

vlm_status vlm_infer_Col2Im(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  col2im_fold f;
  VLM_TRY(read_fold(c, &f));
  VLM_CHECK(x->rank == 3 && x->dims[1] % f.taps == 0 && x->dims[2] == f.columns, c->err, VLM_INPUT,
            "input does not have the shape [N, C * %lld, %lld]", (long long)f.taps, (long long)f.columns);
  int64_t dims[VLM_MAX_RANK] = {x->dims[0], x->dims[1] / f.taps};
  for (int i = 0; i < f.space; i++) dims[2 + i] = f.image[i];
  vlm_out_shape(c, 0, x->dtype, 2 + f.space, dims);
out:
  return st;
}

/* Pixel that tap k of column `col` falls on, or -1 in the padding. */
static int64_t pixel_of(const col2im_fold *f, int64_t k, int64_t col) {
  int64_t at = 0, scale = 1;
  for (int d = f->space - 1; d >= 0; d--) {
    int64_t i = col % f->steps[d] * f->stride[d] - f->before[d] + k % f->block[d] * f->dilation[d];
    if (i < 0 || i >= f->image[d]) return -1;
    at += i * scale;
    scale *= f->image[d];
    col /= f->steps[d];
    k /= f->block[d];
  }
  return at;
}

typedef struct {
  col2im_fold fold;
  vlm_doubles x;
  vlm_wide_result y;
} col2im_state;

vlm_status vlm_prepare_Col2Im(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  col2im_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_fold(c, &s->fold));
  VLM_TRY(vlm_doubles_prepare(c, &s->x, 0));
  VLM_TRY(vlm_wide_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_run_Col2Im(vlm_op_call *c) {
  const col2im_state *s = c->state;
  const col2im_fold *f = &s->fold;
  const double *x = vlm_doubles_get(c, &s->x);
  double *y = vlm_wide_result_get(c, &s->y);
  vlm_zero_some(y, (size_t)vlm_tensor_count(c->out[0]) * sizeof *y);
  for (int64_t plane = 0, planes = c->out[0]->dims[0] * c->out[0]->dims[1]; plane < planes; plane++)
    for (int64_t k = 0; k < f->taps; k++)
      for (int64_t col = 0; col < f->columns; col++) {
        int64_t at = pixel_of(f, k, col);
        if (at >= 0) y[plane * f->pixels + at] += x[(plane * f->taps + k) * f->columns + col];
      }
  vlm_store_f64(c, 0, y);
  return VLM_OK;
}
