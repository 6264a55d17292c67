/* Private to exec/: how many multiply-accumulates an operator call does. */
#ifndef VLM_EXEC_MACS_H
#define VLM_EXEC_MACS_H

#include "runtime/ops/op.h"

/* True when calls of this node are counted: products, convolutions, attention, recurrent layers. */
bool vlm_node_multiplies(const vlm_node *node);

/* From the types and shapes of inputs and outputs alone (all known). Saturates at INT64_MAX. Every key counts for every query (no saving by
 * causal or padding masks); convolutions count the taps that fall into the padding; element-wise work, normalisation and softmax count
 * nothing. */
int64_t vlm_call_macs(vlm_op_call *call);

#endif
