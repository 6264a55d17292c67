#include "runtime/lower/lower_private.h"

vlm_attr vlm_int_attr(const char *name, int64_t value) {
  return (vlm_attr){.name = name, .kind = VLM_ATTR_INT, .u.i = value};
}
vlm_attr vlm_text_attr(const char *name, const char *value) {
  return (vlm_attr){.name = name, .kind = VLM_ATTR_STRING, .u.s = value};
}

static vlm_status set_attrs(vlm_lowering *l, int32_t n, const vlm_attr *attrs, int32_t n_attrs) {
  vlm_attr *copy;
  vlm_status st = vlm_arena_new(l->graph->arena, &copy, n_attrs + 1, l->err);
  if (st != VLM_OK) return st;
  if (n_attrs) memcpy(copy, attrs, (size_t)n_attrs * sizeof *attrs);
  l->graph->nodes[n].attrs = copy;
  l->graph->nodes[n].n_attrs = n_attrs;
  return VLM_OK;
}

static int32_t count_inputs(const vlm_node_form *form) {
  int32_t n = form->n_inputs;
  while (n > 0 && form->inputs[n - 1] == VLM_NO_VALUE) n--;
  return n;
}

vlm_status vlm_replace_node(vlm_lowering *l, int32_t n, const vlm_node_form *form, vlm_value_id output) {
  vlm_status st = VLM_OK;
  vlm_value_id *ids;
  int32_t n_inputs = count_inputs(form);
  VLM_TRY(vlm_arena_new(l->graph->arena, &ids, n_inputs, l->err));
  memcpy(ids, form->inputs, (size_t)n_inputs * sizeof *ids);
  VLM_TRY(set_attrs(l, n, form->attrs, form->n_attrs));
  vlm_node *node = &l->graph->nodes[n];
  node->inputs = ids;
  node->n_inputs = n_inputs;
  node->domain = form->domain ? form->domain : "";
  node->op_type = form->op_type;
  node->opset = form->opset;
  node->op = NULL;
  vlm_node_set_output(l->graph, n, 0, output);
out:
  return st;
}

vlm_status vlm_make_internal(vlm_lowering *l, int32_t n, const vlm_node_form *form, vlm_value_id output) {
  vlm_node_form internal = *form;
  internal.domain = "vlm";
  internal.opset = 1;
  return vlm_replace_node(l, n, &internal, output);
}

vlm_status vlm_set_input(vlm_graph *graph, int32_t n, int32_t k, vlm_value_id value, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_node *node = &graph->nodes[n];
  vlm_value_id *inputs;
  if (k >= node->n_inputs) {
    VLM_TRY(vlm_arena_new(graph->arena, &inputs, k + 1, err));
    for (int32_t i = 0; i <= k; i++) inputs[i] = vlm_node_input(node, i);
    node->inputs = inputs;
    node->n_inputs = k + 1;
  }
  node->inputs[k] = value;
out:
  return st;
}

void vlm_node_unlink(vlm_graph *graph, int32_t n) {
  vlm_node *node = &graph->nodes[n];
  for (int32_t k = 0; k < node->n_outputs; k++) node->outputs[k] = VLM_NO_VALUE;
}

vlm_status vlm_add_node(vlm_lowering *l, vlm_value_id *out, const vlm_node_form *form) {
  vlm_status st = VLM_OK;
  int32_t n;
  const vlm_node like = {.domain = form->domain,
                         .op_type = form->op_type,
                         .opset = form->opset,
                         .n_inputs = form->n_inputs,
                         .n_outputs = 1};
  if (*out == VLM_NO_VALUE) VLM_TRY(vlm_graph_add_value(l->graph, out, NULL, VLM_VALUE_NODE, l->err));
  VLM_TRY(vlm_graph_add_node(l->graph, &n, &like, l->err));
  memcpy(l->graph->nodes[n].inputs, form->inputs, (size_t)form->n_inputs * sizeof *form->inputs);
  VLM_TRY(set_attrs(l, n, form->attrs, form->n_attrs));
  vlm_node_set_output(l->graph, n, 0, *out);
out:
  return st;
}
