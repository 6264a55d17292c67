#include "runtime/graph/order.h"

#include <assert.h>
#include <string.h>

enum { NEW, OPEN, DONE };

/* Depth-first walk over "produced by" edges with an explicit stack; `next` counts the edges of an open node that were followed. */
typedef struct order_walk {
  vlm_graph *graph;
  uint8_t *state;
  int32_t *stack, *next, *order;
  int32_t depth, done;
} order_walk;

/* Edge k of a node: its inputs, then the captures of its subgraphs. False when there are no more; *producer -1 = no edge here. */
static bool edge(const vlm_graph *graph, const vlm_node *node, int32_t k, int32_t *producer) {
  vlm_value_id id = VLM_NO_VALUE;
  if (k < node->n_inputs) {
    id = node->inputs[k];
  } else {
    k -= node->n_inputs;
    int32_t a = 0;
    for (; a < node->n_attrs; a++) {
      if (node->attrs[a].kind != VLM_ATTR_GRAPH) continue;
      const vlm_graph *body = node->attrs[a].u.g;
      if (k >= body->n_values) {
        k -= body->n_values;
        continue;
      }
      if (body->values[k].kind == VLM_VALUE_CAPTURE) id = body->values[k].parent_value;
      break;
    }
    if (a == node->n_attrs) return false;
  }
  *producer = id == VLM_NO_VALUE ? -1 : graph->values[id].producer;
  return true;
}

static void open_node(order_walk *w, int32_t node) {
  assert(w->state[node] == NEW && w->depth < w->graph->n_nodes);
  w->state[node] = OPEN;
  w->next[node] = 0;
  w->stack[w->depth++] = node;
}

static vlm_status visit(order_walk *w, int32_t root, vlm_error *err) {
  vlm_status st = VLM_OK;
  open_node(w, root);
  while (w->depth > 0) {
    int32_t at = w->stack[w->depth - 1], producer = -1;
    if (!edge(w->graph, &w->graph->nodes[at], w->next[at]++, &producer)) {
      w->state[at] = DONE;
      w->order[w->done++] = at;
      w->depth--;
    } else if (producer >= 0 && w->state[producer] == NEW) {
      open_node(w, producer);
    } else if (producer >= 0 && w->state[producer] == OPEN) {
      st = vlm_fail(err, VLM_INPUT, "the node depends on its own result (cycle through node \"%s\")",
                    w->graph->nodes[at].name);
      return vlm_node_blame(w->graph, &w->graph->nodes[producer], st, err);
    }
  }
  return st;
}

static void renumber_producers(vlm_graph *graph) {
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t k = 0; k < graph->nodes[n].n_outputs; k++)
      if (graph->nodes[n].outputs[k] != VLM_NO_VALUE) graph->values[graph->nodes[n].outputs[k]].producer = n;
}

static vlm_status apply_order(vlm_graph *graph, const int32_t *order, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  bool sorted = true;
  for (int32_t n = 0; n < graph->n_nodes; n++) sorted = sorted && order[n] == n;
  if (sorted) return VLM_OK;
  VLM_TRY(vlm_alloc(&memory, (size_t)graph->n_nodes, sizeof(vlm_node), err));
  vlm_node *nodes = memory;
  for (int32_t n = 0; n < graph->n_nodes; n++) nodes[n] = graph->nodes[order[n]];
  memcpy(graph->nodes, nodes, (size_t)graph->n_nodes * sizeof *nodes);
  renumber_producers(graph);
out:
  vlm_free(memory);
  return st;
}

vlm_status vlm_graph_order(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *state = NULL, *lists = NULL;
  size_t n = (size_t)graph->n_nodes;
  VLM_TRY(vlm_alloc(&state, n, 1, err));
  VLM_TRY(vlm_alloc(&lists, n * 3, sizeof(int32_t), err));
  order_walk w = {.graph = graph,
                  .state = state,
                  .stack = lists,
                  .next = (int32_t *)lists + n,
                  .order = (int32_t *)lists + 2 * n};
  for (int32_t node = 0; node < graph->n_nodes; node++)
    if (w.state[node] == NEW) VLM_TRY(visit(&w, node, err));
  assert(w.done == graph->n_nodes); /* every node has one place */
  VLM_TRY(apply_order(graph, w.order, err));
out:
  vlm_free(state);
  vlm_free(lists);
  return st;
}
