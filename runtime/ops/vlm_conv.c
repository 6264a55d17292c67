/* vlm.QConv: x (float32, quantized here, or uint8), x_scale, x_zero, w int8, w_scale, [bias], [y_scale], [y_zero];
 * attributes of Conv and FusedConv, channels_last: x and the output are [N, spatial..., channels]. Output float32, or uint8 when y_scale is given. */
#include <string.h>

#include "runtime/ops/conv_attrs.h"
#include "runtime/ops/conv_integer.h"
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

enum { X_SCALE = 1, X_ZERO, W, W_SCALE, BIAS, Y_SCALE, Y_ZERO };

typedef struct {
  vlm_conv_q8_packed w;
  vlm_values w_scale, bias;
  vlm_scalar x_scale, x_zero, y_scale, y_zero;
  vlm_conv_q8 conv; /* all but pointers and values of the run */
  size_t scratch;
} vlm_conv_state;

static bool is_last(const vlm_op_call *c) { return vlm_arg_int(c, VLM_CONV_MORE + 2, 0) != 0; }

static vlm_status read_shape(vlm_op_call *c, vlm_conv_shape *s) {
  const vlm_tensor x = is_last(c) ? vlm_channels_first(c->in[0]) : *c->in[0];
  return vlm_conv_read(c, &x, c->in[W], s);
}

vlm_status vlm_infer_QConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_dtype type = vlm_in(c, Y_SCALE) ? VLM_U8 : VLM_F32;
  vlm_conv_shape s;
  VLM_CHECK(c->in[W]->dtype == VLM_S8, c->err, VLM_INPUT, "weights of type %s; wanted int8",
            vlm_dtype_name(c->in[W]->dtype));
  VLM_TRY(read_shape(c, &s));
  if (is_last(c)) vlm_conv_out_shape_last(c, type, c->in[0], &s);
  else vlm_conv_out_shape(c, type, c->in[0], &s);
out:
  return st;
}

vlm_status vlm_prepare_QConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_conv_state *s;
  const vlm_tensor *x = c->in[0];
  const char *activation = vlm_arg_string(c, VLM_CONV_MORE, "");
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_CHECK(x->dtype == VLM_F32 || x->dtype == VLM_U8, c->err, VLM_INPUT,
            "activations of type %s; wanted float32 or uint8", vlm_dtype_name(x->dtype));
  VLM_TRY(read_shape(c, &s->conv.shape));
  s->conv.last = is_last(c);
  vlm_conv_flatten(&s->conv.shape);
  int64_t channels = s->conv.shape.out_channels;
  VLM_TRY(vlm_conv_q8_pack(c, &s->w, W, &s->conv.shape));
  VLM_TRY(vlm_values_prepare(c, &s->w_scale, W_SCALE, channels, "the scale of the weights"));
  VLM_TRY(vlm_values_prepare(c, &s->bias, BIAS, channels, "the bias"));
  VLM_TRY(vlm_scalar_prepare(c, &s->x_scale, X_SCALE, 1, "the scale of x"));
  VLM_TRY(vlm_require_type(c, X_ZERO, "the zero point of x", VLM_U8));
  VLM_TRY(vlm_require_type(c, Y_ZERO, "the zero point of y", VLM_U8));
  VLM_TRY(vlm_scalar_prepare(c, &s->x_zero, X_ZERO, 0, "the zero point of x"));
  VLM_TRY(vlm_scalar_prepare(c, &s->y_scale, Y_SCALE, 1, "the scale of y"));
  VLM_TRY(vlm_scalar_prepare(c, &s->y_zero, Y_ZERO, 0, "the zero point of y"));
  VLM_TRY(vlm_activation_find(&s->conv.activation, c->kernels->rowops, activation, c->err));
  vlm_activation_params(s->conv.params, activation, vlm_arg(c, VLM_CONV_MORE + 1), NULL);
  s->conv.weights = &s->w.layout;
  VLM_TRY(vlm_op_reserve(c, &s->scratch, (int64_t)vlm_conv_q8_scratch(&s->conv, c->kernels, c->threads), 1));
out:
  return st;
}

vlm_status vlm_run_QConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_conv_state *s = c->state;
  vlm_conv_q8 conv = s->conv;
  VLM_TRY(vlm_op_packed(c, &s->w.w, &conv.weights));
  if (c->in[0]->dtype == VLM_F32) conv.x_f32 = c->in[0]->data;
  else conv.x_u8 = c->in[0]->data;
  conv.x_scale = (float)vlm_scalar_get(c, &s->x_scale);
  conv.x_zero = (int32_t)vlm_scalar_get(c, &s->x_zero);
  conv.w_scale = vlm_values_get(c, &s->w_scale);
  conv.bias = vlm_values_get(c, &s->bias);
  conv.y_scale = (float)vlm_scalar_get(c, &s->y_scale);
  conv.y_zero = (int32_t)vlm_scalar_get(c, &s->y_zero);
  if (s->y_scale.input >= 0) conv.y_u8 = c->out[0]->data;
  else conv.y = c->out[0]->data;
  vlm_conv_q8_run(&conv, c->kernels, c->threads, vlm_op_work(c, s->scratch));
out:
  return st;
}
