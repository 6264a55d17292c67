/* Internal operators (domain "vlm") that lowering makes of quantized matrix products.
 *
 * QMatMul         x, x_scale, x_zero, w, w_scale, [bias], [y_scale], [y_zero]; attributes transB, activation
 * QMatMulDynamic  x, w, w_scale, [bias]; x is quantized row by row
 * WMatMul         x, w, w_scale, [bias]; x stays float
 * w: int8 [K, N] ([N, K] with transB), w_scale [N] or [1], bias [N] or [1]. */
#include <string.h>

#include "runtime/kernels/gemm_q8.h"
#include "runtime/kernels/gemm_w8.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/weights.h"

typedef struct {
  const vlm_tensor *x, *w;
  int64_t m, n, k, w_row, w_column;
  const float *w_scale, *bias;
  vlm_row_unary *activation;
} product;

static vlm_status product_shape(vlm_op_call *c, int w_input, product *p) {
  vlm_status st = VLM_OK;
  char left[128], right[128];
  bool transposed = vlm_arg_int(c, 0, 0) != 0;
  *p = (product){.x = c->in[0], .w = c->in[w_input]};
  VLM_CHECK(p->w->dtype == VLM_S8 && p->w->rank == 2, c->err, VLM_INPUT, "weights of type %s with %d dims; wanted int8 with 2",
            vlm_dtype_name(p->w->dtype), p->w->rank);
  p->k = p->w->dims[transposed ? 1 : 0];
  p->n = p->w->dims[transposed ? 0 : 1];
  p->w_row = transposed ? 1 : p->n;
  p->w_column = transposed ? p->k : 1;
  VLM_CHECK(p->x->rank > 0 && p->x->dims[p->x->rank - 1] == p->k, c->err, VLM_INPUT,
            "shapes %s and %s do not multiply: inner size %lld wanted", vlm_tensor_shape_text(p->x, left, sizeof left),
            vlm_tensor_shape_text(p->w, right, sizeof right), (long long)p->k);
  p->m = vlm_tensor_span(p->x, 0, p->x->rank - 1);
out:
  return st;
}

static vlm_status product_infer(vlm_op_call *c, int w_input, vlm_dtype dtype) {
  product p;
  vlm_status st = product_shape(c, w_input, &p);
  if (st != VLM_OK) return st;
  int64_t dims[VLM_MAX_RANK];
  memcpy(dims, p.x->dims, sizeof dims);
  dims[p.x->rank - 1] = p.n;
  vlm_out_shape(c, 0, dtype, p.x->rank, dims);
  return VLM_OK;
}

/* Everything behind the weights: w_scale at w_input + 1, bias at w_input + 2. */
static vlm_status product_values(vlm_op_call *c, int w_input, product *p) {
  vlm_status st = VLM_OK;
  VLM_TRY(product_shape(c, w_input, p));
  VLM_TRY(vlm_op_floats(c, c->in[w_input + 1], p->n, "the scale of the weights", &p->w_scale));
  VLM_TRY(vlm_op_floats(c, vlm_in(c, w_input + 2), p->n, "the bias", &p->bias));
  VLM_TRY(vlm_activation_find(&p->activation, c->kernels->rowops, vlm_arg_string(c, 1, ""), c->err));
out:
  return st;
}

typedef struct {
  const product *p;
  const vlm_kernels *kernels;
} recipe;

static vlm_status fill_q8(void *block, void *user, vlm_error *err) {
  const recipe *r = user;
  (void)err;
  vlm_q8_source source = {.w = r->p->w->data, .w_row = r->p->w_row, .w_column = r->p->w_column, .k = r->p->k, .n = r->p->n, .count = 1};
  vlm_q8_weights_pack(block, r->kernels, &source);
  return VLM_OK;
}
static vlm_status fill_w8(void *block, void *user, vlm_error *err) {
  const recipe *r = user;
  (void)err;
  vlm_w8_pack(block, r->p->w->data, r->p->w_row, r->p->w_column, r->p->k, r->p->n);
  return VLM_OK;
}

static vlm_status q8_weights(vlm_op_call *c, int w_input, const product *p, const vlm_q8_weights **out) {
  recipe r = {p, c->kernels};
  int64_t key[5] = {p->k, p->n, 1, p->w_column, c->kernels->gemm_u8s8->nr};
  size_t bytes;
  if (!vlm_q8_weights_bytes(&bytes, c->kernels, p->k, p->n, 1)) return vlm_fail(c->err, VLM_LIMIT, "packed weights are too large");
  return vlm_op_weight(c, w_input, VLM_PREPARED_PANELS_Q8, key, bytes, fill_q8, &r, (const void **)out);
}

/* c += product, rows of k uint8 at q. */
static vlm_status run_q8(vlm_op_call *c, vlm_gemm_q8 *g, const product *p, int w_input, const uint8_t *q) {
  vlm_status st = VLM_OK;
  void *scratch;
  VLM_TRY(q8_weights(c, w_input, p, &g->w));
  g->batch = 1;
  g->m = p->m;
  g->a = q;
  g->lda = p->k;
  g->w_scale = p->w_scale;
  g->bias = p->bias;
  g->activation = p->activation;
  g->c_row = p->n;
  g->c_column = 1;
  VLM_TRY(c->scratch(c, &scratch, vlm_gemm_q8_scratch(g, c->kernels, c->threads)));
  vlm_gemm_q8_run(g, c->kernels, c->threads, scratch);
out:
  return st;
}

/* ---- QMatMul ---- */

vlm_status vlm_infer_QMatMul(vlm_op_call *c) { return product_infer(c, 3, vlm_in(c, 6) ? VLM_U8 : VLM_F32); }

/* x as uint8: itself, or quantized into scratch. */
static vlm_status quantized_x(vlm_op_call *c, float scale, int32_t zero, const uint8_t **q) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  void *block;
  *q = x->data;
  if (x->dtype == VLM_U8) return st;
  VLM_CHECK(x->dtype == VLM_F32, c->err, VLM_INPUT, "activations of type %s; wanted float32 or uint8", vlm_dtype_name(x->dtype));
  VLM_TRY(vlm_scratch_array(c, &block, vlm_tensor_count(x), 1));
  vlm_quantize_u8_args all = {.q = block, .x = x->data, .n = (size_t)vlm_tensor_count(x), .scale = scale, .zero = zero};
  vlm_quantize_u8(&all, c->kernels, c->threads);
  *q = block;
out:
  return st;
}

vlm_status vlm_run_QMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  product p;
  vlm_gemm_q8 g = {0};
  const uint8_t *q;
  VLM_TRY(product_values(c, 3, &p));
  VLM_TRY(vlm_op_scalar(c, c->in[1], "the scale of x", &g.a_scale));
  VLM_TRY(vlm_op_zero_point(c, c->in[2], &g.zero));
  VLM_TRY(quantized_x(c, g.a_scale, g.zero, &q));
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

vlm_status vlm_infer_QMatMulDynamic(vlm_op_call *c) { return product_infer(c, 1, VLM_F32); }
vlm_status vlm_run_QMatMulDynamic(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  product p;
  vlm_gemm_q8 g = {.c = c->out[0]->data};
  void *q, *rows;
  VLM_TRY(product_values(c, 1, &p));
  VLM_CHECK(p.x->dtype == VLM_F32, c->err, VLM_INPUT, "activations of type %s; wanted float32", vlm_dtype_name(p.x->dtype));
  VLM_TRY(vlm_scratch_array(c, &q, vlm_tensor_count(p.x), 1));
  VLM_TRY(vlm_scratch_array(c, &rows, p.m, sizeof(float) + sizeof(int32_t)));
  float *scale = rows;
  int32_t *zero = (int32_t *)rows + p.m;
  vlm_quantize_rows quantized = {.x = p.x->data, .m = p.m, .k = p.k, .q = q, .scale = scale, .zero = zero};
  vlm_quantize_rows_u8(&quantized, c->kernels, c->threads);
  g.row_scale = scale;
  g.row_zero = zero;
  VLM_TRY(run_q8(c, &g, &p, 1, q));
out:
  return st;
}

/* ---- WMatMul ---- */

vlm_status vlm_infer_WMatMul(vlm_op_call *c) { return product_infer(c, 1, VLM_F32); }
vlm_status vlm_run_WMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  product p;
  recipe r = {&p, c->kernels};
  const void *panels;
  void *scratch;
  VLM_TRY(product_values(c, 1, &p));
  VLM_CHECK(p.x->dtype == VLM_F32, c->err, VLM_INPUT, "activations of type %s; wanted float32", vlm_dtype_name(p.x->dtype));
  int64_t key[5] = {p.k, p.n, 1, p.w_column, 0};
  VLM_TRY(vlm_op_weight(c, 1, VLM_PREPARED_PANELS_W8, key, (size_t)vlm_w8_packed_bytes(p.k, p.n), fill_w8, &r, &panels));
  vlm_gemm_w8 g = {.m = p.m, .n = p.n, .k = p.k, .x = p.x->data, .ldx = p.k, .panels = panels, .scale = p.w_scale, .bias = p.bias};
  g.activation = p.activation;
  g.y = c->out[0]->data;
  g.ldy = p.n;
  VLM_TRY(c->scratch(c, &scratch, vlm_gemm_w8_scratch(&g, c->kernels, c->threads)));
  vlm_gemm_w8_run(&g, c->kernels, c->threads, scratch);
out:
  return st;
}
