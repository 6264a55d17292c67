/* One time step of RNN, GRU and LSTM for one batch row, and the activations they choose from. */
#ifndef VLM_OPS_RNN_CELL_H
#define VLM_OPS_RNN_CELL_H

#include "runtime/kernels/rowops.h"
#include "runtime/ops/op.h"

typedef struct vlm_rnn_activation vlm_rnn_activation;
struct vlm_rnn_activation {
  void (*run)(const vlm_rnn_activation *a, const vlm_rowops *ops, float *x, int64_t n); /* in place */
  float alpha, beta;
};

/* By name, any case; alpha and beta NULL = the defaults of that function. VLM_INPUT names an unknown one. */
vlm_status vlm_rnn_activation_find(vlm_rnn_activation *out, const char *name, const float *alpha,
                                   const float *beta, vlm_error *err);

typedef enum vlm_rnn_kind { VLM_RNN_PLAIN, VLM_RNN_GRU, VLM_RNN_LSTM } vlm_rnn_kind;

typedef struct vlm_rnn_cell {
  vlm_rnn_kind kind;
  int64_t hidden;
  const vlm_rowops *ops;
  vlm_rnn_activation act[3]; /* f, g, h of the operator's text */
  const float *peephole;     /* LSTM: 3 * hidden in the order i, o, f; or NULL */
  const float *r_bias;       /* GRU: the recurrent bias of the hidden gate (hidden values), or NULL */
  float clip;                /* 0 = none */
  bool input_forget, reset_after;
} vlm_rnn_cell;

/* gates: gates * hidden values x W^T + bias (overwritten); recurrent: h R^T likewise. h and cell (LSTM) are updated.
 * GRU with reset before the product wants the hidden gate's recurrent part computed between the two halves:
 * vlm_rnn_gru_gates leaves r * h in `reset`, and vlm_rnn_step then takes recurrent[2 hidden ..] = (r * h) R_h^T. */
void vlm_rnn_gru_gates(const vlm_rnn_cell *cell, float *gates, const float *recurrent, const float *h,
                       float *reset);
void vlm_rnn_step(const vlm_rnn_cell *cell, float *gates, float *recurrent, float *h, float *c);

#endif
