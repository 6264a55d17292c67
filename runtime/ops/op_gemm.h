/* Plain float32 matrix products inside operators: c = a * b through the chosen kernels, summed over k in order. */
#ifndef VLM_OPS_OP_GEMM_H
#define VLM_OPS_OP_GEMM_H

#include "runtime/kernels/gemm_f32.h"
#include "runtime/ops/op.h"

/* Weights packed once for many products with b = k x n. */
typedef struct vlm_op_weights {
  float *panels;
  int64_t k, n;
  void *scratch; /* enough for products of up to max_m rows */
} vlm_op_weights;

/* Memory is scratch of the call. */
vlm_status vlm_op_weights_pack(vlm_op_call *c, vlm_op_weights *w, const vlm_f32_source *b, int64_t max_m);
/* y[i, j] = sum over p of x[i, p] * b[p, j] for m rows; those of x lie k floats apart, those of y ldy. */
void vlm_op_weights_multiply(vlm_op_call *c, const vlm_op_weights *w, const float *x, int64_t m, float *y, int64_t ldy);
/* The scratch memory that vlm_gemm_f32_run wants for this product, for products that are run many times. */
vlm_status vlm_op_gemm_scratch(vlm_op_call *c, const vlm_gemm_f32 *g, void **scratch);
/* One product of any form; takes scratch from the call. */
vlm_status vlm_op_gemm(vlm_op_call *c, const vlm_gemm_f32 *g);

#endif
