#include "runtime/graph/copy.h"

#include <string.h>

#include "runtime/graph/names.h"

static vlm_status fill(vlm_graph *to, const vlm_graph *from, vlm_error *err);

/* An array of another graph into the arena of `to`: *list is the old one, then the new one. */
#define COPY_ARRAY(to, list, count, err)                                                     \
  __extension__({                                                                            \
    const __typeof__(*(list)) *old_ = (list);                                                \
    const vlm_status got_ = vlm_arena_new((to)->arena, &(list), (size_t)(count) + 1, (err)); \
    if (got_ == VLM_OK && (count) > 0) memcpy((list), old_, (size_t)(count) * sizeof *old_); \
    got_;                                                                                    \
  })

static vlm_status copy_bodies(vlm_graph *to, vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t a = 0; a < node->n_attrs; a++) {
    if (node->attrs[a].kind != VLM_ATTR_GRAPH) continue;
    const vlm_graph *body = node->attrs[a].u.g;
    VLM_TRY(vlm_graph_create_sub(&node->attrs[a].u.g, to, body->name, err));
    VLM_TRY(fill(node->attrs[a].u.g, body, err));
  }
out:
  return st;
}

/* What resolving binds is bound again, to the copy. */
static vlm_status copy_node(vlm_graph *to, vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(COPY_ARRAY(to, node->inputs, node->n_inputs, err));
  VLM_TRY(COPY_ARRAY(to, node->outputs, node->n_outputs, err));
  VLM_TRY(COPY_ARRAY(to, node->attrs, node->n_attrs, err));
  node->op = NULL;
  node->args = NULL;
  VLM_TRY(copy_bodies(to, node, err));
out:
  return st;
}

static vlm_status fill(vlm_graph *to, const vlm_graph *from, vlm_error *err) {
  vlm_status st = VLM_OK;
  to->opset = from->opset;
  to->lazy = from->lazy;
  to->n_values = to->cap_values = from->n_values;
  to->n_nodes = to->cap_nodes = from->n_nodes;
  to->n_inputs = to->cap_inputs = from->n_inputs;
  to->n_outputs = to->cap_outputs = from->n_outputs;
  to->values = from->values;
  to->nodes = from->nodes;
  to->inputs = from->inputs;
  to->outputs = from->outputs;
  VLM_TRY(COPY_ARRAY(to, to->values, to->n_values, err));
  VLM_TRY(COPY_ARRAY(to, to->nodes, to->n_nodes, err));
  VLM_TRY(COPY_ARRAY(to, to->inputs, to->n_inputs, err));
  VLM_TRY(COPY_ARRAY(to, to->outputs, to->n_outputs, err));
  VLM_TRY(vlm_names_rebuild(to, err));
  for (int32_t n = 0; n < to->n_nodes; n++) VLM_TRY(copy_node(to, &to->nodes[n], err));
out:
  return st;
}

vlm_status vlm_graph_copy(vlm_graph **out, const vlm_graph *graph, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_graph *made = NULL;
  *out = NULL;
  VLM_TRY(vlm_graph_create(&made, name, graph->source, err));
  VLM_TRY(fill(made, graph, err));
  *out = made;
out:
  if (st != VLM_OK && made) vlm_graph_free(made);
  return st;
}
