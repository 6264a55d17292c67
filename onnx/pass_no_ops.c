#include <string.h>

#include "onnx/pass.h"

/* Whether a node hands its input 0 on unchanged. Values only: shapes are not known before the run. */
typedef bool is_no_op(const vlm_graph *graph, const vlm_node *node);

static bool identity(const vlm_graph *graph, const vlm_node *node) {
  (void)graph;
  (void)node;
  return true;
}

/* Opset 12 moved training_mode to input 2; the mask of inference is all true, and nobody reads it or it stays. */
static bool dropout(const vlm_graph *graph, const vlm_node *node) {
  double training = 0;
  if (node->n_outputs > 1 && node->outputs[1] != VLM_NO_VALUE && vlm_pass_uses(graph, node->outputs[1]) > 0)
    return false;
  if (node->n_inputs < 3 || node->inputs[2] == VLM_NO_VALUE) return true;
  return vlm_pass_scalar(graph, node->inputs[2], &training) && training == 0;
}

static bool all_zero(const int64_t *list, int32_t count) {
  for (int32_t k = 0; k < count; k++)
    if (list[k] != 0) return false;
  return true;
}

static bool zero_pad(const vlm_graph *graph, const vlm_node *node) {
  const vlm_attr *attr = vlm_node_attr(node, "pads");
  if (attr != NULL) return attr->kind == VLM_ATTR_INTS && all_zero(attr->u.ints, attr->count);
  const vlm_tensor *pads = node->n_inputs > 1 ? vlm_graph_constant(graph, node->inputs[1]) : NULL;
  if (pads == NULL || pads->dtype != VLM_S64) return false;
  return all_zero(pads->data, (int32_t)vlm_tensor_count(pads));
}

static bool same_order(const vlm_graph *graph, const vlm_node *node) {
  (void)graph;
  const vlm_attr *perm = vlm_node_attr(node, "perm");
  if (perm == NULL || perm->kind != VLM_ATTR_INTS) return false;
  for (int32_t k = 0; k < perm->count; k++)
    if (perm->u.ints[k] != k) return false;
  return true;
}

static bool concat_of_one(const vlm_graph *graph, const vlm_node *node) {
  (void)graph;
  return node->n_inputs == 1;
}

static const struct {
  const char *op;
  is_no_op *test;
} rules[] = {{"Identity", identity},
             {"Dropout", dropout},
             {"Pad", zero_pad},
             {"Transpose", same_order},
             {"Concat", concat_of_one}};

static bool matches(const vlm_graph *graph, const vlm_node *node) {
  for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++)
    if (vlm_node_is(node, rules[k].op)) return rules[k].test(graph, node);
  return false;
}

vlm_status vlm_pass_no_ops(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err) {
  (void)opts;
  (void)err;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    if (node->n_inputs < 1 || node->inputs[0] == VLM_NO_VALUE || node->outputs[0] == VLM_NO_VALUE ||
        !matches(graph, node))
      continue;
    *changes += vlm_pass_bypass(graph, node->outputs[0], node->inputs[0]);
  }
  return VLM_OK;
}
