#include <string.h>

#include "onnx/pass.h"

/* The move of one body into the graph that holds its If: map[id in body] = id in graph. */
typedef struct move {
  vlm_graph *graph;
  const vlm_graph *body;
  const char *prefix; /* for names that are taken */
  vlm_value_id *map;
} move;

static vlm_status free_name(move *m, const char *name, const char **out, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = name;
  if (vlm_graph_find(m->graph, name) == VLM_NO_VALUE) return VLM_OK;
  VLM_TRY(vlm_arena_format(m->graph->arena, out, err, "%s/%s", m->prefix, name));
  VLM_TRY(vlm_graph_free_name(m->graph, out, *out, "", err));
out:
  return st;
}

static vlm_status move_value(move *m, vlm_value_id id, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_value *value = &m->body->values[id];
  const char *name = NULL;
  if (value->kind == VLM_VALUE_CAPTURE) {
    m->map[id] = value->parent_value;
    return VLM_OK;
  }
  if (m->map[id] != VLM_NO_VALUE) return VLM_OK;
  VLM_TRY(free_name(m, value->name, &name, err));
  if (value->kind == VLM_VALUE_CONSTANT) {
    VLM_TRY(vlm_graph_add_constant(m->graph, &m->map[id], name, &value->tensor, false, err));
  } else {
    VLM_TRY(vlm_graph_add_value(m->graph, &m->map[id], name, VLM_VALUE_NODE, err));
    m->graph->values[m->map[id]].tensor = value->tensor;
    memcpy(m->graph->values[m->map[id]].dim_names, value->dim_names, sizeof value->dim_names);
  }
out:
  return st;
}

static vlm_value_id mapped(const move *m, vlm_value_id id) {
  return id == VLM_NO_VALUE ? VLM_NO_VALUE : m->map[id];
}

static void adopt_bodies(const move *m, const vlm_node *node) {
  for (int32_t a = 0; a < node->n_attrs; a++) {
    if (node->attrs[a].kind != VLM_ATTR_GRAPH) continue;
    vlm_graph *nested = node->attrs[a].u.g;
    nested->parent = m->graph;
    for (vlm_value_id id = 0; id < nested->n_values; id++)
      if (nested->values[id].kind == VLM_VALUE_CAPTURE)
        nested->values[id].parent_value = mapped(m, nested->values[id].parent_value);
  }
}

static vlm_status move_node(move *m, const vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t n = -1;
  VLM_TRY(vlm_graph_add_node(m->graph, &n, node, err));
  for (int32_t k = 0; k < node->n_inputs; k++) m->graph->nodes[n].inputs[k] = mapped(m, node->inputs[k]);
  for (int32_t k = 0; k < node->n_outputs; k++)
    vlm_node_set_output(m->graph, n, k, mapped(m, node->outputs[k]));
  if (node->n_attrs > 0)
    memcpy(m->graph->nodes[n].attrs, node->attrs, (size_t)node->n_attrs * sizeof *node->attrs);
  adopt_bodies(m, node);
out:
  return st;
}

/* A result that the body does not compute itself, or returns twice, is handed over by an Identity. */
static vlm_status move_output(move *m, vlm_value_id from, vlm_value_id to, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t n = -1;
  if (to == VLM_NO_VALUE || mapped(m, from) == to) return VLM_OK;
  VLM_TRY(vlm_graph_add_node(
      m->graph, &n,
      &(vlm_node){.op_type = "Identity", .opset = m->graph->opset, .n_inputs = 1, .n_outputs = 1}, err));
  m->graph->nodes[n].inputs[0] = mapped(m, from);
  vlm_node_set_output(m->graph, n, 0, to);
out:
  return st;
}

static void claim_outputs(move *m, const vlm_value_id *results) {
  for (int32_t k = 0; k < m->body->n_outputs; k++) {
    vlm_value_id id = m->body->outputs[k];
    if (m->body->values[id].kind == VLM_VALUE_NODE && m->map[id] == VLM_NO_VALUE) m->map[id] = results[k];
  }
}

static vlm_status move_body(vlm_graph *graph, int32_t at, const vlm_graph *body, vlm_error *err) {
  vlm_status st = VLM_OK;
  move m = {.graph = graph, .body = body, .prefix = graph->nodes[at].name};
  vlm_value_id *results = graph->nodes[at].outputs;
  VLM_TRY(vlm_new(&m.map, body->n_values, err));
  for (vlm_value_id id = 0; id < body->n_values; id++) m.map[id] = VLM_NO_VALUE;
  claim_outputs(&m, results);
  for (vlm_value_id id = 0; id < body->n_values; id++) VLM_TRY(move_value(&m, id, err));
  for (int32_t n = 0; n < body->n_nodes; n++) VLM_TRY(move_node(&m, &body->nodes[n], err));
  for (int32_t k = 0; k < body->n_outputs; k++) VLM_TRY(move_output(&m, body->outputs[k], results[k], err));
  for (int32_t k = 0; k < body->n_outputs; k++) results[k] = VLM_NO_VALUE;
  graph->nodes[at].n_attrs = 0;
out:
  vlm_free(m.map);
  return st;
}

/* The branch that always runs, or NULL. */
static const vlm_graph *only_branch(const vlm_graph *graph, const vlm_node *node) {
  if (!vlm_node_is(node, "If") || node->n_attrs == 0) return NULL;
  const vlm_tensor *condition = vlm_graph_constant(graph, node->inputs[0]);
  if (condition == NULL || condition->dtype != VLM_BOOL || vlm_tensor_count(condition) != 1) return NULL;
  const vlm_attr *branch =
      vlm_node_attr(node, vlm_tensor_get_int(condition, 0) != 0 ? "then_branch" : "else_branch");
  return branch != NULL && branch->u.g->n_outputs == node->n_outputs ? branch->u.g : NULL;
}

vlm_status vlm_pass_branches(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  (void)opts;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_graph *body = only_branch(graph, &graph->nodes[n]);
    if (body == NULL) continue;
    VLM_TRY(move_body(graph, n, body, err));
    ++*changes;
  }
out:
  return st;
}
