/* What the internal matrix products have in common (vlm_matmul.c, vlm_wmatmul.c): y = activation(x * w * w_scale + bias) + residual.
 *
 * x is [.., M, K] ([.., K, M] with transX), w int8 [.., K, N] ([.., N, K] with transB), y [.., M, N] ([.., N, M] with transY); the dims in
 * front broadcast. w_scale and bias have one value, or N for each matrix of w. */
#ifndef VLM_OPS_VLM_PRODUCT_H
#define VLM_OPS_VLM_PRODUCT_H

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/rowops.h"
#include "runtime/ops/matmul_shape.h"
#include "runtime/ops/residual.h"
#include "runtime/ops/values.h"

typedef struct vlm_product {
  vlm_matmul_shape
      s; /* of x when its rows lie together; x and y are joined into one batch where w has one matrix */
  bool x_columns, y_columns;
  vlm_values w_scale, bias;
  vlm_row_unary *activation;
  float params[4];
  vlm_residual residual;
  size_t turned; /* work space of vlm_product_rows */
} vlm_product;

/* Where w and the residual are; w_scale and the bias follow w. */
typedef struct vlm_product_inputs {
  int w, residual;
} vlm_product_inputs;
/* Sets the shape of output 0. */
vlm_status vlm_product_infer(vlm_op_call *c, vlm_product_inputs in, vlm_dtype dtype);
/* Everything of p. x has elements of `bytes` bytes when its rows are taken. */
vlm_status vlm_product_prepare(vlm_op_call *c, vlm_product_inputs in, vlm_product *p, int bytes);
/* Matrices of elements of 1 or 4 bytes, one behind the other. */
typedef struct vlm_product_matrices {
  int64_t count, rows, columns;
  int bytes;
} vlm_product_matrices;
/* Each transposed. */
void vlm_product_turn(vlm_op_call *c, void *to, const void *from, const vlm_product_matrices *m);
/* x with rows of K: itself, or turned in work space. */
const void *vlm_product_rows(vlm_op_call *c, const vlm_product *p, const void *x, int bytes);

#endif
