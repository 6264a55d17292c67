#include "export/join.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/ops/resolve.h"

typedef struct {
  vlm_graph *made, *body;
  const vlm_graph *branch, *other;
  vlm_value_id *ids; /* of the branch -> of the body */
  vlm_error *err;
} joiner;

static vlm_status declare(joiner *j, vlm_graph *to, vlm_value_id *out, const vlm_value *v,
                          vlm_value_kind kind) {
  vlm_status st = VLM_OK;
  const char *name;
  VLM_TRY(vlm_graph_free_name(to, &name, v->name, "", j->err));
  VLM_TRY(vlm_graph_add_value(to, out, name, kind, j->err));
  vlm_value *copy = &to->values[*out];
  copy->tensor = v->tensor;
  copy->tensor.data = NULL;
  memcpy(copy->dim_names, v->dim_names, sizeof copy->dim_names);
out:
  return st;
}

/* ---- constants ---- */

static vlm_value_id find_bytes(const vlm_graph *graph, const vlm_tensor *t) {
  for (vlm_value_id id = 0; id < graph->n_values; id++) {
    const vlm_value *v = &graph->values[id];
    bool same = v->kind == VLM_VALUE_CONSTANT && v->tensor.data == t->data && v->tensor.dtype == t->dtype;
    if (same && vlm_tensor_same_shape(&v->tensor, t)) return id;
  }
  return VLM_NO_VALUE;
}

static vlm_status capture(joiner *j, vlm_value_id *out, vlm_value_id outer) {
  vlm_status st = VLM_OK;
  const char *name;
  VLM_TRY(vlm_graph_free_name(j->body, &name, j->made->values[outer].name, "", j->err));
  VLM_TRY(vlm_graph_add_value(j->body, out, name, VLM_VALUE_CAPTURE, j->err));
  j->body->values[*out].parent_value = outer;
out:
  return st;
}

static vlm_status add_constant(joiner *j, vlm_value_id *out, const vlm_value *v) {
  vlm_status st = VLM_OK;
  const char *name;
  bool shared = find_bytes(j->other, &v->tensor) != VLM_NO_VALUE;
  vlm_graph *holder = shared ? j->made : j->body;
  vlm_value_id id = shared ? find_bytes(j->made, &v->tensor) : VLM_NO_VALUE;
  if (id == VLM_NO_VALUE) {
    VLM_TRY(vlm_graph_free_name(holder, &name, v->name, "", j->err));
    VLM_TRY(vlm_graph_add_constant(holder, &id, name, &v->tensor, false, j->err));
  }
  *out = id;
  if (shared) VLM_TRY(capture(j, out, id));
out:
  return st;
}

/* ---- a body ---- */

static vlm_status add_value(joiner *j, vlm_value_id id) {
  vlm_status st = VLM_OK;
  const vlm_value *v = &j->branch->values[id];
  vlm_value_id outer = v->kind == VLM_VALUE_INPUT ? vlm_graph_find(j->made, v->name) : VLM_NO_VALUE;
  if (v->kind == VLM_VALUE_CONSTANT) return add_constant(j, &j->ids[id], v);
  if (v->kind == VLM_VALUE_NODE) return declare(j, j->body, &j->ids[id], v, VLM_VALUE_NODE);
  VLM_CHECK(outer != VLM_NO_VALUE, j->err, VLM_INTERNAL, "a branch reads \"%s\", which is no input", v->name);
  VLM_TRY(capture(j, &j->ids[id], outer));
out:
  return st;
}

static vlm_status add_node(joiner *j, const vlm_node *node) {
  vlm_status st = VLM_OK;
  int32_t n;
  VLM_TRY(vlm_graph_add_node(j->body, &n, node, j->err));
  vlm_node *copy = &j->body->nodes[n];
  for (int32_t k = 0; k < node->n_inputs; k++)
    copy->inputs[k] = node->inputs[k] == VLM_NO_VALUE ? VLM_NO_VALUE : j->ids[node->inputs[k]];
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE) vlm_node_set_output(j->body, n, k, j->ids[node->outputs[k]]);
  for (int32_t a = 0; a < node->n_attrs; a++) copy->attrs[a] = node->attrs[a];
out:
  return st;
}

static vlm_status fill_body(joiner *j) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_new(&j->ids, j->branch->n_values, j->err));
  j->body->opset = j->branch->opset;
  for (vlm_value_id id = 0; id < j->branch->n_values; id++) VLM_TRY(add_value(j, id));
  for (int32_t n = 0; n < j->branch->n_nodes; n++) VLM_TRY(add_node(j, &j->branch->nodes[n]));
  for (int32_t k = 0; k < j->branch->n_outputs; k++)
    VLM_TRY(vlm_graph_add_output(j->body, j->ids[j->branch->outputs[k]], j->err));
out:
  vlm_free(j->ids);
  j->ids = NULL;
  return st;
}

/* ---- around the bodies ---- */

static const vlm_node *the_if(const vlm_graph *merged) {
  for (int32_t n = 0; n < merged->n_nodes; n++)
    if (vlm_node_is(&merged->nodes[n], "If")) return &merged->nodes[n];
  return NULL;
}

static vlm_status add_inputs(joiner *j, const vlm_graph *merged) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < merged->n_inputs; i++) {
    vlm_value_id id;
    VLM_TRY(declare(j, j->made, &id, &merged->values[merged->inputs[i]], VLM_VALUE_INPUT));
    VLM_TRY(vlm_graph_add_input(j->made, id, j->err));
  }
out:
  return st;
}

static vlm_status add_if(joiner *j, const vlm_graph *merged, int32_t *n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = the_if(merged);
  VLM_CHECK(node && node->n_outputs == merged->n_outputs, j->err, VLM_INTERNAL, "%s: is no merged decoder",
            merged->source);
  const vlm_node like = {.name = node->name,
                         .op_type = "If",
                         .opset = j->made->opset,
                         .n_inputs = 1,
                         .n_outputs = node->n_outputs,
                         .n_attrs = 2};
  VLM_TRY(vlm_graph_add_node(j->made, n, &like, j->err));
  j->made->nodes[*n].inputs[0] = vlm_graph_find(j->made, merged->values[node->inputs[0]].name);
  for (int32_t k = 0; k < merged->n_outputs; k++) {
    vlm_value_id id;
    VLM_TRY(declare(j, j->made, &id, &merged->values[merged->outputs[k]], VLM_VALUE_NODE));
    vlm_node_set_output(j->made, *n, k, id);
    VLM_TRY(vlm_graph_add_output(j->made, id, j->err));
  }
out:
  return st;
}

static vlm_status add_branch(joiner *j, int32_t n, int32_t attr, const char *name, const vlm_graph *branch,
                             const vlm_graph *other) {
  vlm_status st = VLM_OK;
  j->branch = branch;
  j->other = other;
  VLM_TRY(vlm_graph_create_sub(&j->body, j->made, name, j->err));
  VLM_TRY(fill_body(j));
  j->made->nodes[n].attrs[attr] = (vlm_attr){.name = name, .kind = VLM_ATTR_GRAPH, .u.g = j->body};
out:
  return st;
}

vlm_status vlm_graph_join(vlm_graph **out, const vlm_graph *merged, const vlm_graph *then_branch,
                          const vlm_graph *else_branch, vlm_error *err) {
  vlm_status st = VLM_OK;
  joiner j = {.err = err};
  int32_t n;
  *out = NULL;
  VLM_TRY(vlm_graph_create(&j.made, merged->name, merged->source, err));
  j.made->opset = then_branch->opset;
  VLM_TRY(add_inputs(&j, merged));
  VLM_TRY(add_if(&j, merged, &n));
  VLM_TRY(add_branch(&j, n, 0, "else_branch", else_branch, then_branch));
  VLM_TRY(add_branch(&j, n, 1, "then_branch", then_branch, else_branch));
  VLM_TRY(vlm_graph_resolve(j.made, err));
  *out = j.made;
out:
  if (st != VLM_OK && j.made) vlm_graph_free(j.made);
  return st;
}
