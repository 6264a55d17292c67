/* Shapes of a (batched, broadcasting) matrix product as numpy.matmul defines them. */
#ifndef VLM_OPS_MATMUL_SHAPE_H
#define VLM_OPS_MATMUL_SHAPE_H

#include "runtime/ops/op.h"

typedef struct vlm_matmul_shape {
  int64_t m, n, k, batch;
  int64_t a_row, a_column, b_row, b_column; /* element strides */
  int64_t a_step, b_step;                   /* elements from one matrix to the next */
  bool a_turned, b_turned;
  int rank; /* of the result */
  int64_t dims[VLM_MAX_RANK];
  int64_t a_matrices, b_matrices; /* distinct matrices of each operand */
  int64_t *a_index, *b_index;     /* per batch: which one; NULL until vlm_matmul_indices */
} vlm_matmul_shape;

/* transpose_*: the last two dims are swapped (ignored for 1-D operands). */
vlm_status vlm_matmul_shape_of(vlm_op_call *c, const vlm_tensor *a, const vlm_tensor *b, bool transpose_a,
                               bool transpose_b, vlm_matmul_shape *out);
/* turned_*: the first dim is the rows and those between it and the last are the batch, as transBatchA and transBatchB of FusedMatMul have
 * it (ignored below 3-D); transpose_* is meant after that. */
typedef struct vlm_matmul_turns {
  bool transpose_a, transpose_b, turned_a, turned_b;
} vlm_matmul_turns;
vlm_status vlm_matmul_shape_turned(vlm_op_call *c, const vlm_tensor *a, const vlm_tensor *b,
                                   const vlm_matmul_turns *turns, vlm_matmul_shape *out);
/* Joins the batch with the rows when one matrix b serves a dense a: a batch of 1 remains. */
void vlm_matmul_join_batch(vlm_matmul_shape *s);
/* Fills a_index and b_index, in memory of the step: for prepare functions. */
vlm_status vlm_matmul_indices(vlm_op_call *c, const vlm_tensor *a, const vlm_tensor *b, vlm_matmul_shape *s);

#endif
