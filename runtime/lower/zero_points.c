/* QuantizeLinear and DequantizeLinear with one range for all get the zero point that they leave out, so that
 * the rules read one form. */
#include "runtime/lower/lower_private.h"

/* The type of a quantized value: as declared, or as what makes it says. */
static vlm_dtype byte_type(const vlm_graph *graph, vlm_value_id id) {
  const vlm_node *node = vlm_maker(graph, id);
  while (node && graph->values[id].tensor.dtype == VLM_NONE && node->traits->flags & VLM_TRAIT_MOVES) {
    id = node->inputs[0];
    node = vlm_maker(graph, id);
  }
  if (!node || graph->values[id].tensor.dtype != VLM_NONE) return graph->values[id].tensor.dtype;
  if (strcmp(node->op_type, "QuantizeLinear")) return VLM_NONE;
  int64_t code = vlm_node_int(node, "output_dtype", 0);
  vlm_value_id zero = vlm_node_input(node, 2);
  const vlm_tensor *t = zero == VLM_NO_VALUE ? NULL : vlm_graph_constant(graph, zero);
  return t ? t->dtype : zero == VLM_NO_VALUE && !code ? VLM_U8 : VLM_NONE;
}

/* VLM_NONE: the node has a zero point, or none can be said. */
static vlm_dtype missing_type(const vlm_graph *g, const vlm_node *node) {
  bool from = !strcmp(node->op_type, "DequantizeLinear"), to = !strcmp(node->op_type, "QuantizeLinear");
  if ((!from && !to) || vlm_node_input(node, 2) != VLM_NO_VALUE ||
      !vlm_is_scalar(vlm_graph_constant(g, node->inputs[1])))
    return VLM_NONE;
  if (to) return vlm_node_int(node, "output_dtype", 0) ? VLM_NONE : VLM_U8;
  return vlm_graph_constant(g, node->inputs[0]) ? VLM_NONE : byte_type(g, node->inputs[0]);
}

vlm_status vlm_lower_zero_points(vlm_graph *g, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t n = 0; n < g->n_nodes; n++) {
    uint8_t nothing = 0;
    vlm_value_id zero;
    vlm_tensor t = vlm_tensor_make(missing_type(g, &g->nodes[n]), 0, NULL, &nothing);
    if (t.dtype != VLM_U8 && t.dtype != VLM_S8) continue;
    VLM_TRY(vlm_graph_add_constant(g, &zero, NULL, &t, true, err));
    VLM_TRY(vlm_set_input(g, n, 2, zero, err));
  }
out:
  return st;
}
