/* vlm.QConv: x (float32, quantized here, or uint8), x_scale, x_zero, w int8, w_scale, [bias], [y_scale], [y_zero];
 * attributes of Conv and FusedConv. Output float32, or uint8 when y_scale is given. */
#include <string.h>

#include "runtime/ops/conv_attrs.h"
#include "runtime/ops/conv_integer.h"
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/weights.h"

vlm_status vlm_infer_QConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_conv_shape s;
  VLM_CHECK(c->in[3]->dtype == VLM_S8, c->err, VLM_INPUT, "weights of type %s; wanted int8", vlm_dtype_name(c->in[3]->dtype));
  VLM_TRY(vlm_conv_read(c, c->in[0], c->in[3], &s));
  vlm_conv_out_shape(c, vlm_in(c, 6) ? VLM_U8 : VLM_F32, c->in[0], &s);
out:
  return st;
}

vlm_status vlm_run_QConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  vlm_conv_q8 conv = {0};
  void *scratch;
  VLM_CHECK(x->dtype == VLM_F32 || x->dtype == VLM_U8, c->err, VLM_INPUT, "activations of type %s; wanted float32 or uint8",
            vlm_dtype_name(x->dtype));
  VLM_TRY(vlm_conv_read(c, x, c->in[3], &conv.shape));
  if (x->dtype == VLM_F32)
    conv.x_f32 = x->data;
  else
    conv.x_u8 = x->data;
  VLM_TRY(vlm_op_scalar(c, c->in[1], "the scale of x", &conv.x_scale));
  VLM_TRY(vlm_op_zero_point(c, c->in[2], &conv.x_zero));
  VLM_TRY(vlm_conv_q8_weights(c, 3, &conv.shape, &conv.weights));
  VLM_TRY(vlm_op_floats(c, c->in[4], conv.shape.out_channels, "the scale of the weights", &conv.w_scale));
  VLM_TRY(vlm_op_floats(c, vlm_in(c, 5), conv.shape.out_channels, "the bias", &conv.bias));
  const char *activation = vlm_arg_string(c, VLM_CONV_MORE, "");
  VLM_TRY(vlm_activation_find(&conv.activation, c->kernels->rowops, activation, c->err));
  vlm_activation_params(conv.params, activation, vlm_arg(c, VLM_CONV_MORE + 1), NULL);
  if (vlm_in(c, 6)) {
    VLM_TRY(vlm_op_scalar(c, c->in[6], "the scale of y", &conv.y_scale));
    VLM_TRY(vlm_op_zero_point(c, vlm_in(c, 7), &conv.y_zero));
    conv.y_u8 = c->out[0]->data;
  } else {
    conv.y = c->out[0]->data;
  }
  VLM_TRY(c->scratch(c, &scratch, vlm_conv_q8_scratch(&conv, c->kernels, c->threads)));
  vlm_conv_q8_run(&conv, c->kernels, c->threads, scratch);
out:
  return st;
}
