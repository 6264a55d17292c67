/* com.microsoft MultiHeadAttention and Attention. Sources: the operator texts of ONNX Runtime's contrib operators. */
#include <math.h>
#include <string.h>

#include "runtime/ops/kv_present.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_gemm.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/sdpa.h"

/* The attributes both rows start with. */
enum { NUM_HEADS, MASK_VALUE, SCALE, UNIDIRECTIONAL, QKV_SIZES, DO_ROTARY };

typedef struct ms_sizes {
  int64_t batch, heads, t, fresh, past, d, dv; /* fresh: new keys; past: keys before them */
} ms_sizes;

static void set_sizes(vlm_sdpa *a, const ms_sizes *s) {
  a->batch = s->batch;
  a->heads = a->kv_heads = s->heads;
  a->t = s->t;
  a->s = s->past + s->fresh;
  a->d = s->d;
  a->dv = s->dv;
}

/* The padding mask in its forms ([B] lengths, [2 B] ends and starts, [B, S], [B, T, S], [B, 1, M, M]) plus the additive bias, as one
 * float mask. */
static vlm_status set_masks(vlm_op_call *c, vlm_sdpa *a, const vlm_tensor *padding, const vlm_tensor *bias) {
  vlm_status st = VLM_OK;
  float off = vlm_arg_float(c, MASK_VALUE, -10000), *sum;
  int64_t rows = a->t, n = a->batch * rows * a->s, past = a->s - a->t;
  if (!padding) return vlm_sdpa_set_mask(c, a, bias, -INFINITY);
  int64_t count = vlm_tensor_count(padding), last = padding->rank > 0 ? padding->dims[padding->rank - 1] : 0;
  bool lengths = padding->rank == 1 && (count == a->batch || count == 2 * a->batch);
  bool fits = lengths || (padding->rank == 2 && count == a->batch * a->s) || (padding->rank == 3 && count == a->batch * a->t * a->s) ||
              (padding->rank == 4 && padding->dims[0] == a->batch && padding->dims[1] == 1 && padding->dims[2] == last && last >= a->s);
  VLM_CHECK(fits, c->err, VLM_UNSUPPORTED, "operator %s with a mask of %d dims and %lld values is not supported", c->node->op_type,
            padding->rank, (long long)count);
  bool add_bias = bias != NULL;
  vlm_sdpa with = *a;
  VLM_TRY(vlm_sdpa_set_mask(c, &with, bias, -INFINITY));
  int64_t heads = add_bias && with.mask_head != 0 ? a->heads : 1;
  VLM_TRY(vlm_scratch_new(c, &sum, n * heads));
  for (int64_t i = 0; i < n * heads; i++) {
    int64_t key = i % a->s, row = i / a->s % rows, h = i / a->s / rows % heads, b = i / a->s / rows / heads;
    bool keep;
    if (lengths) keep = key < vlm_tensor_get_int(padding, b) && (count == a->batch || key >= vlm_tensor_get_int(padding, a->batch + b));
    else if (padding->rank == 2) keep = vlm_tensor_get_int(padding, b * a->s + key) != 0;
    else if (padding->rank == 3) keep = vlm_tensor_get_int(padding, (b * a->t + row) * a->s + key) != 0;
    else keep = vlm_tensor_get_int(padding, (b * last + past + row) * last + key) != 0;
    bool biased = add_bias && key < with.mask_columns; /* keys behind the last column of the bias are masked */
    float extra = add_bias && !biased ? -INFINITY : biased ? with.mask[b * with.mask_batch + h * with.mask_head + row * with.mask_row + key * with.mask_column] : 0;
    sum[i] = (keep ? 0 : off) + extra;
  }
  a->mask = sum;
  a->mask_column = 1;
  a->mask_row = a->s;
  a->mask_head = heads > 1 ? rows * a->s : 0;
  a->mask_batch = heads * rows * a->s;
  a->mask_columns = a->s;
out:
  return st;
}

static vlm_status run_core(vlm_op_call *c, vlm_sdpa *a) {
  vlm_status st = VLM_OK;
  int64_t *offset;
  a->scale = vlm_arg_float(c, SCALE, 0);
  if (a->scale == 0) a->scale = (float)(1 / sqrt((double)a->d));
  a->causal = vlm_arg_int(c, UNIDIRECTIONAL, 0) != 0;
  VLM_TRY(vlm_scratch_new(c, &offset, a->batch));
  for (int64_t b = 0; b < a->batch; b++) offset[b] = a->s - a->t;
  a->offset = offset;
  VLM_TRY(vlm_out_f32(c, 0, &a->y));
  a->y_row = a->heads * a->dv;
  a->y_head = a->dv;
  a->y_batch = a->t * a->y_row;
  VLM_TRY(vlm_sdpa_run(c, a));
  vlm_store_f32(c, 0, a->y);
out:
  return st;
}

/* ---- MultiHeadAttention ---- */

enum { IN_Q, IN_K, IN_V, IN_BIAS, IN_PADDING, IN_ATTENTION_BIAS, IN_PAST_K, IN_PAST_V };

static vlm_status mha_sizes(vlm_op_call *c, ms_sizes *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *q = c->in[IN_Q], *k = vlm_in(c, IN_K), *v = vlm_in(c, IN_V), *past = vlm_in(c, IN_PAST_K);
  s->heads = vlm_arg_int(c, NUM_HEADS, 0);
  VLM_CHECK(s->heads > 0 && s->heads <= VLM_MAX_HEADS, c->err, VLM_INPUT, "num_heads is %lld", (long long)s->heads);
  bool packed = q->rank == 5 && !k, packed_kv = k && k->rank == 5 && !v;
  VLM_CHECK(packed || (q->rank == 3 && k && (packed_kv || (v && (k->rank == 3 || k->rank == 4) && v->rank == k->rank))), c->err,
            VLM_UNSUPPORTED,
            "operator MultiHeadAttention with these query, key and value shapes is not supported");
  s->batch = q->dims[0];
  s->t = q->dims[1];
  s->d = packed ? q->dims[4] : q->dims[2] / s->heads;
  s->fresh = packed ? s->t : k->rank == 4 ? k->dims[2] : k->dims[1];
  s->dv = packed || packed_kv ? s->d : v->rank == 4 ? v->dims[3] : v->dims[2] / s->heads;
  s->past = past ? past->dims[2] : 0;
  bool good = packed ? q->dims[2] == s->heads && q->dims[3] == 3 : q->dims[2] == s->heads * s->d && k->dims[0] == s->batch;
  if (packed_kv) good &= k->dims[2] == s->heads && k->dims[3] == 2 && k->dims[4] == s->d;
  if (!packed && !packed_kv) {
    good &= v->dims[0] == s->batch && vlm_tensor_count(k) == s->batch * s->fresh * s->heads * s->d;
    good &= vlm_tensor_count(v) == s->batch * s->fresh * s->heads * s->dv;
  }
  VLM_CHECK(good, c->err, VLM_INPUT, "the shapes of query, key and value do not fit %lld heads", (long long)s->heads);
  VLM_CHECK(!past == !vlm_in(c, IN_PAST_V), c->err, VLM_INPUT, "past_key and past_value come together");
  for (int i = 0; past && i < 2; i++) {
    const vlm_tensor *p = c->in[IN_PAST_K + i];
    VLM_CHECK(p->rank == 4 && p->dims[0] == s->batch && p->dims[1] == s->heads && p->dims[2] == s->past &&
              p->dims[3] == (i ? s->dv : s->d), c->err, VLM_INPUT,
              "the shape of past_%s does not fit", i ? "value" : "key");
  }
  const vlm_tensor *bias = vlm_in(c, IN_BIAS);
  VLM_CHECK(!bias || vlm_tensor_count(bias) == s->heads * (2 * s->d + s->dv), c->err, VLM_INPUT, "bias has %lld values, wanted %lld",
            (long long)vlm_tensor_count(bias), (long long)(s->heads * (2 * s->d + s->dv)));
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){s->batch, s->heads, s->t, s->past + s->fresh}));
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){s->batch, s->heads, s->past + s->fresh, s->d + s->dv}));
out:
  return st;
}

vlm_status vlm_infer_MultiHeadAttention(vlm_op_call *c) {
  ms_sizes s;
  vlm_status st = mha_sizes(c, &s);
  if (st != VLM_OK) return st;
  vlm_dtype dtype = c->in[IN_Q]->dtype;
  int64_t y[3] = {s.batch, s.t, s.heads * s.dv}, k[4] = {s.batch, s.heads, s.past + s.fresh, s.d},
      v[4] = {s.batch, s.heads, s.past + s.fresh, s.dv};
  int64_t qk[4] = {s.batch, s.heads, s.t, s.past + s.fresh};
  vlm_out_shape(c, 0, dtype, 3, y);
  vlm_out_shape(c, 1, dtype, 4, k);
  vlm_out_shape(c, 2, dtype, 4, v);
  vlm_out_shape(c, 3, dtype, 4, qk);
  return VLM_OK;
}

/* Rows of x plus bias (one value per head and entry), copied to [batch, length, heads * size]. */
static vlm_status add_bias(vlm_op_call *c, const ms_sizes *sizes, vlm_heads *x, const float *bias, int64_t length, int64_t size) {
  const int64_t batch = sizes->batch, heads = sizes->heads;
  float *y;
  if (!bias) return VLM_OK;
  vlm_status st = vlm_scratch_new(c, &y, batch * heads * length * size);
  if (st != VLM_OK) return st;
  vlm_heads to = {y, length * heads * size, size, heads * size};
  for (int64_t i = 0; i < batch * length * heads; i++) {
    int64_t h = i % heads, s = i / heads % length, b = i / heads / length;
    const float *from = x->data + b * x->batch + h * x->head + s * x->row;
    for (int64_t k = 0; k < size; k++) y[b * to.batch + h * to.head + s * to.row + k] = from[k] + bias[h * size + k];
  }
  *x = to;
  return VLM_OK;
}

/* The past rows (may be NULL), then those of x, in `all` [batch, heads, past + fresh, size], which x is afterwards. */
static void join_rows(vlm_op_call *c, const ms_sizes *s, vlm_heads *x, const float *past, float *all, int64_t size) {
  int64_t total = s->past + s->fresh;
  vlm_kv_rows rows = {.to = all, .batch = s->batch, .heads = s->heads, .room = total, .size = size, .n = s->past};
  const vlm_heads old = {past, s->heads * s->past * size, s->past * size, size};
  if (past) vlm_kv_copy(c, &rows, &old);
  rows.at = s->past;
  rows.n = s->fresh;
  vlm_kv_copy(c, &rows, x);
  *x = (vlm_heads){all, s->heads * total * size, total * size, size};
}

/* Past rows and new rows as one [batch, heads, past + fresh, size]: output `present` when wanted, else scratch when there is a past. */
static vlm_status join_past(vlm_op_call *c, vlm_heads *x, const vlm_tensor *past, int present, const ms_sizes *s, int64_t size) {
  vlm_status st = VLM_OK;
  float *all;
  const float *old;
  int64_t total = s->past + s->fresh;
  if (!past && !vlm_out(c, present)) return VLM_OK;
  VLM_TRY(vlm_as_f32(c, past, &old));
  VLM_TRY(vlm_out_f32(c, present, &all));
  if (!all) VLM_TRY(vlm_scratch_new(c, &all, s->batch * s->heads * total * size));
  join_rows(c, s, x, past ? old : NULL, all, size);
  vlm_store_f32(c, present, all);
out:
  return st;
}

/* Where q, k and v lie in the packed and plain layouts. */
static vlm_status mha_heads(vlm_op_call *c, const ms_sizes *s, vlm_sdpa *a) {
  vlm_status st = VLM_OK;
  const float *q, *k, *v, *bias;
  VLM_TRY(vlm_as_f32(c, c->in[IN_Q], &q));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, IN_K), &k));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, IN_V), &v));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, IN_BIAS), &bias));
  bool projected = !k || !vlm_in(c, IN_K) || c->in[IN_K]->rank != 4; /* keys of rank 4 carry their bias already */
  if (!k) {
    int64_t row = s->heads * 3 * s->d;
    a->q = (vlm_heads){q, s->t * row, 3 * s->d, row};
    a->k = (vlm_heads){q + s->d, s->t * row, 3 * s->d, row};
    a->v = (vlm_heads){q + 2 * s->d, s->t * row, 3 * s->d, row};
  } else {
    a->q = vlm_heads_of(q, c->in[IN_Q], s->heads);
    if (v) {
      a->k = vlm_heads_of(k, c->in[IN_K], s->heads);
      a->v = vlm_heads_of(v, c->in[IN_V], s->heads);
    } else {
      int64_t row = s->heads * 2 * s->d;
      a->k = (vlm_heads){k, s->fresh * row, 2 * s->d, row};
      a->v = (vlm_heads){k + s->d, s->fresh * row, 2 * s->d, row};
    }
  }
  VLM_TRY(add_bias(c, s, &a->q, bias, s->t, s->d));
  if (projected && bias) {
    VLM_TRY(add_bias(c, s, &a->k, bias + s->heads * s->d, s->fresh, s->d));
    VLM_TRY(add_bias(c, s, &a->v, bias + 2 * s->heads * s->d, s->fresh, s->dv));
  }
  VLM_TRY(join_past(c, &a->k, vlm_in(c, IN_PAST_K), 1, s, s->d));
  VLM_TRY(join_past(c, &a->v, vlm_in(c, IN_PAST_V), 2, s, s->dv));
out:
  return st;
}

vlm_status vlm_run_MultiHeadAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  ms_sizes s;
  vlm_sdpa a = {.batch = 0};
  VLM_TRY(mha_sizes(c, &s));
  set_sizes(&a, &s);
  VLM_TRY(mha_heads(c, &s, &a));
  VLM_TRY(set_masks(c, &a, vlm_in(c, IN_PADDING), vlm_in(c, IN_ATTENTION_BIAS)));
  VLM_TRY(vlm_out_f32(c, 3, &a.scores));
  a.scores_mode = VLM_SDPA_RAW;
  VLM_TRY(run_core(c, &a));
  if (a.scores) vlm_store_f32(c, 3, a.scores);
out:
  return st;
}

/* ---- Attention: the projection of one input to queries, keys and values included; vlm.ProjectedAttention: input 0 is projected
 * already, there are no weights and no bias ---- */

enum { IN_X, IN_WEIGHT, IN_PROJECTION_BIAS, IN_MASK, IN_PAST, IN_EXTRA_BIAS };

static vlm_status attention_sizes(vlm_op_call *c, ms_sizes *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[IN_X], *w = vlm_in(c, IN_WEIGHT), *bias = vlm_in(c, IN_PROJECTION_BIAS), *past = vlm_in(c, IN_PAST);
  const vlm_attr *sizes = vlm_arg(c, QKV_SIZES);
  s->heads = vlm_arg_int(c, NUM_HEADS, 0);
  VLM_CHECK(vlm_arg_int(c, DO_ROTARY, 0) == 0, c->err, VLM_UNSUPPORTED, "operator com.microsoft.Attention with do_rotary is not supported");
  VLM_CHECK(s->heads > 0 && s->heads <= VLM_MAX_HEADS && x->rank == 3 && (!w || (w->rank == 2 && w->dims[0] == x->dims[2])),
            c->err, VLM_INPUT,
            "input and weights do not have the shapes [B, T, I] and [I, 3 D]");
  bool given = sizes->kind == VLM_ATTR_INTS && sizes->count == 3;
  int64_t columns = w ? w->dims[1] : x->dims[2];
  int64_t width = given ? sizes->u.ints[0] : columns / 3, v_width = given ? sizes->u.ints[2] : columns / 3;
  bool sane = width > 0 && v_width > 0 && width <= columns && v_width <= columns;
  VLM_CHECK(sane && 2 * width + v_width == columns && width % s->heads == 0 && v_width % s->heads == 0, c->err,
            VLM_INPUT,
            "weights with %lld columns do not split into queries, keys and values of %lld heads", (long long)columns,
                (long long)s->heads);
  VLM_CHECK(!bias || vlm_tensor_count(bias) == columns, c->err, VLM_INPUT, "bias has %lld values, wanted %lld",
            (long long)vlm_tensor_count(bias), (long long)columns);
  s->batch = x->dims[0];
  s->t = s->fresh = x->dims[1];
  s->d = width / s->heads;
  s->dv = v_width / s->heads;
  VLM_CHECK(!past || (past->rank == 5 && past->dims[0] == 2 && past->dims[1] == s->batch && past->dims[2] == s->heads &&
                      past->dims[4] == s->d && s->d == s->dv),
            c->err, VLM_INPUT, "past does not have the shape [2, B, heads, P, %lld]", (long long)s->d);
  s->past = past ? past->dims[3] : 0;
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){s->batch, s->heads, s->t, s->past + s->fresh}));
  VLM_TRY(vlm_check_dims(c, 5, (int64_t[]){2, s->batch, s->heads, s->past + s->fresh, s->d + s->dv}));
out:
  return st;
}

vlm_status vlm_infer_MsAttention(vlm_op_call *c) {
  ms_sizes s;
  vlm_status st = attention_sizes(c, &s);
  if (st != VLM_OK) return st;
  int64_t y[3] = {s.batch, s.t, s.heads * s.dv}, present[5] = {2, s.batch, s.heads, s.past + s.fresh, s.d};
  vlm_out_shape(c, 0, c->in[IN_X]->dtype, 3, y);
  vlm_out_shape(c, 1, c->in[IN_X]->dtype, 5, present);
  return VLM_OK;
}

/* Joins both halves of the past with the new keys and values; the present is one tensor of two halves. */
static vlm_status attention_past(vlm_op_call *c, const ms_sizes *s, vlm_sdpa *a) {
  vlm_status st = VLM_OK;
  const float *old;
  float *all;
  int64_t total = s->past + s->fresh, half = s->batch * s->heads * total * s->d, old_half = s->batch * s->heads * s->past * s->d;
  if (!vlm_in(c, IN_PAST) && !vlm_out(c, 1)) return VLM_OK;
  VLM_TRY(vlm_as_f32(c, vlm_in(c, IN_PAST), &old));
  VLM_TRY(vlm_out_f32(c, 1, &all));
  if (!all) VLM_TRY(vlm_scratch_new(c, &all, 2 * half));
  for (int i = 0; i < 2; i++) {
    vlm_heads *x = i ? &a->v : &a->k;
    join_rows(c, s, x, old ? old + i * old_half : NULL, all + i * half, s->d);
  }
  vlm_store_f32(c, 1, all);
out:
  return st;
}

/* Queries, keys and values of every row: input 0 itself, or times the weights. */
static vlm_status project(vlm_op_call *c, const ms_sizes *s, const float **out) {
  vlm_status st = VLM_OK;
  const float *x, *w, *bias;
  float *qkv;
  int64_t inner = c->in[IN_X]->dims[2], width = s->heads * (2 * s->d + s->dv), rows = s->batch * s->t;
  VLM_TRY(vlm_as_f32(c, c->in[IN_X], &x));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, IN_WEIGHT), &w));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, IN_PROJECTION_BIAS), &bias));
  *out = x;
  if (!w) goto out;
  VLM_TRY(vlm_scratch_new(c, &qkv, rows * width));
  vlm_gemm_f32 g = {.batch = 1, .m = rows, .n = width, .k = inner, .a = x, .a_row = inner, .a_column = 1, .b = w, .b_row = width,
                    .b_column = 1, .c = qkv, .ldc = width, .epilogue = {.alpha = 1, .bias = bias}};
  if (rows > 0) VLM_TRY(vlm_op_gemm(c, &g));
  *out = qkv;
out:
  return st;
}

vlm_status vlm_run_MsAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  ms_sizes s;
  vlm_sdpa a = {.batch = 0};
  const float *qkv;
  VLM_TRY(attention_sizes(c, &s));
  set_sizes(&a, &s);
  VLM_TRY(project(c, &s, &qkv));
  int64_t width = s.heads * (2 * s.d + s.dv);
  a.q = (vlm_heads){qkv, s.t * width, s.d, width};
  a.k = (vlm_heads){qkv + s.heads * s.d, s.t * width, s.d, width};
  a.v = (vlm_heads){qkv + 2 * s.heads * s.d, s.t * width, s.dv, width};
  VLM_CHECK(s.d == s.dv || !vlm_out(c, 1), c->err, VLM_UNSUPPORTED,
            "operator com.microsoft.Attention: a cache of keys and values of different sizes is not supported");
  VLM_TRY(attention_past(c, &s, &a));
  VLM_TRY(set_masks(c, &a, vlm_in(c, IN_MASK), vlm_in(c, IN_EXTRA_BIAS)));
  VLM_TRY(run_core(c, &a));
out:
  return st;
}
