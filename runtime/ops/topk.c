/* TopK; equal values keep the lower index first. */
#include <string.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/sort.h"

/* ---- TopK ---- */

static vlm_status read_k(vlm_op_call *c, int axis, int64_t *k) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_scalar_int(c, 1, "K", vlm_arg_int(c, 3, -1), k));
  VLM_CHECK(*k >= 0 && *k <= c->in[0]->dims[axis], c->err, VLM_INPUT, "K is %lld, axis %d has %lld entries",
            (long long)*k, axis, (long long)c->in[0]->dims[axis]);
out:
  return st;
}

vlm_status vlm_infer_TopK(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor y = *c->in[0];
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), y.rank, false, &axis));
  VLM_TRY(read_k(c, axis, &y.dims[axis]));
  vlm_out_shape(c, 0, y.dtype, y.rank, y.dims);
  vlm_out_shape(c, 1, VLM_S64, y.rank, y.dims);
out:
  return st;
}

typedef struct topk_row {
  const double *keys;  /* floats and small integers */
  const int64_t *ints; /* 64-bit integers; NULL otherwise */
  bool largest;
} topk_row;

static bool ranks_after(const void *user, int64_t a, int64_t b) {
  const topk_row *r = user;
  if (r->ints) return r->largest ? r->ints[b] > r->ints[a] : r->ints[b] < r->ints[a];
  return r->largest ? r->keys[b] > r->keys[a] : r->keys[b] < r->keys[a];
}

/* Keeps the best k indices of a row of n in order; cheap when k is small. */
static void select_best(const topk_row *row, int64_t *best, int64_t k, int64_t n) {
  int64_t held = 0;
  for (int64_t i = 0; i < n; i++) {
    if (held == k && (k == 0 || !ranks_after(row, best[k - 1], i))) continue;
    int64_t at = held < k ? held++ : k - 1;
    while (at > 0 && ranks_after(row, best[at - 1], i)) {
      best[at] = best[at - 1];
      at--;
    }
    best[at] = i;
  }
}

static void rank_row(const topk_row *row, int64_t *index, int64_t *spare, int64_t k, int64_t n) {
  if (k <= 16) {
    select_best(row, index, k, n);
    return;
  }
  for (int64_t i = 0; i < n; i++) index[i] = i;
  vlm_sort(index, spare, n, ranks_after, row);
}

typedef struct {
  int64_t k, n, inner, rows;
  bool largest, wide;
  size_t item, index, keys; /* index: n in order, n spare, n keys of wide integers */
} topk_state;

vlm_status vlm_prepare_TopK(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  topk_state *s;
  const vlm_tensor *x = c->in[0];
  int axis;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_check_whole_bytes(c, 0));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), x->rank, false, &axis));
  s->k = c->out[0] ? c->out[0]->dims[axis] : c->out[1]->dims[axis];
  s->n = x->dims[axis];
  s->inner = vlm_tensor_span(x, axis + 1, x->rank);
  s->rows = vlm_tensor_span(x, 0, axis) * s->inner;
  s->largest = vlm_arg_int(c, 1, 1) != 0;
  s->wide = x->dtype == VLM_S64 || x->dtype == VLM_U64;
  s->item = (size_t)vlm_dtype_bits(x->dtype) / 8;
  VLM_TRY(vlm_op_reserve(c, &s->index, 3 * s->n, sizeof(int64_t)));
  VLM_TRY(vlm_op_reserve(c, &s->keys, s->n, sizeof(double)));
out:
  return st;
}

static void load_row(const vlm_tensor *x, int64_t from, const topk_state *s, double *keys, int64_t *ints) {
  for (int64_t i = 0; i < s->n; i++) {
    if (s->wide) ints[i] = vlm_tensor_get_int(x, from + i * s->inner);
    else keys[i] = vlm_tensor_get(x, from + i * s->inner);
  }
}

vlm_status vlm_run_TopK(vlm_op_call *c) {
  const topk_state *s = c->state;
  const vlm_tensor *x = c->in[0];
  int64_t *index = vlm_op_work(c, s->index), *ints = index + 2 * s->n;
  double *keys = vlm_op_work(c, s->keys);
  topk_row row = {.keys = keys, .ints = s->wide ? ints : NULL, .largest = s->largest};
  for (int64_t r = 0; r < s->rows; r++) {
    int64_t from = r / s->inner * s->n * s->inner + r % s->inner,
            to = r / s->inner * s->k * s->inner + r % s->inner;
    load_row(x, from, s, keys, ints);
    rank_row(&row, index, index + s->n, s->k, s->n);
    for (int64_t i = 0; i < s->k; i++) {
      if (vlm_out(c, 0))
        memcpy((char *)c->out[0]->data + (size_t)(to + i * s->inner) * s->item,
               (const char *)x->data + (size_t)(from + index[i] * s->inner) * s->item, s->item);
      if (vlm_out(c, 1)) ((int64_t *)c->out[1]->data)[to + i * s->inner] = index[i];
    }
  }
  return VLM_OK;
}
