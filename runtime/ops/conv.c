/* Conv, FusedConv, ConvTranspose in floating point. */
#include <string.h>

#include "runtime/kernels/conv_f32.h"
#include "runtime/ops/conv_attrs.h"
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/weights.h"

/* Values, output and scratch of a convolution whose shape, weights and activation are set. */
static vlm_status run_conv(vlm_op_call *c, vlm_conv_f32 *conv, int bias_input) {
  vlm_status st = VLM_OK;
  void *scratch;
  const vlm_tensor *bias = vlm_in(c, bias_input);
  VLM_TRY(vlm_as_f32(c, c->in[0], &conv->x));
  VLM_TRY(vlm_as_f32(c, bias, &conv->bias));
  VLM_CHECK(!bias || vlm_tensor_count(bias) == conv->shape.out_channels, c->err, VLM_INPUT, "bias of %lld values; wanted %lld",
            bias ? (long long)vlm_tensor_count(bias) : 0, (long long)conv->shape.out_channels);
  VLM_TRY(vlm_out_f32(c, 0, &conv->y));
  VLM_TRY(c->scratch(c, &scratch, vlm_conv_f32_scratch(conv, c->kernels, c->threads)));
  vlm_conv_f32_run(conv, c->kernels, c->threads, scratch);
  vlm_store_f32(c, 0, conv->y);
out:
  return st;
}

vlm_status vlm_infer_Conv(vlm_op_call *c) {
  vlm_conv_shape s;
  vlm_status st = vlm_conv_read(c, c->in[0], c->in[1], &s);
  if (st == VLM_OK) vlm_conv_out_shape(c, c->in[0]->dtype, c->in[0], &s);
  return st;
}

vlm_status vlm_run_Conv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_conv_f32 conv = {0};
  VLM_TRY(vlm_conv_read(c, c->in[0], c->in[1], &conv.shape));
  VLM_TRY(vlm_as_f32(c, c->in[1], &conv.w));
  VLM_TRY(run_conv(c, &conv, 2));
out:
  return st;
}

/* FusedConv: x, w, [bias], [residual]; activation after the sum. */
vlm_status vlm_run_FusedConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_conv_f32 conv = {0};
  const vlm_tensor *residual = vlm_in(c, 3);
  const char *activation = vlm_arg_string(c, VLM_CONV_MORE, "");
  VLM_TRY(vlm_conv_read(c, c->in[0], c->in[1], &conv.shape));
  VLM_TRY(vlm_as_f32(c, c->in[1], &conv.w));
  VLM_TRY(vlm_as_f32(c, residual, &conv.residual));
  VLM_CHECK(!residual || vlm_tensor_same_shape(residual, c->out[0]), c->err, VLM_INPUT, "the residual must have the shape of the output");
  VLM_TRY(vlm_activation_find(&conv.activation, c->kernels->rowops, activation, c->err));
  vlm_activation_params(conv.params, activation, vlm_arg(c, VLM_CONV_MORE + 1), NULL);
  VLM_TRY(run_conv(c, &conv, 2));
out:
  return st;
}

/* ---- ConvTranspose ---- */

typedef struct {
  const float *w;
  const vlm_conv_shape *shape;
} recipe;

static vlm_status fill(void *block, void *user, vlm_error *err) {
  const recipe *r = user;
  (void)err;
  vlm_conv_transpose_weights(block, r->w, r->shape, sizeof(float));
  return VLM_OK;
}

vlm_status vlm_infer_ConvTranspose(vlm_op_call *c) {
  vlm_conv_shape s;
  vlm_status st = vlm_conv_transpose_read(c, c->in[0], c->in[1], &s);
  if (st == VLM_OK) vlm_conv_out_shape(c, c->in[0]->dtype, c->in[0], &s);
  return st;
}

vlm_status vlm_run_ConvTranspose(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_conv_f32 conv = {0};
  recipe r = {.shape = &conv.shape};
  VLM_TRY(vlm_conv_transpose_read(c, c->in[0], c->in[1], &conv.shape));
  VLM_TRY(vlm_as_f32(c, c->in[1], &r.w));
  int64_t key[5] = {conv.shape.channels, conv.shape.out_channels, conv.shape.groups, vlm_conv_volume(conv.shape.kernel), 1};
  VLM_TRY(
      vlm_op_weight(c, 1, VLM_PREPARED_FLOATS, key, (size_t)vlm_tensor_count(c->in[1]) * sizeof(float), fill, &r, (const void **)&conv.w));
  VLM_TRY(run_conv(c, &conv, 2));
out:
  return st;
}
