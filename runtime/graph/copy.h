/* A graph once more, with its bodies. */
#ifndef VLM_GRAPH_COPY_H
#define VLM_GRAPH_COPY_H

#include "runtime/graph/graph.h"

/* Ids are those of the original; names, constants and attributes are shared, so the original must outlive the
 * copy. The copy is not resolved. */
vlm_status vlm_graph_copy(vlm_graph **out, const vlm_graph *graph, const char *name, vlm_error *err);

#endif
