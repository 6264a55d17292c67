/* The exact integer product behind MatMulInteger, QLinearMatMul, QGemm, DynamicQuantizeMatMul and MatMulIntegerToFloat:
 * sums[i][j] = sum over p of (a[i][p] - a_zero[i]) * (b[p][j] - b_zero[j]), int32 modulo 2^32; a and b are uint8 or int8. */
#ifndef VLM_OPS_INTEGER_PRODUCT_H
#define VLM_OPS_INTEGER_PRODUCT_H

#include "runtime/kernels/gemm_q8.h"
#include "runtime/ops/matmul_shape.h"
#include "runtime/ops/packed.h"

/* What is multiplied; shapes and types are enough to prepare it. */
typedef struct vlm_integer_operands {
  const vlm_tensor *a;      /* may live outside the node's inputs */
  int b_input;              /* index of b among the node's inputs */
  const vlm_tensor *a_zero; /* NULL = 0; one value, or one per row */
  const vlm_tensor *b_zero; /* NULL = 0; one value, or one per column (per matrix and column for a batch) */
  bool transpose_a, transpose_b;
} vlm_integer_operands;

typedef struct vlm_integer_product {
  vlm_matmul_shape shape;
  vlm_packed w;
  vlm_q8_weights layout; /* of w */
  int64_t *offsets;      /* of a, per batch */
  vlm_gemm_q8 g;         /* all but pointers and values of the run */
  bool copies_rows;      /* a is not row-major uint8 */
  size_t rows, scratch;
} vlm_integer_product;

/* Shape of the product; checks the types. */
vlm_status vlm_integer_product_shape(vlm_op_call *c, const vlm_integer_operands *o, vlm_matmul_shape *shape);
vlm_status vlm_integer_product_prepare(vlm_op_call *c, vlm_integer_product *p, const vlm_integer_operands *o);
/* Writes batch * m * n sums. */
vlm_status vlm_integer_product_run(vlm_op_call *c, const vlm_integer_product *p,
                                   const vlm_integer_operands *o, int32_t *sums);

#endif
