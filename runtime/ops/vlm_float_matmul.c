/* vlm.MatMul: x, w, [bias], [residual]; y = activation(x * w + bias) + residual in float32, made by lowering of a MatMul or Gemm and what follows it.
 * w is [K, N] ([N, K] with transB), bias [N]; the residual broadcasts with the product. */
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/residual.h"

enum { TRANS_B, ACTIVATION, PARAMS };
enum { X, W, BIAS, RESIDUAL };

typedef struct {
  vlm_matmul_f32 product;
  vlm_values bias;
  vlm_residual residual;
} float_matmul_state;

static vlm_status read_shape(vlm_op_call *c, vlm_matmul_shape *s) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_require_type(c, X, "x", VLM_F32));
  VLM_TRY(vlm_require_type(c, W, "w", VLM_F32));
  VLM_CHECK(c->in[W]->rank == 2, c->err, VLM_INPUT, "weights of %d dims; wanted 2", c->in[W]->rank);
  VLM_TRY(vlm_matmul_shape_of(c, c->in[X], c->in[W], false, vlm_arg_int(c, TRANS_B, 0) != 0, s));
out:
  return st;
}

vlm_status vlm_infer_FloatMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape s;
  VLM_TRY(read_shape(c, &s));
  VLM_TRY(vlm_residual_infer(c, RESIDUAL, &s.rank, s.dims));
  vlm_out_shape(c, 0, VLM_F32, s.rank, s.dims);
out:
  return st;
}

vlm_status vlm_prepare_FloatMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  float_matmul_state *s;
  vlm_matmul_shape shape;
  vlm_epilogue_f32 e = {.alpha = 1};
  const char *activation = vlm_arg_string(c, ACTIVATION, "");
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_shape(c, &shape));
  VLM_TRY(vlm_residual_prepare(c, &s->residual, RESIDUAL, shape.rank, shape.dims));
  VLM_TRY(vlm_activation_find(&e.activation, c->kernels->rowops, activation, c->err));
  vlm_activation_params(e.params, activation, vlm_arg(c, PARAMS), NULL);
  VLM_TRY(vlm_matmul_f32_prepare(c, &s->product, &shape, &e, -1));
  VLM_TRY(vlm_values_prepare(c, &s->bias, BIAS, shape.n, "the bias"));
out:
  return st;
}

vlm_status vlm_run_FloatMatMul(vlm_op_call *c) {
  const float_matmul_state *s = c->state;
  vlm_gemm_f32 g = vlm_matmul_f32_operands(c, &s->product);
  g.epilogue.bias = vlm_values_get(c, &s->bias);
  g.epilogue.residual = vlm_residual_addend(c, &s->residual);
  g.c = vlm_residual_product(c, &s->residual);
  vlm_gemm_f32_run(&g, c->kernels, c->threads, vlm_op_work(c, s->product.scratch));
  vlm_residual_finish(c, &s->residual);
  return VLM_OK;
}
