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
  VLM_CHECK(q->rank == 4 && k->rank == 4 && v->rank == 4, c->err, VLM_INPUT, "Q, K and V have %d, %d and %d dims, wanted 4", q->rank,
            k->rank, v->rank);
  *f = (flex_sizes){q->dims[0], q->dims[1], k->dims[1], q->dims[2], k->dims[2], q->dims[3], v->dims[3]};
  VLM_CHECK(f->kv_heads > 0 && f->heads % f->kv_heads == 0 && k->dims[0] == f->batch && v->dims[0] == f->batch &&
            v->dims[1] == f->kv_heads &&
            k->dims[3] == f->d && v->dims[2] == f->s, c->err, VLM_INPUT, "the shapes of Q, K and V do not fit");
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

/* x [batch, heads, t, s] through the subgraph of attribute k, which may want another element type. */
static vlm_status apply_mod(vlm_op_call *c, int k, const flex_sizes *f, float *x) {
  vlm_status st = VLM_OK;
  const vlm_attr *mod = vlm_arg(c, k);
  int64_t dims[4] = {f->batch, f->heads, f->t, f->s}, n = f->batch * f->heads * f->t * f->s;
  if (mod->kind != VLM_ATTR_GRAPH) return VLM_OK;
  vlm_graph *body = mod->u.g;
  VLM_CHECK(body->n_inputs == 1 && body->n_outputs == 1, c->err, VLM_INPUT, "subgraph \"%s\" has %d inputs and %d outputs, wanted 1 and 1",
            body->name, body->n_inputs, body->n_outputs);
  vlm_dtype dtype = body->values[body->inputs[0]].tensor.dtype;
  vlm_tensor in = vlm_tensor_make(dtype == VLM_NONE ? VLM_F32 : dtype, 4, dims, x), out;
  if (in.dtype != VLM_F32) {
    VLM_TRY(vlm_scratch_array(c, &in.data, n, (size_t)vlm_dtype_bits(in.dtype) / 8));
    for (int64_t i = 0; i < n; i++) vlm_tensor_set(&in, i, x[i]);
  }
  VLM_TRY(c->run_body(c, body, &in, 1, &out, 1));
  VLM_CHECK(vlm_tensor_same_shape(&in, &out), c->err, VLM_INPUT, "subgraph \"%s\" changes the shape of what it modifies", body->name);
  for (int64_t i = 0; i < n; i++) x[i] = (float)vlm_tensor_get(&out, i);
out:
  return st;
}

vlm_status vlm_run_FlexAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  flex_sizes f;
  const float *q, *k, *v;
  float *scores, *y;
  int64_t *offset;
  VLM_TRY(read_sizes(c, &f));
  if (vlm_tensor_count(c->out[0]) == 0) goto out;
  VLM_TRY(vlm_as_f32(c, c->in[0], &q));
  VLM_TRY(vlm_as_f32(c, c->in[1], &k));
  VLM_TRY(vlm_as_f32(c, c->in[2], &v));
  VLM_TRY(vlm_out_f32(c, 0, &y));
  int64_t batch = f.batch * f.heads;
  VLM_TRY(vlm_scratch_new(c, &scores, batch * f.t * f.s));
  VLM_TRY(vlm_scratch_new(c, &offset, 4 * batch));
  for (int64_t i = 0; i < batch; i++) {
    int64_t kv = i / f.heads * f.kv_heads + i % f.heads / (f.heads / f.kv_heads);
    offset[i] = i * f.t * f.d;
    offset[batch + i] = kv * f.s * f.d;
    offset[2 * batch + i] = i * f.t * f.s;
    offset[3 * batch + i] = kv * f.s * f.dv;
  }
  vlm_gemm_f32 qk = {.batch = batch, .m = f.t, .n = f.s, .k = f.d, .a = q, .a_offset = offset, .a_row = f.d, .a_column = 1, .b = k,
                     .b_offset = offset + batch,
                     .b_row = 1, .b_column = f.d, .c = scores, .c_batch = f.t * f.s, .ldc = f.s,
                     .epilogue = {.alpha = vlm_arg_float(c, SCALE, (float)(1 / sqrt((double)f.d)))}};
  VLM_TRY(vlm_op_gemm(c, &qk));
  VLM_TRY(apply_mod(c, SCORE_MOD, &f, scores));
  for (int64_t i = 0; i < batch * f.t; i++) vlm_call_rowops(c)->softmax(scores + i * f.s, scores + i * f.s, f.s);
  VLM_TRY(apply_mod(c, PROB_MOD, &f, scores));
  vlm_gemm_f32 pv = {.batch = batch, .m = f.t, .n = f.dv, .k = f.s, .a = scores, .a_offset = offset + 2 * batch, .a_row = f.s,
                     .a_column = 1, .b = v,
                     .b_offset = offset + 3 * batch, .b_row = f.dv, .b_column = 1, .c = y, .c_batch = f.t * f.dv, .ldc = f.dv,
                         .epilogue = {.alpha = 1}};
  VLM_TRY(vlm_op_gemm(c, &pv));
  vlm_store_f32(c, 0, y);
out:
  return st;
}
