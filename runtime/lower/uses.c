#include "runtime/lower/lower_private.h"

static void count_use(vlm_lowering *l, vlm_value_id id, int32_t node) {
  if (id == VLM_NO_VALUE) return;
  l->uses[id]++;
  l->reader[id] = node;
}

static void count_captures(vlm_lowering *l, const vlm_graph *body) {
  for (vlm_value_id v = 0; v < body->n_values; v++)
    if (body->values[v].kind == VLM_VALUE_CAPTURE) count_use(l, body->values[v].parent_value, -1);
}

static void count_uses(vlm_lowering *l) {
  const vlm_graph *g = l->graph;
  for (int32_t n = 0; n < g->n_nodes; n++) {
    const vlm_node *node = &g->nodes[n];
    for (int32_t k = 0; k < node->n_inputs; k++) count_use(l, node->inputs[k], n);
    for (int32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH) count_captures(l, node->attrs[a].u.g);
  }
  for (int32_t i = 0; i < g->n_outputs; i++) count_use(l, g->outputs[i], -1);
}

vlm_status vlm_lowering_open(vlm_lowering *l, vlm_graph *graph, vlm_lower_report *report, vlm_error *err) {
  vlm_status st = VLM_OK;
  *l = (vlm_lowering){
      .graph = graph, .n_values = graph->n_values, .n_nodes = graph->n_nodes, .report = report, .err = err};
  VLM_TRY(vlm_new(&l->uses, graph->n_values, err));
  VLM_TRY(vlm_new(&l->reader, graph->n_values, err));
  VLM_TRY(vlm_new(&l->gone, graph->n_nodes, err));
  count_uses(l);
out:
  if (st != VLM_OK) vlm_lowering_close(l);
  return st;
}

void vlm_lowering_close(vlm_lowering *l) {
  vlm_free(l->uses);
  vlm_free(l->reader);
  vlm_free(l->gone);
  l->uses = l->reader = NULL;
  l->gone = NULL;
}

int32_t vlm_only_reader(const vlm_lowering *l, vlm_value_id id) {
  if (id == VLM_NO_VALUE || id >= l->n_values || l->uses[id] != 1) return -1;
  int32_t n = l->reader[id];
  return n < 0 || l->gone[n] ? -1 : n;
}

const vlm_node *vlm_maker(const vlm_graph *graph, vlm_value_id id) {
  int32_t n = id == VLM_NO_VALUE ? -1 : graph->values[id].producer;
  return n < 0 ? NULL : &graph->nodes[n];
}
