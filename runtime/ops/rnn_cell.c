#include "runtime/ops/rnn_cell.h"

#include <strings.h>

/* ---- activations ---- */

#define ROW_ACTIVATION(name)                                                                        \
  static void act_##name(const vlm_rnn_activation *a, const vlm_rowops *ops, float *x, int64_t n) { \
    float p[2] = {a->alpha, a->beta};                                                               \
    ops->name(x, x, n, p);                                                                          \
  }
ROW_ACTIVATION(relu)
ROW_ACTIVATION(tanh)
ROW_ACTIVATION(sigmoid)
ROW_ACTIVATION(leaky_relu)
ROW_ACTIVATION(hard_sigmoid)
ROW_ACTIVATION(elu)
ROW_ACTIVATION(softsign)
ROW_ACTIVATION(softplus)

static void act_affine(const vlm_rnn_activation *a, const vlm_rowops *ops, float *x, int64_t n) {
  (void)ops;
  for (int64_t i = 0; i < n; i++) x[i] = a->alpha * x[i] + a->beta;
}
static void act_thresholded_relu(const vlm_rnn_activation *a, const vlm_rowops *ops, float *x, int64_t n) {
  (void)ops;
  for (int64_t i = 0; i < n; i++) x[i] = x[i] >= a->alpha ? x[i] : 0;
}
static void act_scaled_tanh(const vlm_rnn_activation *a, const vlm_rowops *ops, float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] *= a->beta;
  ops->tanh(x, x, n, NULL);
  for (int64_t i = 0; i < n; i++) x[i] *= a->alpha;
}

static const struct {
  const char *name;
  vlm_rnn_activation defaults;
} activations[] = {
    {"Relu", {act_relu, 0, 0}},
    {"Tanh", {act_tanh, 0, 0}},
    {"Sigmoid", {act_sigmoid, 0, 0}},
    {"Affine", {act_affine, 1, 0}},
    {"LeakyRelu", {act_leaky_relu, 0.01f, 0}},
    {"ThresholdedRelu", {act_thresholded_relu, 1, 0}},
    {"ScaledTanh", {act_scaled_tanh, 1, 1}},
    {"HardSigmoid", {act_hard_sigmoid, 0.2f, 0.5f}},
    {"Elu", {act_elu, 1, 0}},
    {"Softsign", {act_softsign, 0, 0}},
    {"Softplus", {act_softplus, 0, 0}},
};

vlm_status vlm_rnn_activation_find(vlm_rnn_activation *out, const char *name, const float *alpha,
                                   const float *beta, vlm_error *err) {
  for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
    if (strcasecmp(name, activations[i].name) != 0) continue;
    *out = activations[i].defaults;
    if (alpha) out->alpha = *alpha;
    if (beta) out->beta = *beta;
    return VLM_OK;
  }
  return vlm_fail(err, VLM_INPUT, "activation \"%s\" is not one of the recurrent operators' functions", name);
}

/* ---- cells ---- */

/* The clip bounds what enters the gates' functions; the function of the cell state sees it whole, as in other runtimes. */
static void activate(const vlm_rnn_cell *cell, int which, float *x, int64_t n) {
  if (cell->clip > 0 && which < 2)
    for (int64_t i = 0; i < n; i++)
      x[i] = x[i] < -cell->clip ? -cell->clip : x[i] > cell->clip ? cell->clip : x[i];
  cell->act[which].run(&cell->act[which], cell->ops, x, n);
}

static void add(float *x, const float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] += y[i];
}

static void step_plain(const vlm_rnn_cell *cell, float *gates, const float *recurrent, float *h) {
  add(gates, recurrent, cell->hidden);
  activate(cell, 0, gates, cell->hidden);
  for (int64_t i = 0; i < cell->hidden; i++) h[i] = gates[i];
}

/* Gates z, r, h. */
void vlm_rnn_gru_gates(const vlm_rnn_cell *cell, float *gates, const float *recurrent, const float *h,
                       float *reset) {
  int64_t n = cell->hidden;
  add(gates, recurrent, 2 * n);
  activate(cell, 0, gates, 2 * n);
  for (int64_t i = 0; i < n; i++) reset[i] = gates[n + i] * h[i];
}

static void step_gru(const vlm_rnn_cell *cell, float *gates, float *recurrent, float *h) {
  int64_t n = cell->hidden;
  float *z = gates, *r = gates + n, *next = gates + 2 * n;
  const float *from_h = recurrent + 2 * n;
  if (cell->reset_after) {
    add(gates, recurrent, 2 * n);
    activate(cell, 0, gates, 2 * n);
  }
  for (int64_t i = 0; i < n; i++) {
    float v = from_h[i] + (cell->r_bias ? cell->r_bias[i] : 0);
    next[i] += cell->reset_after ? r[i] * v : v;
  }
  activate(cell, 1, next, n);
  for (int64_t i = 0; i < n; i++) h[i] = (1 - z[i]) * next[i] + z[i] * h[i];
}

/* Gates i, o, f, c. */
static void step_lstm(const vlm_rnn_cell *cell, float *gates, const float *recurrent, float *h, float *c) {
  int64_t n = cell->hidden;
  float *in = gates, *out = gates + n, *forget = gates + 2 * n, *fresh = gates + 3 * n;
  const float *p = cell->peephole;
  add(gates, recurrent, 4 * n);
  for (int64_t i = 0; p && i < n; i++) {
    in[i] += p[i] * c[i];
    forget[i] += p[2 * n + i] * c[i];
  }
  activate(cell, 0, in, n);
  activate(cell, 0, forget, n);
  activate(cell, 1, fresh, n);
  for (int64_t i = 0; i < n; i++) {
    if (cell->input_forget) forget[i] = 1 - in[i];
    c[i] = forget[i] * c[i] + in[i] * fresh[i];
    if (p) out[i] += p[n + i] * c[i];
  }
  activate(cell, 0, out, n);
  for (int64_t i = 0; i < n; i++) fresh[i] = c[i];
  activate(cell, 2, fresh, n);
  for (int64_t i = 0; i < n; i++) h[i] = out[i] * fresh[i];
}

void vlm_rnn_step(const vlm_rnn_cell *cell, float *gates, float *recurrent, float *h, float *c) {
  switch (cell->kind) {
    case VLM_RNN_GRU: step_gru(cell, gates, recurrent, h); break;
    case VLM_RNN_LSTM: step_lstm(cell, gates, recurrent, h, c); break;
    default: step_plain(cell, gates, recurrent, h); break;
  }
}
