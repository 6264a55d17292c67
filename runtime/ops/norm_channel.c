/* Norms of NC... tensors: BatchNormalization, InstanceNormalization, GroupNormalization. float16, bfloat16 and float64 go through float32.
 */
#include <math.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"
#include "runtime/ops/values.h"

/* A tensor [outer, channels, inner]; each plane (outer, channel) is one affine row. */
typedef struct {
  const vlm_rowops *ops;
  const float *x;
  float *y;
  int64_t channels, inner;
  const float *shift, *factor, *offset; /* per channel (batch norm) */
  const float *scale, *bias;            /* per channel, or per group when channel_step is 0 */
  int64_t groups, group_size;           /* group_size: channels per group */
  bool per_group;
  float eps;
} planes;

static int64_t grain(int64_t n) { return VLM_ROW_GRAIN / (n + 1) + 1; }

static vlm_status check_channels(vlm_op_call *c, int first, int last, int64_t wanted) {
  for (int k = first; k <= last; k++)
    if (vlm_tensor_count(c->in[k]) != wanted)
      return vlm_fail(c->err, VLM_INPUT, "input %d has %lld elements; wanted %lld", k,
                      (long long)vlm_tensor_count(c->in[k]), (long long)wanted);
  return VLM_OK;
}

static vlm_status channels_of(vlm_op_call *c, planes *p) {
  const vlm_tensor *x = c->in[0];
  if (x->rank < 1) return vlm_fail(c->err, VLM_INPUT, "input is a scalar; wanted a tensor [N, C, ...]");
  p->ops = vlm_call_rowops(c);
  p->channels = x->rank > 1 ? x->dims[1] : 1;
  p->inner = x->rank > 1 ? vlm_tensor_span(x, 2, x->rank) : 1;
  return VLM_OK;
}

/* ---- BatchNormalization ---- */

vlm_status vlm_infer_batch_norm(vlm_op_call *c) {
  static const char *const names[] = {"", "scale", "B", "mean", "var"};
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  for (int k = 1; k <= 4; k++) VLM_TRY(vlm_require_count(c, k, names[k], x->rank > 1 ? x->dims[1] : 1));
  vlm_out_like(c, 0, 0);
  for (int k = 1; k < c->n_out; k++) vlm_out_like(c, k, k <= 2 && c->n_out <= 3 ? k + 2 : 3);
out:
  return st;
}

static void batch_task(void *user, int64_t begin, int64_t end, int worker) {
  const planes *p = user;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    int64_t ch = i % p->channels;
    p->ops->affine(p->y + i * p->inner, p->x + i * p->inner, p->inner,
                   &(vlm_row_map){p->shift[ch], p->factor[ch], p->offset[ch]});
  }
}

/* Mean and variance of each channel over batch and space, in double. */
static void batch_moments(const planes *p, int64_t outer, float *mean, float *variance) {
  for (int64_t ch = 0; ch < p->channels; ch++) {
    double sum = 0.0, squares = 0.0, count = (double)(outer * p->inner);
    for (int64_t n = 0; n < outer; n++)
      for (int64_t i = 0; i < p->inner; i++) sum += (double)p->x[(n * p->channels + ch) * p->inner + i];
    for (int64_t n = 0; n < outer; n++)
      for (int64_t i = 0; i < p->inner; i++) {
        double d = (double)p->x[(n * p->channels + ch) * p->inner + i] - sum / count;
        squares += d * d;
      }
    mean[ch] = (float)(sum / count);
    variance[ch] = (float)(squares / count);
  }
}

typedef struct {
  planes p;                              /* all but the pointers of the run */
  vlm_values x, scale, bias, moments[2]; /* mean, variance */
  vlm_result y, kept[2];                 /* moments as they are, or moved in training */
  bool training;
  float momentum;
  int64_t outer;
  size_t factor, own_moments;
} batch_norm_state;

static vlm_status check_form(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  int32_t opset = c->node->opset;
  VLM_CHECK(opset >= 14 || c->n_out == 1 || !c->out[1], c->err, VLM_UNSUPPORTED,
            "the training form with %d outputs is not supported", c->n_out);
  VLM_CHECK(opset >= 9 || vlm_arg_int(c, 2, 1), c->err, VLM_UNSUPPORTED, "spatial = 0 is not supported");
out:
  return st;
}

vlm_status vlm_prepare_batch_norm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  batch_norm_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(check_form(c));
  VLM_TRY(channels_of(c, &s->p));
  s->training = c->node->opset >= 14 && vlm_arg_int(c, 2, 0);
  s->momentum = vlm_arg_float(c, 1, 0.9f);
  s->p.eps = vlm_arg_float(c, 0, 1e-5f);
  int64_t plane = s->p.channels * s->p.inner;
  s->outer = plane > 0 ? vlm_tensor_count(c->in[0]) / plane : 0;
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->scale, 1));
  VLM_TRY(vlm_floats_prepare(c, &s->bias, 2));
  for (int k = 0; k < 2; k++) VLM_TRY(vlm_floats_prepare(c, &s->moments[k], 3 + k));
  for (int k = 0; k < 2; k++) VLM_TRY(vlm_result_prepare(c, &s->kept[k], 1 + k));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_op_reserve(c, &s->factor, s->p.channels, sizeof(float)));
  if (s->training) VLM_TRY(vlm_op_reserve(c, &s->own_moments, 2 * s->p.channels, sizeof(float)));
out:
  return st;
}

/* Training form: normalises with the batch's own moments and moves the running ones. */
static void train(vlm_op_call *c, const batch_norm_state *s, const planes *p, const float *moments[2]) {
  float *own = vlm_op_work(c, s->own_moments);
  batch_moments(p, s->outer, own, own + p->channels);
  for (int k = 0; k < 2; k++) {
    const float *now = own + k * p->channels;
    float *running = vlm_result_get(c, &s->kept[k]);
    for (int64_t ch = 0; running && ch < p->channels; ch++)
      running[ch] = moments[k][ch] * s->momentum + now[ch] * (1.0f - s->momentum);
    vlm_store_f32(c, k + 1, running);
    moments[k] = now;
  }
}

/* Outputs 1 and 2 outside of training: the moments as they are. */
static void keep_moments(vlm_op_call *c, const batch_norm_state *s, const float *const moments[2]) {
  for (int k = 0; k < 2; k++) {
    float *out = vlm_result_get(c, &s->kept[k]);
    if (!out) continue;
    vlm_copy_some(out, moments[k], (size_t)vlm_tensor_count(c->out[k + 1]) * sizeof *out);
    vlm_store_f32(c, k + 1, out);
  }
}

vlm_status vlm_run_batch_norm(vlm_op_call *c) {
  const batch_norm_state *s = c->state;
  planes p = s->p;
  const float *scale = vlm_values_get(c, &s->scale),
              *moments[2] = {vlm_values_get(c, &s->moments[0]), vlm_values_get(c, &s->moments[1])};
  float *factor = vlm_op_work(c, s->factor);
  p.x = vlm_values_get(c, &s->x);
  p.y = vlm_result_get(c, &s->y);
  if (s->training) train(c, s, &p, moments);
  else keep_moments(c, s, moments);
  for (int64_t ch = 0; ch < p.channels; ch++) factor[ch] = scale[ch] / sqrtf(moments[1][ch] + p.eps);
  p.offset = vlm_values_get(c, &s->bias);
  p.shift = moments[0];
  p.factor = factor;
  vlm_threads_range(c->threads, s->outer * p.channels, grain(p.inner), batch_task, &p);
  vlm_store_f32(c, 0, p.y);
  return VLM_OK;
}

/* ---- Instance and group norm: one task item is one group ---- */

static void group_task(void *user, int64_t begin, int64_t end, int worker) {
  const planes *p = user;
  (void)worker;
  int64_t size = p->group_size * p->inner;
  for (int64_t i = begin; i < end; i++) {
    float mean, variance;
    int64_t group = i % p->groups;
    p->ops->moments(p->x + i * size, size, &mean, &variance);
    float inverse = 1.0f / sqrtf(variance + p->eps);
    for (int64_t k = 0; k < p->group_size; k++) {
      int64_t at = p->per_group ? group : group * p->group_size + k, row = i * size + k * p->inner;
      p->ops->affine(p->y + row, p->x + row, p->inner,
                     &(vlm_row_map){mean, inverse * p->scale[at], p->bias[at]});
    }
  }
}

typedef struct {
  planes p; /* all but the pointers of the run */
  vlm_values x, scale, bias;
  vlm_result y;
  int64_t items;
} group_norm_state;

static vlm_status prepare_groups(vlm_op_call *c, int64_t groups, bool per_group) {
  vlm_status st = VLM_OK;
  group_norm_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  planes *p = &s->p;
  VLM_TRY(channels_of(c, p));
  p->groups = groups ? groups : p->channels;
  VLM_CHECK(p->groups > 0 && p->channels % p->groups == 0, c->err, VLM_INPUT,
            "%lld channels do not split into %lld groups", (long long)p->channels, (long long)p->groups);
  p->group_size = p->channels / p->groups;
  p->per_group = per_group && vlm_tensor_count(c->in[1]) == p->groups;
  p->eps = vlm_arg_float(c, 0, 1e-5f);
  VLM_TRY(check_channels(c, 1, 2, p->per_group ? p->groups : p->channels));
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->scale, 1));
  VLM_TRY(vlm_floats_prepare(c, &s->bias, 2));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  int64_t size = p->group_size * p->inner;
  s->items = size ? vlm_tensor_count(c->in[0]) / size : 0;
out:
  return st;
}

vlm_status vlm_run_groups_norm(vlm_op_call *c) {
  const group_norm_state *s = c->state;
  planes p = s->p;
  p.x = vlm_values_get(c, &s->x);
  p.scale = vlm_values_get(c, &s->scale);
  p.bias = vlm_values_get(c, &s->bias);
  p.y = vlm_result_get(c, &s->y);
  vlm_threads_range(c->threads, s->items, grain(p.group_size * p.inner), group_task, &p);
  vlm_store_f32(c, 0, p.y);
  return VLM_OK;
}

/* Without channels there is nothing to do. */
vlm_status vlm_prepare_instance_norm(vlm_op_call *c) {
  group_norm_state *s;
  if (c->in[0]->rank > 1 && c->in[0]->dims[1] == 0) return vlm_op_state_new(c, &s);
  return prepare_groups(c, 0, false);
}

/* Opset 18 to 20 have scale and bias per group, later ones per channel. */
vlm_status vlm_prepare_group_norm(vlm_op_call *c) {
  int64_t groups = vlm_arg_int(c, 1, 0);
  if (groups < 1)
    return vlm_fail(c->err, VLM_INPUT, "num_groups is %lld; wanted at least 1", (long long)groups);
  return prepare_groups(c, groups, c->node->opset < 21);
}
