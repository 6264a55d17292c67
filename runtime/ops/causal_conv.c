/* CausalConvWithState (opset 27): depthwise convolution over [B, C, L] that sees the past, with the last inputs kept as state; and
 * SwiGLU (28). */
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"

static vlm_status check_shapes(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *w = c->in[1], *bias = vlm_in(c, 2), *past = vlm_in(c, 3);
  VLM_CHECK(x->rank == 3 && w->rank == 3 && w->dims[0] == x->dims[1] && w->dims[1] == 1 && w->dims[2] > 0, c->err, VLM_INPUT,
            "input and weight do not have the shapes [B, C, L] and [C, 1, K]");
  VLM_CHECK(!bias || vlm_tensor_count(bias) == x->dims[1], c->err, VLM_INPUT, "bias does not have one value per channel");
  VLM_CHECK(!past || (past->rank == 3 && past->dims[0] == x->dims[0] && past->dims[1] == x->dims[1] && past->dims[2] == w->dims[2] - 1),
            c->err, VLM_INPUT,
            "past_state does not have the shape [B, C, K - 1]");
out:
  return st;
}

vlm_status vlm_infer_CausalConvWithState(vlm_op_call *c) {
  vlm_status st = check_shapes(c);
  if (st != VLM_OK) return st;
  const vlm_tensor *x = c->in[0];
  int64_t state[3] = {x->dims[0], x->dims[1], c->in[1]->dims[2] - 1};
  vlm_out_like(c, 0, 0);
  vlm_out_shape(c, 1, x->dtype, 3, state);
  return VLM_OK;
}

vlm_status vlm_run_CausalConvWithState(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = c->in[0];
  const char *activation = vlm_arg_string(c, 0, "none");
  bool swish = strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0;
  VLM_CHECK(swish || strcmp(activation, "none") == 0, c->err, VLM_INPUT, "activation is \"%s\", wanted none, silu or swish", activation);
  const float *x, *w, *bias, *past, one = 1;
  float *y, *state, *line;
  int64_t channels = t->dims[1], n = t->dims[2], taps = c->in[1]->dims[2], keep = taps - 1;
  VLM_TRY(vlm_as_f32(c, t, &x));
  VLM_TRY(vlm_as_f32(c, c->in[1], &w));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, 2), &bias));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, 3), &past));
  VLM_TRY(vlm_out_f32(c, 0, &y));
  VLM_TRY(vlm_out_f32(c, 1, &state));
  VLM_TRY(vlm_scratch_new(c, &line, keep + n));
  for (int64_t i = 0; i < t->dims[0] * channels; i++) {
    if (past) vlm_copy_some(line, past + i * keep, (size_t)keep * sizeof *line);
    else vlm_zero_some(line, (size_t)keep * sizeof *line);
    vlm_copy_some(line + keep, x + i * n, (size_t)n * sizeof *line);
    for (int64_t k = 0; y && k < n; k++) {
      float sum = 0;
      for (int64_t p = 0; p < taps; p++) sum += line[k + p] * w[i % channels * taps + p];
      y[i * n + k] = sum + (bias ? bias[i % channels] : 0);
    }
    if (y && swish) vlm_call_rowops(c)->swish(y + i * n, y + i * n, n, &one);
    if (state) vlm_copy_some(state + i * keep, line + n, (size_t)keep * sizeof *state);
  }
  vlm_store_f32(c, 0, y);
  vlm_store_f32(c, 1, state);
out:
  return st;
}

/* ---- SwiGLU: a * sigmoid(alpha * a) * b ---- */

vlm_status vlm_run_SwiGLU(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  int64_t n = vlm_tensor_count(c->out[0]);
  const float *a, *b;
  float *y, alpha = vlm_arg_float(c, 0, 1);
  VLM_CHECK(vlm_tensor_same_shape(c->in[0], c->in[1]), c->err, VLM_INPUT, "the gate and the value do not have the same shape");
  VLM_TRY(vlm_as_f32(c, c->in[0], &a));
  VLM_TRY(vlm_as_f32(c, c->in[1], &b));
  VLM_TRY(vlm_out_f32(c, 0, &y));
  vlm_call_rowops(c)->swish(y, a, n, &alpha);
  vlm_call_rowops(c)->mul(y, y, 1, b, 1, n);
  vlm_store_f32(c, 0, y);
out:
  return st;
}
