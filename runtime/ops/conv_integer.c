#include "runtime/ops/conv_integer.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/ops/conv_attrs.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/requantize.h"

/* ---- weights ---- */

/* sizes: channels, output channels, groups, kernel, transposed, depthwise: a shape that packs as the convolution's own does */
static vlm_conv_shape shape_of(const int64_t *sizes) {
  vlm_conv_shape s = {.channels = sizes[0],
                      .out_channels = sizes[1],
                      .groups = sizes[2],
                      .kernel = {sizes[3], sizes[4], sizes[5]},
                      .transposed = sizes[6] != 0};
  for (int i = 0; i < 3; i++) s.in[i] = s.out[i] = sizes[7]; /* no output is not depthwise */
  return s;
}

static vlm_status fill(void *block, const int64_t *sizes, const vlm_tensor *const *from,
                       const vlm_kernels *kernels, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_conv_shape shape = shape_of(sizes);
  void *room = NULL;
  VLM_TRY(vlm_alloc(&room, (size_t)vlm_tensor_count(from[0]), 1, err));
  vlm_conv_q8_source source = {
      .shape = &shape, .w = from[0]->data, .room = room, .flip = from[0]->dtype == VLM_U8 ? 0x80 : 0};
  vlm_conv_q8_weights_pack(block, kernels, &source);
out:
  vlm_free(room);
  return st;
}

/* The header of weights that are a product; a depthwise convolution reads none. */
static bool layout_of(vlm_q8_weights *out, const vlm_conv_shape *s, const vlm_kernels *kernels) {
  return vlm_q8_weights_layout(out, kernels, s->channels / s->groups * vlm_conv_volume(s->kernel),
                               s->out_channels / s->groups, s->groups);
}

vlm_status vlm_conv_q8_pack(vlm_op_call *c, vlm_conv_q8_packed *packed, int k, const vlm_conv_shape *s) {
  vlm_status st = VLM_OK;
  vlm_weight_form form = {.fill = fill,
                          .sizes = {s->channels, s->out_channels, s->groups, s->kernel[0], s->kernel[1],
                                    s->kernel[2], s->transposed, vlm_conv_is_depthwise(s)},
                          .inputs = {k},
                          .n_inputs = 1};
  VLM_CHECK(
      vlm_conv_q8_weights_bytes(&form.bytes, s, c->kernels) && layout_of(&packed->layout, s, c->kernels),
      c->err, VLM_LIMIT, "packed weights are too large");
  VLM_TRY(vlm_op_pack(c, &packed->w, &form));
out:
  return st;
}

/* ---- sums ---- */

static size_t scratch_of(const vlm_op_call *c, const vlm_conv_shape *shape, const vlm_q8_weights *layout) {
  int32_t some[1];
  const vlm_conv_q8 conv = {.shape = *shape, .weights = layout, .y_sums = some};
  return vlm_conv_q8_scratch(&conv, c->kernels, c->threads);
}

/* How far the zero point of output channel o lies from that of the packed weights. */
static int64_t weight_zero(const vlm_op_call *c, const vlm_conv_sums *s, int64_t o) {
  const vlm_tensor *zero = s->w_zero < 0 ? NULL : vlm_in(c, s->w_zero);
  int64_t move = c->in[s->w_input]->dtype == VLM_U8 ? -128 : 0;
  return (zero ? vlm_tensor_get_int(zero, o % vlm_tensor_count(zero)) : 0) + move;
}

static bool has_weight_zero(const vlm_op_call *c, const vlm_conv_sums *s) {
  for (int64_t o = 0; o < s->shape.out_channels; o++)
    if (weight_zero(c, s, o) != 0) return true;
  return false;
}

/* Sums of the window itself, one channel per group: a convolution with ones. */
static vlm_status prepare_windows(vlm_op_call *c, vlm_conv_sums *s, size_t *scratch) {
  vlm_status st = VLM_OK;
  void *w, *room;
  size_t bytes;
  vlm_q8_weights layout;
  int64_t count = s->shape.channels * vlm_conv_volume(s->shape.kernel);
  s->ones = s->shape;
  s->ones.out_channels = s->shape.groups;
  VLM_CHECK(
      vlm_conv_q8_weights_bytes(&bytes, &s->ones, c->kernels) && layout_of(&layout, &s->ones, c->kernels),
      c->err, VLM_LIMIT, "packed weights are too large");
  VLM_TRY(vlm_scratch_array(c, &w, count, 1));
  VLM_TRY(vlm_scratch_array(c, &room, count, 1));
  VLM_TRY(vlm_op_keep(c, &s->ones_packed, (int64_t)bytes, 1));
  memset(w, 1, (size_t)count);
  vlm_conv_q8_weights_pack(s->ones_packed, c->kernels,
                           &(vlm_conv_q8_source){.shape = &s->ones, .w = w, .room = room});
  VLM_TRY(vlm_op_reserve(c, &s->windows, s->shape.batch * s->shape.groups * vlm_conv_volume(s->shape.out),
                         sizeof(int32_t)));
  bytes = scratch_of(c, &s->ones, &layout);
  if (bytes > *scratch) *scratch = bytes;
out:
  return st;
}

static bool weights_surely_symmetric(const vlm_op_call *c, const vlm_conv_sums *s) {
  bool known = s->w_zero < 0 || !vlm_in(c, s->w_zero) || vlm_op_lasts(c, s->w_zero);
  return known && !has_weight_zero(c, s);
}

vlm_status vlm_conv_sums_prepare(vlm_op_call *c, vlm_conv_sums *s, int w_input, int x_zero, int w_zero) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *w = c->in[w_input], *zero = vlm_in(c, w_zero), *zero_x = vlm_in(c, x_zero);
  int64_t count = zero ? vlm_tensor_count(zero) : 1;
  s->w_input = w_input;
  s->x_zero = zero_x ? x_zero : -1;
  s->w_zero = zero ? w_zero : -1;
  VLM_CHECK((x->dtype == VLM_U8 || x->dtype == VLM_S8) && (w->dtype == VLM_U8 || w->dtype == VLM_S8), c->err,
            VLM_INPUT, "integer convolution of %s and %s; wanted uint8 or int8", vlm_dtype_name(x->dtype),
            vlm_dtype_name(w->dtype));
  VLM_TRY(vlm_conv_read(c, x, w, &s->shape));
  VLM_CHECK(!zero_x || vlm_tensor_count(zero_x) == 1, c->err, VLM_INPUT,
            "the zero point has %lld elements; wanted one value per tensor",
            zero_x ? (long long)vlm_tensor_count(zero_x) : 0);
  VLM_CHECK(count == 1 || count == s->shape.out_channels, c->err, VLM_INPUT,
            "the zero point of the weights has %lld values; wanted 1 or %lld", (long long)count,
            (long long)s->shape.out_channels);
  if (x->dtype == VLM_S8) VLM_TRY(vlm_op_reserve(c, &s->x, vlm_tensor_count(x), 1));
  VLM_TRY(vlm_conv_q8_pack(c, &s->w, w_input, &s->shape));
  size_t scratch = scratch_of(c, &s->shape, &s->w.layout);
  if (!weights_surely_symmetric(c, s)) VLM_TRY(prepare_windows(c, s, &scratch));
  VLM_TRY(vlm_op_reserve(c, &s->scratch, (int64_t)scratch, 1));
out:
  return st;
}

static void correct_weights(vlm_op_call *c, const vlm_conv_sums *s, const uint8_t *x, int32_t x_zero,
                            int32_t *sums) {
  const vlm_conv_shape *shape = &s->shape;
  int64_t size = vlm_conv_volume(shape->out), per_group = shape->out_channels / shape->groups;
  int32_t *windows = vlm_op_work(c, s->windows);
  if (!s->ones_packed || !has_weight_zero(c, s)) return;
  const vlm_conv_q8 conv = {
      .shape = s->ones, .x_u8 = x, .x_zero = x_zero, .weights = s->ones_packed, .y_sums = windows};
  vlm_conv_q8_run(&conv, c->kernels, c->threads, vlm_op_work(c, s->scratch));
  for (int64_t i = 0; i < shape->batch * shape->out_channels; i++) {
    int64_t o = i % shape->out_channels, group = i / shape->out_channels * shape->groups + o / per_group;
    uint32_t zero = (uint32_t)weight_zero(c, s, o);
    for (int64_t p = 0; p < size; p++)
      sums[i * size + p] =
          (int32_t)((uint32_t)sums[i * size + p] - zero * (uint32_t)windows[group * size + p]);
  }
}

vlm_status vlm_conv_sums_run(vlm_op_call *c, const vlm_conv_sums *s, int32_t *sums) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  const uint8_t *bytes = x->data;
  const void *weights;
  int32_t zero = s->x_zero < 0 ? 0 : (int32_t)vlm_tensor_get_int(c->in[s->x_zero], 0);
  if (x->dtype == VLM_S8) {
    uint8_t *moved = vlm_op_work(c, s->x);
    for (int64_t i = 0, n = vlm_tensor_count(x); i < n; i++) moved[i] = bytes[i] ^ 0x80;
    bytes = moved;
    zero += 128;
  }
  VLM_TRY(vlm_op_packed(c, &s->w.w, &weights));
  const vlm_conv_q8 conv = {
      .shape = s->shape, .x_u8 = bytes, .x_zero = zero, .weights = weights, .y_sums = sums};
  vlm_conv_q8_run(&conv, c->kernels, c->threads, vlm_op_work(c, s->scratch));
  correct_weights(c, s, bytes, zero, sums);
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
vlm_status vlm_prepare_ConvInteger(vlm_op_call *c) {
  vlm_conv_sums *s;
  vlm_status st = vlm_op_state_new(c, &s);
  return st == VLM_OK ? vlm_conv_sums_prepare(c, s, 1, 2, 3) : st;
}
vlm_status vlm_run_ConvInteger(vlm_op_call *c) { return vlm_conv_sums_run(c, c->state, c->out[0]->data); }

/* ---- QLinearConv: x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, [bias int32] ---- */

typedef struct {
  vlm_conv_sums conv;
  vlm_requantize_scales scales;
  size_t sums;
} qlinear;

vlm_status vlm_infer_QLinearConv(vlm_op_call *c) {
  vlm_conv_shape s;
  vlm_status st = vlm_conv_read(c, c->in[0], c->in[3], &s);
  if (st == VLM_OK) st = vlm_require_byte(c, 7, "y_zero_point");
  if (st == VLM_OK) vlm_conv_out_shape(c, c->in[7] ? c->in[7]->dtype : VLM_U8, c->in[0], &s);
  return st;
}
vlm_status vlm_prepare_QLinearConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  qlinear *s;
  const vlm_tensor *bias = vlm_in(c, 8);
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_conv_sums_prepare(c, &s->conv, 3, 2, 5));
  const vlm_conv_shape *shape = &s->conv.shape;
  VLM_CHECK(!bias || (bias->dtype == VLM_S32 && vlm_tensor_count(bias) == shape->out_channels), c->err,
            VLM_INPUT, "bias must be %lld int32 values", (long long)shape->out_channels);
  s->scales = (vlm_requantize_scales){.a = 1, .b = 4, .y_scale = 6, .y_zero = 7, .alpha = 1};
  VLM_TRY(vlm_requantize_prepare(c, &s->scales, 1, shape->out_channels));
  VLM_TRY(vlm_op_reserve(c, &s->sums, shape->batch * shape->out_channels * vlm_conv_volume(shape->out),
                         sizeof(int32_t)));
out:
  return st;
}
vlm_status vlm_run_QLinearConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const qlinear *s = c->state;
  const vlm_conv_shape *shape = &s->conv.shape;
  const vlm_tensor *bias = vlm_in(c, 8);
  int64_t rows = shape->batch * shape->out_channels, size = vlm_conv_volume(shape->out);
  int32_t *sums = vlm_op_work(c, s->sums);
  VLM_TRY(vlm_conv_sums_run(c, &s->conv, sums));
  for (int64_t i = 0; bias && i < rows * size; i++)
    sums[i] = (int32_t)((uint32_t)sums[i] +
                        (uint32_t)((const int32_t *)bias->data)[i / size % shape->out_channels]);
  vlm_requantize q = {.out = c->out[0], .sums = sums, .rows = rows, .columns = size};
  vlm_requantize_read(c, &s->scales, &q);
  q.by_row = true;
  vlm_requantize_run(c, &q);
out:
  return st;
}
