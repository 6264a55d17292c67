#include <assert.h>
#include <string.h>

#include "runtime/graph/names.h"

/* Marks of one sweep: which values and nodes of a graph are needed. `work` is a stack of needed nodes whose inputs are not marked yet. */
typedef struct sweep {
  vlm_graph *graph;
  uint8_t *value, *node;
  int32_t *work, *renumbered;
  int32_t n_work;
} sweep;

static void need_value(sweep *s, vlm_value_id id) {
  assert(id >= VLM_NO_VALUE && id < s->graph->n_values);
  if (id == VLM_NO_VALUE || s->value[id]) return;
  s->value[id] = 1;
  int32_t producer = s->graph->values[id].producer;
  if (producer < 0 || s->node[producer]) return;
  s->node[producer] = 1;
  s->work[s->n_work++] = producer;
}

static void need_captures(sweep *s, const vlm_graph *body) {
  for (vlm_value_id id = 0; id < body->n_values; id++)
    if (body->values[id].kind == VLM_VALUE_CAPTURE) need_value(s, body->values[id].parent_value);
}

static void need_node(sweep *s, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_inputs; k++) need_value(s, node->inputs[k]);
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE) s->value[node->outputs[k]] = 1;
  for (int32_t a = 0; a < node->n_attrs; a++)
    if (node->attrs[a].kind == VLM_ATTR_GRAPH) need_captures(s, node->attrs[a].u.g);
}

static void mark(sweep *s) {
  for (int32_t k = 0; k < s->graph->n_inputs; k++) need_value(s, s->graph->inputs[k]);
  for (int32_t k = 0; k < s->graph->n_outputs; k++) need_value(s, s->graph->outputs[k]);
  while (s->n_work > 0) need_node(s, &s->graph->nodes[s->work[--s->n_work]]);
}

static void renumber_list(const sweep *s, vlm_value_id *list, int32_t count) {
  for (int32_t k = 0; k < count; k++)
    if (list[k] != VLM_NO_VALUE) list[k] = s->renumbered[list[k]];
}

static void renumber_captures(const sweep *s, const vlm_node *node) {
  for (int32_t a = 0; a < node->n_attrs; a++) {
    if (node->attrs[a].kind != VLM_ATTR_GRAPH) continue;
    vlm_graph *body = node->attrs[a].u.g;
    for (vlm_value_id id = 0; id < body->n_values; id++)
      if (body->values[id].kind == VLM_VALUE_CAPTURE) renumber_list(s, &body->values[id].parent_value, 1);
  }
}

static void compact(sweep *s) {
  vlm_graph *graph = s->graph;
  int32_t values = 0, nodes = 0;
  for (vlm_value_id id = 0; id < graph->n_values; id++) {
    s->renumbered[id] = s->value[id] ? values : VLM_NO_VALUE;
    if (s->value[id]) graph->values[values++] = graph->values[id];
  }
  graph->n_values = values;
  for (vlm_value_id id = 0; id < values; id++) graph->values[id].producer = -1;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    if (!s->node[n]) continue;
    vlm_node *node = &graph->nodes[nodes];
    *node = graph->nodes[n];
    renumber_list(s, node->inputs, node->n_inputs);
    renumber_list(s, node->outputs, node->n_outputs);
    renumber_captures(s, node);
    for (int32_t k = 0; k < node->n_outputs; k++) vlm_node_set_output(graph, nodes, k, node->outputs[k]);
    nodes++;
  }
  assert(nodes <= graph->n_nodes);
  graph->n_nodes = nodes;
  renumber_list(s, graph->inputs, graph->n_inputs);
  renumber_list(s, graph->outputs, graph->n_outputs);
}

/* Bodies first: a capture that a body no longer reads does not keep anything alive outside. */
static vlm_status sweep_bodies(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t a = 0; a < graph->nodes[n].n_attrs; a++)
      if (graph->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH)
        VLM_TRY(vlm_graph_sweep(graph->nodes[n].attrs[a].u.g, err));
out:
  return st;
}

vlm_status vlm_graph_sweep(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *marks = NULL, *lists = NULL;
  size_t values = (size_t)graph->n_values, nodes = (size_t)graph->n_nodes;
  VLM_TRY(sweep_bodies(graph, err));
  VLM_TRY(vlm_alloc(&marks, values + nodes, 1, err));
  VLM_TRY(vlm_alloc(&lists, values + nodes, sizeof(int32_t), err));
  sweep s = {.graph = graph,
             .value = marks,
             .node = (uint8_t *)marks + values,
             .renumbered = lists,
             .work = (int32_t *)lists + values};
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t k = 0; k < graph->nodes[n].n_outputs; k++)
      vlm_node_set_output(graph, n, k, graph->nodes[n].outputs[k]);
  mark(&s);
  compact(&s);
  VLM_TRY(vlm_names_rebuild(graph, err));
out:
  vlm_free(marks);
  vlm_free(lists);
  return st;
}

static void replace_in(vlm_value_id *list, int32_t count, vlm_value_id from, vlm_value_id to) {
  for (int32_t k = 0; k < count; k++)
    if (list[k] == from) list[k] = to;
}

static void replace_captures(vlm_graph *body, vlm_value_id from, vlm_value_id to) {
  for (vlm_value_id id = 0; id < body->n_values; id++)
    if (body->values[id].kind == VLM_VALUE_CAPTURE) replace_in(&body->values[id].parent_value, 1, from, to);
}

void vlm_graph_replace_uses(vlm_graph *graph, vlm_value_id from, vlm_value_id to) {
  assert(from >= 0 && from < graph->n_values && to >= 0 && to < graph->n_values);
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    vlm_node *node = &graph->nodes[n];
    replace_in(node->inputs, node->n_inputs, from, to);
    for (int32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH) replace_captures(node->attrs[a].u.g, from, to);
  }
  replace_in(graph->outputs, graph->n_outputs, from, to);
}

vlm_status vlm_graph_rename(vlm_graph *graph, vlm_value_id id, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  assert(id >= 0 && id < graph->n_values);
  vlm_value_id holder = vlm_graph_find(graph, name);
  if (holder == id) return VLM_OK;
  if (holder != VLM_NO_VALUE) VLM_TRY(vlm_graph_free_name(graph, &graph->values[holder].name, name, "", err));
  VLM_TRY(vlm_arena_strdup(graph->arena, &graph->values[id].name, name, err));
  VLM_TRY(vlm_names_rebuild(graph, err));
out:
  return st;
}
