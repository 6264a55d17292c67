/* vlm.WMatMul: x, w, w_scale, [bias], [residual]; the product with int8 weights whose activations stay float; shapes: vlm_product.h. */
#include "runtime/kernels/gemm_w8.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/packed.h"
#include "runtime/ops/vlm_product.h"

typedef struct {
  vlm_product p;
  vlm_packed w;
  size_t rows, scratch; /* rows: of y before they are turned */
} vlm_wmatmul_state;

/* sizes: k, n, matrices, row and column stride */
static vlm_status fill(void *block, const int64_t *s, const vlm_tensor *const *from,
                       const vlm_kernels *kernels, vlm_error *err) {
  (void)kernels, (void)err;
  vlm_w8_source source = {.w = from[0]->data, .w_row = s[3], .w_column = s[4], .k = s[0], .n = s[1]};
  for (int64_t i = 0; i < s[2]; i++, source.w += s[0] * s[1])
    vlm_w8_pack((int8_t *)block + i * vlm_w8_packed_bytes(s[0], s[1]), &source);
  return VLM_OK;
}

static vlm_status prepare_weights(vlm_op_call *c, vlm_wmatmul_state *s_) {
  vlm_status st = VLM_OK;
  const vlm_matmul_shape *s = &s_->p.s;
  vlm_weight_form form = {.fill = fill,
                          .sizes = {s->k, s->n, s->b_matrices, s->b_row, s->b_column},
                          .inputs = {1},
                          .n_inputs = 1};
  VLM_CHECK(vlm_size_mul((size_t)vlm_w8_packed_bytes(s->k, s->n), (size_t)s->b_matrices, &form.bytes), c->err,
            VLM_LIMIT, "packed weights of %lld x %lld x %lld are too large", (long long)s->b_matrices,
            (long long)s->k, (long long)s->n);
  VLM_TRY(vlm_op_pack(c, &s_->w, &form));
out:
  return st;
}

/* The sizes of one matrix of x times one of w, into rows of n. */
static vlm_gemm_w8 sizes_of(const vlm_product *p) {
  vlm_gemm_w8 g = {
      .m = p->s.m, .n = p->s.n, .k = p->s.k, .ldx = p->s.k, .ldy = p->s.n, .activation = p->activation};
  memcpy(g.params, p->params, sizeof g.params);
  return g;
}

static const vlm_product_inputs INPUTS = {.w = 1, .residual = 4};

vlm_status vlm_infer_WMatMul(vlm_op_call *c) { return vlm_product_infer(c, INPUTS, VLM_F32); }

vlm_status vlm_prepare_WMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_wmatmul_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_require_type(c, 0, "x", VLM_F32));
  VLM_TRY(vlm_product_prepare(c, INPUTS, &s->p, sizeof(float)));
  VLM_TRY(prepare_weights(c, s));
  if (s->p.y_columns) VLM_TRY(vlm_op_reserve(c, &s->rows, s->p.s.batch * s->p.s.m * s->p.s.n, sizeof(float)));
  const vlm_gemm_w8 g = sizes_of(&s->p);
  VLM_TRY(vlm_op_reserve(c, &s->scratch, (int64_t)vlm_gemm_w8_scratch(&g, c->kernels, c->threads), 1));
out:
  return st;
}

vlm_status vlm_run_WMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_wmatmul_state *s = c->state;
  const vlm_matmul_shape *shape = &s->p.s;
  const float *x = vlm_product_rows(c, &s->p, c->in[0]->data, sizeof(float));
  const float *w_scale = vlm_values_get(c, &s->p.w_scale), *bias = vlm_values_get(c, &s->p.bias);
  float *y = vlm_residual_product(c, &s->p.residual), *rows = s->p.y_columns ? vlm_op_work(c, s->rows) : y;
  const float *add = vlm_residual_addend(c, &s->p.residual);
  const void *panels;
  vlm_gemm_w8 g = sizes_of(&s->p);
  VLM_TRY(vlm_op_packed(c, &s->w, &panels));
  for (int64_t i = 0; i < shape->batch; i++) {
    int64_t w = shape->b_index[i];
    g.x = x + shape->a_index[i] * shape->m * shape->k;
    g.y = rows + i * shape->m * shape->n;
    g.residual = add ? add + i * shape->m * shape->n : NULL;
    g.panels = (const int8_t *)panels + w * vlm_w8_packed_bytes(shape->k, shape->n);
    g.scale = w_scale + w * shape->n;
    g.bias = bias ? bias + w * shape->n : NULL;
    vlm_gemm_w8_run(&g, c->kernels, c->threads, vlm_op_work(c, s->scratch));
  }
  if (s->p.y_columns)
    vlm_product_turn(c, y, rows, &(vlm_product_matrices){shape->batch, shape->m, shape->n, sizeof(float)});
  vlm_residual_finish(c, &s->p.residual);
out:
  return st;
}
