/* The order of nodes: every value is produced before it is read. */
#ifndef VLM_GRAPH_ORDER_H
#define VLM_GRAPH_ORDER_H

#include "runtime/graph/graph.h"

enum { VLM_GRAPH_MAX_NESTING = 64 };

/* Sorts nodes so that every value is produced before it is read (captures of subgraphs are reads); keeps the order of a graph that is
 * sorted already. Values must have their producers set. VLM_INPUT names a node on a cycle. */
vlm_status vlm_graph_order(vlm_graph *graph, vlm_error *err);

#endif
