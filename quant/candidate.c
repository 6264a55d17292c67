#include "quant/candidate.h"

int32_t vlm_candidates_of(vlm_candidate out[VLM_MAX_WEIGHT_SLOTS], const vlm_body *body, int32_t index) {
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  const vlm_node *node = &body->graph->nodes[index];
  int32_t found = 0, count = vlm_node_weights(body->graph, node, slots);
  for (int32_t i = 0; i < count; i++) {
    vlm_value_id activation =
        slots[i].activation < 0 ? VLM_NO_VALUE : vlm_node_input(node, slots[i].activation);
    const vlm_tensor *weight = vlm_graph_constant(body->graph, node->inputs[slots[i].input]);
    if ((activation != VLM_NO_VALUE && vlm_graph_constant(body->graph, activation)) || !weight->data ||
        vlm_tensor_count(weight) == 0)
      continue;
    out[found++] = (vlm_candidate){body, index, node, slots[i], *weight, activation};
  }
  return found;
}
