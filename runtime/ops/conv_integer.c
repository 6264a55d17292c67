#include "runtime/ops/conv_integer.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/ops/conv_attrs.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/requantize.h"
#include "runtime/ops/weights.h"

typedef struct {
  const vlm_tensor *w;
  const vlm_conv_shape *shape;
  const vlm_kernels *kernels;
} recipe;

static vlm_status fill(void *block, void *user, vlm_error *err) {
  vlm_status st = VLM_OK;
  const recipe *r = user;
  void *room = NULL;
  VLM_TRY(vlm_alloc(&room, (size_t)vlm_tensor_count(r->w), 1, err));
  vlm_conv_q8_weights_pack(block, room, r->w->data, r->w->dtype == VLM_U8 ? 0x80 : 0, r->shape, r->kernels);
out:
  vlm_free(room);
  return st;
}

vlm_status vlm_conv_q8_weights(vlm_op_call *c, int k, const vlm_conv_shape *s, const void **out) {
  recipe r = {c->in[k], s, c->kernels};
  int64_t key[5] = {s->channels, s->out_channels, s->groups, vlm_conv_volume(s->kernel),
                    16 * c->kernels->gemm_u8s8->nr + vlm_conv_is_depthwise(s)};
  size_t bytes;
  if (!vlm_conv_q8_weights_bytes(&bytes, s, c->kernels)) return vlm_fail(c->err, VLM_LIMIT, "packed weights are too large");
  return vlm_op_weight(c, k, VLM_PREPARED_PANELS_Q8, key, bytes, fill, &r, out);
}

static vlm_status run_sums(vlm_op_call *c, const vlm_conv_shape *s, const uint8_t *x, int32_t x_zero, const void *weights, int32_t *sums) {
  vlm_status st = VLM_OK;
  void *scratch;
  vlm_conv_q8 conv = {.shape = *s, .x_u8 = x, .x_zero = x_zero, .weights = weights, .y_sums = sums};
  VLM_TRY(c->scratch(c, &scratch, vlm_conv_q8_scratch(&conv, c->kernels, c->threads)));
  vlm_conv_q8_run(&conv, c->kernels, c->threads, scratch);
out:
  return st;
}

/* Sums of the window itself, one channel per group: a convolution with ones. */
static vlm_status window_sums(vlm_op_call *c, const vlm_conv_shape *s, const uint8_t *x, int32_t x_zero, int32_t **sums) {
  vlm_status st = VLM_OK;
  vlm_conv_shape ones = *s;
  void *w, *room, *packed, *block;
  size_t bytes;
  int64_t count = s->channels * vlm_conv_volume(s->kernel);
  ones.out_channels = s->groups;
  VLM_CHECK(vlm_conv_q8_weights_bytes(&bytes, &ones, c->kernels), c->err, VLM_LIMIT, "packed weights are too large");
  VLM_TRY(vlm_scratch_array(c, &w, count, 1));
  VLM_TRY(vlm_scratch_array(c, &room, count, 1));
  VLM_TRY(c->scratch(c, &packed, bytes));
  memset(w, 1, (size_t)count);
  vlm_conv_q8_weights_pack(packed, room, w, 0, &ones, c->kernels);
  VLM_TRY(vlm_scratch_array(c, &block, s->batch * s->groups * vlm_conv_volume(s->out), sizeof(int32_t)));
  VLM_TRY(run_sums(c, &ones, x, x_zero, packed, block));
  *sums = block;
out:
  return st;
}

static vlm_status correct_weights(vlm_op_call *c, const vlm_conv_shape *s, const uint8_t *x, int32_t x_zero, const vlm_tensor *w_zero,
                                  int64_t move, int32_t *sums) {
  vlm_status st = VLM_OK;
  int64_t count = w_zero ? vlm_tensor_count(w_zero) : 1, size = vlm_conv_volume(s->out), per_group = s->out_channels / s->groups;
  int32_t *windows = NULL;
  bool needed = false;
  VLM_CHECK(count == 1 || count == s->out_channels, c->err, VLM_INPUT, "the zero point of the weights has %lld values; wanted 1 or %lld",
            (long long)count, (long long)s->out_channels);
  for (int64_t o = 0; o < count; o++) needed = needed || (w_zero ? vlm_tensor_get_int(w_zero, o) : 0) + move != 0;
  if (!needed) goto out;
  VLM_TRY(window_sums(c, s, x, x_zero, &windows));
  for (int64_t i = 0; i < s->batch * s->out_channels; i++) {
    int64_t o = i % s->out_channels, group = i / s->out_channels * s->groups + o / per_group;
    uint32_t zero = (uint32_t)((w_zero ? vlm_tensor_get_int(w_zero, o % count) : 0) + move);
    for (int64_t p = 0; p < size; p++)
      sums[i * size + p] = (int32_t)((uint32_t)sums[i * size + p] - zero * (uint32_t)windows[group * size + p]);
  }
out:
  return st;
}

vlm_status vlm_conv_integer_sums(vlm_op_call *c, const vlm_tensor *x, int w_input, const vlm_tensor *x_zero, const vlm_tensor *w_zero,
                                 const vlm_conv_shape *s, int32_t *sums) {
  vlm_status st = VLM_OK;
  const vlm_tensor *w = c->in[w_input];
  const uint8_t *bytes = x->data;
  const void *weights;
  int32_t zero;
  VLM_CHECK((x->dtype == VLM_U8 || x->dtype == VLM_S8) && (w->dtype == VLM_U8 || w->dtype == VLM_S8), c->err, VLM_INPUT,
            "integer convolution of %s and %s; wanted uint8 or int8", vlm_dtype_name(x->dtype), vlm_dtype_name(w->dtype));
  VLM_TRY(vlm_op_zero_point(c, x_zero, &zero));
  if (x->dtype == VLM_S8) {
    void *block;
    VLM_TRY(vlm_scratch_array(c, &block, vlm_tensor_count(x), 1));
    for (int64_t i = 0, n = vlm_tensor_count(x); i < n; i++) ((uint8_t *)block)[i] = bytes[i] ^ 0x80;
    bytes = block;
    zero += 128;
  }
  VLM_TRY(vlm_conv_q8_weights(c, w_input, s, &weights));
  VLM_TRY(run_sums(c, s, bytes, zero, weights, sums));
  VLM_TRY(correct_weights(c, s, bytes, zero, w_zero, w->dtype == VLM_U8 ? -128 : 0, sums));
out:
  return st;
}

/* ---- ConvInteger: x, w, [x_zero], [w_zero] ---- */

vlm_status vlm_infer_ConvInteger(vlm_op_call *c) {
  vlm_conv_shape s;
  vlm_status st = vlm_conv_read(c, c->in[0], c->in[1], &s);
  if (st == VLM_OK) vlm_conv_out_shape(c, VLM_S32, c->in[0], &s);
  return st;
}
vlm_status vlm_run_ConvInteger(vlm_op_call *c) {
  vlm_conv_shape s;
  vlm_status st = vlm_conv_read(c, c->in[0], c->in[1], &s);
  return st == VLM_OK ? vlm_conv_integer_sums(c, c->in[0], 1, vlm_in(c, 2), vlm_in(c, 3), &s, c->out[0]->data) : st;
}

/* ---- QLinearConv: x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, [bias int32] ---- */

vlm_status vlm_infer_QLinearConv(vlm_op_call *c) {
  vlm_conv_shape s;
  vlm_status st = vlm_conv_read(c, c->in[0], c->in[3], &s);
  if (st == VLM_OK) st = vlm_require_byte(c, 7, "y_zero_point");
  if (st == VLM_OK) vlm_conv_out_shape(c, c->in[7] ? c->in[7]->dtype : VLM_U8, c->in[0], &s);
  return st;
}
vlm_status vlm_run_QLinearConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_conv_shape s;
  const vlm_tensor *bias = vlm_in(c, 8);
  void *block;
  VLM_TRY(vlm_conv_read(c, c->in[0], c->in[3], &s));
  int64_t rows = s.batch * s.out_channels, size = vlm_conv_volume(s.out);
  VLM_TRY(vlm_scratch_array(c, &block, rows * size, sizeof(int32_t)));
  int32_t *sums = block;
  VLM_TRY(vlm_conv_integer_sums(c, c->in[0], 3, c->in[2], c->in[5], &s, sums));
  VLM_CHECK(!bias || (bias->dtype == VLM_S32 && vlm_tensor_count(bias) == s.out_channels), c->err, VLM_INPUT,
            "bias must be %lld int32 values", (long long)s.out_channels);
  for (int64_t i = 0; bias && i < rows * size; i++)
    sums[i] = (int32_t)((uint32_t)sums[i] + (uint32_t)((const int32_t *)bias->data)[i / size % s.out_channels]);
  vlm_requantize q = {.out = c->out[0], .sums = sums, .rows = rows, .columns = size};
  VLM_TRY(vlm_requantize_scales(c, &q, c->in[1], c->in[4], c->in[6], c->in[7], 1, s.out_channels));
  q.by_row = true;
  vlm_requantize_run(c, &q);
out:
  return st;
}
