/* Reshape, Transpose, MaxPool, Concat, ... between a DequantizeLinear and a QuantizeLinear of the same range: on the bytes themselves. */
#include "runtime/lower/lower_private.h"

static bool same_number(const vlm_graph *g, vlm_value_id a, vlm_value_id b) {
  const vlm_tensor *left = a == VLM_NO_VALUE ? NULL : vlm_graph_constant(g, a);
  const vlm_tensor *right = b == VLM_NO_VALUE ? NULL : vlm_graph_constant(g, b);
  if (a == VLM_NO_VALUE || b == VLM_NO_VALUE) return a == b;
  return vlm_is_scalar(left) && vlm_is_scalar(right) && left->dtype == right->dtype &&
         !memcmp(left->data, right->data, vlm_tensor_bytes(left));
}

/* The DequantizeLinear in front of input k when it undoes q; NULL otherwise. */
static const vlm_node *undone(const vlm_lowering *l, const vlm_node *node, int32_t k, const vlm_node *q) {
  const vlm_graph *owner;
  const vlm_node *d = node->inputs[k] == VLM_NO_VALUE ? NULL : vlm_dequantizer(l->graph, node->inputs[k], &owner);
  if (!d || owner != l->graph || vlm_graph_constant(l->graph, d->inputs[0])) return NULL;
  bool same = same_number(l->graph, d->inputs[1], q->inputs[1]) && same_number(l->graph, vlm_node_input(d, 2), vlm_node_input(q, 2));
  return same && vlm_node_input(q, 2) != VLM_NO_VALUE ? d : NULL;
}

vlm_status vlm_lower_move(vlm_lowering *l, int32_t n) {
  vlm_node *node = &l->graph->nodes[n];
  int32_t inputs = node->traits->flags & VLM_TRAIT_JOINS ? node->n_inputs : 1, reader = vlm_only_reader(l, node->outputs[0]);
  const vlm_node *q = reader < 0 ? NULL : &l->graph->nodes[reader];
  if (!q || node->n_outputs != 1 || strcmp(q->op_type, "QuantizeLinear")) return VLM_OK;
  for (int32_t k = 0; k < inputs; k++)
    if (!undone(l, node, k, q)) return VLM_OK;
  for (int32_t k = 0; k < inputs; k++) node->inputs[k] = undone(l, node, k, q)->inputs[0];
  l->gone[reader] = true;
  vlm_node_set_output(l->graph, n, 0, q->outputs[0]);
  return VLM_OK;
}
