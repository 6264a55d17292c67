#include "calib/taps.h"

#include "runtime/bundle/binding.h"
#include "runtime/graph/bodies.h"
#include "runtime/ops/traits.h"

/* One graph: a root or a body. */
typedef struct {
  const vlm_graph *graph;
  vlm_tap_place *places; /* per value */
} tapped;

struct vlm_taps {
  vlm_arena *arena;
  tapped *graphs;
  int32_t count, capacity;
};

static tapped *find_graph(const vlm_taps *taps, const vlm_graph *graph) {
  for (int32_t i = 0; i < taps->count; i++)
    if (taps->graphs[i].graph == graph) return &taps->graphs[i];
  return NULL;
}

vlm_tap_place *vlm_taps_find(const vlm_taps *taps, const vlm_graph *graph, vlm_value_id value) {
  tapped *t = find_graph(taps, graph);
  return t ? &t->places[value] : NULL;
}

bool vlm_taps_wants(const vlm_taps *taps, const vlm_graph *graph, vlm_value_id value) {
  const vlm_tap_place *place = vlm_taps_find(taps, graph, value);
  return place && place->wanted;
}

static vlm_status add_graph(vlm_taps *taps, const vlm_body *body, int role, vlm_error *err) {
  vlm_status st = VLM_OK;
  tapped t = {.graph = body->graph};
  if (taps->count == taps->capacity) {
    int32_t wanted = taps->capacity ? 2 * taps->capacity : 8;
    VLM_TRY(vlm_more(&taps->graphs, taps->count, wanted, err));
    taps->capacity = wanted;
  }
  VLM_TRY(vlm_arena_new(taps->arena, &t.places, (size_t)body->graph->n_values + 1, err));
  for (int32_t v = 0; v < body->graph->n_values; v++)
    t.places[v] = (vlm_tap_place){.role = role, .path = body->path};
  taps->graphs[taps->count++] = t;
out:
  return st;
}

/* A captured activation is looked at where it is made. */
static void want_activations(vlm_taps *taps, vlm_graph *graph, const vlm_node *node) {
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  for (int32_t i = vlm_node_weights(graph, node, slots) - 1; i >= 0; i--) {
    vlm_value_id id = slots[i].activation < 0 ? VLM_NO_VALUE : vlm_node_input(node, slots[i].activation);
    if (id == VLM_NO_VALUE) continue;
    vlm_origin made = vlm_value_origin(graph, id);
    vlm_tap_place *place = vlm_taps_find(taps, made.graph, made.id);
    place->wanted = place->multiplied = true;
    place->by_row |= (node->traits->forms & VLM_FORM_ROW) != 0;
  }
}

/* What a convolution makes. */
static void want_result(tapped *t, const vlm_node *node) {
  bool convolves =
      node->traits->family == VLM_FAMILY_CONVOLUTION || node->traits->family == VLM_FAMILY_TRANSPOSED;
  if (convolves && node->traits->forms & VLM_FORM_STATIC) t->places[node->outputs[0]].wanted = true;
}

static void want(vlm_taps *taps, vlm_graph *graph, bool everything) {
  tapped *t = find_graph(taps, graph);
  for (int32_t v = 0; everything && v < graph->n_values; v++)
    t->places[v].wanted = !vlm_cache_suffix(graph->values[v].name);
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    want_activations(taps, graph, &graph->nodes[n]);
    want_result(t, &graph->nodes[n]);
  }
}

static vlm_status add_role(vlm_taps *taps, vlm_graph *root, int role, bool everything, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_body_list bodies = {0};
  if (!root || find_graph(taps, root)) return VLM_OK; /* a graph of two roles is known by the first */
  VLM_TRY(vlm_bodies_make(&bodies, root, vlm_role_name((vlm_role)role), taps->arena, err));
  for (int32_t b = 0; b < bodies.count; b++) VLM_TRY(add_graph(taps, &bodies.items[b], role, err));
  for (int32_t b = 0; b < bodies.count; b++) want(taps, bodies.items[b].graph, everything);
out:
  vlm_bodies_free(&bodies);
  return st;
}

vlm_status vlm_taps_make(vlm_taps **out, const vlm_bundle *bundle, bool everything, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_taps *taps = NULL;
  VLM_TRY(vlm_new(&taps, 1, err));
  VLM_TRY(vlm_arena_create(&taps->arena, err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++) VLM_TRY(add_role(taps, bundle->graphs[r], r, everything, err));
out:
  if (st != VLM_OK) {
    vlm_taps_free(taps);
    taps = NULL;
  }
  *out = taps;
  return st;
}

void vlm_taps_free(vlm_taps *taps) {
  if (!taps) return;
  vlm_arena_free(taps->arena);
  vlm_free(taps->graphs);
  vlm_free(taps);
}
