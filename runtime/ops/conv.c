/* Conv, FusedConv, ConvTranspose in floating point. */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/conv_f32.h"
#include "runtime/ops/conv_attrs.h"
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

typedef struct {
  vlm_values x, bias, residual;
  vlm_packed weights;
  vlm_result y;
  vlm_conv_f32 conv; /* all but the pointers of the run */
  size_t scratch;
} conv_state;

/* sizes: channels, output channels, groups, kernel, transposed, form (1 = depthwise, 3 = tiled): a shape that packs as the convolution's own
 * does */
static vlm_conv_shape shape_of(const int64_t *sizes) {
  vlm_conv_shape s = {.channels = sizes[0],
                      .out_channels = sizes[1],
                      .groups = sizes[2],
                      .kernel = {sizes[3], sizes[4], sizes[5]}};
  s.transposed = sizes[6] != 0;
  for (int i = 0; i < 3; i++) s.in[i] = s.out[i] = sizes[7]; /* more than one plane is neither */
  if (sizes[7] != 3) return s;
  for (int i = 0; i < 3; i++) {
    s.in[i] = 1;
    s.out[i] = s.stride[i] = s.kernel[i];
  }
  return s;
}

static vlm_status fill(void *block, const int64_t *sizes, const vlm_tensor *const *from,
                       const vlm_kernels *kernels, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_conv_shape shape = shape_of(sizes);
  int64_t count = vlm_tensor_count(from[0]);
  float *copy = NULL;
  VLM_TRY(vlm_new(&copy, 2 * count, err));
  vlm_floats_of(copy, from[0], count);
  vlm_conv_f32_pack(block, kernels, &(vlm_conv_f32_source){&shape, copy, copy + count});
out:
  vlm_free(copy);
  return st;
}

static int64_t form_of(const vlm_conv_shape *s) {
  return vlm_conv_is_depthwise(s) ? 1 : vlm_conv_is_tiled(s) ? 3 : 2;
}

static vlm_status pack_weights(vlm_op_call *c, conv_state *s) {
  const vlm_conv_shape *shape = &s->conv.shape;
  const vlm_weight_form form = {
      .fill = fill,
      .sizes = {shape->channels, shape->out_channels, shape->groups, shape->kernel[0], shape->kernel[1],
                shape->kernel[2], shape->transposed, form_of(shape)},
      .inputs = {1},
      .n_inputs = 1,
      .bytes = (size_t)vlm_conv_f32_packed_count(shape, c->kernels) * sizeof(float)};
  return vlm_op_pack(c, &s->weights, &form);
}

/* What is left when shape, weights and activation are set. */
static vlm_status prepare_rest(vlm_op_call *c, conv_state *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *bias = vlm_in(c, 2);
  int64_t channels = s->conv.shape.out_channels;
  VLM_CHECK(!bias || vlm_tensor_count(bias) == channels, c->err, VLM_INPUT,
            "bias of %lld values; wanted %lld", bias ? (long long)vlm_tensor_count(bias) : 0,
            (long long)channels);
  vlm_conv_flatten(&s->conv.shape);
  VLM_TRY(pack_weights(c, s));
  VLM_TRY(vlm_values_prepare(c, &s->x, 0, vlm_tensor_count(c->in[0]), "x"));
  VLM_TRY(vlm_values_prepare(c, &s->bias, 2, channels, "the bias"));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_op_reserve(c, &s->scratch, (int64_t)vlm_conv_f32_scratch(&s->conv, c->kernels, c->threads), 1));
out:
  return st;
}

vlm_status vlm_run_Conv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const conv_state *s = c->state;
  vlm_conv_f32 conv = s->conv;
  const void *packed;
  VLM_TRY(vlm_op_packed(c, &s->weights, &packed));
  conv.weights = packed;
  conv.x = vlm_values_get(c, &s->x);
  conv.bias = vlm_values_get(c, &s->bias);
  conv.residual = vlm_values_get(c, &s->residual);
  conv.y = vlm_result_get(c, &s->y);
  vlm_conv_f32_run(&conv, c->kernels, c->threads, vlm_op_work(c, s->scratch));
  vlm_store_f32(c, 0, conv.y);
out:
  return st;
}

/* ---- Conv, FusedConv: x, w, [bias], [residual]; activation after the sum ---- */

vlm_status vlm_infer_Conv(vlm_op_call *c) {
  vlm_conv_shape s;
  vlm_status st = vlm_conv_read(c, c->in[0], c->in[1], &s);
  if (st == VLM_OK) vlm_conv_out_shape(c, c->in[0]->dtype, c->in[0], &s);
  return st;
}

vlm_status vlm_prepare_Conv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  conv_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_conv_read(c, c->in[0], c->in[1], &s->conv.shape));
  VLM_TRY(vlm_values_prepare(c, &s->residual, -1, 0, ""));
  VLM_TRY(prepare_rest(c, s));
out:
  return st;
}

/* Residual and activation. */
static vlm_status prepare_epilogue(vlm_op_call *c, conv_state *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *residual = vlm_in(c, 3);
  const char *activation = vlm_arg_string(c, VLM_CONV_MORE, "");
  VLM_CHECK(!residual || vlm_tensor_same_shape(residual, c->out[0]), c->err, VLM_INPUT,
            "the residual must have the shape of the output");
  VLM_TRY(vlm_values_prepare(c, &s->residual, 3, residual ? vlm_tensor_count(residual) : 0, "the residual"));
  VLM_TRY(vlm_activation_find(&s->conv.activation, c->kernels->rowops, activation, c->err));
  vlm_activation_params(s->conv.params, activation, vlm_arg(c, VLM_CONV_MORE + 1), NULL);
out:
  return st;
}

vlm_status vlm_prepare_FusedConv(vlm_op_call *c) {
  vlm_status st = vlm_prepare_Conv(c);
  return st == VLM_OK ? prepare_epilogue(c, c->state) : st;
}

/* ---- vlm.Conv: FusedConv of channels last; weights as ONNX has them ---- */

vlm_status vlm_infer_ConvLast(vlm_op_call *c) {
  vlm_conv_shape s;
  const vlm_tensor x = vlm_channels_first(c->in[0]);
  vlm_status st = vlm_conv_read(c, &x, c->in[1], &s);
  if (st == VLM_OK) vlm_conv_out_shape_last(c, c->in[0]->dtype, &x, &s);
  return st;
}

vlm_status vlm_prepare_ConvLast(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  conv_state *s;
  const vlm_tensor x = vlm_channels_first(c->in[0]);
  VLM_TRY(vlm_op_state_new(c, &s));
  s->conv.last = true;
  VLM_TRY(vlm_conv_read(c, &x, c->in[1], &s->conv.shape));
  VLM_TRY(prepare_rest(c, s));
  VLM_TRY(prepare_epilogue(c, s));
out:
  return st;
}

/* ---- ConvTranspose; vlm.ConvTranspose of channels last with an activation ---- */

vlm_status vlm_infer_ConvTransposeLast(vlm_op_call *c) {
  vlm_conv_shape s;
  const vlm_tensor x = vlm_channels_first(c->in[0]);
  vlm_status st = vlm_conv_transpose_read(c, &x, c->in[1], &s);
  if (st == VLM_OK) vlm_conv_out_shape_last(c, c->in[0]->dtype, &x, &s);
  return st;
}

vlm_status vlm_prepare_ConvTransposeLast(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  conv_state *s;
  const vlm_tensor x = vlm_channels_first(c->in[0]);
  const char *activation = vlm_arg_string(c, VLM_CONV_MORE + 2, "");
  VLM_TRY(vlm_op_state_new(c, &s));
  s->conv.last = true;
  VLM_TRY(vlm_conv_transpose_read(c, &x, c->in[1], &s->conv.shape));
  VLM_TRY(vlm_values_prepare(c, &s->residual, -1, 0, ""));
  VLM_TRY(prepare_rest(c, s));
  VLM_TRY(vlm_activation_find(&s->conv.activation, c->kernels->rowops, activation, c->err));
  vlm_activation_params(s->conv.params, activation, vlm_arg(c, VLM_CONV_MORE + 3), NULL);
out:
  return st;
}

vlm_status vlm_infer_ConvTranspose(vlm_op_call *c) {
  vlm_conv_shape s;
  vlm_status st = vlm_conv_transpose_read(c, c->in[0], c->in[1], &s);
  if (st == VLM_OK) vlm_conv_out_shape(c, c->in[0]->dtype, c->in[0], &s);
  return st;
}

vlm_status vlm_prepare_ConvTranspose(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  conv_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_conv_transpose_read(c, c->in[0], c->in[1], &s->conv.shape));
  VLM_TRY(vlm_values_prepare(c, &s->residual, -1, 0, ""));
  VLM_TRY(prepare_rest(c, s));
out:
  return st;
}
