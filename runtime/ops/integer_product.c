#include "runtime/ops/integer_product.h"

#include "runtime/ops/op_data.h"
#include "runtime/ops/prepare.h"

vlm_status vlm_integer_product_shape(vlm_op_call *c, const vlm_integer_operands *o, vlm_matmul_shape *shape) {
  vlm_status st = VLM_OK;
  const vlm_tensor *b = c->in[o->b_input];
  VLM_CHECK((o->a->dtype == VLM_U8 || o->a->dtype == VLM_S8) && (b->dtype == VLM_U8 || b->dtype == VLM_S8),
            c->err, VLM_INPUT, "integer product of %s and %s; wanted uint8 or int8",
            vlm_dtype_name(o->a->dtype), vlm_dtype_name(b->dtype));
  VLM_TRY(vlm_matmul_shape_of(c, o->a, b, o->transpose_a, o->transpose_b, shape));
out:
  return st;
}

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
                                .count = s[2],
                                .flip = from[0]->dtype == VLM_U8 ? 0x80 : 0};
  vlm_q8_weights_pack(block, kernels, &source);
  return VLM_OK;
}

static vlm_status prepare_weights(vlm_op_call *c, vlm_integer_product *p, int b_input) {
  vlm_status st = VLM_OK;
  const vlm_matmul_shape *s = &p->shape;
  vlm_weight_form form = {.fill = fill,
                          .sizes = {s->k, s->n, s->b_matrices, s->b_row, s->b_column},
                          .inputs = {b_input},
                          .n_inputs = 1};
  VLM_CHECK(vlm_q8_weights_layout(&p->layout, c->kernels, s->k, s->n, s->b_matrices), c->err, VLM_LIMIT,
            "packed weights of %lld x %lld x %lld are too large", (long long)s->b_matrices, (long long)s->k,
            (long long)s->n);
  form.bytes = p->layout.bytes;
  VLM_TRY(vlm_op_pack(c, &p->w, &form));
out:
  return st;
}

/* a as row-major uint8 (int8 moved up by 128). */
static const uint8_t *take_rows(const vlm_op_call *c, const vlm_integer_product *p, const vlm_tensor *a) {
  const vlm_matmul_shape *s = &p->shape;
  const uint8_t *from = a->data;
  uint8_t flip = a->dtype == VLM_S8 ? 0x80 : 0;
  if (!p->copies_rows) return from;
  uint8_t *rows = vlm_op_work(c, p->rows), *to = rows;
  for (int64_t matrix = 0; matrix < s->a_matrices; matrix++, from += s->m * s->k)
    for (int64_t i = 0; i < s->m; i++)
      for (int64_t k = 0; k < s->k; k++) *to++ = from[i * s->a_row + k * s->a_column] ^ flip;
  return rows;
}

/* Zero point of row i / column j of matrix m, moved like the values. */
typedef struct {
  const vlm_tensor *t;
  int64_t count, move;
} zero_points;

static int64_t zero_at(const zero_points *z, int64_t index) {
  return (z->t ? vlm_tensor_get_int(z->t, index % z->count) : 0) + z->move;
}

static zero_points zero_points_of(const vlm_tensor *t, int64_t move) {
  return (zero_points){t, t ? vlm_tensor_count(t) : 1, move};
}

static vlm_status check_zero_points(vlm_op_call *c, const vlm_tensor *t, int64_t matrices, int64_t lines,
                                    const char *what) {
  int64_t count = t ? vlm_tensor_count(t) : 1;
  if (count == 1 || count == lines || count == matrices * lines) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "the zero point of %s has %lld values; wanted 1 or %lld", what,
                  (long long)count, (long long)lines);
}

typedef struct {
  const vlm_matmul_shape *shape;
  const uint8_t *rows;
  const vlm_q8_weights *w;
  zero_points a_zero, b_zero;
  int32_t *sums;
} correction;

/* Corrections that the product did not make: zero points per row, and of the weights. */
static void correct_row(void *user, int64_t index, int worker) {
  const correction *r = user;
  const vlm_matmul_shape *s = r->shape;
  int64_t batch = index / s->m, i = index % s->m, b_matrix = s->b_index[batch], a_matrix = s->a_index[batch];
  const uint8_t *row = r->rows + (a_matrix * s->m + i) * s->k;
  const int32_t *colsum = r->w->colsum + b_matrix * r->w->padded_n;
  uint32_t row_zero = (uint32_t)zero_at(&r->a_zero, a_matrix * s->m + i), row_sum = 0;
  (void)worker;
  for (int64_t p = 0; p < s->k; p++) row_sum += row[p];
  row_sum -= row_zero * (uint32_t)s->k;
  for (int64_t j = 0; j < s->n; j++) {
    uint32_t sum = (uint32_t)r->sums[index * s->n + j] - row_zero * (uint32_t)colsum[j];
    r->sums[index * s->n + j] = (int32_t)(sum - (uint32_t)zero_at(&r->b_zero, b_matrix * s->n + j) * row_sum);
  }
}

vlm_status vlm_integer_product_prepare(vlm_op_call *c, vlm_integer_product *p,
                                       const vlm_integer_operands *o) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape *s = &p->shape;
  VLM_TRY(vlm_integer_product_shape(c, o, s));
  VLM_TRY(vlm_matmul_indices(c, o->a, c->in[o->b_input], s));
  VLM_TRY(check_zero_points(c, o->a_zero, s->a_matrices, s->m, "a"));
  VLM_TRY(check_zero_points(c, o->b_zero, s->b_matrices, s->n, "b"));
  VLM_TRY(prepare_weights(c, p, o->b_input));
  p->copies_rows = o->a->dtype == VLM_S8 || s->a_column != 1;
  if (p->copies_rows) VLM_TRY(vlm_op_reserve(c, &p->rows, vlm_tensor_count(o->a), 1));
  VLM_TRY(vlm_op_keep_new(c, &p->offsets, s->batch > 0 ? s->batch : 1));
  for (int64_t i = 0; i < s->batch; i++) p->offsets[i] = s->a_index[i] * s->m * s->k;
  p->g = (vlm_gemm_q8){.batch = s->batch,
                       .m = s->m,
                       .w = &p->layout,
                       .w_matrix = s->b_index,
                       .a_offset = p->offsets,
                       .lda = s->k,
                       .c_batch = s->m * s->n,
                       .c_row = s->n,
                       .c_column = 1};
  VLM_TRY(vlm_op_reserve(c, &p->scratch, (int64_t)vlm_gemm_q8_scratch(&p->g, c->kernels, c->threads), 1));
out:
  return st;
}

vlm_status vlm_integer_product_run(vlm_op_call *c, const vlm_integer_product *p,
                                   const vlm_integer_operands *o, int32_t *sums) {
  vlm_status st = VLM_OK;
  const vlm_matmul_shape *s = &p->shape;
  vlm_gemm_q8 g = p->g;
  const void *panels;
  VLM_TRY(vlm_op_packed(c, &p->w, &panels));
  g.w = panels;
  correction r = {.shape = s,
                  .sums = sums,
                  .w = g.w,
                  .rows = take_rows(c, p, o->a),
                  .a_zero = zero_points_of(o->a_zero, o->a->dtype == VLM_S8 ? 128 : 0),
                  .b_zero = zero_points_of(o->b_zero, c->in[o->b_input]->dtype == VLM_U8 ? -128 : 0)};
  bool simple = r.a_zero.count == 1 && r.b_zero.count == 1 && zero_at(&r.b_zero, 0) == 0;
  g.a = r.rows;
  g.zero = simple ? (int32_t)zero_at(&r.a_zero, 0) : 0;
  g.c_sums = sums;
  vlm_gemm_q8_run(&g, c->kernels, c->threads, vlm_op_work(c, p->scratch));
  if (!simple) vlm_threads_run(c->threads, s->batch * s->m, correct_row, &r);
out:
  return st;
}
