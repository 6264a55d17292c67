/* Private to runtime/graph: things that are freed with a graph. */
#ifndef VLM_GRAPH_KEEP_H
#define VLM_GRAPH_KEEP_H

#include "runtime/graph/graph.h"

void vlm_graph_release_kept(vlm_graph *root);

#endif
