/* Attention of the default domain (opset 23 to 25). */
#include <math.h>

#include "runtime/ops/kv_present.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/sdpa.h"

enum { CAUSAL, KV_HEADS, Q_HEADS, SCORES_MODE, SCALE, SOFTCAP, LEFT, RIGHT };
enum { IN_Q, IN_K, IN_V, IN_MASK, IN_PAST_K, IN_PAST_V, IN_LENGTHS };

/* Sizes of an Attention node: everything of vlm_sdpa but pointers and strides. */
static vlm_status read_sizes(vlm_op_call *c, vlm_sdpa *a, int64_t *past) {
  vlm_status st = VLM_OK;
  const vlm_tensor *q = c->in[IN_Q], *k = c->in[IN_K], *v = c->in[IN_V], *past_k = vlm_in(c, IN_PAST_K);
  bool flat = q->rank == 3;
  VLM_CHECK((q->rank == 3 || q->rank == 4) && k->rank == q->rank && v->rank == q->rank, c->err, VLM_INPUT,
            "Q, K and V have %d, %d and %d dims, wanted 3 or 4", q->rank, k->rank, v->rank);
  a->heads = flat ? vlm_arg_int(c, Q_HEADS, 0) : q->dims[1];
  a->kv_heads = flat ? vlm_arg_int(c, KV_HEADS, 0) : k->dims[1];
  VLM_CHECK(a->heads > 0 && a->heads <= VLM_MAX_HEADS && a->kv_heads > 0 && a->heads % a->kv_heads == 0,
            c->err, VLM_INPUT, "%lld query and %lld key heads", (long long)a->heads, (long long)a->kv_heads);
  int64_t mode = vlm_arg_int(c, SCORES_MODE, 0);
  VLM_CHECK(mode >= VLM_SDPA_RAW && mode <= VLM_SDPA_SOFTMAX, c->err, VLM_INPUT,
            "qk_matmul_output_mode is %lld, wanted 0 to 3", (long long)mode);
  a->batch = q->dims[0];
  a->t = q->dims[flat ? 1 : 2];
  a->s = k->dims[flat ? 1 : 2];
  a->d = flat ? q->dims[2] / a->heads : q->dims[3];
  a->dv = flat ? v->dims[2] / a->kv_heads : v->dims[3];
  int64_t dk = flat ? k->dims[2] / a->kv_heads : k->dims[3];
  VLM_CHECK(k->dims[0] == a->batch && v->dims[0] == a->batch && v->dims[flat ? 1 : 2] == a->s && dk == a->d,
            c->err, VLM_INPUT, "the shapes of Q, K and V do not fit");
  VLM_CHECK(!flat || (q->dims[2] == a->heads * a->d && k->dims[2] == a->kv_heads * dk &&
                      v->dims[2] == a->kv_heads * a->dv),
            c->err, VLM_INPUT, "the widths of Q, K and V do not divide by their heads");
  VLM_CHECK(flat || v->dims[1] == a->kv_heads, c->err, VLM_INPUT, "K has %lld heads, V %lld",
            (long long)a->kv_heads, (long long)v->dims[1]);
  *past = past_k ? past_k->dims[past_k->rank == 4 ? 2 : 0] : 0;
  VLM_CHECK(!past_k == !vlm_in(c, IN_PAST_V), c->err, VLM_INPUT, "past_key and past_value come together");
  for (int i = 0; past_k && i < 2; i++) {
    const vlm_tensor *p = c->in[IN_PAST_K + i];
    VLM_CHECK(p->rank == 4 && p->dims[0] == a->batch && p->dims[1] == a->kv_heads && p->dims[2] == *past &&
                  p->dims[3] == (i ? a->dv : a->d),
              c->err, VLM_INPUT, "the shape of past_%s does not fit", i ? "value" : "key");
  }
  a->s += *past;
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){a->batch, a->heads, a->t, a->s}));
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){a->batch, a->heads, a->s, a->d + a->dv}));
  VLM_TRY(vlm_require_integers(c, IN_LENGTHS, "nonpad_kv_seqlen"));
  VLM_TRY(vlm_require_count(c, IN_LENGTHS, "nonpad_kv_seqlen", a->batch));
out:
  return st;
}

vlm_status vlm_infer_Attention(vlm_op_call *c) {
  vlm_sdpa a = {.batch = 0};
  int64_t past;
  vlm_status st = read_sizes(c, &a, &past);
  if (st != VLM_OK) return st;
  vlm_dtype dtype = c->in[IN_Q]->dtype;
  int64_t flat[3] = {a.batch, a.t, a.heads * a.dv}, deep[4] = {a.batch, a.heads, a.t, a.dv};
  int64_t keys[4] = {a.batch, a.kv_heads, a.s, a.d}, values[4] = {a.batch, a.kv_heads, a.s, a.dv},
          scores[4] = {a.batch, a.heads, a.t, a.s};
  vlm_out_shape(c, 0, dtype, c->in[IN_Q]->rank, c->in[IN_Q]->rank == 3 ? flat : deep);
  vlm_out_shape(c, 1, c->in[IN_K]->dtype, 4, keys);
  vlm_out_shape(c, 2, c->in[IN_V]->dtype, 4, values);
  vlm_out_shape(c, 3, dtype, 4, scores);
  return VLM_OK;
}

/* The query's own key counts in a window of vlm_sdpa; one that reaches every key is none. */
static int64_t window_of(const vlm_op_call *c, int arg, int64_t all) {
  int64_t size = vlm_arg_int(c, arg, -1);
  return size >= 0 && size < all ? size + 1 : 0;
}

typedef struct {
  vlm_sdpa a; /* all but the pointers of the run */
  int64_t past;
  vlm_values q, k, v;
  vlm_kv keys, values;
  vlm_result y, scores;
  size_t lengths; /* causal offsets, then key counts */
} attention_state;

static vlm_status prepare_kv(vlm_op_call *c, attention_state *s) {
  vlm_status st = VLM_OK;
  vlm_sdpa *a = &s->a;
  s->keys = (vlm_kv){.batch = a->batch, .heads = a->kv_heads, .n = a->s - s->past, .size = a->d};
  s->values = s->keys;
  s->values.size = a->dv;
  VLM_TRY(vlm_kv_prepare(c, &s->keys, IN_PAST_K, 1));
  VLM_TRY(vlm_kv_prepare(c, &s->values, IN_PAST_V, 2));
  a->k = vlm_kv_layout(&s->keys, vlm_heads_of(NULL, c->in[IN_K], a->kv_heads));
  a->v = vlm_kv_layout(&s->values, vlm_heads_of(NULL, c->in[IN_V], a->kv_heads));
out:
  return st;
}

static void read_attributes(const vlm_op_call *c, vlm_sdpa *a) {
  a->scale = vlm_arg_float(c, SCALE, (float)(1 / sqrt((double)a->d)));
  a->softcap = vlm_arg_float(c, SOFTCAP, 0);
  a->causal = vlm_arg_int(c, CAUSAL, 0) != 0;
  a->left = window_of(c, LEFT, a->s + a->t);
  a->right = window_of(c, RIGHT, a->s + a->t);
  a->scores_mode = (int)vlm_arg_int(c, SCORES_MODE, 0);
}

vlm_status vlm_prepare_Attention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  attention_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  vlm_sdpa *a = &s->a;
  VLM_TRY(read_sizes(c, a, &s->past));
  read_attributes(c, a);
  VLM_TRY(vlm_floats_prepare(c, &s->q, IN_Q));
  VLM_TRY(vlm_floats_prepare(c, &s->k, IN_K));
  VLM_TRY(vlm_floats_prepare(c, &s->v, IN_V));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_result_prepare(c, &s->scores, 3));
  VLM_TRY(prepare_kv(c, s));
  VLM_TRY(vlm_op_reserve(c, &s->lengths, 2 * a->batch, sizeof(int64_t)));
  VLM_TRY(vlm_sdpa_mask_prepare(c, a, IN_MASK, vlm_in(c, IN_MASK)));
  vlm_heads y = vlm_heads_of(NULL, c->out[0], a->heads);
  a->q = vlm_heads_of(NULL, c->in[IN_Q], a->heads);
  a->y_batch = y.batch, a->y_head = y.head, a->y_row = y.row;
  VLM_TRY(vlm_sdpa_prepare(c, a));
out:
  return st;
}

/* Causal offsets and key counts per batch entry: past, or what nonpad_kv_seqlen says. */
static vlm_status set_lengths(vlm_op_call *c, const attention_state *s, vlm_sdpa *a) {
  vlm_status st = VLM_OK;
  const vlm_tensor *lengths = vlm_in(c, IN_LENGTHS);
  int64_t *offset = vlm_op_work(c, s->lengths), *count = offset + a->batch;
  for (int64_t b = 0; b < a->batch; b++) {
    count[b] = lengths ? vlm_tensor_get_int(lengths, b) : a->s;
    VLM_CHECK(count[b] >= 0 && count[b] <= a->s, c->err, VLM_INPUT,
              "nonpad_kv_seqlen[%lld] is %lld of %lld keys", (long long)b, (long long)count[b],
              (long long)a->s);
    offset[b] = lengths ? count[b] - a->t : s->past;
  }
  a->offset = offset;
  a->lengths = count;
out:
  return st;
}

vlm_status vlm_run_Attention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const attention_state *s = c->state;
  vlm_sdpa a = s->a;
  a.q.data = vlm_values_get(c, &s->q);
  a.k = vlm_kv_join(c, &s->keys, vlm_heads_of(vlm_values_get(c, &s->k), c->in[IN_K], a.kv_heads));
  a.v = vlm_kv_join(c, &s->values, vlm_heads_of(vlm_values_get(c, &s->v), c->in[IN_V], a.kv_heads));
  VLM_TRY(set_lengths(c, s, &a));
  vlm_sdpa_mask_get(c, &a);
  a.y = vlm_result_get(c, &s->y);
  a.scores = vlm_result_get(c, &s->scores);
  vlm_sdpa_run(c, &a);
  vlm_store_f32(c, 0, a.y);
  if (a.scores) vlm_store_f32(c, 3, a.scores);
out:
  return st;
}
