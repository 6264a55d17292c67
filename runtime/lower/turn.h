/* Products that read their weight transposed: what lets two nodes share one stored constant. */
#ifndef VLM_LOWER_TURN_H
#define VLM_LOWER_TURN_H

#include "runtime/ops/traits.h"

/* Can the product read the [K, N] constant of this slot as [N, K] instead? */
bool vlm_lower_can_turn(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot);
/* Makes node n such a product; the caller puts the transposed constant there. The graph must be resolved
 * again. */
vlm_status vlm_lower_turn(vlm_graph *graph, int32_t n, vlm_error *err);

#endif
