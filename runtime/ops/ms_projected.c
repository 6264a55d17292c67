/* com.microsoft Attention: the projection of one input to queries, keys and values included; vlm.ProjectedAttention: input 0 is projected already,
 * there are no weights and no bias. Source: the operator texts of ONNX Runtime's contrib operators. */
#include "runtime/ops/kv_present.h"
#include "runtime/ops/ms_core.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_gemm.h"
#include "runtime/ops/op_table.h"

enum { IN_X, IN_WEIGHT, IN_PROJECTION_BIAS, IN_MASK, IN_PAST, IN_EXTRA_BIAS };

static vlm_status attention_sizes(vlm_op_call *c, vlm_ms_sizes *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[IN_X], *w = vlm_in(c, IN_WEIGHT), *bias = vlm_in(c, IN_PROJECTION_BIAS),
                   *past = vlm_in(c, IN_PAST);
  const vlm_attr *sizes = vlm_arg(c, VLM_MS_QKV_SIZES);
  s->heads = vlm_arg_int(c, VLM_MS_NUM_HEADS, 0);
  VLM_CHECK(vlm_arg_int(c, VLM_MS_DO_ROTARY, 0) == 0, c->err, VLM_UNSUPPORTED,
            "operator com.microsoft.Attention with do_rotary is not supported");
  VLM_CHECK(s->heads > 0 && s->heads <= VLM_MAX_HEADS && x->rank == 3 &&
                (!w || (w->rank == 2 && w->dims[0] == x->dims[2])),
            c->err, VLM_INPUT, "input and weights do not have the shapes [B, T, I] and [I, 3 D]");
  bool given = sizes->kind == VLM_ATTR_INTS && sizes->count == 3;
  int64_t columns = w ? w->dims[1] : x->dims[2];
  int64_t width = given ? sizes->u.ints[0] : columns / 3, v_width = given ? sizes->u.ints[2] : columns / 3;
  bool sane = width > 0 && v_width > 0 && width <= columns && v_width <= columns;
  VLM_CHECK(sane && 2 * width + v_width == columns && width % s->heads == 0 && v_width % s->heads == 0,
            c->err, VLM_INPUT,
            "weights with %lld columns do not split into queries, keys and values of %lld heads",
            (long long)columns, (long long)s->heads);
  VLM_CHECK(!bias || vlm_tensor_count(bias) == columns, c->err, VLM_INPUT,
            "bias has %lld values, wanted %lld", (long long)vlm_tensor_count(bias), (long long)columns);
  s->batch = x->dims[0];
  s->t = s->fresh = x->dims[1];
  s->d = width / s->heads;
  s->dv = v_width / s->heads;
  VLM_CHECK(!past || (past->rank == 5 && past->dims[0] == 2 && past->dims[1] == s->batch &&
                      past->dims[2] == s->heads && past->dims[4] == s->d && s->d == s->dv),
            c->err, VLM_INPUT, "past does not have the shape [2, B, heads, P, %lld]", (long long)s->d);
  s->past = past ? past->dims[3] : 0;
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){s->batch, s->heads, s->t, s->past + s->fresh}));
  VLM_TRY(vlm_check_dims(c, 5, (int64_t[]){2, s->batch, s->heads, s->past + s->fresh, s->d + s->dv}));
out:
  return st;
}

vlm_status vlm_infer_MsAttention(vlm_op_call *c) {
  vlm_ms_sizes s;
  vlm_status st = attention_sizes(c, &s);
  if (st != VLM_OK) return st;
  int64_t y[3] = {s.batch, s.t, s.heads * s.dv}, present[5] = {2, s.batch, s.heads, s.past + s.fresh, s.d};
  vlm_out_shape(c, 0, c->in[IN_X]->dtype, 3, y);
  vlm_out_shape(c, 1, c->in[IN_X]->dtype, 5, present);
  return VLM_OK;
}

typedef struct {
  vlm_ms_sizes s;
  vlm_ms_core core;
  int64_t width; /* of a projected row */
  vlm_values x, bias, past;
  vlm_result present; /* one tensor of two halves */
  bool joined;        /* there is a past, or the present is wanted */
  size_t all, qkv, product;
  vlm_op_operand weight;
  vlm_gemm_f32 g; /* all but the pointers of the run */
} projected_state;

static vlm_status prepare_projection(vlm_op_call *c, projected_state *s) {
  vlm_status st = VLM_OK;
  int64_t inner = c->in[IN_X]->dims[2], rows = s->s.batch * s->s.t;
  const vlm_matrices matrices = {.k = inner, .n = s->width, .count = 1, .row = s->width, .column = 1};
  if (!vlm_in(c, IN_WEIGHT)) goto out;
  VLM_TRY(vlm_floats_prepare(c, &s->bias, IN_PROJECTION_BIAS));
  VLM_TRY(vlm_op_operand_prepare(c, &s->weight, IN_WEIGHT, &matrices));
  VLM_TRY(vlm_op_reserve(c, &s->qkv, rows * s->width, sizeof(float)));
  s->g = (vlm_gemm_f32){.batch = 1,
                        .m = rows,
                        .n = s->width,
                        .k = inner,
                        .a_row = inner,
                        .a_column = 1,
                        .ldc = s->width,
                        .epilogue = {.alpha = 1}};
  vlm_op_operand_form(&s->weight, &s->g);
  if (rows > 0) VLM_TRY(vlm_op_gemm_prepare(c, &s->g, &s->product));
out:
  return st;
}

static vlm_status prepare_past(vlm_op_call *c, projected_state *s) {
  vlm_status st = VLM_OK;
  const vlm_ms_sizes *z = &s->s;
  int64_t total = z->past + z->fresh, part = z->heads * z->d;
  vlm_sdpa *a = &s->core.a;
  a->q = a->k = (vlm_heads){NULL, z->t * s->width, z->d, s->width};
  a->v = (vlm_heads){NULL, z->t * s->width, z->dv, s->width};
  s->joined = vlm_in(c, IN_PAST) || vlm_out(c, 1);
  if (!s->joined) goto out;
  VLM_TRY(vlm_floats_prepare(c, &s->past, IN_PAST));
  VLM_TRY(vlm_result_prepare(c, &s->present, 1));
  a->k = a->v = (vlm_heads){NULL, part * total, total * z->d, z->d};
  if (!vlm_out(c, 1)) VLM_TRY(vlm_op_reserve(c, &s->all, 2 * z->batch * part * total, sizeof(float)));
out:
  return st;
}

vlm_status vlm_prepare_MsAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  projected_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(attention_sizes(c, &s->s));
  VLM_CHECK(
      s->s.d == s->s.dv || !vlm_out(c, 1), c->err, VLM_UNSUPPORTED,
      "operator com.microsoft.Attention: a cache of keys and values of different sizes is not supported");
  s->width = s->s.heads * (2 * s->s.d + s->s.dv);
  VLM_TRY(vlm_floats_prepare(c, &s->x, IN_X));
  VLM_TRY(prepare_projection(c, s));
  VLM_TRY(prepare_past(c, s));
  VLM_TRY(vlm_ms_prepare(c, &s->core, &s->s, IN_MASK, IN_EXTRA_BIAS));
out:
  return st;
}

/* Queries, keys and values of every row: input 0 itself, or times the weights. */
static const float *project(vlm_op_call *c, const projected_state *s) {
  const float *x = vlm_values_get(c, &s->x);
  vlm_gemm_f32 g = s->g;
  if (!vlm_in(c, IN_WEIGHT)) return x;
  g.a = x;
  g.c = vlm_op_work(c, s->qkv);
  g.epilogue.bias = vlm_values_get(c, &s->bias);
  if (g.m == 0) return g.c;
  vlm_op_operand_set(c, &s->weight, 0, &g);
  vlm_op_gemm_run(c, &g, s->product);
  return g.c;
}

/* Joins both halves of the past with the new keys and values. */
static void join_past(vlm_op_call *c, const projected_state *s, vlm_sdpa *a) {
  const vlm_ms_sizes *z = &s->s;
  int64_t total = z->past + z->fresh, half = z->batch * z->heads * total * z->d,
          old_half = z->batch * z->heads * z->past * z->d;
  const float *old = vlm_in(c, IN_PAST) ? vlm_values_get(c, &s->past) : NULL;
  float *all = vlm_out(c, 1) ? vlm_result_get(c, &s->present) : vlm_op_work(c, s->all);
  for (int i = 0; i < 2; i++) {
    vlm_heads *x = i ? &a->v : &a->k,
              past = {old ? old + i * old_half : NULL, z->heads * z->past * z->d, z->past * z->d, z->d};
    vlm_kv_rows rows = {.to = all + i * half,
                        .batch = z->batch,
                        .heads = z->heads,
                        .room = total,
                        .size = z->d,
                        .n = z->past};
    if (old) vlm_kv_copy(c, &rows, &past);
    rows.at = z->past;
    rows.n = z->fresh;
    vlm_kv_copy(c, &rows, x);
    *x = (vlm_heads){all + i * half, z->heads * total * z->d, total * z->d, z->d};
  }
  if (vlm_out(c, 1)) vlm_store_f32(c, 1, all);
}

vlm_status vlm_run_MsAttention(vlm_op_call *c) {
  const projected_state *s = c->state;
  const float *qkv = project(c, s);
  int64_t d = s->s.d, keys = s->s.heads * d, batch = s->s.t * s->width;
  vlm_sdpa a = s->core.a;
  a.q = (vlm_heads){qkv, batch, d, s->width};
  a.k = (vlm_heads){qkv + keys, batch, d, s->width};
  a.v = (vlm_heads){qkv + 2 * keys, batch, s->s.dv, s->width};
  if (s->joined) join_past(c, s, &a);
  vlm_ms_run(c, &s->core, &a);
  return VLM_OK;
}
