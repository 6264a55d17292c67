#include "onnx/split.h"
#include "runtime/ops/resolve.h"

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
  return node && graph->values[node->inputs[0]].kind == VLM_VALUE_INPUT &&
         node->n_outputs == graph->n_outputs;
}

typedef struct {
  const vlm_graph *outer, *body;
  vlm_graph *made;
  vlm_value_id *ids;       /* body id -> made id */
  vlm_value_id *input_ids; /* outer id -> made id of captured inputs */
  vlm_error *err;
} splitter;

static const vlm_value *origin_of(const splitter *s, const vlm_value *v) {
  return v->kind == VLM_VALUE_CAPTURE ? &s->outer->values[v->parent_value] : v;
}

static vlm_status declare(splitter *s, vlm_value_id *out, const vlm_value *v, const char *name,
                          vlm_value_kind kind) {
  vlm_status st = vlm_graph_add_value(s->made, out, name, kind, s->err);
  if (st != VLM_OK) return st;
  vlm_value *copy = &s->made->values[*out];
  copy->tensor = v->tensor;
  copy->tensor.data = NULL;
  memcpy(copy->dim_names, v->dim_names, sizeof copy->dim_names);
  return VLM_OK;
}

/* Inputs that the branch reads come first: they keep the outer names, whatever the branch calls its own values. */
static vlm_status copy_inputs(splitter *s) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < s->outer->n_values; i++) s->input_ids[i] = VLM_NO_VALUE;
  for (vlm_value_id id = 0; id < s->body->n_values; id++) {
    const vlm_value *v = &s->body->values[id], *origin = origin_of(s, v);
    if (origin == v || origin->kind != VLM_VALUE_INPUT) continue;
    vlm_value_id *made = &s->input_ids[v->parent_value];
    if (*made == VLM_NO_VALUE) VLM_TRY(declare(s, made, origin, origin->name, VLM_VALUE_INPUT));
    s->ids[id] = *made;
  }
  for (int32_t i = 0; i < s->outer->n_inputs; i++)
    if (s->input_ids[s->outer->inputs[i]] != VLM_NO_VALUE)
      VLM_TRY(vlm_graph_add_input(s->made, s->input_ids[s->outer->inputs[i]], s->err));
out:
  return st;
}

static vlm_status copy_value(splitter *s, vlm_value_id id) {
  vlm_status st = VLM_OK;
  const vlm_value *v = &s->body->values[id], *origin = origin_of(s, v);
  if (origin != v && origin->kind == VLM_VALUE_INPUT) return VLM_OK;
  const char *name = NULL;
  VLM_TRY(vlm_graph_free_name(s->made, &name, v->name, "", s->err));
  if (origin->kind == VLM_VALUE_CONSTANT)
    return vlm_graph_add_constant(s->made, &s->ids[id], name, &origin->tensor, false, s->err);
  VLM_CHECK(origin == v, s->err, VLM_UNSUPPORTED, "branch reads \"%s\", which is computed outside of it",
            origin->name);
  VLM_TRY(declare(s, &s->ids[id], v, name, v->kind));
out:
  return st;
}

static vlm_status copy_node(splitter *s, const vlm_node *node) {
  vlm_status st = VLM_OK;
  int32_t n;
  VLM_TRY(vlm_graph_add_node(s->made, &n, node, s->err));
  vlm_node *copy = &s->made->nodes[n];
  for (int32_t k = 0; k < node->n_inputs; k++)
    copy->inputs[k] = node->inputs[k] == VLM_NO_VALUE ? VLM_NO_VALUE : s->ids[node->inputs[k]];
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE) vlm_node_set_output(s->made, n, k, s->ids[node->outputs[k]]);
  for (int32_t a = 0; a < node->n_attrs; a++) {
    VLM_CHECK(node->attrs[a].kind != VLM_ATTR_GRAPH, s->err, VLM_UNSUPPORTED,
              "node \"%s\" (%s): control flow inside a decoder", node->name, node->op_type);
    copy->attrs[a] = node->attrs[a]; /* pointers into the original's arena, which outlives us */
  }
out:
  return st;
}

/* An output must be a value of its own under the outer name: an Identity gives it one. A value of the body that is called so steps back. */
static vlm_status add_output(splitter *s, vlm_value_id from, const char *name) {
  vlm_status st = VLM_OK;
  vlm_value_id id = from;
  int32_t n;
  if (strcmp(s->made->values[from].name, name)) {
    VLM_TRY(vlm_graph_add_value(s->made, &id, NULL, VLM_VALUE_NODE, s->err));
    VLM_TRY(vlm_graph_rename(s->made, id, name, s->err));
    VLM_TRY(vlm_graph_add_node(
        s->made, &n,
        &(vlm_node){.op_type = "Identity", .opset = s->made->opset, .n_inputs = 1, .n_outputs = 1}, s->err));
    s->made->nodes[n].inputs[0] = from;
    vlm_node_set_output(s->made, n, 0, id);
  }
  VLM_TRY(vlm_graph_add_output(s->made, id, s->err));
out:
  return st;
}

static vlm_status copy_body(splitter *s) {
  vlm_status st = VLM_OK;
  s->made->opset = s->outer->opset;
  for (vlm_value_id id = 0; id < s->body->n_values; id++) VLM_TRY(copy_value(s, id));
  for (int32_t n = 0; n < s->body->n_nodes; n++) VLM_TRY(copy_node(s, &s->body->nodes[n]));
out:
  return st;
}

static vlm_status fill_branch(splitter *s, const vlm_node *node) {
  vlm_status st = VLM_OK;
  VLM_TRY(copy_inputs(s));
  VLM_TRY(copy_body(s));
  for (int32_t i = 0; i < s->outer->n_outputs; i++) {
    int32_t k = 0;
    while (k < node->n_outputs && node->outputs[k] != s->outer->outputs[i]) k++;
    VLM_CHECK(k < node->n_outputs && k < s->body->n_outputs, s->err, VLM_INPUT,
              "output \"%s\" does not come from the If node", s->outer->values[s->outer->outputs[i]].name);
    VLM_TRY(add_output(s, s->ids[s->body->outputs[k]], s->outer->values[s->outer->outputs[i]].name));
  }
  VLM_TRY(vlm_graph_resolve(s->made, s->err));
out:
  return st;
}

static vlm_status make(vlm_graph **out, const char *name, splitter *s, const vlm_node *node) {
  vlm_status st = VLM_OK;
  *out = NULL;
  VLM_TRY(vlm_graph_create(&s->made, name, s->outer->source, s->err));
  VLM_TRY(vlm_new(&s->ids, s->body->n_values, s->err));
  VLM_TRY(vlm_new(&s->input_ids, s->outer->n_values, s->err));
  VLM_TRY(fill_branch(s, node));
out:
  vlm_free(s->ids);
  vlm_free(s->input_ids);
  if (st != VLM_OK) {
    if (s->made) vlm_graph_free(s->made);
    vlm_error_context(s->err, "%s", s->outer->source);
    return st;
  }
  *out = s->made;
  return VLM_OK;
}

vlm_status vlm_graph_split_branch(vlm_graph **out, const vlm_graph *merged, bool use_then, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_node *node = the_if(merged);
  const vlm_attr *branch = node ? vlm_node_attr(node, use_then ? "then_branch" : "else_branch") : NULL;
  splitter s = {.outer = merged, .err = err};
  *out = NULL;
  VLM_CHECK(branch && branch->kind == VLM_ATTR_GRAPH, err, VLM_INPUT, "%s: is no merged decoder",
            merged->source);
  s.body = branch->u.g;
  VLM_TRY(make(out, use_then ? "decoder_step" : "decoder_first", &s, node));
out:
  return st;
}
