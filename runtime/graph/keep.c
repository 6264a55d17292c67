#include "runtime/graph/keep.h"

#include <stdlib.h>

typedef struct kept {
  struct kept *next;
  void *thing;
  void (*release)(void *);
} kept;

static vlm_graph *root_of(vlm_graph *graph) {
  while (graph->parent != NULL) graph = graph->parent;
  return graph;
}

vlm_status vlm_graph_keep(vlm_graph *graph, void *thing, void (*release)(void *), vlm_error *err) {
  vlm_status st = VLM_OK;
  kept *entry;
  graph = root_of(graph);
  VLM_TRY(vlm_arena_new(graph->arena, &entry, 1, err));
  *entry = (kept){.next = graph->keep, .thing = thing, .release = release};
  graph->keep = entry;
out:
  if (st != VLM_OK) release(thing);
  return st;
}

void vlm_graph_release_kept(vlm_graph *root) {
  for (kept *k = root->keep; k != NULL; k = k->next) k->release(k->thing);
  root->keep = NULL;
}

/* Where the elements of constants and of tensor attributes begin. */
typedef struct places {
  const void **items;
  size_t count, room;
} places;

static vlm_status add_place(places *p, const void *data, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (data == NULL) return VLM_OK;
  if (p->count == p->room) {
    size_t more = p->room > 0 ? p->room * 2 : 256;
    VLM_TRY(vlm_more(&p->items, p->room, more, err));
    p->room = more;
  }
  p->items[p->count++] = data;
out:
  return st;
}

static vlm_status add_graph(places *p, const vlm_graph *graph, vlm_error *err);

static vlm_status add_attribute(places *p, const vlm_attr *attr, vlm_error *err) {
  if (attr->kind == VLM_ATTR_TENSOR && attr->u.t != NULL) return add_place(p, attr->u.t->data, err);
  return attr->kind == VLM_ATTR_GRAPH ? add_graph(p, attr->u.g, err) : VLM_OK;
}

static vlm_status add_graph(places *p, const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (vlm_value_id id = 0; id < graph->n_values; id++)
    if (graph->values[id].kind == VLM_VALUE_CONSTANT)
      VLM_TRY(add_place(p, graph->values[id].tensor.data, err));
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t a = 0; a < graph->nodes[n].n_attrs; a++)
      VLM_TRY(add_attribute(p, &graph->nodes[n].attrs[a], err));
out:
  return st;
}

static int by_address(const void *a, const void *b) {
  uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
  return (x > y) - (x < y);
}

vlm_status vlm_graph_collect(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  places p = {0};
  graph = root_of(graph);
  VLM_TRY(add_graph(&p, graph, err));
  if (p.count > 0) qsort(p.items, p.count, sizeof *p.items, by_address);
  kept *list = NULL, **end = &list;
  for (kept *k = graph->keep, *next; k != NULL; k = next) {
    next = k->next;
    if (k->release == vlm_free &&
        (p.count == 0 || bsearch(&k->thing, p.items, p.count, sizeof *p.items, by_address) == NULL)) {
      k->release(k->thing);
      continue;
    }
    *end = k;
    end = &k->next;
  }
  *end = NULL;
  graph->keep = list;
out:
  vlm_free(p.items);
  return st;
}
