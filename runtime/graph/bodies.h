/* A graph and the bodies of its control-flow nodes (If, Loop, Scan) as one list, and values behind captures.
 * */
#ifndef VLM_GRAPH_BODIES_H
#define VLM_GRAPH_BODIES_H

#include "runtime/graph/graph.h"

typedef struct vlm_body {
  vlm_graph *graph;
  /* "model", "model/NODE.then_branch": from the names of nodes alone, distinct within a list */
  const char *path;
  int32_t parent; /* index in the list, -1 for the root */
  int32_t node;   /* of the parent's graph */
} vlm_body;

typedef struct vlm_body_list {
  vlm_body *items; /* the root first, every body after the graph that holds it */
  int32_t count, capacity;
} vlm_body_list;

/* root_path names the root; the paths of bodies live in the arena. Free with vlm_bodies_free. */
vlm_status vlm_bodies_make(vlm_body_list *out, vlm_graph *root, const char *root_path, vlm_arena *arena,
                           vlm_error *err);
void vlm_bodies_free(vlm_body_list *list);
/* Of this very graph, or NULL. */
const vlm_body *vlm_bodies_find(const vlm_body_list *list, const vlm_graph *graph);

/* Where a value comes from: captures are followed into the graphs around. */
typedef struct vlm_origin {
  vlm_graph *graph;
  vlm_value_id id;
} vlm_origin;
vlm_origin vlm_value_origin(vlm_graph *graph, vlm_value_id id);

/* The value of an enclosing graph as a value of `graph`: its capture, made where it is missing. */
vlm_status vlm_graph_capture(vlm_graph *graph, vlm_value_id *out, vlm_origin origin, vlm_error *err);

#endif
