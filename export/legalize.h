/* Operators of any opset as those of one: the clean-up passes make some that are newer, files bring some that are older. */
#ifndef VLM_EXPORT_LEGALIZE_H
#define VLM_EXPORT_LEGALIZE_H

#include "runtime/graph/graph.h"

/* The first opset from 17 on that has every operator of the graph and its bodies. */
vlm_status vlm_legal_opset(int32_t *out, const vlm_graph *graph, vlm_error *err);
/* Every node of ai.onnx as one of that opset. VLM_UNSUPPORTED names the node that has no such form. The graph is resolved again. */
vlm_status vlm_legalize(vlm_graph *graph, int32_t opset, vlm_error *err);

#endif
