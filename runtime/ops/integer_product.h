/* The exact integer product behind MatMulInteger, QLinearMatMul, QGemm, DynamicQuantizeMatMul and MatMulIntegerToFloat:
 * sums[i][j] = sum over p of (a[i][p] - a_zero[i]) * (b[p][j] - b_zero[j]), int32 modulo 2^32; a and b are uint8 or int8. */
#ifndef VLM_OPS_INTEGER_PRODUCT_H
#define VLM_OPS_INTEGER_PRODUCT_H

#include "runtime/ops/matmul_shape.h"

typedef struct vlm_integer_product {
  const vlm_tensor *a; /* may live outside the node's inputs */
  int b_input; /* index of b among the node's inputs */
  const vlm_tensor *a_zero; /* NULL = 0; one value, or one per row */
  const vlm_tensor *b_zero; /* NULL = 0; one value, or one per column (per matrix and column for a batch) */
  bool transpose_a, transpose_b;
} vlm_integer_product;

/* Shape of the product; checks the types. */
vlm_status vlm_integer_product_shape(vlm_op_call *c, const vlm_integer_product *p, vlm_matmul_shape *shape);
/* Writes batch * m * n sums (shape: as the function above gave it). */
vlm_status vlm_integer_product_run(vlm_op_call *c, const vlm_integer_product *p, vlm_matmul_shape *shape, int32_t *sums);

#endif
