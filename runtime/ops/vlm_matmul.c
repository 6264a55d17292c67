/* Internal operators (domain "vlm") that lowering makes of matrix products with quantized activations; shapes: vlm_product.h.
 *
 * QMatMul         x, x_scale, x_zero, w, w_scale, [bias], [y_scale], [y_zero], [residual]; x float32 or uint8
 * QMatMulDynamic  x, w, w_scale, [bias], [residual], [y_scale], [y_zero]; x is quantized row by row */
#include "runtime/kernels/gemm_q8.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/packed.h"
#include "runtime/ops/vlm_product.h"

typedef struct {
  vlm_product p;
  vlm_packed w;
  vlm_q8_weights layout; /* of w */
  vlm_scalar x_scale, x_zero, y_scale, y_zero;
  int64_t *offsets; /* of x, per batch */
  vlm_gemm_q8 g;    /* all but pointers and values of the run */
  size_t q, ranges, ranges_of_result, scratch;
} vlm_matmul_state;

/* sizes: k, n, matrices, row and column stride */
static vlm_status fill(void *block, const int64_t *s, const vlm_tensor *const *from,
                       const vlm_kernels *kernels, vlm_error *err) {
  (void)err;
  const vlm_q8_source source = {.w = from[0]->data,
                                .w_matrix = s[0] * s[1],
                                .w_row = s[3],
                                .w_column = s[4],
                                .k = s[0],
                                .n = s[1],
                                .count = s[2]};
  vlm_q8_weights_pack(block, kernels, &source);
  return VLM_OK;
}

static vlm_status prepare_weights(vlm_op_call *c, int w_input, vlm_matmul_state *s) {
  vlm_status st = VLM_OK;
  const vlm_matmul_shape *m = &s->p.s;
  vlm_weight_form form = {.fill = fill,
                          .sizes = {m->k, m->n, m->b_matrices, m->b_row, m->b_column},
                          .inputs = {w_input},
                          .n_inputs = 1};
  VLM_CHECK(vlm_q8_weights_layout(&s->layout, c->kernels, m->k, m->n, m->b_matrices), c->err, VLM_LIMIT,
            "packed weights of %lld x %lld x %lld are too large", (long long)m->b_matrices, (long long)m->k,
            (long long)m->n);
  form.bytes = s->layout.bytes;
  VLM_TRY(vlm_op_pack(c, &s->w, &form));
out:
  return st;
}

static vlm_status prepare_product(vlm_op_call *c, vlm_product_inputs in, int x_bytes, vlm_matmul_state *s) {
  vlm_status st = VLM_OK;
  const vlm_matmul_shape *m = &s->p.s;
  VLM_TRY(vlm_product_prepare(c, in, &s->p, x_bytes));
  VLM_TRY(prepare_weights(c, in.w, s));
  VLM_TRY(vlm_op_keep_new(c, &s->offsets, m->batch));
  for (int64_t i = 0; i < m->batch; i++) s->offsets[i] = m->a_index[i] * m->m * m->k;
  s->g = (vlm_gemm_q8){.batch = m->batch,
                       .m = m->m,
                       .w = &s->layout,
                       .w_matrix = m->b_index,
                       .a_offset = s->offsets,
                       .lda = m->k,
                       .activation = s->p.activation,
                       .c_batch = m->m * m->n};
  memcpy(s->g.params, s->p.params, sizeof s->g.params);
  s->g.c_row = s->p.y_columns ? 1 : m->n;
  s->g.c_column = s->p.y_columns ? m->m : 1;
  VLM_TRY(vlm_op_reserve(c, &s->scratch, (int64_t)vlm_gemm_q8_scratch(&s->g, c->kernels, c->threads), 1));
out:
  return st;
}

/* g has the rows, their ranges and the output of bytes, if that is what is wanted. */
static vlm_status run_product(vlm_op_call *c, const vlm_matmul_state *s, vlm_gemm_q8 *g) {
  const void *panels;
  vlm_status st = vlm_op_packed(c, &s->w, &panels);
  if (st != VLM_OK) return st;
  g->w = panels;
  g->w_scale = vlm_values_get(c, &s->p.w_scale);
  g->bias = vlm_values_get(c, &s->p.bias);
  if (!g->c_u8) g->c = vlm_residual_product(c, &s->p.residual);
  g->residual = vlm_residual_addend(c, &s->p.residual);
  vlm_gemm_q8_run(g, c->kernels, c->threads, vlm_op_work(c, s->scratch));
  vlm_residual_finish(c, &s->p.residual);
  return VLM_OK;
}

/* A result of bytes: y_scale and y_zero follow one another. */
static vlm_status prepare_bytes(vlm_op_call *c, int y_scale, vlm_matmul_state *s) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_require_type(c, y_scale + 1, "the zero point of y", VLM_U8));
  VLM_TRY(vlm_scalar_prepare(c, &s->y_scale, y_scale, 1, "the scale of y"));
  VLM_TRY(vlm_scalar_prepare(c, &s->y_zero, y_scale + 1, 0, "the zero point of y"));
out:
  return st;
}

static void take_bytes(const vlm_op_call *c, const vlm_matmul_state *s, vlm_gemm_q8 *g) {
  if (s->y_scale.input < 0) return;
  g->q_scale = (float)vlm_scalar_get(c, &s->y_scale);
  g->q_zero = (int32_t)vlm_scalar_get(c, &s->y_zero);
  g->c_u8 = c->out[0]->data;
}

/* ---- QMatMul ---- */

enum { X_SCALE = 1, X_ZERO, W, Y_SCALE = 6, RESIDUAL = 8, ROW_Y_SCALE = 5 };
static const vlm_product_inputs STATIC_INPUTS = {.w = W, .residual = RESIDUAL},
                                ROW_INPUTS = {.w = 1, .residual = 4};

vlm_status vlm_infer_QMatMul(vlm_op_call *c) {
  return vlm_product_infer(c, STATIC_INPUTS, vlm_in(c, Y_SCALE) ? VLM_U8 : VLM_F32);
}

vlm_status vlm_prepare_QMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_matmul_state *s;
  const vlm_tensor *x = c->in[0];
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_CHECK(x->dtype == VLM_F32 || x->dtype == VLM_U8, c->err, VLM_INPUT,
            "activations of type %s; wanted float32 or uint8", vlm_dtype_name(x->dtype));
  VLM_TRY(prepare_product(c, STATIC_INPUTS, 1, s));
  VLM_TRY(vlm_scalar_prepare(c, &s->x_scale, X_SCALE, 1, "the scale of x"));
  VLM_TRY(vlm_require_type(c, X_ZERO, "the zero point of x", VLM_U8));
  VLM_TRY(vlm_scalar_prepare(c, &s->x_zero, X_ZERO, 0, "the zero point of x"));
  VLM_TRY(prepare_bytes(c, Y_SCALE, s));
  if (x->dtype == VLM_F32) VLM_TRY(vlm_op_reserve(c, &s->q, vlm_tensor_count(x), 1));
out:
  return st;
}

/* x as uint8 rows: itself, or quantized and turned in work space. */
static const uint8_t *quantized_rows(vlm_op_call *c, const vlm_matmul_state *s, float scale, int32_t zero) {
  const vlm_tensor *x = c->in[0];
  const uint8_t *q = x->data;
  if (x->dtype == VLM_F32) {
    vlm_quantize_u8_args all = {.q = vlm_op_work(c, s->q),
                                .x = x->data,
                                .n = (size_t)vlm_tensor_count(x),
                                .scale = scale,
                                .zero = zero};
    vlm_quantize_u8(&all, c->kernels, c->threads);
    q = all.q;
  }
  return vlm_product_rows(c, &s->p, q, 1);
}

vlm_status vlm_run_QMatMul(vlm_op_call *c) {
  const vlm_matmul_state *s = c->state;
  vlm_gemm_q8 g = s->g;
  g.a_scale = (float)vlm_scalar_get(c, &s->x_scale);
  g.zero = (int32_t)vlm_scalar_get(c, &s->x_zero);
  g.a = quantized_rows(c, s, g.a_scale, g.zero);
  take_bytes(c, s, &g);
  return run_product(c, s, &g);
}

/* ---- QMatMulDynamic ---- */

vlm_status vlm_infer_QMatMulDynamic(vlm_op_call *c) {
  return vlm_product_infer(c, ROW_INPUTS, vlm_in(c, ROW_Y_SCALE) ? VLM_U8 : VLM_F32);
}

vlm_status vlm_prepare_QMatMulDynamic(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_matmul_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_require_type(c, 0, "x", VLM_F32));
  VLM_TRY(prepare_product(c, ROW_INPUTS, sizeof(float), s));
  VLM_TRY(prepare_bytes(c, ROW_Y_SCALE, s));
  const vlm_matmul_shape *m = &s->p.s;
  const size_t range = sizeof(float) + sizeof(int32_t);
  VLM_TRY(vlm_op_reserve(c, &s->q, vlm_tensor_count(c->in[0]), 1));
  VLM_TRY(vlm_op_reserve(c, &s->ranges, m->a_matrices * m->m, range));
  if (m->batch != m->a_matrices) VLM_TRY(vlm_op_reserve(c, &s->ranges_of_result, m->batch * m->m, range));
out:
  return st;
}

/* Ranges per row of the result: an x that serves several matrices is quantized once. */
static void rows_of_result(const vlm_op_call *c, const vlm_matmul_state *s, vlm_gemm_q8 *g) {
  const vlm_matmul_shape *m = &s->p.s;
  if (m->batch == m->a_matrices) return;
  float *scale = vlm_op_work(c, s->ranges_of_result);
  int32_t *zero = (int32_t *)(void *)(scale + m->batch * m->m);
  for (int64_t b = 0; b < m->batch; b++) {
    vlm_copy_some(scale + b * m->m, g->row_scale + m->a_index[b] * m->m, (size_t)m->m * sizeof *scale);
    vlm_copy_some(zero + b * m->m, g->row_zero + m->a_index[b] * m->m, (size_t)m->m * sizeof *zero);
  }
  g->row_scale = scale;
  g->row_zero = zero;
}

vlm_status vlm_run_QMatMulDynamic(vlm_op_call *c) {
  const vlm_matmul_state *s = c->state;
  vlm_gemm_q8 g = s->g;
  int64_t rows = s->p.s.a_matrices * s->p.s.m;
  float *scale = vlm_op_work(c, s->ranges);
  const vlm_quantize_rows quantized = {.x = vlm_product_rows(c, &s->p, c->in[0]->data, sizeof(float)),
                                       .m = rows,
                                       .k = s->p.s.k,
                                       .q = vlm_op_work(c, s->q),
                                       .scale = scale,
                                       .zero = (int32_t *)(void *)(scale + rows)};
  vlm_quantize_rows_u8(&quantized, c->kernels, c->threads);
  g.a = quantized.q;
  g.row_scale = quantized.scale;
  g.row_zero = quantized.zero;
  rows_of_result(c, s, &g);
  take_bytes(c, s, &g);
  return run_product(c, s, &g);
}
