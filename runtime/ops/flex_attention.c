/* ai.onnx.preview FlexAttention: attention whose scores and probabilities pass through subgraphs. */
#include <math.h>
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_gemm.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"

enum { SCALE, SCORE_MOD, PROB_MOD };

typedef struct flex_sizes {
  int64_t batch, heads, kv_heads, t, s, d, dv;
} flex_sizes;

static vlm_status read_sizes(vlm_op_call *c, flex_sizes *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *q = c->in[0], *k = c->in[1], *v = c->in[2];
  VLM_CHECK(q->rank == 4 && k->rank == 4 && v->rank == 4, c->err, VLM_INPUT,
            "Q, K and V have %d, %d and %d dims, wanted 4", q->rank, k->rank, v->rank);
  *f = (flex_sizes){q->dims[0], q->dims[1], k->dims[1], q->dims[2], k->dims[2], q->dims[3], v->dims[3]};
  VLM_CHECK(f->kv_heads > 0 && f->heads % f->kv_heads == 0 && k->dims[0] == f->batch &&
                v->dims[0] == f->batch && v->dims[1] == f->kv_heads && k->dims[3] == f->d &&
                v->dims[2] == f->s,
            c->err, VLM_INPUT, "the shapes of Q, K and V do not fit");
  VLM_TRY(vlm_check_dims(c, 4, (int64_t[]){f->batch, f->heads, f->t, f->s}));
out:
  return st;
}

vlm_status vlm_infer_FlexAttention(vlm_op_call *c) {
  flex_sizes f;
  vlm_status st = read_sizes(c, &f);
  if (st != VLM_OK) return st;
  int64_t dims[4] = {f.batch, f.heads, f.t, f.dv};
  vlm_out_shape(c, 0, c->in[0]->dtype, 4, dims);
  return VLM_OK;
}

/* A subgraph that scores or probabilities pass through; body NULL = they stay. It may want another element type. */
typedef struct {
  vlm_graph *body;
  vlm_dtype dtype;
  size_t at;
} flex_mod;

typedef struct {
  flex_sizes f;
  vlm_values q, k, v;
  vlm_result y;
  vlm_gemm_f32 qk, pv; /* all but the pointers of the run */
  int64_t *offset;     /* of the matrices of q, k, the scores and v */
  size_t scores, qk_work, pv_work;
  flex_mod score_mod, prob_mod;
} flex_state;

static vlm_status prepare_mod(vlm_op_call *c, flex_mod *mod, int k, int64_t n) {
  vlm_status st = VLM_OK;
  const vlm_attr *given = vlm_arg(c, k);
  if (given->kind != VLM_ATTR_GRAPH) goto out;
  vlm_graph *body = mod->body = given->u.g;
  VLM_CHECK(body->n_inputs == 1 && body->n_outputs == 1, c->err, VLM_INPUT,
            "subgraph \"%s\" has %d inputs and %d outputs, wanted 1 and 1", body->name, body->n_inputs,
            body->n_outputs);
  mod->dtype = body->values[body->inputs[0]].tensor.dtype;
  if (mod->dtype == VLM_NONE) mod->dtype = VLM_F32;
  if (mod->dtype != VLM_F32) VLM_TRY(vlm_op_reserve(c, &mod->at, n, (size_t)vlm_dtype_bits(mod->dtype) / 8));
out:
  return st;
}

static vlm_status prepare_products(vlm_op_call *c, flex_state *s) {
  vlm_status st = VLM_OK;
  const flex_sizes *f = &s->f;
  int64_t batch = f->batch * f->heads;
  VLM_TRY(vlm_op_keep_new(c, &s->offset, 4 * batch));
  for (int64_t i = 0; i < batch; i++) {
    int64_t kv = i / f->heads * f->kv_heads + i % f->heads / (f->heads / f->kv_heads);
    s->offset[i] = i * f->t * f->d;
    s->offset[batch + i] = kv * f->s * f->d;
    s->offset[2 * batch + i] = i * f->t * f->s;
    s->offset[3 * batch + i] = kv * f->s * f->dv;
  }
  s->qk = (vlm_gemm_f32){.batch = batch,
                         .m = f->t,
                         .n = f->s,
                         .k = f->d,
                         .a_offset = s->offset,
                         .a_row = f->d,
                         .a_column = 1,
                         .b_offset = s->offset + batch,
                         .b_row = 1,
                         .b_column = f->d,
                         .c_batch = f->t * f->s,
                         .ldc = f->s,
                         .epilogue = {.alpha = vlm_arg_float(c, SCALE, (float)(1 / sqrt((double)f->d)))}};
  s->pv = (vlm_gemm_f32){.batch = batch,
                         .m = f->t,
                         .n = f->dv,
                         .k = f->s,
                         .a_offset = s->offset + 2 * batch,
                         .a_row = f->s,
                         .a_column = 1,
                         .b_offset = s->offset + 3 * batch,
                         .b_row = f->dv,
                         .b_column = 1,
                         .c_batch = f->t * f->dv,
                         .ldc = f->dv,
                         .epilogue = {.alpha = 1}};
  VLM_TRY(vlm_op_gemm_prepare(c, &s->qk, &s->qk_work));
  VLM_TRY(vlm_op_gemm_prepare(c, &s->pv, &s->pv_work));
out:
  return st;
}

vlm_status vlm_prepare_FlexAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  flex_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_sizes(c, &s->f));
  int64_t n = s->f.batch * s->f.heads * s->f.t * s->f.s;
  if (vlm_tensor_count(c->out[0]) == 0) goto out;
  VLM_TRY(vlm_floats_prepare(c, &s->q, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->k, 1));
  VLM_TRY(vlm_floats_prepare(c, &s->v, 2));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_op_reserve(c, &s->scores, n, sizeof(float)));
  VLM_TRY(prepare_mod(c, &s->score_mod, SCORE_MOD, n));
  VLM_TRY(prepare_mod(c, &s->prob_mod, PROB_MOD, n));
  VLM_TRY(prepare_products(c, s));
out:
  return st;
}

/* x [batch, heads, t, s] through the subgraph. */
static vlm_status apply_mod(vlm_op_call *c, const flex_mod *mod, const flex_sizes *f, float *x) {
  vlm_status st = VLM_OK;
  int64_t dims[4] = {f->batch, f->heads, f->t, f->s}, n = f->batch * f->heads * f->t * f->s;
  if (!mod->body) goto out;
  vlm_tensor in = vlm_tensor_make(mod->dtype, 4, dims, mod->dtype == VLM_F32 ? x : vlm_op_work(c, mod->at)),
             out;
  for (int64_t i = 0; mod->dtype != VLM_F32 && i < n; i++) vlm_tensor_set(&in, i, x[i]);
  VLM_TRY(c->run_body(c, mod->body, &in, 1, &out, 1));
  VLM_CHECK(vlm_tensor_same_shape(&in, &out), c->err, VLM_INPUT,
            "subgraph \"%s\" changes the shape of what it modifies", mod->body->name);
  for (int64_t i = 0; i < n; i++) x[i] = (float)vlm_tensor_get(&out, i);
out:
  return st;
}

vlm_status vlm_run_FlexAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const flex_state *s = c->state;
  vlm_gemm_f32 qk = s->qk, pv = s->pv;
  float *scores = vlm_op_work(c, s->scores);
  if (vlm_tensor_count(c->out[0]) == 0) goto out;
  qk.a = vlm_values_get(c, &s->q);
  qk.b = vlm_values_get(c, &s->k);
  qk.c = scores;
  vlm_op_gemm_run(c, &qk, s->qk_work);
  VLM_TRY(apply_mod(c, &s->score_mod, &s->f, scores));
  for (int64_t i = 0; i < qk.batch * qk.m; i++)
    vlm_call_rowops(c)->softmax(scores + i * qk.n, scores + i * qk.n, qk.n);
  VLM_TRY(apply_mod(c, &s->prob_mod, &s->f, scores));
  pv.a = scores;
  pv.b = vlm_values_get(c, &s->v);
  pv.c = vlm_result_get(c, &s->y);
  vlm_op_gemm_run(c, &pv, s->pv_work);
  vlm_store_f32(c, 0, pv.c);
out:
  return st;
}
