/* com.microsoft GroupQueryAttention: causal attention with fewer key heads, a cache and rotary embedding inside. */
#include <math.h>
#include <string.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rotary.h"
#include "runtime/ops/sdpa.h"

enum { NUM_HEADS, KV_HEADS, SCALE, SOFTCAP, WINDOW, DO_ROTARY, INTERLEAVED, SMOOTH };
enum {
  IN_Q,
  IN_K,
  IN_V,
  IN_PAST_K,
  IN_PAST_V,
  IN_LENGTHS,
  IN_TOTAL,
  IN_COS,
  IN_SIN,
  IN_POSITIONS,
  IN_BIAS,
  IN_SINK
};

typedef struct gqa_form {
  int64_t batch, heads, kv_heads, t, d, past,
      room;      /* past: rows of the past buffers; room: rows of the present ones */
  int64_t total; /* total_sequence_length */
  bool packed;
} gqa_form;

static vlm_status read_form(vlm_op_call *c, gqa_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *q = c->in[IN_Q], *k = vlm_in(c, IN_K), *v = vlm_in(c, IN_V), *past = vlm_in(c, IN_PAST_K),
                   *total = vlm_in(c, IN_TOTAL);
  f->heads = vlm_arg_int(c, NUM_HEADS, 0);
  f->kv_heads = vlm_arg_int(c, KV_HEADS, 0);
  f->packed = !k;
  VLM_CHECK(f->heads > 0 && f->heads <= VLM_MAX_HEADS && f->kv_heads > 0 && f->heads % f->kv_heads == 0,
            c->err, VLM_INPUT, "num_heads is %lld, kv_num_heads %lld", (long long)f->heads,
            (long long)f->kv_heads);
  VLM_CHECK(q->rank == 3 && !k == !v && vlm_in(c, IN_LENGTHS) && total, c->err, VLM_INPUT,
            "query is not [B, T, width], or seqlens_k and total_sequence_length are missing");
  f->batch = q->dims[0];
  f->t = q->dims[1];
  f->d = q->dims[2] / (f->packed ? f->heads + 2 * f->kv_heads : f->heads);
  bool good = q->dims[2] == f->d * (f->packed ? f->heads + 2 * f->kv_heads : f->heads);
  if (k)
    good &= k->rank == 3 && vlm_tensor_count(k) == f->batch * f->t * f->kv_heads * f->d &&
            vlm_tensor_same_shape(k, v);
  VLM_CHECK(good, c->err, VLM_INPUT, "the shapes of query, key and value do not fit %lld and %lld heads",
            (long long)f->heads, (long long)f->kv_heads);
  f->past = past ? past->dims[2] : 0;
  VLM_CHECK(!past == !vlm_in(c, IN_PAST_V), c->err, VLM_INPUT, "past_key and past_value come together");
  for (int i = IN_PAST_K; past && i <= IN_PAST_V; i++) {
    const vlm_tensor *p = c->in[i];
    VLM_CHECK(p->rank == 4 && p->dims[0] == f->batch && p->dims[1] == f->kv_heads && p->dims[2] == f->past &&
                  p->dims[3] == f->d,
              c->err, VLM_INPUT, "the shape of past_%s does not fit", i == IN_PAST_V ? "value" : "key");
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

typedef struct {
  gqa_form f;
  vlm_sdpa a; /* all but the pointers of the run */
  bool rotates;
  vlm_rotary rotary; /* all but the pointers of the run */
  vlm_values q, k, v, cosine, sine, sink, past[2];
  vlm_result y, present[2];
  vlm_heads from[3]; /* strides of the new queries, keys and values */
  size_t before, turned, whole[2];
} gqa_state;

static vlm_status prepare_rotary(vlm_op_call *c, gqa_state *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = vlm_in(c, IN_COS), *u = vlm_in(c, IN_SIN);
  const gqa_form *f = &s->f;
  s->rotates = vlm_arg_int(c, DO_ROTARY, 0) != 0;
  if (!s->rotates) goto out;
  VLM_CHECK(t && u && t->rank == 2 && vlm_tensor_same_shape(t, u) && 2 * t->dims[1] <= f->d, c->err,
            VLM_INPUT, "cos_cache and sin_cache do not have the shape [positions, %lld]",
            (long long)(f->d / 2));
  s->rotary = (vlm_rotary){
      .half = t->dims[1], .rows = t->dims[0], .interleaved = vlm_arg_int(c, INTERLEAVED, 0) != 0};
  VLM_TRY(vlm_floats_prepare(c, &s->cosine, IN_COS));
  VLM_TRY(vlm_floats_prepare(c, &s->sine, IN_SIN));
  VLM_TRY(vlm_op_reserve(c, &s->turned, f->batch * f->heads * f->t * f->d, sizeof(float)));
out:
  return st;
}

static void read_attributes(const vlm_op_call *c, const gqa_form *f, vlm_sdpa *a) {
  int64_t left = vlm_arg_int(c, WINDOW, -1); /* keys to the left of the query's own */
  *a = (vlm_sdpa){.batch = f->batch,
                  .heads = f->heads,
                  .kv_heads = f->kv_heads,
                  .t = f->t,
                  .s = f->room,
                  .d = f->d,
                  .dv = f->d,
                  .causal = true,
                  .scale = vlm_arg_float(c, SCALE, 0),
                  .softcap = vlm_arg_float(c, SOFTCAP, 0)};
  if (a->scale == 0) a->scale = (float)(1 / sqrt((double)f->d));
  a->left = left >= 0 && left < f->room ? left + 1 : 0;
  a->has_sink = vlm_in(c, IN_SINK) || vlm_arg_int(c, SMOOTH, 0) > 0;
  a->y_row = f->heads * f->d, a->y_head = f->d, a->y_batch = f->t * a->y_row;
}

static void set_strides(gqa_state *s) {
  const gqa_form *f = &s->f;
  int64_t width = f->packed ? (f->heads + 2 * f->kv_heads) * f->d : f->heads * f->d,
          kv_width = f->packed ? width : f->kv_heads * f->d;
  s->from[0] = (vlm_heads){NULL, f->t * width, f->d, width};
  s->from[1] = s->from[2] = (vlm_heads){NULL, f->t * kv_width, f->d, kv_width};
  s->a.q = s->rotates ? (vlm_heads){NULL, f->heads * f->t * f->d, f->t * f->d, f->d} : s->from[0];
  s->a.k = s->a.v = (vlm_heads){NULL, f->kv_heads * f->room * f->d, f->room * f->d, f->d};
}

static vlm_status prepare_cache(vlm_op_call *c, gqa_state *s, int i) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_floats_prepare(c, &s->past[i], IN_PAST_K + i));
  VLM_TRY(vlm_result_prepare(c, &s->present[i], 1 + i));
  if (!vlm_out(c, 1 + i)) VLM_TRY(vlm_op_reserve(c, &s->whole[i], s->f.batch * s->a.k.batch, sizeof(float)));
out:
  return st;
}

vlm_status vlm_prepare_GroupQueryAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  gqa_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_form(c, &s->f));
  read_attributes(c, &s->f, &s->a);
  VLM_TRY(prepare_rotary(c, s));
  set_strides(s);
  VLM_TRY(vlm_floats_prepare(c, &s->q, IN_Q));
  VLM_TRY(vlm_floats_prepare(c, &s->k, IN_K));
  VLM_TRY(vlm_floats_prepare(c, &s->v, IN_V));
  VLM_TRY(vlm_floats_prepare(c, &s->sink, IN_SINK));
  for (int i = 0; i < 2; i++) VLM_TRY(prepare_cache(c, s, i));
  VLM_TRY(vlm_op_reserve(c, &s->before, s->f.batch, sizeof(int64_t)));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_sdpa_mask_prepare(c, &s->a, IN_BIAS, vlm_in(c, IN_BIAS)));
  VLM_TRY(vlm_sdpa_prepare(c, &s->a));
out:
  return st;
}

/* Tokens before the query of each batch entry. */
static vlm_status read_lengths(vlm_op_call *c, const gqa_form *f, int64_t *before) {
  vlm_status st = VLM_OK;
  for (int64_t b = 0; b < f->batch; b++) {
    int64_t last = vlm_tensor_get_int(c->in[IN_LENGTHS], b), n = last < f->room ? last + 1 : f->room + 1;
    bool first = f->t == f->total; /* a prompt: shorter entries are padded on the right */
    before[b] = first ? 0 : n - f->t;
    VLM_CHECK(n >= 0 && n <= f->room && before[b] >= 0 && before[b] + f->t <= f->room, c->err, VLM_INPUT,
              "seqlens_k[%lld] is %lld, which does not fit a cache of %lld", (long long)b, (long long)last,
              (long long)f->room);
  }
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

static void place_row(const gqa_form *f, const gqa_rows *rows, const float *x, float *y, int64_t at) {
  for (int64_t h = 0; h < rows->heads; h++, x += rows->from->head, y += rows->layout.head) {
    if (rows->rotary) vlm_rotate_row(y, x, f->d, rows->rotary, at);
    else memcpy(y, x, (size_t)f->d * sizeof *y);
  }
}

static vlm_status place_rows(vlm_op_call *c, const gqa_form *f, const int64_t *before, const gqa_rows *rows) {
  vlm_status st = VLM_OK;
  const vlm_tensor *positions = vlm_in(c, IN_POSITIONS);
  const vlm_rotary *r = rows->rotary;
  const vlm_heads *from = rows->from, *layout = &rows->layout;
  for (int64_t b = 0; b < f->batch; b++)
    for (int64_t i = 0; i < f->t; i++) {
      int64_t at = positions ? vlm_tensor_get_int(positions, b * f->t + i) : before[b] + i;
      VLM_CHECK(!r || (at >= 0 && at < r->rows), c->err, VLM_INPUT,
                "position %lld is outside the tables of %lld rows", (long long)at,
                (long long)(r ? r->rows : 0));
      place_row(f, rows, from->data + b * from->batch + i * from->row,
                rows->to + b * layout->batch + (rows->at_end ? before[b] + i : i) * layout->row, at);
    }
out:
  return st;
}

/* The present buffer of keys (0) or values (1): what was there before each entry's new rows, then the new rows. */
static vlm_status make_present(vlm_op_call *c, const gqa_state *s, int which, const int64_t *before,
                               gqa_rows *rows) {
  vlm_status st = VLM_OK;
  const gqa_form *f = &s->f;
  const float *old = vlm_values_get(c, &s->past[which]);
  bool wanted = vlm_out(c, 1 + which) != NULL;
  rows->heads = f->kv_heads;
  rows->to = wanted ? vlm_result_get(c, &s->present[which]) : vlm_op_work(c, s->whole[which]);
  rows->layout = s->a.k;
  rows->at_end = true;
  vlm_zero_some(rows->to, (size_t)(f->batch * rows->layout.batch) * sizeof(float));
  for (int64_t i = 0; old && i < f->batch * f->kv_heads; i++) {
    int64_t kept = before[i / f->kv_heads] < f->past ? before[i / f->kv_heads] : f->past;
    vlm_copy_some(rows->to + i * rows->layout.head, old + i * f->past * f->d,
                  (size_t)(kept * f->d) * sizeof(float));
  }
  VLM_TRY(place_rows(c, f, before, rows));
  if (wanted) vlm_store_f32(c, 1 + which, rows->to);
out:
  return st;
}

/* Where the new queries, keys and values lie. */
static void find_rows(const vlm_op_call *c, const gqa_state *s, vlm_heads from[3]) {
  const gqa_form *f = &s->f;
  const float *q = vlm_values_get(c, &s->q);
  for (int i = 0; i < 3; i++) from[i] = s->from[i];
  from[0].data = q;
  from[1].data = f->packed ? q + f->heads * f->d : vlm_values_get(c, &s->k);
  from[2].data = f->packed ? q + (f->heads + f->kv_heads) * f->d : vlm_values_get(c, &s->v);
}

/* Queries turned, keys turned and cached, values cached. */
static vlm_status place_all(vlm_op_call *c, const gqa_state *s, const int64_t *before, vlm_sdpa *a) {
  vlm_status st = VLM_OK;
  vlm_heads from[3];
  vlm_rotary r = s->rotary;
  r.cosine = s->rotates ? vlm_values_get(c, &s->cosine) : NULL;
  r.sine = s->rotates ? vlm_values_get(c, &s->sine) : NULL;
  find_rows(c, s, from);
  a->q.data = s->rotates ? vlm_op_work(c, s->turned) : from[0].data;
  gqa_rows q = {
      .rotary = &r, .from = &from[0], .heads = s->f.heads, .to = vlm_op_work(c, s->turned), .layout = s->a.q};
  gqa_rows k = {.rotary = s->rotates ? &r : NULL, .from = &from[1]}, v = {.from = &from[2]};
  if (s->rotates) VLM_TRY(place_rows(c, &s->f, before, &q));
  VLM_TRY(make_present(c, s, 0, before, &k));
  VLM_TRY(make_present(c, s, 1, before, &v));
  a->k.data = k.to;
  a->v.data = v.to;
out:
  return st;
}

vlm_status vlm_run_GroupQueryAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const gqa_state *s = c->state;
  vlm_sdpa a = s->a;
  int64_t *before = vlm_op_work(c, s->before);
  VLM_TRY(read_lengths(c, &s->f, before));
  VLM_TRY(place_all(c, s, before, &a));
  a.offset = before;
  a.sink = vlm_values_get(c, &s->sink);
  vlm_sdpa_mask_get(c, &a);
  a.y = vlm_result_get(c, &s->y);
  vlm_sdpa_run(c, &a);
  vlm_store_f32(c, 0, a.y);
out:
  return st;
}
