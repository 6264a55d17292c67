/* Internal operators (domain "vlm") that lowering makes of matrix products with quantized activations; shapes: vlm_product.h.
 *
 * QMatMul         x, x_scale, x_zero, w, w_scale, [bias], [y_scale], [y_zero]; x float32 or uint8
 * QMatMulDynamic  x, w, w_scale, [bias]; x is quantized row by row */
#include "runtime/kernels/gemm_q8.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/vlm_product.h"
#include "runtime/ops/weights.h"

typedef struct {
  const vlm_product *p;
  const vlm_kernels *kernels;
} recipe;

static vlm_status fill(void *block, void *user, vlm_error *err) {
  const recipe *r = user;
  const vlm_matmul_shape *s = &r->p->s;
  (void)err;
  vlm_q8_source source = {.w = r->p->w->data, .w_matrix = s->k * s->n, .w_row = s->b_row, .w_column = s->b_column};
  source.k = s->k;
  source.n = s->n;
  source.count = s->b_matrices;
  vlm_q8_weights_pack(block, r->kernels, &source);
  return VLM_OK;
}

static vlm_status take_weights(vlm_op_call *c, int w_input, const vlm_product *p, const vlm_q8_weights **out) {
  const vlm_matmul_shape *s = &p->s;
  recipe r = {p, c->kernels};
  int64_t key[5] = {s->k, s->n, s->b_matrices, s->b_column, c->kernels->gemm_u8s8->nr};
  size_t bytes;
  if (!vlm_q8_weights_bytes(&bytes, c->kernels, s->k, s->n, s->b_matrices))
    return vlm_fail(c->err, VLM_LIMIT, "packed weights of %lld x %lld x %lld are too large", (long long)s->b_matrices, (long long)s->k,
                    (long long)s->n);
  return vlm_op_weight(c, w_input, VLM_PREPARED_PANELS_Q8, key, bytes, fill, &r, (const void **)out);
}

/* The product of rows of k uint8 at q; g has the outputs and the ranges of x. */
static vlm_status run_q8(vlm_op_call *c, vlm_gemm_q8 *g, vlm_product *p, int w_input, const uint8_t *q) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape *s = &p->s;
  void *scratch;
  VLM_TRY(take_weights(c, w_input, p, &g->w));
  for (int64_t i = 0; i < s->batch; i++) s->a_index[i] *= s->m * s->k;
  g->batch = s->batch;
  g->m = s->m;
  g->w_matrix = s->b_index;
  g->a = q;
  g->a_offset = s->a_index;
  g->lda = s->k;
  g->w_scale = p->w_scale;
  g->bias = p->bias;
  g->activation = p->activation;
  memcpy(g->params, p->params, sizeof g->params);
  g->c_batch = s->m * s->n;
  g->c_row = p->y_columns ? 1 : s->n;
  g->c_column = p->y_columns ? s->m : 1;
  VLM_TRY(c->scratch(c, &scratch, vlm_gemm_q8_scratch(g, c->kernels, c->threads)));
  vlm_gemm_q8_run(g, c->kernels, c->threads, scratch);
out:
  return st;
}

/* ---- QMatMul ---- */

vlm_status vlm_infer_QMatMul(vlm_op_call *c) { return vlm_product_infer(c, 3, vlm_in(c, 6) ? VLM_U8 : VLM_F32); }

/* x as uint8 rows: itself, or quantized and turned in scratch. */
static vlm_status quantized_rows(vlm_op_call *c, const vlm_product *p, float scale, int32_t zero, const uint8_t **q) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = p->x;
  void *block;
  *q = x->data;
  VLM_CHECK(x->dtype == VLM_F32 || x->dtype == VLM_U8, c->err, VLM_INPUT, "activations of type %s; wanted float32 or uint8",
            vlm_dtype_name(x->dtype));
  if (x->dtype == VLM_F32) {
    VLM_TRY(vlm_scratch_array(c, &block, vlm_tensor_count(x), 1));
    vlm_quantize_u8_args all = {.q = block, .x = x->data, .n = (size_t)vlm_tensor_count(x), .scale = scale, .zero = zero};
    vlm_quantize_u8(&all, c->kernels, c->threads);
    *q = block;
  }
  if (!p->x_columns) goto out;
  VLM_TRY(vlm_scratch_array(c, &block, vlm_tensor_count(x), 1));
  vlm_product_turn(c, block, *q, vlm_tensor_span(x, 0, x->rank - 2), p->s.k, x->dims[x->rank - 1], 1);
  *q = block;
out:
  return st;
}

vlm_status vlm_run_QMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_product p;
  vlm_gemm_q8 g = {0};
  const uint8_t *q;
  VLM_TRY(vlm_product_read(c, 3, &p));
  VLM_TRY(vlm_op_scalar(c, c->in[1], "the scale of x", &g.a_scale));
  VLM_TRY(vlm_op_zero_point(c, c->in[2], &g.zero));
  VLM_TRY(quantized_rows(c, &p, g.a_scale, g.zero, &q));
  if (vlm_in(c, 6)) {
    VLM_TRY(vlm_op_scalar(c, c->in[6], "the scale of y", &g.q_scale));
    VLM_TRY(vlm_op_zero_point(c, vlm_in(c, 7), &g.q_zero));
    g.c_u8 = c->out[0]->data;
  } else {
    g.c = c->out[0]->data;
  }
  VLM_TRY(run_q8(c, &g, &p, 3, q));
out:
  return st;
}

/* ---- QMatMulDynamic ---- */

/* Ranges per row of the result: an x that serves several matrices is quantized once. */
static vlm_status rows_of_result(vlm_op_call *c, const vlm_matmul_shape *s, const float **scale, const int32_t **zero) {
  vlm_status st = VLM_OK;
  void *block;
  if (s->batch == s->a_matrices) return st;
  VLM_TRY(vlm_scratch_array(c, &block, s->batch * s->m, sizeof(float) + sizeof(int32_t)));
  float *to = block;
  int32_t *zeros = (int32_t *)block + s->batch * s->m;
  for (int64_t b = 0; b < s->batch; b++) {
    vlm_copy_some(to + b * s->m, *scale + s->a_index[b] * s->m, (size_t)s->m * sizeof *to);
    vlm_copy_some(zeros + b * s->m, *zero + s->a_index[b] * s->m, (size_t)s->m * sizeof *zeros);
  }
  *scale = to;
  *zero = zeros;
out:
  return st;
}

vlm_status vlm_infer_QMatMulDynamic(vlm_op_call *c) { return vlm_product_infer(c, 1, VLM_F32); }
vlm_status vlm_run_QMatMulDynamic(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_product p;
  vlm_gemm_q8 g = {.c = c->out[0]->data};
  const float *x;
  void *q, *ranges;
  VLM_TRY(vlm_product_read(c, 1, &p));
  VLM_TRY(vlm_product_float_rows(c, &p, &x));
  int64_t rows = p.s.a_matrices * p.s.m;
  VLM_TRY(vlm_scratch_array(c, &q, vlm_tensor_count(p.x), 1));
  VLM_TRY(vlm_scratch_array(c, &ranges, rows, sizeof(float) + sizeof(int32_t)));
  float *scale = ranges;
  int32_t *zero = (int32_t *)ranges + rows;
  vlm_quantize_rows quantized = {.x = x, .m = rows, .k = p.s.k, .q = q, .scale = scale, .zero = zero};
  vlm_quantize_rows_u8(&quantized, c->kernels, c->threads);
  g.row_scale = scale;
  g.row_zero = zero;
  VLM_TRY(rows_of_result(c, &p.s, &g.row_scale, &g.row_zero));
  VLM_TRY(run_q8(c, &g, &p, 1, q));
out:
  return st;
}
