/* A graph meets the operator table: the last step of whoever made or changed one. */
#ifndef VLM_OPS_RESOLVE_H
#define VLM_OPS_RESOLVE_H

#include "runtime/graph/graph.h"

/* Binds every node (subgraphs too) to its operator, checks arity and attributes, orders nodes topologically, refuses cycles and dangling
 * names. The message names file and node. VLM_UNSUPPORTED names the operator. Idempotent: call again after a pass. */
vlm_status vlm_graph_resolve(vlm_graph *graph, vlm_error *err);

#endif
