/* Whether two graphs are the same: nodes, attributes, names, types and bytes of constants, bodies too. */
#ifndef VLM_TESTS_SAME_GRAPH_H
#define VLM_TESTS_SAME_GRAPH_H

#include "runtime/graph/graph.h"

/* "" when they are, else what differs. The text lives in a buffer of the caller. */
const char *same_graph(char *text, size_t size, const vlm_graph *a, const vlm_graph *b);

#endif
