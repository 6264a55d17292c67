#include "runtime/ops/integer_product.h"

#include "runtime/kernels/gemm_q8.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/weights.h"

vlm_status vlm_integer_product_shape(vlm_op_call *c, const vlm_integer_product *p, vlm_matmul_shape *shape) {
  vlm_status st = VLM_OK;
  const vlm_tensor *b = c->in[p->b_input];
  VLM_CHECK((p->a->dtype == VLM_U8 || p->a->dtype == VLM_S8) && (b->dtype == VLM_U8 || b->dtype == VLM_S8), c->err, VLM_INPUT,
            "integer product of %s and %s; wanted uint8 or int8", vlm_dtype_name(p->a->dtype), vlm_dtype_name(b->dtype));
  VLM_TRY(vlm_matmul_shape_of(c, p->a, b, p->transpose_a, p->transpose_b, shape));
out:
  return st;
}

typedef struct {
  const vlm_tensor *b;
  const vlm_matmul_shape *shape;
  const vlm_kernels *kernels;
} recipe;

static vlm_status fill(void *block, void *user, vlm_error *err) {
  const recipe *r = user;
  const vlm_matmul_shape *s = r->shape;
  (void)err;
  vlm_q8_source source = {.w = r->b->data, .w_matrix = s->k * s->n, .w_row = s->b_row, .w_column = s->b_column};
  source.k = s->k;
  source.n = s->n;
  source.count = s->b_matrices;
  source.flip = r->b->dtype == VLM_U8 ? 0x80 : 0;
  vlm_q8_weights_pack(block, r->kernels, &source);
  return VLM_OK;
}

static vlm_status take_weights(vlm_op_call *c, int k, const vlm_matmul_shape *s, const vlm_q8_weights **out) {
  recipe r = {c->in[k], s, c->kernels};
  int64_t key[5] = {s->k, s->n, s->b_matrices, s->b_column, c->kernels->gemm_u8s8->nr};
  size_t bytes;
  if (!vlm_q8_weights_bytes(&bytes, c->kernels, s->k, s->n, s->b_matrices))
    return vlm_fail(c->err, VLM_LIMIT, "packed weights of %lld x %lld x %lld are too large", (long long)s->b_matrices, (long long)s->k,
                    (long long)s->n);
  return vlm_op_weight(c, k, VLM_PREPARED_PANELS_Q8, key, bytes, fill, &r, (const void **)out);
}

/* a as row-major uint8 (int8 moved up by 128). */
static vlm_status take_rows(vlm_op_call *c, const vlm_tensor *a, const vlm_matmul_shape *s, const uint8_t **out) {
  vlm_status st = VLM_OK;
  const uint8_t *from = a->data;
  void *block;
  uint8_t flip = a->dtype == VLM_S8 ? 0x80 : 0;
  *out = from;
  if (!flip && s->a_column == 1) return st;
  VLM_TRY(vlm_scratch_array(c, &block, vlm_tensor_count(a), 1));
  uint8_t *to = block;
  for (int64_t matrix = 0; matrix < s->a_matrices; matrix++, from += s->m * s->k)
    for (int64_t i = 0; i < s->m; i++)
      for (int64_t p = 0; p < s->k; p++) *to++ = from[i * s->a_row + p * s->a_column] ^ flip;
  *out = block;
out:
  return st;
}

/* Zero point of row i / column j of matrix m, moved like the values. */
typedef struct {
  const vlm_tensor *t;
  int64_t count, move;
} zero_points;

static int64_t zero_at(const zero_points *z, int64_t index) { return (z->t ? vlm_tensor_get_int(z->t, index % z->count) : 0) + z->move; }

static vlm_status zero_points_of(vlm_op_call *c, zero_points *z, const vlm_tensor *t, int64_t move, int64_t matrices, int64_t lines,
                                 const char *what) {
  *z = (zero_points){t, t ? vlm_tensor_count(t) : 1, move};
  if (z->count == 1 || z->count == lines || z->count == matrices * lines) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "the zero point of %s has %lld values; wanted 1 or %lld", what, (long long)z->count, (long long)lines);
}

typedef struct {
  const vlm_matmul_shape *shape;
  const uint8_t *rows;
  const vlm_q8_weights *w;
  zero_points a_zero, b_zero;
  int32_t *sums;
} region;

/* Corrections that the product did not make: zero points per row, and of the weights. */
static void correct_row(void *user, int64_t index, int worker) {
  const region *r = user;
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

vlm_status vlm_integer_product_run(vlm_op_call *c, const vlm_integer_product *p, vlm_matmul_shape *s, int32_t *sums) {
  vlm_status st = VLM_OK;
  region r = {.shape = s, .sums = sums};
  const vlm_tensor *b = c->in[p->b_input];
  void *scratch, *offsets;
  VLM_TRY(vlm_matmul_indices(c, p->a, b, s));
  VLM_TRY(take_rows(c, p->a, s, &r.rows));
  VLM_TRY(take_weights(c, p->b_input, s, &r.w));
  VLM_TRY(zero_points_of(c, &r.a_zero, p->a_zero, p->a->dtype == VLM_S8 ? 128 : 0, s->a_matrices, s->m, "a"));
  VLM_TRY(zero_points_of(c, &r.b_zero, p->b_zero, b->dtype == VLM_U8 ? -128 : 0, s->b_matrices, s->n, "b"));
  bool simple = r.a_zero.count == 1 && r.b_zero.count == 1 && zero_at(&r.b_zero, 0) == 0;
  VLM_TRY(vlm_scratch_array(c, &offsets, s->batch > 0 ? s->batch : 1, sizeof(int64_t)));
  for (int64_t i = 0; i < s->batch; i++) ((int64_t *)offsets)[i] = s->a_index[i] * s->m * s->k;
  vlm_gemm_q8 g = {.batch = s->batch, .m = s->m, .w = r.w, .w_matrix = s->b_index, .a = r.rows, .a_offset = offsets, .lda = s->k};
  g.zero = simple ? (int32_t)zero_at(&r.a_zero, 0) : 0;
  g.c_sums = sums;
  g.c_batch = s->m * s->n;
  g.c_row = s->n;
  g.c_column = 1;
  VLM_TRY(c->scratch(c, &scratch, vlm_gemm_q8_scratch(&g, c->kernels, c->threads)));
  vlm_gemm_q8_run(&g, c->kernels, c->threads, scratch);
  if (!simple) vlm_threads_run(c->threads, s->batch * s->m, correct_row, &r);
out:
  return st;
}
