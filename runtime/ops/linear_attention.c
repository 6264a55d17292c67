/* LinearAttention (opset 27): a recurrent state [key size, value size] per head instead of a cache.
 *   S = exp(decay) * S                        gated rules
 *   S = S + k (v beta)^T with v - S^T k in place of v for the delta rules
 *   y = scale * q^T S */
#include <math.h>
#include <string.h>

#include "runtime/kernels/elementary.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/sdpa.h"

enum { KV_HEADS, Q_HEADS, SCALE, RULE };
enum { IN_Q, IN_K, IN_V, IN_STATE, IN_DECAY, IN_BETA };

typedef struct linear_form {
  int64_t batch, time, q_heads, kv_heads, dk, dv;
  int64_t decays, betas; /* values per step: kv_heads * dk or kv_heads; kv_heads or 1 */
  bool gated, delta;
} linear_form;

static vlm_status read_form(vlm_op_call *c, linear_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *q = c->in[IN_Q], *k = c->in[IN_K], *v = c->in[IN_V], *state = vlm_in(c, IN_STATE),
                   *decay = vlm_in(c, IN_DECAY), *beta = vlm_in(c, IN_BETA);
  const char *rule = vlm_arg_string(c, RULE, "gated_delta");
  VLM_CHECK(q->rank == 3 && k->rank == 3 && v->rank == 3, c->err, VLM_INPUT,
            "query, key and value have %d, %d and %d dims, wanted 3", q->rank, k->rank, v->rank);
  f->q_heads = vlm_arg_int(c, Q_HEADS, 0);
  f->kv_heads = vlm_arg_int(c, KV_HEADS, 0);
  VLM_CHECK(f->kv_heads > 0 && f->q_heads > 0 && f->q_heads <= VLM_MAX_HEADS && f->q_heads % f->kv_heads == 0,
            c->err, VLM_INPUT, "%lld query and %lld key heads", (long long)f->q_heads,
            (long long)f->kv_heads);
  f->batch = q->dims[0];
  f->time = q->dims[1];
  f->dk = k->dims[2] / f->kv_heads;
  f->dv = v->dims[2] / f->kv_heads;
  f->gated = strncmp(rule, "gated", 5) == 0;
  f->delta = strcmp(rule, "delta") == 0 || strcmp(rule, "gated_delta") == 0;
  VLM_CHECK(f->gated || f->delta || strcmp(rule, "linear") == 0, c->err, VLM_INPUT,
            "update_rule is \"%s\", wanted linear, gated, delta or gated_delta", rule);
  VLM_CHECK(q->dims[2] == f->q_heads * f->dk && k->dims[2] == f->kv_heads * f->dk &&
                v->dims[2] == f->kv_heads * f->dv && k->dims[0] == f->batch && k->dims[1] == f->time &&
                v->dims[0] == f->batch && v->dims[1] == f->time,
            c->err, VLM_INPUT, "the shapes of query, key and value do not fit");
  VLM_CHECK(!state || vlm_tensor_count(state) == f->batch * f->kv_heads * f->dk * f->dv, c->err, VLM_INPUT,
            "past_state does not have the shape [batch, heads, %lld, %lld]", (long long)f->dk,
            (long long)f->dv);
  VLM_CHECK(!f->gated == !decay && !f->delta == !beta, c->err, VLM_INPUT,
            "update_rule \"%s\" does not go with the given decay and beta", rule);
  f->decays = decay && decay->rank == 3 ? decay->dims[2] : 0;
  f->betas = beta && beta->rank == 3 ? beta->dims[2] : 0;
  VLM_CHECK(!decay || ((f->decays == f->kv_heads || f->decays == f->kv_heads * f->dk) &&
                       vlm_tensor_count(decay) == f->batch * f->time * f->decays),
            c->err, VLM_INPUT, "decay does not have one value per head or per key entry");
  VLM_CHECK(!beta || ((f->betas == f->kv_heads || f->betas == 1) &&
                      vlm_tensor_count(beta) == f->batch * f->time * f->betas),
            c->err, VLM_INPUT, "beta does not have one value per head");
out:
  return st;
}

vlm_status vlm_infer_LinearAttention(vlm_op_call *c) {
  linear_form f;
  vlm_status st = read_form(c, &f);
  if (st != VLM_OK) return st;
  int64_t y[3] = {f.batch, f.time, f.q_heads * f.dv}, state[4] = {f.batch, f.kv_heads, f.dk, f.dv};
  vlm_out_shape(c, 0, c->in[IN_Q]->dtype, 3, y);
  vlm_out_shape(c, 1, vlm_in(c, IN_STATE) ? c->in[IN_STATE]->dtype : c->in[IN_Q]->dtype, 4, state);
  return VLM_OK;
}

typedef struct linear_job {
  linear_form f;
  const float *q, *k, *v, *decay, *beta;
  float *y, *state, *work; /* work: dv floats per (batch, head) */
  float scale;
} linear_job;

static void update_state(const linear_job *j, int64_t at, int64_t h, float *state, float *fresh) {
  const linear_form *f = &j->f;
  const float *k = j->k + (at * f->kv_heads + h) * f->dk, *v = j->v + (at * f->kv_heads + h) * f->dv;
  for (int64_t i = 0; f->gated && i < f->dk; i++) {
    const float *decay = j->decay + at * f->decays + (f->decays == f->kv_heads ? h : h * f->dk + i);
    float keep = (float)vlm_exp64((double)*decay);
    for (int64_t e = 0; e < f->dv; e++) state[i * f->dv + e] *= keep;
  }
  for (int64_t e = 0; e < f->dv; e++) fresh[e] = 0;
  for (int64_t i = 0; f->delta && i < f->dk; i++)
    for (int64_t e = 0; e < f->dv; e++) fresh[e] += state[i * f->dv + e] * k[i];
  float beta = f->delta ? j->beta[at * f->betas + (f->betas == 1 ? 0 : h)] : 1;
  for (int64_t e = 0; e < f->dv; e++) fresh[e] = f->delta ? beta * (v[e] - fresh[e]) : v[e];
  for (int64_t i = 0; i < f->dk; i++)
    for (int64_t e = 0; e < f->dv; e++) state[i * f->dv + e] += k[i] * fresh[e];
}

static void run_head(void *user, int64_t index, int worker) {
  const linear_job *j = user;
  const linear_form *f = &j->f;
  int64_t b = index / f->kv_heads, h = index % f->kv_heads, group = f->q_heads / f->kv_heads;
  float *state = j->state + index * f->dk * f->dv, *fresh = j->work + index * f->dv;
  (void)worker;
  for (int64_t t = 0; t < f->time; t++) {
    int64_t at = b * f->time + t;
    update_state(j, at, h, state, fresh);
    for (int64_t g = 0; g < group; g++) {
      const float *q = j->q + (at * f->q_heads + h * group + g) * f->dk;
      float *y = j->y + (at * f->q_heads + h * group + g) * f->dv;
      for (int64_t e = 0; e < f->dv; e++) y[e] = 0;
      for (int64_t i = 0; i < f->dk; i++)
        for (int64_t e = 0; e < f->dv; e++) y[e] += q[i] * state[i * f->dv + e];
      for (int64_t e = 0; e < f->dv; e++) y[e] *= j->scale;
    }
  }
}

typedef struct {
  linear_job job; /* all but the pointers of the run */
  vlm_values q, k, v, past, decay, beta;
  vlm_result y, present;
  int64_t states;
  size_t own_y, own_state, work;
} linear_state;

vlm_status vlm_prepare_LinearAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  linear_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  const linear_form *f = &s->job.f;
  VLM_TRY(read_form(c, &s->job.f));
  s->job.scale = vlm_arg_float(c, SCALE, 0);
  if (s->job.scale == 0) s->job.scale = (float)(1 / sqrt((double)f->dk));
  s->states = f->batch * f->kv_heads * f->dk * f->dv;
  VLM_TRY(vlm_floats_prepare(c, &s->q, IN_Q));
  VLM_TRY(vlm_floats_prepare(c, &s->k, IN_K));
  VLM_TRY(vlm_floats_prepare(c, &s->v, IN_V));
  VLM_TRY(vlm_floats_prepare(c, &s->past, IN_STATE));
  VLM_TRY(vlm_floats_prepare(c, &s->decay, IN_DECAY));
  VLM_TRY(vlm_floats_prepare(c, &s->beta, IN_BETA));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_result_prepare(c, &s->present, 1));
  if (!vlm_out(c, 0))
    VLM_TRY(vlm_op_reserve(c, &s->own_y, f->batch * f->time * f->q_heads * f->dv, sizeof(float)));
  if (!vlm_out(c, 1)) VLM_TRY(vlm_op_reserve(c, &s->own_state, s->states, sizeof(float)));
  VLM_TRY(vlm_op_reserve(c, &s->work, f->batch * f->kv_heads * f->dv, sizeof(float)));
out:
  return st;
}

vlm_status vlm_run_LinearAttention(vlm_op_call *c) {
  const linear_state *s = c->state;
  linear_job j = s->job;
  const float *past = vlm_values_get(c, &s->past);
  j.q = vlm_values_get(c, &s->q);
  j.k = vlm_values_get(c, &s->k);
  j.v = vlm_values_get(c, &s->v);
  j.decay = vlm_values_get(c, &s->decay);
  j.beta = vlm_values_get(c, &s->beta);
  j.y = vlm_out(c, 0) ? vlm_result_get(c, &s->y) : vlm_op_work(c, s->own_y);
  j.state = vlm_out(c, 1) ? vlm_result_get(c, &s->present) : vlm_op_work(c, s->own_state);
  j.work = vlm_op_work(c, s->work);
  if (past) vlm_copy_some(j.state, past, (size_t)s->states * sizeof *past);
  else vlm_zero_some(j.state, (size_t)s->states * sizeof *j.state);
  vlm_threads_run(c->threads, j.f.batch * j.f.kv_heads, run_head, &j);
  vlm_store_f32(c, 0, j.y);
  vlm_store_f32(c, 1, j.state);
  return VLM_OK;
}
