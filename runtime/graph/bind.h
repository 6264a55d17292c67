/* Private to runtime/graph: the two halves of vlm_graph_resolve. */
#ifndef VLM_GRAPH_BIND_H
#define VLM_GRAPH_BIND_H

#include "runtime/graph/graph.h"

enum { VLM_GRAPH_MAX_NESTING = 64 };

/* Finds the operator's row, checks the number of inputs and outputs, and decodes the attributes into node->args. */
vlm_status vlm_node_bind(vlm_graph *graph, vlm_node *node, vlm_error *err);

/* Sorts nodes so that every value is produced before it is read (captures of subgraphs are reads); keeps the order of a graph that is
 * sorted already. Values must have their producers set. VLM_INPUT names a node on a cycle. */
vlm_status vlm_graph_order(vlm_graph *graph, vlm_error *err);

#endif
