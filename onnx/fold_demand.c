#include <string.h>

#include "onnx/fold.h"
#include "runtime/ops/traits.h"

bool vlm_fold_stays(const vlm_graph *graph, const vlm_node *node) {
  const vlm_tensor *codes = node->n_inputs > 0 && node->inputs[0] != VLM_NO_VALUE
                                ? vlm_graph_constant(graph, node->inputs[0])
                                : NULL;
  /* Wider integers are biases, which no integer kernel reads as they are. */
  if (strcmp(node->op_type, "DequantizeLinear") == 0)
    return codes == NULL || vlm_dtype_bits(codes->dtype) <= 16;
  for (int32_t a = 0; a < node->n_attrs; a++)
    if (node->attrs[a].kind == VLM_ATTR_GRAPH) return true;
  return (node->op->flags & VLM_OP_IMPURE) != 0;
}

static bool all_of(const vlm_node *node, const bool *constant) {
  for (int32_t k = 0; k < node->n_inputs; k++)
    if (node->inputs[k] != VLM_NO_VALUE && !constant[node->inputs[k]]) return false;
  return true;
}

/* What will be constant once everything is folded. Codes of a DequantizeLinear may be folded first, so it counts as staying here. */
static void mark_constants(const vlm_graph *graph, bool *constant) {
  for (vlm_value_id id = 0; id < graph->n_values; id++) constant[id] = vlm_graph_constant(graph, id) != NULL;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    bool made = all_of(node, constant) && !vlm_fold_stays(graph, node);
    for (int32_t k = 0; k < node->n_outputs; k++)
      if (node->outputs[k] != VLM_NO_VALUE) constant[node->outputs[k]] = made;
  }
}

/* Whoever reads a value as a weight, directly or through constant nodes, wants it. Last nodes first. */
static void mark_wanted(const vlm_graph *graph, const bool *constant, bool *wanted) {
  for (int32_t n = graph->n_nodes - 1; n >= 0; n--) {
    const vlm_node *node = &graph->nodes[n];
    bool passes = false, reads = node->traits != NULL && node->traits->weights != NULL;
    for (int32_t k = 0; k < node->n_outputs; k++)
      if (node->outputs[k] != VLM_NO_VALUE) passes |= constant[node->outputs[k]] && wanted[node->outputs[k]];
    for (int32_t k = 0; (passes || reads) && k < node->n_inputs; k++)
      if (node->inputs[k] != VLM_NO_VALUE) wanted[node->inputs[k]] = true;
  }
}

static void count_captures(const vlm_graph *body, int32_t *uses) {
  for (vlm_value_id id = 0; id < body->n_values; id++)
    if (body->values[id].kind == VLM_VALUE_CAPTURE) uses[body->values[id].parent_value]++;
}

static void count_uses(const vlm_graph *graph, int32_t *uses) {
  for (int32_t k = 0; k < graph->n_outputs; k++) uses[graph->outputs[k]]++;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    for (int32_t k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] != VLM_NO_VALUE) uses[node->inputs[k]]++;
    for (int32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH) count_captures(node->attrs[a].u.g, uses);
  }
}

vlm_status vlm_fold_demand_of(vlm_fold_demand *out, const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool *constant = NULL;
  size_t count = (size_t)graph->n_values;
  *out = (vlm_fold_demand){.n_values = graph->n_values};
  VLM_TRY(vlm_new(&constant, count, err));
  VLM_TRY(vlm_new(&out->wanted, count, err));
  VLM_TRY(vlm_new(&out->uses, count, err));
  mark_constants(graph, constant);
  mark_wanted(graph, constant, out->wanted);
  count_uses(graph, out->uses);
out:
  vlm_free(constant);
  return st;
}

void vlm_fold_demand_free(vlm_fold_demand *demand) {
  vlm_free(demand->wanted);
  vlm_free(demand->uses);
}
