#include "onnx/pass.h"

#include <string.h>

static int32_t count_id(const vlm_value_id *list, int32_t count, vlm_value_id id) {
  int32_t found = 0;
  for (int32_t k = 0; k < count; k++) found += list[k] == id;
  return found;
}

bool vlm_pass_is_output(const vlm_graph *graph, vlm_value_id id) {
  return count_id(graph->outputs, graph->n_outputs, id) > 0;
}

static int32_t count_captures(const vlm_graph *body, vlm_value_id id) {
  int32_t found = 0;
  for (vlm_value_id v = 0; v < body->n_values; v++)
    found += body->values[v].kind == VLM_VALUE_CAPTURE && body->values[v].parent_value == id;
  return found;
}

int32_t vlm_pass_uses(const vlm_graph *graph, vlm_value_id id) {
  int32_t uses = count_id(graph->outputs, graph->n_outputs, id);
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    uses += count_id(node->inputs, node->n_inputs, id);
    for (int32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH) uses += count_captures(node->attrs[a].u.g, id);
  }
  return uses;
}

bool vlm_pass_scalar(const vlm_graph *graph, vlm_value_id id, double *out) {
  const vlm_tensor *t = vlm_graph_constant(graph, id);
  if (t == NULL || t->data == NULL || vlm_tensor_count(t) != 1) return false;
  *out = vlm_tensor_get(t, 0);
  return true;
}

bool vlm_pass_split(const vlm_graph *graph, const vlm_node *node, vlm_value_id *constant,
                    vlm_value_id *other) {
  if (node->n_inputs != 2 || node->inputs[0] == VLM_NO_VALUE || node->inputs[1] == VLM_NO_VALUE) return false;
  bool first = vlm_graph_constant(graph, node->inputs[0]) != NULL,
       second = vlm_graph_constant(graph, node->inputs[1]) != NULL;
  *constant = node->inputs[first ? 0 : 1];
  *other = node->inputs[first ? 1 : 0];
  return first != second;
}

bool vlm_pass_bypass(vlm_graph *graph, vlm_value_id from, vlm_value_id to) {
  if (!vlm_pass_is_output(graph, from)) {
    vlm_graph_replace_uses(graph, from, to);
    return true;
  }
  int32_t producer = graph->values[to].producer;
  if (producer < 0 || vlm_pass_is_output(graph, to)) return false;
  vlm_node *node = &graph->nodes[producer];
  int32_t k = 0;
  while (k < node->n_outputs && node->outputs[k] != to) k++;
  vlm_node *old = &graph->nodes[graph->values[from].producer];
  for (int32_t j = 0; j < old->n_outputs; j++)
    if (old->outputs[j] == from) old->outputs[j] = VLM_NO_VALUE;
  vlm_graph_replace_uses(graph, to, from);
  graph->values[to].producer = -1;
  vlm_node_set_output(graph, producer, k, from);
  return true;
}

vlm_status vlm_pass_rewrite(vlm_graph *graph, int32_t n, const char *domain, const char *op_type,
                            int32_t opset, const vlm_value_id *inputs, int32_t n_inputs, int32_t n_attrs,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  void *ids = NULL, *attrs = NULL;
  vlm_node *node = &graph->nodes[n];
  VLM_TRY(vlm_arena_alloc(graph->arena, &ids, (size_t)n_inputs + 1, sizeof(vlm_value_id), err));
  VLM_TRY(vlm_arena_alloc(graph->arena, &attrs, (size_t)n_attrs + 1, sizeof(vlm_attr), err));
  memcpy(ids, inputs, (size_t)n_inputs * sizeof *inputs);
  node->domain = domain;
  node->op_type = op_type;
  node->opset = opset;
  node->op = NULL;
  node->args = NULL;
  node->inputs = ids;
  node->n_inputs = n_inputs;
  node->attrs = attrs;
  node->n_attrs = n_attrs;
out:
  return st;
}

void vlm_pass_become_constant(vlm_graph *graph, int32_t n, int32_t k, const vlm_tensor *tensor) {
  vlm_value *value = &graph->values[graph->nodes[n].outputs[k]];
  value->kind = VLM_VALUE_CONSTANT;
  value->tensor = *tensor;
  value->producer = -1;
  memset(value->dim_names, 0, sizeof value->dim_names);
  graph->nodes[n].outputs[k] = VLM_NO_VALUE;
}

static bool is_capture_of(const vlm_graph *graph, vlm_value_id id, vlm_value_id outer) {
  return graph->values[id].kind == VLM_VALUE_CAPTURE && graph->values[id].parent_value == outer;
}

vlm_status vlm_pass_capture(vlm_graph *graph, const vlm_graph *owner, vlm_value_id id, vlm_value_id *out,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id outer = VLM_NO_VALUE;
  *out = id;
  if (graph == owner) return VLM_OK;
  VLM_TRY(vlm_pass_capture(graph->parent, owner, id, &outer, err));
  const char *name = graph->parent->values[outer].name;
  *out = vlm_graph_find(graph, name);
  bool taken = *out != VLM_NO_VALUE;
  /* A capture has the name of its value, or a made-up one because that name is taken. */
  if (taken && is_capture_of(graph, *out, outer)) goto out;
  for (*out = 0; taken && *out < graph->n_values; ++*out)
    if (is_capture_of(graph, *out, outer)) goto out;
  VLM_TRY(vlm_graph_add_value(graph, out, taken ? NULL : name, VLM_VALUE_CAPTURE, err));
  graph->values[*out].parent_value = outer;
out:
  return st;
}
