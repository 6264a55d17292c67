/* Weights that were quantized elsewhere often pass a Transpose or Reshape between DequantizeLinear and their product. On the codes it is a
 * constant, and the product reads what DequantizeLinear gives, as the integer kernels want it. */
#include <string.h>

#include "onnx/pass.h"

static const int64_t DEFAULT_AXIS = 1;

/* Where dim `axis` goes; -1 = it does not stay a dim of its own. */
static int64_t moved_axis(const vlm_node *node, int64_t axis, int rank) {
  const vlm_attr *perm = vlm_node_attr(node, "perm");
  if (!vlm_node_is(node, "Transpose") || (perm != NULL && perm->kind != VLM_ATTR_INTS)) return -1;
  if (perm == NULL) return rank - 1 - axis;
  for (int32_t k = 0; k < perm->count; k++)
    if (perm->u.ints[k] == axis) return k;
  return -1;
}

static bool rearranges(const vlm_node *node) {
  static const char *const ops[] = {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"};
  for (size_t k = 0; k < sizeof ops / sizeof ops[0]; k++)
    if (vlm_node_is(node, ops[k])) return true;
  return false;
}

/* The DequantizeLinear that makes input 0 of constant codes for this node alone. *axis: what its scales lie along afterwards. */
static vlm_node *dequantizer(vlm_graph *graph, const vlm_node *node, int64_t *axis) {
  vlm_node *dq = vlm_graph_producer(graph, node->inputs[0], "DequantizeLinear");
  if (dq == NULL || vlm_pass_uses(graph, node->inputs[0]) != 1 || vlm_node_int(dq, "block_size", 0) != 0)
    return NULL;
  const vlm_tensor *codes = vlm_graph_constant(graph, dq->inputs[0]),
                   *scale = vlm_graph_constant(graph, dq->inputs[1]);
  if (codes == NULL || scale == NULL) return NULL;
  *axis = DEFAULT_AXIS;
  if (vlm_tensor_count(scale) == 1 && scale->rank <= 1) return dq;
  *axis = vlm_node_int(dq, "axis", DEFAULT_AXIS);
  if (*axis < 0) *axis += codes->rank;
  *axis = moved_axis(node, *axis, codes->rank);
  return *axis >= 0 ? dq : NULL;
}

static bool reads_constants_else(const vlm_graph *graph, const vlm_node *node) {
  for (int32_t k = 1; k < node->n_inputs; k++)
    if (node->inputs[k] != VLM_NO_VALUE && vlm_graph_constant(graph, node->inputs[k]) == NULL) return false;
  return true;
}

/* Sets the attribute in a list of its own. */
static vlm_status set_axis(vlm_graph *graph, vlm_node *node, int64_t axis, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_attr *attrs;
  int32_t count = 0;
  VLM_TRY(vlm_arena_new(graph->arena, &attrs, node->n_attrs + 1, err));
  for (int32_t k = 0; k < node->n_attrs; k++)
    if (strcmp(node->attrs[k].name, "axis") != 0) attrs[count++] = node->attrs[k];
  attrs[count++] = (vlm_attr){.name = "axis", .kind = VLM_ATTR_INT, .u.i = axis};
  node->attrs = attrs;
  node->n_attrs = count;
out:
  return st;
}

/* y = f(dq(codes)) becomes y = dq(f(codes)); both nodes keep their places in the list, the driver sorts it again. */
static vlm_status exchange(vlm_graph *graph, int32_t n, int32_t dq, int64_t axis, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id codes = graph->nodes[dq].inputs[0], turned = VLM_NO_VALUE, out = graph->nodes[n].outputs[0];
  const char *name = NULL;
  VLM_TRY(vlm_graph_free_name(graph, &name, graph->values[codes].name, "_arranged", err));
  VLM_TRY(vlm_graph_add_value(graph, &turned, name, VLM_VALUE_NODE, err));
  if (graph->nodes[dq].opset >= 13) VLM_TRY(set_axis(graph, &graph->nodes[dq], axis, err));
  graph->nodes[n].inputs[0] = codes;
  vlm_node_set_output(graph, n, 0, turned);
  graph->nodes[dq].inputs[0] = turned;
  vlm_node_set_output(graph, dq, 0, out);
out:
  return st;
}

vlm_status vlm_pass_codes(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t axis = 0;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    if (!rearranges(node) || node->outputs[0] == VLM_NO_VALUE || !reads_constants_else(graph, node)) continue;
    const vlm_node *dq = dequantizer(graph, node, &axis);
    if (dq == NULL) continue;
    VLM_TRY(exchange(graph, n, (int32_t)(dq - graph->nodes), axis, err));
    VLM_TRY(vlm_pass_fold_node(graph, n, opts, changes, err));
    ++*changes;
  }
out:
  return st;
}
