/* Reshape, Transpose, MaxPool, Concat, ... behind DequantizeLinear work on the bytes themselves; what they
 * make is dequantized behind them, or not at all where a QuantizeLinear of the same range follows. So a
 * product finds its range through them. */
#include "runtime/lower/lower_private.h"

static bool same_number(const vlm_graph *g, vlm_value_id a, vlm_value_id b) {
  const vlm_tensor *left = a == VLM_NO_VALUE ? NULL : vlm_graph_constant(g, a);
  const vlm_tensor *right = b == VLM_NO_VALUE ? NULL : vlm_graph_constant(g, b);
  return vlm_is_scalar(left) && vlm_is_scalar(right) && left->dtype == right->dtype &&
         !memcmp(left->data, right->data, vlm_tensor_bytes(left));
}

/* Scale and zero point of two nodes that quantize or dequantize. */
static bool same_range(const vlm_graph *g, const vlm_node *a, const vlm_node *b) {
  return same_number(g, a->inputs[1], b->inputs[1]) &&
         same_number(g, vlm_node_input(a, 2), vlm_node_input(b, 2));
}

/* The DequantizeLinear in front of input k, when it has one range for all. */
static const vlm_node *dequantizer(const vlm_lowering *l, const vlm_node *node, int32_t k) {
  const vlm_graph *owner;
  const vlm_node *d =
      node->inputs[k] == VLM_NO_VALUE ? NULL : vlm_dequantizer(l->graph, node->inputs[k], &owner);
  return d && owner == l->graph && !vlm_graph_constant(l->graph, d->inputs[0]) && same_range(l->graph, d, d)
             ? d
             : NULL;
}

static const vlm_node *common_dequantizer(const vlm_lowering *l, const vlm_node *node, int32_t inputs) {
  const vlm_node *first = inputs > 0 ? dequantizer(l, node, 0) : NULL;
  for (int32_t k = 1; first && k < inputs; k++) {
    const vlm_node *d = dequantizer(l, node, k);
    if (!d || !same_range(l->graph, first, d)) first = NULL;
  }
  return first;
}

/* The QuantizeLinear behind output k takes the bytes as they are. */
static bool undo(vlm_lowering *l, int32_t n, int32_t k, const vlm_node *d) {
  int32_t reader = vlm_only_reader(l, l->graph->nodes[n].outputs[k]);
  const vlm_node *q = reader < 0 ? NULL : &l->graph->nodes[reader];
  bool same = q && !strcmp(q->op_type, "QuantizeLinear") && same_range(l->graph, d, q);
  if (!same || vlm_node_int(q, "output_dtype", 0)) return false;
  l->gone[reader] = true;
  vlm_node_set_output(l->graph, n, k, q->outputs[0]);
  return true;
}

static vlm_status dequantize_behind(vlm_lowering *l, int32_t n, int32_t k, const vlm_value_id range[2]) {
  vlm_status st = VLM_OK;
  vlm_value_id in[3] = {VLM_NO_VALUE, range[0], range[1]}, out = l->graph->nodes[n].outputs[k];
  VLM_TRY(vlm_graph_add_value(l->graph, &in[0], NULL, VLM_VALUE_NODE, l->err));
  VLM_TRY(vlm_add_node(
      l, &out, &(vlm_node_form){.op_type = "DequantizeLinear", .opset = 13, .inputs = in, .n_inputs = 3}));
  vlm_node_set_output(l->graph, n, k, in[0]);
out:
  return st;
}

/* All its outputs hold elements of its inputs: the second of MaxPool holds positions. */
static bool gives_elements(const vlm_node *node) {
  return node->n_outputs == 1 || vlm_node_is(node, "Split");
}

vlm_status vlm_lower_move(vlm_lowering *l, int32_t n) {
  vlm_status st = VLM_OK;
  vlm_node *node = &l->graph->nodes[n];
  int32_t inputs = node->traits->flags & VLM_TRAIT_JOINS ? node->n_inputs : 1, outputs = node->n_outputs;
  const vlm_node *found = gives_elements(node) ? common_dequantizer(l, node, inputs) : NULL;
  if (!found) return VLM_OK;
  const vlm_node d = *found; /* adding nodes moves the array */
  for (int32_t k = 0; k < inputs; k++) node->inputs[k] = dequantizer(l, node, k)->inputs[0];
  for (int32_t k = 0; k < outputs; k++)
    if (l->graph->nodes[n].outputs[k] != VLM_NO_VALUE && !undo(l, n, k, &d))
      VLM_TRY(dequantize_behind(l, n, k, &d.inputs[1]));
out:
  return st;
}
