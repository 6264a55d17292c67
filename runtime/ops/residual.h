/* An Add behind a product: the addend joins the product's epilogue where it is laid out like the result, and is added row by row where it
 * broadcasts. */
#ifndef VLM_OPS_RESIDUAL_H
#define VLM_OPS_RESIDUAL_H

#include "runtime/ops/prepare.h"

typedef struct vlm_residual {
  int input;                 /* -1 = none */
  bool plain;                /* laid out like the result: for the epilogue */
  size_t product;            /* work space of the product, when it is not plain */
  int64_t rows, n;           /* of output 0 */
  const int64_t *from, *add; /* per row: where it starts in the product and in the addend */
  int64_t from_step, add_step;
} vlm_residual;

/* The shape of a product becomes that of the sum; input k may be absent. */
vlm_status vlm_residual_infer(vlm_op_call *c, int k, int *rank, int64_t *dims);
/* rank, dims: of the product. */
vlm_status vlm_residual_prepare(vlm_op_call *c, vlm_residual *r, int k, int rank, const int64_t *dims);

/* Where the product is written, and what its epilogue adds (laid out like it) or NULL. */
float *vlm_residual_product(const vlm_op_call *c, const vlm_residual *r);
const float *vlm_residual_addend(const vlm_op_call *c, const vlm_residual *r);
/* Behind the product. */
void vlm_residual_finish(vlm_op_call *c, const vlm_residual *r);

#endif
