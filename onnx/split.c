#include "onnx/split.h"

#include <string.h>

static const vlm_node *the_if(const vlm_graph *graph) {
  const vlm_node *found = NULL;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    if (*graph->nodes[n].domain || strcmp(graph->nodes[n].op_type, "If")) return NULL;
    if (found) return NULL;
    found = &graph->nodes[n];
  }
  return found;
}

bool vlm_graph_is_merged_decoder(const vlm_graph *graph) {
  const vlm_node *node = the_if(graph);
  return node && graph->values[node->inputs[0]].kind == VLM_VALUE_INPUT && node->n_outputs == graph->n_outputs;
}

typedef struct {
  const vlm_graph *outer, *body;
  vlm_graph *made;
  vlm_value_id *ids;       /* body id -> made id */
  vlm_value_id *input_ids; /* outer id -> made id of captured inputs */
  vlm_error *err;
} splitter;

static vlm_status copy_value(splitter *s, vlm_value_id id) {
  vlm_status st = VLM_OK;
  const vlm_value *v = &s->body->values[id];
  const vlm_value *origin = v->kind == VLM_VALUE_CAPTURE ? &s->outer->values[v->parent_value] : v;
  if (origin->kind == VLM_VALUE_CONSTANT) return vlm_graph_add_constant(s->made, &s->ids[id], v->name, &origin->tensor, false, s->err);
  VLM_CHECK(origin == v || origin->kind == VLM_VALUE_INPUT, s->err, VLM_UNSUPPORTED, "branch reads \"%s\", which is computed outside of it", origin->name);
  if (origin != v && s->input_ids[v->parent_value] != VLM_NO_VALUE) {
    s->ids[id] = s->input_ids[v->parent_value];
    return VLM_OK;
  }
  VLM_TRY(vlm_graph_add_value(s->made, &s->ids[id], v->name, origin == v ? VLM_VALUE_NODE : VLM_VALUE_INPUT, s->err));
  vlm_value *copy = &s->made->values[s->ids[id]];
  copy->tensor = origin->tensor;
  copy->tensor.data = NULL;
  memcpy(copy->dim_names, origin->dim_names, sizeof copy->dim_names);
  if (origin != v) s->input_ids[v->parent_value] = s->ids[id];
out:
  return st;
}

static vlm_status copy_node(splitter *s, const vlm_node *node) {
  vlm_status st = VLM_OK;
  int32_t n;
  VLM_TRY(vlm_graph_add_node(s->made, &n, node->name, node->domain, node->op_type, node->opset, node->n_inputs, node->n_outputs, node->n_attrs, s->err));
  vlm_node *copy = &s->made->nodes[n];
  for (int32_t k = 0; k < node->n_inputs; k++) copy->inputs[k] = node->inputs[k] == VLM_NO_VALUE ? VLM_NO_VALUE : s->ids[node->inputs[k]];
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE) vlm_node_set_output(s->made, n, k, s->ids[node->outputs[k]]);
  for (int32_t a = 0; a < node->n_attrs; a++) {
    VLM_CHECK(node->attrs[a].kind != VLM_ATTR_GRAPH, s->err, VLM_UNSUPPORTED, "node \"%s\" (%s): control flow inside a branch of a merged decoder",
              node->name, node->op_type);
    copy->attrs[a] = node->attrs[a]; /* pointers into the merged graph's arena, which outlives us */
  }
out:
  return st;
}

/* An output must be a value of its own under the outer name: an Identity gives it one. */
static vlm_status add_output(splitter *s, vlm_value_id from, const char *name) {
  vlm_status st = VLM_OK;
  vlm_value_id id = from;
  int32_t n;
  if (strcmp(s->made->values[from].name, name)) {
    VLM_TRY(vlm_graph_add_value(s->made, &id, name, VLM_VALUE_NODE, s->err));
    VLM_TRY(vlm_graph_add_node(s->made, &n, NULL, "", "Identity", s->made->opset, 1, 1, 0, s->err));
    s->made->nodes[n].inputs[0] = from;
    vlm_node_set_output(s->made, n, 0, id);
  }
  VLM_TRY(vlm_graph_add_output(s->made, id, s->err));
out:
  return st;
}

static vlm_status fill(splitter *s, const vlm_node *node) {
  vlm_status st = VLM_OK;
  s->made->opset = s->outer->opset;
  for (int32_t i = 0; i < s->outer->n_values; i++) s->input_ids[i] = VLM_NO_VALUE;
  for (vlm_value_id id = 0; id < s->body->n_values; id++) VLM_TRY(copy_value(s, id));
  for (int32_t n = 0; n < s->body->n_nodes; n++) VLM_TRY(copy_node(s, &s->body->nodes[n]));
  for (int32_t i = 0; i < s->outer->n_inputs; i++)
    if (s->input_ids[s->outer->inputs[i]] != VLM_NO_VALUE) VLM_TRY(vlm_graph_add_input(s->made, s->input_ids[s->outer->inputs[i]], s->err));
  for (int32_t i = 0; i < s->outer->n_outputs; i++) {
    int32_t k = 0;
    while (k < node->n_outputs && node->outputs[k] != s->outer->outputs[i]) k++;
    VLM_CHECK(k < node->n_outputs && k < s->body->n_outputs, s->err, VLM_INPUT, "output \"%s\" does not come from the If node",
              s->outer->values[s->outer->outputs[i]].name);
    VLM_TRY(add_output(s, s->ids[s->body->outputs[k]], s->outer->values[s->outer->outputs[i]].name));
  }
  VLM_TRY(vlm_graph_resolve(s->made, s->err));
out:
  return st;
}

vlm_status vlm_graph_split_branch(vlm_graph **out, const vlm_graph *merged, bool use_then, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_node *node = the_if(merged);
  const vlm_attr *branch = node ? vlm_node_attr(node, use_then ? "then_branch" : "else_branch") : NULL;
  splitter s = {.outer = merged, .err = err};
  *out = NULL;
  VLM_CHECK(branch && branch->kind == VLM_ATTR_GRAPH, err, VLM_INPUT, "%s: is no merged decoder", merged->source);
  s.body = branch->u.g;
  VLM_TRY(vlm_graph_create(&s.made, use_then ? "decoder_step" : "decoder_first", merged->source, err));
  VLM_TRY(vlm_alloc((void **)&s.ids, (size_t)s.body->n_values, sizeof *s.ids, err));
  VLM_TRY(vlm_alloc((void **)&s.input_ids, (size_t)merged->n_values, sizeof *s.input_ids, err));
  VLM_TRY(fill(&s, node));
out:
  vlm_free(s.ids);
  vlm_free(s.input_ids);
  if (st != VLM_OK) {
    if (s.made) vlm_graph_free(s.made);
    vlm_error_context(err, "%s", merged->source);
    s.made = NULL;
  }
  *out = s.made;
  return st;
}
