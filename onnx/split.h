/* Splitting decoders. */
#ifndef VLM_ONNX_SPLIT_H
#define VLM_ONNX_SPLIT_H

#include "runtime/graph/graph.h"

/* True when the graph's work is one If node on a graph input (optimum's "use_cache_branch" form). */
bool vlm_graph_is_merged_decoder(const vlm_graph *graph);

/* One branch as a graph of its own: captured outer constants are shared (the merged graph must outlive the result), captured inputs
 * become inputs in the outer order, outputs take the outer names. use_then picks then_branch. */
vlm_status vlm_graph_split_branch(vlm_graph **out, const vlm_graph *merged, bool use_then, vlm_error *err);

#endif
