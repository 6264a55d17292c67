/* From the quantized graph in QDQ form (the one truth) to the integer operators of domain "vlm" that run it.
 *
 *   MatMul | Gemm | Conv of DequantizeLinear(x) and DequantizeLinear(constant s8)  -> vlm.QMatMul | vlm.QConv
 *   MatMul | Gemm of a float x and DequantizeLinear(constant s8)                   -> vlm.WMatMul (weight-only)
 *   Gather of DequantizeLinear(constant s8 table)                                  -> vlm.QGather
 * A following constant bias, Relu or Gelu, and QuantizeLinear are taken into the operator when nothing else reads the value between.
 * What does not match stays as it is and runs in float: a QDQ graph made elsewhere gives the same numbers, only slower. */
#ifndef VLM_EXEC_LOWER_H
#define VLM_EXEC_LOWER_H

#include "runtime/graph/graph.h"

typedef struct vlm_lower_counts {
  int32_t static_int8, weight_only, gather; /* operators made */
} vlm_lower_counts;

/* Rewrites `graph` and its bodies in place and resolves it again. The numbers are added to counts, which may be NULL. */
vlm_status vlm_graph_lower(vlm_graph *graph, vlm_lower_counts *counts, vlm_error *err);

#endif
