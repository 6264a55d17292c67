/* vlm.WMatMul: x, w, w_scale, [bias]; the product with int8 weights whose activations stay float; shapes: vlm_product.h. */
#include "runtime/kernels/gemm_w8.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/vlm_product.h"
#include "runtime/ops/weights.h"

static vlm_status fill(void *block, void *user, vlm_error *err) {
  const vlm_product *p = user;
  const vlm_matmul_shape *s = &p->s;
  (void)err;
  for (int64_t i = 0; i < s->b_matrices; i++)
    vlm_w8_pack((int8_t *)block + i * vlm_w8_packed_bytes(s->k, s->n), (const int8_t *)p->w->data + i * s->k * s->n, s->b_row, s->b_column,
                s->k, s->n);
  return VLM_OK;
}

static vlm_status take_weights(vlm_op_call *c, vlm_product *p, const int8_t **panels) {
  const vlm_matmul_shape *s = &p->s;
  int64_t key[5] = {s->k, s->n, s->b_matrices, s->b_column, 0};
  size_t bytes;
  if (!vlm_size_mul((size_t)vlm_w8_packed_bytes(s->k, s->n), (size_t)s->b_matrices, &bytes))
    return vlm_fail(c->err, VLM_LIMIT, "packed weights of %lld x %lld x %lld are too large", (long long)s->b_matrices, (long long)s->k,
                    (long long)s->n);
  return vlm_op_weight(c, 1, VLM_PREPARED_PANELS_W8, key, bytes, fill, p, (const void **)panels);
}

/* One matrix of x times one of w, into rows of n. */
static vlm_gemm_w8 one_product(const vlm_product *p, int64_t i, const float *x, const int8_t *panels, float *y) {
  const vlm_matmul_shape *s = &p->s;
  int64_t w = s->b_index[i];
  vlm_gemm_w8 g = {.m = s->m, .n = s->n, .k = s->k, .x = x + s->a_index[i] * s->m * s->k, .ldx = s->k, .y = y, .ldy = s->n};
  g.panels = panels + w * vlm_w8_packed_bytes(s->k, s->n);
  g.scale = p->w_scale + w * s->n;
  g.bias = p->bias ? p->bias + w * s->n : NULL;
  g.activation = p->activation;
  memcpy(g.params, p->params, sizeof g.params);
  return g;
}

vlm_status vlm_infer_WMatMul(vlm_op_call *c) { return vlm_product_infer(c, 1, VLM_F32); }
vlm_status vlm_run_WMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_product p;
  const float *x;
  const int8_t *panels;
  float *y = c->out[0]->data, *rows = y;
  void *scratch;
  VLM_TRY(vlm_product_read(c, 1, &p));
  VLM_TRY(vlm_product_float_rows(c, &p, &x));
  VLM_TRY(take_weights(c, &p, &panels));
  int64_t size = p.s.m * p.s.n;
  if (p.y_columns) VLM_TRY(vlm_scratch_array(c, (void **)&rows, p.s.batch * size, sizeof *rows));
  vlm_gemm_w8 g = one_product(&p, 0, x, panels, rows);
  VLM_TRY(c->scratch(c, &scratch, vlm_gemm_w8_scratch(&g, c->kernels, c->threads)));
  for (int64_t i = 0; i < p.s.batch; i++) {
    g = one_product(&p, i, x, panels, rows + i * size);
    vlm_gemm_w8_run(&g, c->kernels, c->threads, scratch);
  }
  if (p.y_columns) vlm_product_turn(c, y, rows, p.s.batch, p.s.m, p.s.n, sizeof(float));
out:
  return st;
}
