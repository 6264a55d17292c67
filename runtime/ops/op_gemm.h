/* Plain float32 matrix products inside operators: c = a * b through the chosen kernels, summed over k in order. */
#ifndef VLM_OPS_OP_GEMM_H
#define VLM_OPS_OP_GEMM_H

#include "runtime/kernels/gemm_f32.h"
#include "runtime/ops/packed.h"
#include "runtime/ops/values.h"

/* Work space for a product of this form, wherever its operands lie; and the product. */
vlm_status vlm_op_gemm_prepare(vlm_op_call *c, const vlm_gemm_f32 *g, size_t *work);
void vlm_op_gemm_run(const vlm_op_call *c, const vlm_gemm_f32 *g, size_t work);

/* k x n matrices in one tensor: element (p, j) of matrix i at i * step + p * row + j * column. */
typedef struct vlm_matrices {
  int64_t k, n, count, row, column, step;
} vlm_matrices;

/* Writes them as panels, one matrix after the other. The sizes are the fields of vlm_matrices in their order. */
vlm_weight_fill vlm_fill_panels;

/* An input as second operand of products: panels when it lasts, else its values where they are. */
typedef struct vlm_op_operand {
  vlm_matrices matrices;
  vlm_packed panels; /* no block: the values */
  vlm_values values;
} vlm_op_operand;
vlm_status vlm_op_operand_prepare(vlm_op_call *c, vlm_op_operand *b, int input, const vlm_matrices *matrices);
/* The form of the product with it, for vlm_op_gemm_prepare; and matrix number `matrix`, in run. */
void vlm_op_operand_form(const vlm_op_operand *b, vlm_gemm_f32 *g);
void vlm_op_operand_set(const vlm_op_call *c, const vlm_op_operand *b, int64_t matrix, vlm_gemm_f32 *g);

#endif
