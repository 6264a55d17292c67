/* com.microsoft MultiHeadAttention. Source: the operator texts of ONNX Runtime's contrib operators. */
#include "runtime/ops/kv_present.h"
#include "runtime/ops/ms_core.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

enum { IN_Q, IN_K, IN_V, IN_BIAS, IN_PADDING, IN_ATTENTION_BIAS, IN_PAST_K, IN_PAST_V };

static vlm_status mha_sizes(vlm_op_call *c, vlm_ms_sizes *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *q = c->in[IN_Q], *k = vlm_in(c, IN_K), *v = vlm_in(c, IN_V), *past = vlm_in(c, IN_PAST_K);
  s->heads = vlm_arg_int(c, VLM_MS_NUM_HEADS, 0);
  VLM_CHECK(s->heads > 0 && s->heads <= VLM_MAX_HEADS, c->err, VLM_INPUT, "num_heads is %lld",
            (long long)s->heads);
  bool packed = q->rank == 5 && !k, packed_kv = k && k->rank == 5 && !v;
  VLM_CHECK(packed || (q->rank == 3 && k &&
                       (packed_kv || (v && (k->rank == 3 || k->rank == 4) && v->rank == k->rank))),
            c->err, VLM_UNSUPPORTED,
            "operator MultiHeadAttention with these query, key and value shapes is not supported");
  s->batch = q->dims[0];
  s->t = q->dims[1];
  s->d = packed ? q->dims[4] : q->dims[2] / s->heads;
  s->fresh = packed ? s->t : k->rank == 4 ? k->dims[2] : k->dims[1];
  s->dv = packed || packed_kv ? s->d : v->rank == 4 ? v->dims[3] : v->dims[2] / s->heads;
  s->past = past ? past->dims[2] : 0;
  bool good = packed ? q->dims[2] == s->heads && q->dims[3] == 3
                     : q->dims[2] == s->heads * s->d && k->dims[0] == s->batch;
  if (packed_kv) good &= k->dims[2] == s->heads && k->dims[3] == 2 && k->dims[4] == s->d;
  if (!packed && !packed_kv) {
    good &= v->dims[0] == s->batch && vlm_tensor_count(k) == s->batch * s->fresh * s->heads * s->d;
    good &= vlm_tensor_count(v) == s->batch * s->fresh * s->heads * s->dv;
  }
  VLM_CHECK(good, c->err, VLM_INPUT, "the shapes of query, key and value do not fit %lld heads",
            (long long)s->heads);
  VLM_CHECK(!past == !vlm_in(c, IN_PAST_V), c->err, VLM_INPUT, "past_key and past_value come together");
  for (int i = 0; past && i < 2; i++) {
    const vlm_tensor *p = c->in[IN_PAST_K + i];
    VLM_CHECK(p->rank == 4 && p->dims[0] == s->batch && p->dims[1] == s->heads && p->dims[2] == s->past &&
                  p->dims[3] == (i ? s->dv : s->d),
              c->err, VLM_INPUT, "the shape of past_%s does not fit", i ? "value" : "key");
  }
  const vlm_tensor *bias = vlm_in(c, IN_BIAS);
  VLM_CHECK(!bias || vlm_tensor_count(bias) == s->heads * (2 * s->d + s->dv), c->err, VLM_INPUT,
            "bias has %lld values, wanted %lld", (long long)vlm_tensor_count(bias),
            (long long)(s->heads * (2 * s->d + s->dv)));
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){s->batch, s->heads, s->t, s->past + s->fresh}));
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){s->batch, s->heads, s->past + s->fresh, s->d + s->dv}));
out:
  return st;
}

vlm_status vlm_infer_MultiHeadAttention(vlm_op_call *c) {
  vlm_ms_sizes s;
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

/* Queries, keys or values: where they lie, and their bias. */
typedef struct {
  int input;
  vlm_heads from;       /* strides */
  int64_t first;        /* elements before the first row */
  int64_t length, size; /* rows per batch entry, elements of a head */
  int64_t bias;         /* where their bias begins, -1 = they have none */
  size_t at;            /* with a bias: the sum, [batch, length, heads * size] */
} ms_rows;

typedef struct {
  vlm_ms_sizes s;
  vlm_ms_core core;
  ms_rows rows[3];
  vlm_values in[3], bias;
  vlm_kv k, v;
  vlm_result scores;
} mha_state;

/* Packed: [.., heads, parts, size], this is part number `part`. */
static ms_rows packed_rows(const vlm_ms_sizes *s, int input, int64_t length, int64_t part, int64_t parts) {
  int64_t row = s->heads * parts * s->d;
  return (ms_rows){.input = input,
                   .from = {NULL, length * row, parts * s->d, row},
                   .first = part * s->d,
                   .length = length,
                   .size = s->d,
                   .bias = -1};
}

static ms_rows plain_rows(const vlm_op_call *c, const vlm_ms_sizes *s, int input, int64_t length,
                          int64_t size) {
  return (ms_rows){.input = input,
                   .from = vlm_heads_of(NULL, c->in[input], s->heads),
                   .length = length,
                   .size = size,
                   .bias = -1};
}

static void find_rows(const vlm_op_call *c, const vlm_ms_sizes *s, ms_rows *rows) {
  bool packed = !vlm_in(c, IN_K), packed_kv = !packed && !vlm_in(c, IN_V);
  rows[0] = packed ? packed_rows(s, IN_Q, s->t, 0, 3) : plain_rows(c, s, IN_Q, s->t, s->d);
  if (packed) {
    for (int i = 1; i < 3; i++) rows[i] = packed_rows(s, IN_Q, s->t, i, 3);
  } else if (packed_kv) {
    for (int i = 1; i < 3; i++) rows[i] = packed_rows(s, IN_K, s->fresh, i - 1, 2);
  } else {
    rows[1] = plain_rows(c, s, IN_K, s->fresh, s->d);
    rows[2] = plain_rows(c, s, IN_V, s->fresh, s->dv);
  }
  bool projected = packed || c->in[IN_K]->rank != 4; /* keys of rank 4 carry their bias already */
  for (int i = 0; vlm_in(c, IN_BIAS) && i < (projected ? 3 : 1); i++) rows[i].bias = i * s->heads * s->d;
}

static vlm_status prepare_rows(vlm_op_call *c, const vlm_ms_sizes *s, ms_rows *r) {
  vlm_status st = VLM_OK;
  if (r->bias < 0) goto out;
  VLM_TRY(vlm_op_reserve(c, &r->at, s->batch * s->heads * r->length * r->size, sizeof(float)));
out:
  return st;
}

/* Where rows lie when their bias is added. */
static vlm_heads rows_layout(const vlm_ms_sizes *s, const ms_rows *r) {
  int64_t row = s->heads * r->size;
  return r->bias < 0 ? r->from : (vlm_heads){NULL, r->length * row, r->size, row};
}

static vlm_status prepare_kv(vlm_op_call *c, mha_state *s) {
  vlm_status st = VLM_OK;
  vlm_sdpa *a = &s->core.a;
  s->k = (vlm_kv){.batch = s->s.batch, .heads = s->s.heads, .n = s->s.fresh, .size = s->s.d};
  s->v = s->k;
  s->v.size = s->s.dv;
  VLM_TRY(vlm_kv_prepare(c, &s->k, IN_PAST_K, 1));
  VLM_TRY(vlm_kv_prepare(c, &s->v, IN_PAST_V, 2));
  a->q = rows_layout(&s->s, &s->rows[0]);
  a->k = vlm_kv_layout(&s->k, rows_layout(&s->s, &s->rows[1]));
  a->v = vlm_kv_layout(&s->v, rows_layout(&s->s, &s->rows[2]));
out:
  return st;
}

vlm_status vlm_prepare_MultiHeadAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  mha_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(mha_sizes(c, &s->s));
  find_rows(c, &s->s, s->rows);
  for (int i = 0; i < 3; i++) VLM_TRY(prepare_rows(c, &s->s, &s->rows[i]));
  for (int i = 0; i < 3; i++) VLM_TRY(vlm_floats_prepare(c, &s->in[i], IN_Q + i));
  VLM_TRY(vlm_floats_prepare(c, &s->bias, IN_BIAS));
  VLM_TRY(vlm_result_prepare(c, &s->scores, 3));
  VLM_TRY(prepare_kv(c, s));
  s->core.a.scores_mode = VLM_SDPA_RAW;
  VLM_TRY(vlm_ms_prepare(c, &s->core, &s->s, IN_PADDING, IN_ATTENTION_BIAS));
out:
  return st;
}

/* Rows plus bias, one value per head and entry. */
static vlm_heads get_rows(const vlm_op_call *c, const vlm_ms_sizes *s, const ms_rows *r, const float *x,
                          const float *bias) {
  vlm_heads from = r->from, to = rows_layout(s, r);
  from.data = x + r->first;
  if (r->bias < 0) return from;
  float *y = vlm_op_work(c, r->at);
  for (int64_t i = 0; i < s->batch * r->length * s->heads; i++) {
    int64_t h = i % s->heads, row = i / s->heads % r->length, b = i / s->heads / r->length;
    const float *old = from.data + b * from.batch + h * from.head + row * from.row;
    for (int64_t k = 0; k < r->size; k++)
      y[b * to.batch + h * to.head + row * to.row + k] = old[k] + bias[r->bias + h * r->size + k];
  }
  to.data = y;
  return to;
}

vlm_status vlm_run_MultiHeadAttention(vlm_op_call *c) {
  const mha_state *s = c->state;
  const float *in[3], *bias = vlm_values_get(c, &s->bias);
  vlm_sdpa a = s->core.a;
  for (int i = 0; i < 3; i++) in[i] = vlm_values_get(c, &s->in[i]);
  a.q = get_rows(c, &s->s, &s->rows[0], in[s->rows[0].input], bias);
  a.k = vlm_kv_join(c, &s->k, get_rows(c, &s->s, &s->rows[1], in[s->rows[1].input], bias));
  a.v = vlm_kv_join(c, &s->v, get_rows(c, &s->s, &s->rows[2], in[s->rows[2].input], bias));
  a.scores = vlm_result_get(c, &s->scores);
  vlm_ms_run(c, &s->core, &a);
  if (a.scores) vlm_store_f32(c, 3, a.scores);
  return VLM_OK;
}
