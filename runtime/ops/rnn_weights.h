/* The recurrent weights R [directions, gates * hidden, hidden] of RNN, GRU and LSTM as panels. */
#ifndef VLM_OPS_RNN_WEIGHTS_H
#define VLM_OPS_RNN_WEIGHTS_H

#include "runtime/ops/packed.h"
#include "runtime/ops/values.h"

/* Per direction the columns whose product comes first, then the others: those of the hidden gate of GRU, which may read another state. */
typedef struct vlm_rnn_weights {
  int64_t sizes[3];  /* hidden, gates, directions */
  int64_t first;     /* columns of the first panels */
  int64_t direction; /* floats from one direction to the next */
  vlm_packed packed; /* no block: values, packed by every run */
  vlm_values values;
  size_t at;
} vlm_rnn_weights;

vlm_status vlm_rnn_weights_prepare(vlm_op_call *c, vlm_rnn_weights *w, int input, int64_t hidden,
                                   int64_t gates, int64_t directions);
const float *vlm_rnn_weights_get(const vlm_op_call *c, const vlm_rnn_weights *w);

#endif
