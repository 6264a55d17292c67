/* The cache contract: a decoder step whose self-attention appends to its cache in place. */
#ifndef VLM_ONNX_CACHE_H
#define VLM_ONNX_CACHE_H

#include "runtime/graph/graph.h"

/* Input that the rewritten graph has besides its own: the rows that the cache buffers hold (see runtime/ops/cache_attention.c). */
#define VLM_CACHE_CAPACITY "cache_capacity"

/* Finds, for each layer, present = Concat(past, new) of keys and values and the attention over them
 * (MatMul, Mul by a constant or Div by a power of two, Add of a mask, Softmax, MatMul; with or without batch and heads merged, with or without
 * heads repeated for grouped queries) and puts one vlm.CacheAttention there.
 * The present outputs of these layers go: the cache is the past input itself. Layers that look different stay as they are.
 * *layers (may be NULL) = how many were rewritten. */
vlm_status vlm_graph_cache_in_place(vlm_graph *graph, int32_t *layers, vlm_error *err);

#endif
