/* The float product behind MatMul, Gemm and their fused forms. */
#ifndef VLM_OPS_MATMUL_H
#define VLM_OPS_MATMUL_H

#include "runtime/kernels/gemm_f32.h"
#include "runtime/ops/matmul_shape.h"

/* y = epilogue(in[0] * in[1]); a, b are their float values. Packs in[1] once when it is constant. Joins the batch into the rows where
 * possible, so an epilogue with `add` must belong to a product without batch. */
vlm_status vlm_matmul_f32(vlm_op_call *c, vlm_matmul_shape *shape, const float *a, const float *b, float *y,
                          const vlm_epilogue_f32 *epilogue);

/* Weights that are stored as codes: value(user, j, p) = element p of output j. in[1] is what they are made from. */
typedef struct vlm_coded_weights {
  int64_t k, n;
  int64_t variant[2];     /* whatever else the values depend on */
  float (*value)(const void *user, int64_t j, int64_t p);
  const void *user;
  const vlm_tensor *bias; /* [n], or NULL */
} vlm_coded_weights;

/* out[0] is [..., n]; VLM_INPUT when in[0] is not [..., k]. */
vlm_status vlm_infer_coded(vlm_op_call *c, int64_t k, int64_t n);
/* out[0] = in[0] [..., k] times the transposed weights [n, k], plus the bias. Decodes once when in[1] is constant. */
vlm_status vlm_matmul_coded(vlm_op_call *c, const vlm_coded_weights *weights);

/* Parameters of a fused activation from attributes (FLOAT, or FLOATS in `first`), with ONNX's defaults. */
void vlm_activation_params(float params[4], const char *name, const vlm_attr *first, const vlm_attr *second);

#endif
