/* vlm.CacheAttention: self-attention of a decode step over a cache that is appended to in place.
 *
 * Inputs: q [.., T, D] (leading dims = heads), new_key [B, H, T, D], new_value [B, H, T, V], past_key, past_value, capacity (int64 scalar), and an
 * optional additive mask that broadcasts to [B, q heads, T, P + T]. Output: q's shape with V last. Attribute scale multiplies the products.
 * q may have a multiple of the H heads (grouped queries): each key and value head serves as many query heads in a row.
 *
 * The two past tensors say [B, H, P, D] and [B, H, P, V]; where their bytes are depends on the capacity:
 *   capacity 0: contiguous as they say; they are only read.
 *   capacity C: key bytes are [B * H][D][C] (transposed, so that one step reads along C), value bytes [B * H][C][V]; both blocks are followed by
 *               VLM_TILE_MAX_COLUMNS floats of slack, C is a multiple of VLM_TILE_MAX_COLUMNS and at least P + T. Rows P .. P + T - 1 are written.
 * Each product runs over its axis in order with fused multiply-add, so the result has the bits of MatMul, Mul, Add, Softmax, MatMul. */
#include <string.h>

#include "runtime/kernels/gemm_args.h"
#include "runtime/kernels/rowops.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"

static bool known(const vlm_tensor *t) {
  for (int d = 0; d < t->rank; d++)
    if (t->dims[d] < 0) return false;
  return t->dtype != VLM_NONE;
}

vlm_status vlm_infer_CacheAttention(vlm_op_call *c) {
  const vlm_tensor *q = c->in[0], *v = c->in[2];
  int64_t dims[VLM_MAX_RANK];
  if (!known(q) || !known(v)) return VLM_UNKNOWN;
  if (q->rank < 2 || v->rank != 4)
    return vlm_fail(c->err, VLM_INPUT, "ranks %d and %d, wanted q of 2 or more and values of 4", q->rank,
                    v->rank);
  for (int d = 0; d < q->rank; d++) dims[d] = q->dims[d];
  dims[q->rank - 1] = v->dims[3];
  vlm_out_shape(c, 0, VLM_F32, q->rank, dims);
  return VLM_OK;
}

typedef struct {
  vlm_op_call *c;
  const vlm_kernel *gemm;
  const vlm_rowops *rows;
  const float *q, *new_key, *new_value, *mask;
  float *key, *value, *out, *scratch;
  int64_t heads, group, per_batch, t, d, v, past, capacity,
      total; /* of keys; query heads per key head; query heads per batch; total = past + t */
  int64_t wide_scores, wide_out, scratch_floats; /* per worker */
  int64_t mask_dims[4];
  float scale;
} cache_job;

static int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

static void append(const cache_job *j, int64_t head) {
  float *key = j->key + head * j->d * j->capacity, *value = j->value + head * j->capacity * j->v;
  for (int64_t i = 0; i < j->t; i++) {
    const float *row = j->new_key + (head * j->t + i) * j->d;
    for (int64_t k = 0; k < j->d; k++) key[k * j->capacity + j->past + i] = row[k];
  }
  memcpy(value + j->past * j->v, j->new_value + head * j->t * j->v, (size_t)(j->t * j->v) * sizeof *value);
}

/* c[rows][columns] = a[rows][k] * b[k][columns], tile by tile; `whole` is all of it but the rows. */
static void multiply(const cache_job *j, const vlm_gemm_f32_args *whole, int64_t rows, int64_t columns) {
  vlm_gemm_f32_args t = *whole;
  for (int64_t i = 0; i < rows; i += j->gemm->mr) {
    t.a = whole->a + i * (int64_t)t.lda;
    t.rows = rows - i < j->gemm->mr ? (int)(rows - i) : j->gemm->mr;
    for (int64_t col = 0; col < columns; col += j->gemm->nr) {
      t.c = whole->c + i * (int64_t)t.ldc + col;
      t.b = whole->b + col;
      j->gemm->fn.gemm_f32(&t);
    }
  }
}

static void add_mask(const cache_job *j, float *scores, int64_t head, int64_t row) {
  const int64_t *m = j->mask_dims;
  const int64_t at[3] = {head / j->per_batch, head % j->per_batch, row};
  int64_t offset = 0;
  for (int d = 0; d < 3; d++) offset = offset * m[d] + (m[d] > 1 ? at[d] : 0);
  j->rows->add(scores, scores, 1, j->mask + offset * m[3], m[3] > 1, j->total);
}

/* head: of the queries */
static void attend(const cache_job *j, int64_t head, float *scratch) {
  float *scores = scratch, *wide = scratch + j->t * j->wide_scores;
  int64_t kv = head / j->group;
  const vlm_gemm_f32_args qk = {.c = scores,
                                .ldc = (size_t)j->wide_scores,
                                .a = j->q + head * j->t * j->d,
                                .lda = (size_t)j->d,
                                .b = j->key + kv * j->d * j->capacity,
                                .b_stride = (size_t)j->capacity,
                                .k = (size_t)j->d};
  const vlm_gemm_f32_args pv = {.c = wide,
                                .ldc = (size_t)j->wide_out,
                                .a = scores,
                                .lda = (size_t)j->wide_scores,
                                .b = j->value + kv * j->capacity * j->v,
                                .b_stride = (size_t)j->v,
                                .k = (size_t)j->total};
  multiply(j, &qk, j->t, j->total);
  for (int64_t i = 0; i < j->t; i++) {
    float *row = scores + i * j->wide_scores;
    if (j->scale != 1.0f) j->rows->mul(row, row, 1, &j->scale, 0, j->total);
    if (j->mask) add_mask(j, row, head, i);
    j->rows->softmax(row, row, j->total);
  }
  multiply(j, &pv, j->t, j->v);
  for (int64_t i = 0; i < j->t; i++)
    memcpy(j->out + (head * j->t + i) * j->v, wide + i * j->wide_out, (size_t)j->v * sizeof *wide);
}

static void head_task(void *user, int64_t head, int worker) {
  const cache_job *j = user;
  append(j, head);
  for (int64_t g = 0; g < j->group; g++)
    attend(j, head * j->group + g, j->scratch + worker * j->scratch_floats);
}

/* Capacity 0: a cache of our own for this call, filled from the contiguous past. */
static vlm_status copy_past(cache_job *j, const float *key, const float *value) {
  vlm_status st = VLM_OK;
  j->capacity = round_up(j->total, VLM_TILE_MAX_COLUMNS);
  size_t keys = (size_t)(j->heads * j->d * j->capacity + VLM_TILE_MAX_COLUMNS),
         values = (size_t)(j->heads * j->v * j->capacity + VLM_TILE_MAX_COLUMNS);
  VLM_TRY(vlm_scratch_new(j->c, &j->key, (int64_t)keys));
  VLM_TRY(vlm_scratch_new(j->c, &j->value, (int64_t)values));
  memset(j->key, 0, keys * sizeof(float));
  memset(j->value, 0, values * sizeof(float));
  for (int64_t h = 0; h < j->heads; h++) {
    for (int64_t i = 0; i < j->past; i++)
      for (int64_t k = 0; k < j->d; k++)
        j->key[(h * j->d + k) * j->capacity + i] = key[(h * j->past + i) * j->d + k];
    memcpy(j->value + h * j->capacity * j->v, value + h * j->past * j->v,
           (size_t)(j->past * j->v) * sizeof(float));
  }
out:
  return st;
}

static bool whole_groups(int64_t queries, int64_t keys) {
  return keys ? queries >= keys && queries % keys == 0 : queries == 0;
}

static vlm_status check_shapes(vlm_op_call *c) {
  const vlm_tensor *q = c->in[0], *nk = c->in[1], *nv = c->in[2], *pk = c->in[3], *pv = c->in[4];
  bool ranks = q->rank >= 2 && nk->rank == 4 && nv->rank == 4 && pk->rank == 4 && pv->rank == 4;
  bool fits = ranks && q->dims[q->rank - 1] == nk->dims[3] && q->dims[q->rank - 2] == nk->dims[2] &&
              nk->dims[2] == nv->dims[2] &&
              whole_groups(vlm_tensor_span(q, 0, q->rank - 2), nk->dims[0] * nk->dims[1]) &&
              pk->dims[2] == pv->dims[2] && pk->dims[3] == nk->dims[3] && pv->dims[3] == nv->dims[3] &&
              pk->dims[0] * pk->dims[1] == nk->dims[0] * nk->dims[1] && nv->dims[0] == nk->dims[0] &&
              nv->dims[1] == nk->dims[1] && pv->dims[0] == pk->dims[0] && pv->dims[1] == pk->dims[1];
  char a[96], b[96], d[96];
  static const char *const names[] = {"q",          "new_key",  "new_value", "past_key",
                                      "past_value", "capacity", "mask"};
  vlm_status st = VLM_OK;
  for (int k = 0; k < 7 && st == VLM_OK; k++)
    if (k != 5) st = vlm_require_type(c, k, names[k], VLM_F32);
  if (st != VLM_OK || fits) return st;
  return vlm_fail(c->err, VLM_INPUT, "query %s, new keys %s and cached keys %s do not go together",
                  vlm_tensor_shape_text(q, a, sizeof a), vlm_tensor_shape_text(nk, b, sizeof b),
                  vlm_tensor_shape_text(pk, d, sizeof d));
}

static vlm_status set_mask(cache_job *j, const vlm_tensor *mask) {
  const int64_t full[4] = {j->heads * j->group / j->per_batch, j->per_batch, j->t, j->total};
  if (!mask) return VLM_OK;
  if (mask->rank > 4) return vlm_fail(j->c->err, VLM_INPUT, "the mask has %d dims, at most 4", mask->rank);
  for (int d = 0; d < 4; d++) {
    int from = d - (4 - mask->rank);
    j->mask_dims[d] = from < 0 ? 1 : mask->dims[from];
    if (j->mask_dims[d] != 1 && j->mask_dims[d] != full[d])
      return vlm_fail(j->c->err, VLM_INPUT, "mask axis %d has %lld entries, wanted 1 or %lld", d,
                      (long long)j->mask_dims[d], (long long)full[d]);
  }
  j->mask = mask->data;
  return VLM_OK;
}

vlm_status vlm_prepare_CacheAttention(vlm_op_call *c) {
  float *scale;
  vlm_status st = vlm_op_state_new(c, &scale);
  if (st == VLM_OK) *scale = vlm_arg_float(c, 0, 1);
  return st;
}

/* The past is as long as it is when the step is reached, so sizes are looked at here and work space is the call's. */
vlm_status vlm_run_CacheAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  VLM_TRY(check_shapes(c));
  const vlm_tensor *nk = c->in[1], *nv = c->in[2], *pk = c->in[3];
  cache_job j = {.c = c,
                 .gemm = c->kernels->gemm_f32,
                 .rows = c->kernels->rowops,
                 .q = c->in[0]->data,
                 .new_key = nk->data,
                 .new_value = nv->data,
                 .key = pk->data,
                 .value = c->in[4]->data,
                 .out = c->out[0]->data,
                 .heads = nk->dims[0] * nk->dims[1],
                 .t = nk->dims[2],
                 .d = nk->dims[3],
                 .v = nv->dims[3],
                 .past = pk->dims[2],
                 .scale = *(const float *)c->state};
  j.total = j.past + j.t;
  VLM_TRY(vlm_scalar_int(c, 5, "capacity", 0, &j.capacity));
  VLM_CHECK(j.capacity == 0 || c->caches_have_room, c->err, VLM_INPUT,
            "capacity is %lld, but the cache of this run has no room; wanted 0", (long long)j.capacity);
  VLM_TRY(vlm_check_dims(c, 3, (int64_t[]){j.heads, j.total + VLM_TILE_MAX_COLUMNS, j.d + j.v}));
  if (j.heads == 0 || j.t == 0) goto out;
  j.group = vlm_tensor_span(c->in[0], 0, c->in[0]->rank - 2) / j.heads;
  j.per_batch = nk->dims[1] * j.group;
  if (j.capacity == 0) VLM_TRY(copy_past(&j, pk->data, c->in[4]->data));
  VLM_CHECK(j.capacity >= j.total && j.capacity % VLM_TILE_MAX_COLUMNS == 0, c->err, VLM_INPUT,
            "cache of %lld rows cannot hold %lld", (long long)j.capacity, (long long)j.total);
  VLM_TRY(set_mask(&j, c->n_in > 6 ? c->in[6] : NULL));
  j.wide_scores = round_up(j.total, VLM_TILE_MAX_COLUMNS);
  j.wide_out = round_up(j.v, VLM_TILE_MAX_COLUMNS);
  j.scratch_floats = j.t * (j.wide_scores + j.wide_out);
  VLM_TRY(vlm_scratch_new(c, &j.scratch, vlm_threads_count(c->threads) * j.scratch_floats));
  /* A step of a small model is microseconds: waking a thread costs more. */
  bool worth_it = j.heads * j.group * j.t * j.total * (j.d + j.v) > 1 << 18;
  vlm_threads_run(worth_it ? c->threads : NULL, j.heads, head_task, &j);
out:
  return st;
}
