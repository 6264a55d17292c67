/* The two branches of a merged decoder as one graph again: the way back from onnx/split.h. */
#ifndef VLM_EXPORT_JOIN_H
#define VLM_EXPORT_JOIN_H

#include "runtime/graph/graph.h"

/* merged: the graph that was split, for names, types and order of inputs and outputs. Constants that both branches hold (the same bytes) lie
 * in the outer graph once. The branches must outlive the result. */
vlm_status vlm_graph_join(vlm_graph **out, const vlm_graph *merged, const vlm_graph *then_branch,
                          const vlm_graph *else_branch, vlm_error *err);

#endif
