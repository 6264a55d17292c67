/* Private to ops/: one node meets its row of the operator table. */
#ifndef VLM_OPS_BIND_H
#define VLM_OPS_BIND_H

#include "runtime/graph/graph.h"

/* Finds the operator's row, checks the number of inputs and outputs, and decodes the attributes into node->args. */
vlm_status vlm_node_bind(vlm_graph *graph, vlm_node *node, vlm_error *err);

#endif
