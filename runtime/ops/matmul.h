/* The float product behind MatMul, Gemm and their fused forms. */
#ifndef VLM_OPS_MATMUL_H
#define VLM_OPS_MATMUL_H

#include "runtime/kernels/gemm_f32.h"
#include "runtime/ops/matmul_shape.h"
#include "runtime/ops/packed.h"
#include "runtime/ops/values.h"

/* out[0] = epilogue(in[0] * in[1]), in float32 whatever float type they have. in[1] is packed once when it lasts. */
typedef struct vlm_matmul_f32 {
  vlm_matmul_shape shape;
  vlm_values a, b, add;
  vlm_packed w;
  vlm_result y;
  vlm_gemm_f32 g; /* all but the pointers of the run */
  size_t scratch;
} vlm_matmul_f32;
/* add: the input that the epilogue adds, -1 = none; one with an addend must belong to a product without batch. */
vlm_status vlm_matmul_f32_prepare(vlm_op_call *c, vlm_matmul_f32 *p, const vlm_matmul_shape *shape,
                                  const vlm_epilogue_f32 *epilogue, int add);
void vlm_matmul_f32_run(vlm_op_call *c, const vlm_matmul_f32 *p);
/* For those that run it themselves, with p->scratch: all but the result and what the epilogue adds. */
vlm_gemm_f32 vlm_matmul_f32_operands(vlm_op_call *c, const vlm_matmul_f32 *p);

/* Weights [n, k] that are stored as codes: `fill` writes them as float panels (vlm_coded_panels), from what `form` names. */
typedef struct vlm_coded_weights {
  int64_t k, n;
  vlm_weight_form form; /* bytes are filled in */
  int bias;             /* input [n], or -1 */
} vlm_coded_weights;
/* value(user, j, p) = element p of output j. */
void vlm_coded_panels(void *block, int64_t k, int64_t n, const vlm_kernels *kernels,
                      float (*value)(const void *user, int64_t j, int64_t p), const void *user);

/* out[0] is [..., n]; VLM_INPUT when in[0] is not [..., k]. */
vlm_status vlm_infer_coded(vlm_op_call *c, int64_t k, int64_t n);
/* out[0] = in[0] [..., k] times the transposed weights, plus the bias. Makes c->state for the run function `coded`. */
vlm_status vlm_prepare_coded(vlm_op_call *c, const vlm_coded_weights *weights);

/* Parameters of a fused activation from attributes (FLOAT, or FLOATS in `first`), with ONNX's defaults. */
void vlm_activation_params(float params[4], const char *name, const vlm_attr *first, const vlm_attr *second);

#endif
