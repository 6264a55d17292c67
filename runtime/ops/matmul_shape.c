#include "runtime/ops/matmul_shape.h"

#include <string.h>

#include "runtime/ops/prepare.h"

/* The dims in front of the matrix. */
static vlm_tensor batch_part(const vlm_tensor *t) {
  vlm_tensor part = *t;
  part.rank = t->rank > 2 ? t->rank - 2 : 0;
  return part;
}

/* The shape of an operand in the order batch, rows, columns. */
static vlm_tensor in_order(const vlm_tensor *t, bool turned) {
  vlm_tensor seen = *t;
  if (!turned) return seen;
  for (int d = 1; d < t->rank - 1; d++) seen.dims[d - 1] = t->dims[d];
  seen.dims[t->rank - 2] = t->dims[0];
  return seen;
}

vlm_status vlm_matmul_shape_turned(vlm_op_call *c, const vlm_tensor *a, const vlm_tensor *b,
                                   const vlm_matmul_turns *turns, vlm_matmul_shape *s) {
  vlm_status st = VLM_OK;
  bool turned_a = turns->turned_a && a->rank > 2, turned_b = turns->turned_b && b->rank > 2;
  vlm_tensor seen_a = in_order(a, turned_a), seen_b = in_order(b, turned_b);
  VLM_TRY(vlm_matmul_shape_of(c, &seen_a, &seen_b, turns->transpose_a, turns->transpose_b, s));
  s->a_turned = turned_a;
  s->b_turned = turned_b;
  if (turned_a) {
    *(turns->transpose_a ? &s->a_column : &s->a_row) = vlm_tensor_span(a, 1, a->rank);
    s->a_step = a->dims[a->rank - 1];
  }
  if (turned_b) {
    *(turns->transpose_b ? &s->b_column : &s->b_row) = vlm_tensor_span(b, 1, b->rank);
    s->b_step = b->dims[b->rank - 1];
  }
out:
  return st;
}

vlm_status vlm_matmul_shape_of(vlm_op_call *c, const vlm_tensor *a, const vlm_tensor *b, bool transpose_a,
                               bool transpose_b, vlm_matmul_shape *s) {
  vlm_status st = VLM_OK;
  char left[128], right[128];
  *s = (vlm_matmul_shape){0};
  VLM_CHECK(a->rank > 0 && b->rank > 0, c->err, VLM_INPUT, "matrix product of a scalar");
  int64_t a_rows = a->rank > 1 ? a->dims[a->rank - 2] : 1, a_columns = a->dims[a->rank - 1];
  int64_t b_rows = b->rank > 1 ? b->dims[b->rank - 2] : b->dims[0],
          b_columns = b->rank > 1 ? b->dims[b->rank - 1] : 1;
  bool ta = transpose_a && a->rank > 1, tb = transpose_b && b->rank > 1;
  s->m = ta ? a_columns : a_rows;
  s->k = ta ? a_rows : a_columns;
  s->n = tb ? b_rows : b_columns;
  s->a_row = ta ? 1 : a_columns;
  s->a_column = ta ? a_columns : 1;
  s->b_row = tb ? 1 : b_columns;
  s->b_column = tb ? b_columns : 1;
  s->a_step = s->m * s->k;
  s->b_step = s->k * s->n;
  int64_t b_depth = tb ? b_columns : b_rows;
  VLM_CHECK(s->k == b_depth, c->err, VLM_INPUT,
            "shapes %s and %s do not multiply: inner sizes %lld and %lld differ",
            vlm_tensor_shape_text(a, left, sizeof left), vlm_tensor_shape_text(b, right, sizeof right),
            (long long)s->k, (long long)b_depth);
  vlm_tensor a_batch = batch_part(a), b_batch = batch_part(b);
  VLM_TRY(vlm_broadcast_dims(c, &a_batch, &b_batch, &s->rank, s->dims));
  s->batch = 1;
  for (int i = 0; i < s->rank; i++) s->batch *= s->dims[i];
  s->a_matrices = vlm_tensor_count(&a_batch);
  s->b_matrices = vlm_tensor_count(&b_batch);
  if (a->rank > 1) s->dims[s->rank++] = s->m;
  if (b->rank > 1) s->dims[s->rank++] = s->n;
out:
  return st;
}

void vlm_matmul_join_batch(vlm_matmul_shape *s) {
  if (s->batch <= 1 || s->b_matrices != 1 || s->a_matrices != s->batch || s->a_column != 1 || s->a_turned)
    return;
  s->m *= s->batch;
  s->batch = s->a_matrices = 1;
}

/* Index of the operand's matrix for batch number b of the result. */
static int64_t matrix_index(const vlm_tensor *t, const vlm_tensor *result, int64_t b) {
  int64_t index = 0, step = 1;
  for (int i = result->rank - 1, j = t->rank - 1; i >= 0; i--, j--) {
    int64_t at = b % result->dims[i];
    b /= result->dims[i];
    if (j < 0) continue;
    if (t->dims[j] != 1) index += at * step;
    step *= t->dims[j];
  }
  return index;
}

vlm_status vlm_matmul_indices(vlm_op_call *c, const vlm_tensor *a, const vlm_tensor *b, vlm_matmul_shape *s) {
  vlm_status st = VLM_OK;
  void *block;
  vlm_tensor seen_a = in_order(a, s->a_turned), seen_b = in_order(b, s->b_turned);
  vlm_tensor a_batch = batch_part(&seen_a), b_batch = batch_part(&seen_b), result = {.rank = 0};
  VLM_TRY(vlm_op_keep(c, &block, s->batch > 0 ? s->batch : 1, 2 * sizeof(int64_t)));
  s->a_index = block;
  s->b_index = s->a_index + s->batch;
  s->a_index[0] = s->b_index[0] = 0;
  if (s->batch <= 1) goto out;
  VLM_TRY(vlm_broadcast_dims(c, &a_batch, &b_batch, &result.rank, result.dims));
  for (int64_t i = 0; i < s->batch; i++) {
    s->a_index[i] = matrix_index(&a_batch, &result, i);
    s->b_index[i] = matrix_index(&b_batch, &result, i);
  }
out:
  return st;
}
