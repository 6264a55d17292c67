/* What could be quantized: the constant weights of a node (traits.def), one candidate each. */
#ifndef VLM_QUANT_CANDIDATE_H
#define VLM_QUANT_CANDIDATE_H

#include "runtime/graph/bodies.h"
#include "runtime/ops/traits.h"

typedef struct vlm_candidate {
  const vlm_body *body; /* the graph of the node */
  int32_t index;        /* of the node */
  const vlm_node *node;
  vlm_weight_slot slot;
  vlm_tensor weight;       /* the constant, which may belong to an enclosing graph */
  vlm_value_id activation; /* of the node's graph; VLM_NO_VALUE for tables and states */
} vlm_candidate;

/* Of node `index` of a resolved graph; returns how many. A node whose other operand is constant too is folded
 * and has none. */
int32_t vlm_candidates_of(vlm_candidate out[VLM_MAX_WEIGHT_SLOTS], const vlm_body *body, int32_t index);

#endif
