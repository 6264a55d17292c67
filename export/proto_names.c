#include <stdio.h>
#include <string.h>

#include "export/proto_build.h"

static int32_t body_of(const vlm_proto_builder *b, const vlm_graph *graph) {
  int32_t k = 0;
  while (b->bodies.items[k].graph != graph) k++;
  return k;
}

const char *vlm_proto_name(const vlm_proto_builder *b, const vlm_graph *graph, vlm_value_id id) {
  while (graph->values[id].kind == VLM_VALUE_CAPTURE) {
    id = graph->values[id].parent_value;
    graph = graph->parent;
  }
  return b->names[body_of(b, graph)][id];
}

static bool is_written(const char *const *names, int32_t count, const char *name) {
  for (int32_t i = 0; i < count; i++)
    if (names[i] && !strcmp(names[i], name)) return true;
  return false;
}

/* What the node that holds a body makes, and what comes behind it, the body does not see. */
static bool is_seen(const vlm_graph *outer, const char *name, int32_t holder) {
  vlm_value_id id = vlm_graph_find(outer, name);
  return id != VLM_NO_VALUE && outer->values[id].producer < holder;
}

/* Whether an enclosing graph has the name, as it is or (any) as it is written. */
static bool hides(const vlm_proto_builder *b, int32_t body, const char *name, bool any) {
  for (int32_t k = body; b->bodies.items[k].parent >= 0; k = b->bodies.items[k].parent) {
    int32_t parent = b->bodies.items[k].parent;
    const vlm_graph *outer = b->bodies.items[parent].graph;
    if (is_seen(outer, name, any ? INT32_MAX : b->bodies.items[k].node)) return true;
    if (any && is_written(b->names[parent], outer->n_values, name)) return true;
  }
  return false;
}

static vlm_status rename_value(vlm_proto_builder *b, int32_t body, vlm_value_id id) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = b->bodies.items[body].graph;
  const char *name = NULL;
  for (int32_t k = 1;; k++) {
    VLM_TRY(vlm_arena_format(b->arena, &name, b->err, "%s_inner_%d", graph->values[id].name, k));
    bool taken = vlm_graph_find(graph, name) != VLM_NO_VALUE || hides(b, body, name, true) ||
                 is_written(b->names[body], id, name);
    if (!taken) break;
  }
  b->names[body][id] = name;
out:
  return st;
}

static vlm_status name_body(vlm_proto_builder *b, int32_t body) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = b->bodies.items[body].graph;
  VLM_TRY(vlm_arena_new(b->arena, &b->names[body], (size_t)graph->n_values + 1, b->err));
  for (vlm_value_id id = 0; id < graph->n_values; id++) {
    const vlm_value *v = &graph->values[id];
    if (v->kind == VLM_VALUE_CAPTURE) continue;
    b->names[body][id] = v->name;
    if (hides(b, body, v->name, false)) VLM_TRY(rename_value(b, body, id));
  }
out:
  return st;
}

vlm_status vlm_proto_name_values(vlm_proto_builder *b) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_arena_new(b->arena, &b->names, (size_t)b->bodies.count, b->err));
  for (int32_t k = 0; k < b->bodies.count; k++) VLM_TRY(name_body(b, k));
out:
  return st;
}
