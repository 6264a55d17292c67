/* CausalConvWithState (opset 27): depthwise convolution over [B, C, L] that sees the past, with the last inputs kept as state; and
 * SwiGLU (28). */
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"
#include "runtime/ops/values.h"

static vlm_status check_shapes(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *w = c->in[1], *bias = vlm_in(c, 2), *past = vlm_in(c, 3);
  VLM_CHECK(x->rank == 3 && w->rank == 3 && w->dims[0] == x->dims[1] && w->dims[1] == 1 && w->dims[2] > 0,
            c->err, VLM_INPUT, "input and weight do not have the shapes [B, C, L] and [C, 1, K]");
  VLM_CHECK(!bias || vlm_tensor_count(bias) == x->dims[1], c->err, VLM_INPUT,
            "bias does not have one value per channel");
  VLM_CHECK(!past || (past->rank == 3 && past->dims[0] == x->dims[0] && past->dims[1] == x->dims[1] &&
                      past->dims[2] == w->dims[2] - 1),
            c->err, VLM_INPUT, "past_state does not have the shape [B, C, K - 1]");
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

typedef struct {
  bool swish;
  vlm_values x, w, bias, past;
  vlm_result y, present;
  size_t line;
} causal_state;

vlm_status vlm_prepare_CausalConvWithState(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  causal_state *s;
  const char *activation = vlm_arg_string(c, 0, "none");
  VLM_TRY(vlm_op_state_new(c, &s));
  s->swish = strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0;
  VLM_CHECK(s->swish || strcmp(activation, "none") == 0, c->err, VLM_INPUT,
            "activation is \"%s\", wanted none, silu or swish", activation);
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->w, 1));
  VLM_TRY(vlm_floats_prepare(c, &s->bias, 2));
  VLM_TRY(vlm_floats_prepare(c, &s->past, 3));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_result_prepare(c, &s->present, 1));
  VLM_TRY(vlm_op_reserve(c, &s->line, c->in[1]->dims[2] - 1 + c->in[0]->dims[2], sizeof(float)));
out:
  return st;
}

/* One channel: n sums over `taps` neighbours of the line, which holds the past before them. */
static void convolve_line(float *y, const float *line, const float *w, int64_t taps, int64_t n, float bias) {
  for (int64_t k = 0; k < n; k++) {
    float sum = 0;
    for (int64_t p = 0; p < taps; p++) sum += line[k + p] * w[p];
    y[k] = sum + bias;
  }
}

vlm_status vlm_run_CausalConvWithState(vlm_op_call *c) {
  const causal_state *s = c->state;
  const vlm_tensor *t = c->in[0];
  const float *x = vlm_values_get(c, &s->x), *w = vlm_values_get(c, &s->w),
              *bias = vlm_values_get(c, &s->bias), *past = vlm_values_get(c, &s->past), one = 1;
  float *y = vlm_result_get(c, &s->y), *present = vlm_result_get(c, &s->present),
        *line = vlm_op_work(c, s->line);
  int64_t channels = t->dims[1], n = t->dims[2], taps = c->in[1]->dims[2], keep = taps - 1;
  for (int64_t i = 0; i < t->dims[0] * channels; i++) {
    if (past) vlm_copy_some(line, past + i * keep, (size_t)keep * sizeof *line);
    else vlm_zero_some(line, (size_t)keep * sizeof *line);
    vlm_copy_some(line + keep, x + i * n, (size_t)n * sizeof *line);
    if (y) convolve_line(y + i * n, line, w + i % channels * taps, taps, n, bias ? bias[i % channels] : 0);
    if (y && s->swish) vlm_call_rowops(c)->swish(y + i * n, y + i * n, n, &one);
    if (present) vlm_copy_some(present + i * keep, line + n, (size_t)keep * sizeof *present);
  }
  vlm_store_f32(c, 0, y);
  vlm_store_f32(c, 1, present);
  return VLM_OK;
}

/* ---- SwiGLU: a * sigmoid(alpha * a) * b ---- */

typedef struct {
  float alpha;
  vlm_values a, b;
  vlm_result y;
} swiglu_state;

vlm_status vlm_prepare_SwiGLU(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  swiglu_state *s;
  VLM_CHECK(vlm_tensor_same_shape(c->in[0], c->in[1]), c->err, VLM_INPUT,
            "the gate and the value do not have the same shape");
  VLM_TRY(vlm_op_state_new(c, &s));
  s->alpha = vlm_arg_float(c, 0, 1);
  VLM_TRY(vlm_floats_prepare(c, &s->a, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->b, 1));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_run_SwiGLU(vlm_op_call *c) {
  const swiglu_state *s = c->state;
  int64_t n = vlm_tensor_count(c->out[0]);
  float *y = vlm_result_get(c, &s->y);
  vlm_call_rowops(c)->swish(y, vlm_values_get(c, &s->a), n, &s->alpha);
  vlm_call_rowops(c)->mul(y, y, 1, vlm_values_get(c, &s->b), 1, n);
  vlm_store_f32(c, 0, y);
  return VLM_OK;
}
