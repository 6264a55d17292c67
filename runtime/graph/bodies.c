#include "runtime/graph/bodies.h"

#include <string.h>

static vlm_status add(vlm_body_list *list, vlm_graph *graph, const char *path, int32_t parent, int32_t node,
                      vlm_error *err) {
  if (list->count == list->capacity) {
    int32_t wanted = list->capacity ? 2 * list->capacity : 8;
    vlm_status st = vlm_more(&list->items, list->count, wanted, err);
    if (st != VLM_OK) return st;
    list->capacity = wanted;
  }
  list->items[list->count++] = (vlm_body){.graph = graph, .path = path, .parent = parent, .node = node};
  return VLM_OK;
}

static bool is_taken(const vlm_body_list *list, const char *path) {
  for (int32_t i = 0; i < list->count; i++)
    if (!strcmp(list->items[i].path, path)) return true;
  return false;
}

/* Where a body is: an attribute of a node of another body. */
typedef struct {
  const char *outer, *node, *attr;
} body_place;

/* Names of nodes need not be distinct: the second of a name gets "#2". */
static vlm_status make_path(const char **out, const vlm_body_list *list, const body_place *at,
                            vlm_arena *arena, vlm_error *err) {
  vlm_status st = vlm_arena_format(arena, out, err, "%s/%s.%s", at->outer, at->node, at->attr);
  for (int k = 2; st == VLM_OK && is_taken(list, *out); k++)
    st = vlm_arena_format(arena, out, err, "%s/%s#%d.%s", at->outer, at->node, k, at->attr);
  return st;
}

static vlm_status add_bodies_of(vlm_body_list *list, int32_t holder, vlm_arena *arena, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = list->items[holder].graph;
  const char *path, *outer = list->items[holder].path;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    for (int32_t a = 0; a < node->n_attrs; a++) {
      if (node->attrs[a].kind != VLM_ATTR_GRAPH) continue;
      VLM_TRY(make_path(&path, list, &(body_place){outer, node->name, node->attrs[a].name}, arena, err));
      VLM_TRY(add(list, node->attrs[a].u.g, path, holder, n, err));
    }
  }
out:
  return st;
}

vlm_status vlm_bodies_make(vlm_body_list *out, vlm_graph *root, const char *root_path, vlm_arena *arena,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_body_list){.count = 0};
  VLM_TRY(add(out, root, root_path, -1, -1, err));
  for (int32_t i = 0; i < out->count; i++) VLM_TRY(add_bodies_of(out, i, arena, err));
out:
  if (st != VLM_OK) vlm_bodies_free(out);
  return st;
}

void vlm_bodies_free(vlm_body_list *list) {
  vlm_free(list->items);
  *list = (vlm_body_list){.count = 0};
}

const vlm_body *vlm_bodies_find(const vlm_body_list *list, const vlm_graph *graph) {
  for (int32_t i = 0; i < list->count; i++)
    if (list->items[i].graph == graph) return &list->items[i];
  return NULL;
}

vlm_origin vlm_value_origin(vlm_graph *graph, vlm_value_id id) {
  while (graph->parent != NULL && id != VLM_NO_VALUE && graph->values[id].kind == VLM_VALUE_CAPTURE) {
    id = graph->values[id].parent_value;
    graph = graph->parent;
  }
  return (vlm_origin){graph, id};
}

static vlm_value_id known_capture(const vlm_graph *graph, vlm_value_id outer) {
  for (vlm_value_id id = 0; id < graph->n_values; id++)
    if (graph->values[id].kind == VLM_VALUE_CAPTURE && graph->values[id].parent_value == outer) return id;
  return VLM_NO_VALUE;
}

vlm_status vlm_graph_capture(vlm_graph *graph, vlm_value_id *out, vlm_origin origin, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id outer;
  *out = origin.id;
  if (graph == origin.graph) return VLM_OK;
  VLM_CHECK(graph->parent, err, VLM_INTERNAL, "graph \"%s\" is not inside \"%s\"", graph->name,
            origin.graph->name);
  VLM_TRY(vlm_graph_capture(graph->parent, &outer, origin, err));
  *out = known_capture(graph, outer);
  if (*out != VLM_NO_VALUE) goto out;
  const vlm_value *v = &graph->parent->values[outer];
  const char *name = vlm_graph_find(graph, v->name) == VLM_NO_VALUE ? v->name : NULL;
  VLM_TRY(vlm_graph_add_value(graph, out, name, VLM_VALUE_CAPTURE, err));
  vlm_value *own = &graph->values[*out];
  own->parent_value = outer;
  own->tensor = v->tensor;
  own->tensor.data = NULL;
  memcpy(own->dim_names, v->dim_names, sizeof own->dim_names);
out:
  return st;
}
