/* com.microsoft GroupQueryAttention: causal attention with fewer key heads, a cache and rotary embedding inside. */
#include <math.h>
#include <string.h>

#include "runtime/ops/kv_present.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rotary.h"
#include "runtime/ops/sdpa.h"

enum { NUM_HEADS, KV_HEADS, SCALE, SOFTCAP, WINDOW, DO_ROTARY, INTERLEAVED, SMOOTH };
enum { IN_Q, IN_K, IN_V, IN_PAST_K, IN_PAST_V, IN_LENGTHS, IN_TOTAL, IN_COS, IN_SIN, IN_POSITIONS, IN_BIAS, IN_SINK };

typedef struct gqa_form {
  int64_t batch, heads, kv_heads, t, d, past, room; /* past: rows of the past buffers; room: rows of the present ones */
  int64_t total;                                    /* total_sequence_length */
  bool packed;
} gqa_form;

static vlm_status read_form(vlm_op_call *c, gqa_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *q = c->in[IN_Q], *k = vlm_in(c, IN_K), *v = vlm_in(c, IN_V), *past = vlm_in(c, IN_PAST_K), *total = vlm_in(c, IN_TOTAL);
  f->heads = vlm_arg_int(c, NUM_HEADS, 0);
  f->kv_heads = vlm_arg_int(c, KV_HEADS, 0);
  f->packed = !k;
  VLM_CHECK(f->heads > 0 && f->heads <= VLM_MAX_HEADS && f->kv_heads > 0 && f->heads % f->kv_heads == 0, c->err, VLM_INPUT,
            "num_heads is %lld, kv_num_heads %lld", (long long)f->heads, (long long)f->kv_heads);
  VLM_CHECK(q->rank == 3 && !k == !v && vlm_in(c, IN_LENGTHS) && total, c->err, VLM_INPUT,
            "query is not [B, T, width], or seqlens_k and total_sequence_length are missing");
  f->batch = q->dims[0];
  f->t = q->dims[1];
  f->d = q->dims[2] / (f->packed ? f->heads + 2 * f->kv_heads : f->heads);
  bool good = q->dims[2] == f->d * (f->packed ? f->heads + 2 * f->kv_heads : f->heads);
  if (k) good &= k->rank == 3 && vlm_tensor_count(k) == f->batch * f->t * f->kv_heads * f->d && vlm_tensor_same_shape(k, v);
  VLM_CHECK(good, c->err, VLM_INPUT, "the shapes of query, key and value do not fit %lld and %lld heads", (long long)f->heads,
            (long long)f->kv_heads);
  f->past = past ? past->dims[2] : 0;
  VLM_CHECK(!past == !vlm_in(c, IN_PAST_V), c->err, VLM_INPUT, "past_key and past_value come together");
  for (int i = IN_PAST_K; past && i <= IN_PAST_V; i++) {
    const vlm_tensor *p = c->in[i];
    VLM_CHECK(p->rank == 4 && p->dims[0] == f->batch && p->dims[1] == f->kv_heads && p->dims[2] == f->past && p->dims[3] == f->d, c->err,
              VLM_INPUT,
              "the shape of past_%s does not fit", i == IN_PAST_V ? "value" : "key");
  }
  VLM_TRY(vlm_require_integers(c, IN_LENGTHS, "seqlens_k"));
  VLM_TRY(vlm_require_count(c, IN_LENGTHS, "seqlens_k", f->batch));
  VLM_TRY(vlm_require_integers(c, IN_POSITIONS, "position_ids"));
  VLM_TRY(vlm_require_count(c, IN_POSITIONS, "position_ids", f->batch * f->t));
  VLM_TRY(vlm_require_count(c, IN_SINK, "head_sink", f->heads));
  VLM_TRY(vlm_scalar_int(c, IN_TOTAL, "total_sequence_length", 0, &f->total));
  VLM_CHECK(f->total >= f->t && f->total <= f->past + f->t, c->err, VLM_INPUT,
            "total_sequence_length is %lld, the cache holds %lld and the query %lld tokens",
            (long long)f->total, (long long)f->past, (long long)f->t);
  f->room = f->total > f->past ? f->total : f->past;
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){f->batch, f->heads, f->t, f->room}));
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){f->batch, f->heads, f->room, f->d}));
out:
  return st;
}

vlm_status vlm_infer_GroupQueryAttention(vlm_op_call *c) {
  gqa_form f;
  vlm_status st = read_form(c, &f);
  if (st != VLM_OK) return st;
  int64_t y[3] = {f.batch, f.t, f.heads * f.d}, present[4] = {f.batch, f.kv_heads, f.room, f.d};
  vlm_out_shape(c, 0, c->in[IN_Q]->dtype, 3, y);
  for (int k = 1; k <= 2; k++) vlm_out_shape(c, k, c->in[IN_Q]->dtype, 4, present);
  return VLM_OK;
}

/* Tokens before the query of each batch entry. */
static vlm_status read_lengths(vlm_op_call *c, const gqa_form *f, int64_t **before) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = c->in[IN_LENGTHS];
  VLM_TRY(vlm_scratch_new(c, before, f->batch));
  for (int64_t b = 0; b < f->batch; b++) {
    int64_t last = vlm_tensor_get_int(t, b), n = last < f->room ? last + 1 : f->room + 1;
    bool first = f->t == f->total; /* a prompt: shorter entries are padded on the right */
    (*before)[b] = first ? 0 : n - f->t;
    VLM_CHECK(n >= 0 && n <= f->room && (*before)[b] >= 0 && (*before)[b] + f->t <= f->room, c->err, VLM_INPUT,
              "seqlens_k[%lld] is %lld, which does not fit a cache of %lld",
              (long long)b, (long long)last, (long long)f->room);
  }
out:
  return st;
}

static vlm_status read_rotary(vlm_op_call *c, const gqa_form *f, vlm_rotary *r) {
  vlm_status st = VLM_OK;
  *r = (vlm_rotary){.interleaved = vlm_arg_int(c, INTERLEAVED, 0) != 0};
  if (!vlm_arg_int(c, DO_ROTARY, 0)) return VLM_OK;
  const vlm_tensor *t = vlm_in(c, IN_COS), *u = vlm_in(c, IN_SIN);
  VLM_CHECK(t && u && t->rank == 2 && vlm_tensor_same_shape(t, u) && 2 * t->dims[1] <= f->d, c->err, VLM_INPUT,
            "cos_cache and sin_cache do not have the shape [positions, %lld]",
            (long long)(f->d / 2));
  VLM_TRY(vlm_as_f32(c, t, &r->cosine));
  VLM_TRY(vlm_as_f32(c, u, &r->sine));
  r->half = t->dims[1];
  r->rows = t->dims[0];
out:
  return st;
}

/* Rows [batch, heads, t] of `from` and where they go. */
typedef struct gqa_rows {
  const vlm_rotary *rotary; /* NULL = they stay as they are */
  const vlm_heads *from;
  int64_t heads;
  float *to;
  vlm_heads layout; /* of `to` */
  bool at_end;      /* behind the rows that each batch entry has */
} gqa_rows;

static vlm_status place_rows(vlm_op_call *c, const gqa_form *f, const int64_t *before, const gqa_rows *rows) {
  vlm_status st = VLM_OK;
  const vlm_rotary *r = rows->rotary;
  const vlm_heads *from = rows->from, *layout = &rows->layout;
  const vlm_tensor *positions = vlm_in(c, IN_POSITIONS);
  for (int64_t b = 0; b < f->batch; b++)
    for (int64_t i = 0; i < f->t; i++) {
      int64_t at = positions ? vlm_tensor_get_int(positions, b * f->t + i) : before[b] + i;
      VLM_CHECK(!r || (at >= 0 && at < r->rows), c->err, VLM_INPUT, "position %lld is outside the tables of %lld rows", (long long)at,
                (long long)(r ? r->rows : 0));
      for (int64_t h = 0; h < rows->heads; h++) {
        const float *x = from->data + b * from->batch + h * from->head + i * from->row;
        float *y = rows->to + b * layout->batch + h * layout->head + (rows->at_end ? before[b] + i : i) * layout->row;
        if (r) vlm_rotate_row(y, x, f->d, r, at);
        else memcpy(y, x, (size_t)f->d * sizeof *y);
      }
    }
out:
  return st;
}

/* The present buffer: what was there before each entry's new rows, then the new rows. */
static vlm_status make_present(vlm_op_call *c, const gqa_form *f, const vlm_rotary *r, const int64_t *before, vlm_heads *x, int present) {
  vlm_status st = VLM_OK;
  int past = present == 1 ? IN_PAST_K : IN_PAST_V;
  float *all;
  const float *old;
  vlm_heads layout = {NULL, f->kv_heads * f->room * f->d, f->room * f->d, f->d};
  VLM_TRY(vlm_as_f32(c, vlm_in(c, past), &old));
  VLM_TRY(vlm_out_f32(c, present, &all));
  if (!all) VLM_TRY(vlm_scratch_new(c, &all, f->batch * layout.batch));
  vlm_zero_some(all, (size_t)(f->batch * layout.batch) * sizeof *all);
  for (int64_t i = 0; old && i < f->batch * f->kv_heads; i++) {
    int64_t rows = before[i / f->kv_heads] < f->past ? before[i / f->kv_heads] : f->past;
    vlm_copy_some(all + i * layout.head, old + i * f->past * f->d, (size_t)(rows * f->d) * sizeof *all);
  }
  gqa_rows rows = {.rotary = r, .from = x, .heads = f->kv_heads, .to = all, .layout = layout, .at_end = true};
  VLM_TRY(place_rows(c, f, before, &rows));
  *x = layout;
  x->data = all;
  vlm_store_f32(c, present, all);
out:
  return st;
}

vlm_status vlm_run_GroupQueryAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  gqa_form f;
  vlm_rotary r;
  vlm_sdpa a = {.causal = true};
  int64_t *before;
  const float *q, *k, *v;
  VLM_TRY(read_form(c, &f));
  VLM_TRY(read_lengths(c, &f, &before));
  VLM_TRY(read_rotary(c, &f, &r));
  VLM_TRY(vlm_as_f32(c, c->in[IN_Q], &q));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, IN_K), &k));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, IN_V), &v));
  int64_t width = f.packed ? (f.heads + 2 * f.kv_heads) * f.d : f.heads * f.d, kv_width = f.packed ? width : f.kv_heads * f.d;
  a.q = (vlm_heads){q, f.t * width, f.d, width};
  a.k = (vlm_heads){f.packed ? q + f.heads * f.d : k, f.t * kv_width, f.d, kv_width};
  a.v = (vlm_heads){f.packed ? q + (f.heads + f.kv_heads) * f.d : v, f.t * kv_width, f.d, kv_width};
  if (r.cosine) {
    float *turned;
    vlm_heads layout = {NULL, f.heads * f.t * f.d, f.t * f.d, f.d};
    VLM_TRY(vlm_scratch_new(c, &turned, f.batch * layout.batch));
    gqa_rows rows = {.rotary = &r, .from = &a.q, .heads = f.heads, .to = turned, .layout = layout};
    VLM_TRY(place_rows(c, &f, before, &rows));
    a.q = layout;
    a.q.data = turned;
  }
  VLM_TRY(make_present(c, &f, r.cosine ? &r : NULL, before, &a.k, 1));
  VLM_TRY(make_present(c, &f, NULL, before, &a.v, 2));
  a.batch = f.batch, a.heads = f.heads, a.kv_heads = f.kv_heads, a.t = f.t, a.s = f.room, a.d = a.dv = f.d;
  a.offset = before;
  a.scale = vlm_arg_float(c, SCALE, 0);
  if (a.scale == 0) a.scale = (float)(1 / sqrt((double)f.d));
  a.softcap = vlm_arg_float(c, SOFTCAP, 0);
  int64_t left = vlm_arg_int(c, WINDOW, -1); /* keys to the left of the query's own */
  a.left = left >= 0 && left < f.room ? left + 1 : 0;
  VLM_TRY(vlm_as_f32(c, vlm_in(c, IN_SINK), &a.sink));
  a.has_sink = a.sink || vlm_arg_int(c, SMOOTH, 0) > 0;
  VLM_TRY(vlm_sdpa_set_mask(c, &a, vlm_in(c, IN_BIAS), -INFINITY));
  VLM_TRY(vlm_out_f32(c, 0, &a.y));
  a.y_row = f.heads * f.d, a.y_head = f.d, a.y_batch = f.t * a.y_row;
  VLM_TRY(vlm_sdpa_run(c, &a));
  vlm_store_f32(c, 0, a.y);
out:
  return st;
}
