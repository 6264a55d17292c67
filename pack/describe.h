/* Texts that say what a node or a value is, complete enough that equal texts mean equal things. */
#ifndef VLM_PACK_DESCRIBE_H
#define VLM_PACK_DESCRIBE_H

#include "runtime/graph/graph.h"
#include "runtime/base/buffer.h"

/* "Conv:13(x, w) -> (y) {strides=[1, 1]}"; subgraphs in full, tensors by type, shape and hash. Appends. */
vlm_status vlm_describe_node(vlm_text *out, const vlm_graph *graph, const vlm_node *node, vlm_error *err);
/* "float32 [1, 3, H, W]". Appends. */
vlm_status vlm_describe_value(vlm_text *out, const vlm_value *value, vlm_error *err);

#endif
