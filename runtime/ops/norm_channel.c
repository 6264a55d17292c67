/* Norms of NC... tensors: BatchNormalization, InstanceNormalization, GroupNormalization. float16, bfloat16 and float64 go through float32.
 */
#include <math.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"

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
      return vlm_fail(c->err, VLM_INPUT, "input %d has %lld elements; wanted %lld", k, (long long)vlm_tensor_count(c->in[k]),
                      (long long)wanted);
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
    p->ops->affine(p->y + i * p->inner, p->x + i * p->inner, p->inner, &(vlm_row_map){p->shift[ch], p->factor[ch], p->offset[ch]});
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

/* Training form: normalises with the batch's own moments and moves the running ones. */
static vlm_status train(vlm_op_call *c, const planes *p, int64_t outer, const float **mean, const float **variance) {
  vlm_status st = VLM_OK;
  void *memory;
  float momentum = vlm_arg_float(c, 1, 0.9f), *running;
  VLM_TRY(vlm_scratch_array(c, &memory, 2 * p->channels, sizeof(float)));
  float *moments[2] = {memory, (float *)memory + p->channels};
  const float *old[2] = {*mean, *variance};
  batch_moments(p, outer, moments[0], moments[1]);
  for (int k = 0; k < 2; k++) {
    VLM_TRY(vlm_out_f32(c, k + 1, &running));
    for (int64_t ch = 0; running && ch < p->channels; ch++) running[ch] = old[k][ch] * momentum + moments[k][ch] * (1.0f - momentum);
    vlm_store_f32(c, k + 1, running);
  }
  *mean = moments[0];
  *variance = moments[1];
out:
  return st;
}

/* Outputs 1 and 2 outside of training: the moments as they are. */
static vlm_status keep_moments(vlm_op_call *c, const float *mean, const float *variance) {
  vlm_status st = VLM_OK;
  const float *moments[2] = {mean, variance};
  for (int k = 1; k <= 2; k++) {
    float *out;
    VLM_TRY(vlm_out_f32(c, k, &out));
    if (!out) continue;
    vlm_copy_some(out, moments[k - 1], (size_t)vlm_tensor_count(c->out[k]) * sizeof *out);
    vlm_store_f32(c, k, out);
  }
out:
  return st;
}

vlm_status vlm_run_batch_norm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  planes p = {0};
  const float *mean, *variance, *scale;
  void *memory;
  bool versions_14 = c->node->opset >= 14, training = versions_14 && vlm_arg_int(c, 2, 0);
  VLM_CHECK(versions_14 || c->n_out == 1 || !c->out[1], c->err, VLM_UNSUPPORTED, "the training form with %d outputs is not supported",
            c->n_out);
  VLM_CHECK(c->node->opset >= 9 || vlm_arg_int(c, 2, 1), c->err, VLM_UNSUPPORTED, "spatial = 0 is not supported");
  VLM_TRY(channels_of(c, &p));
  int64_t count = vlm_tensor_count(c->in[0]), outer = p.channels > 0 && p.inner > 0 ? count / (p.channels * p.inner) : 0;
  VLM_TRY(vlm_as_f32(c, c->in[0], &p.x));
  VLM_TRY(vlm_as_f32(c, c->in[1], &scale));
  VLM_TRY(vlm_as_f32(c, c->in[2], &p.offset));
  VLM_TRY(vlm_as_f32(c, c->in[3], &mean));
  VLM_TRY(vlm_as_f32(c, c->in[4], &variance));
  VLM_TRY(vlm_out_f32(c, 0, &p.y));
  if (training) VLM_TRY(train(c, &p, outer, &mean, &variance));
  else VLM_TRY(keep_moments(c, mean, variance));
  VLM_TRY(vlm_scratch_array(c, &memory, p.channels, sizeof(float)));
  float *factor = memory;
  for (int64_t ch = 0; ch < p.channels; ch++) factor[ch] = scale[ch] / sqrtf(variance[ch] + vlm_arg_float(c, 0, 1e-5f));
  p.shift = mean;
  p.factor = factor;
  vlm_threads_range(c->threads, outer * p.channels, grain(p.inner), batch_task, &p);
  vlm_store_f32(c, 0, p.y);
out:
  return st;
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
      p->ops->affine(p->y + row, p->x + row, p->inner, &(vlm_row_map){mean, inverse * p->scale[at], p->bias[at]});
    }
  }
}

static vlm_status run_groups(vlm_op_call *c, planes *p, int64_t groups, bool per_group) {
  vlm_status st = VLM_OK;
  VLM_TRY(channels_of(c, p));
  p->groups = groups ? groups : p->channels;
  VLM_CHECK(p->groups > 0 && p->channels % p->groups == 0, c->err, VLM_INPUT, "%lld channels do not split into %lld groups",
            (long long)p->channels, (long long)p->groups);
  p->group_size = p->channels / p->groups;
  p->per_group = per_group && vlm_tensor_count(c->in[1]) == p->groups;
  p->eps = vlm_arg_float(c, 0, 1e-5f);
  VLM_TRY(check_channels(c, 1, 2, p->per_group ? p->groups : p->channels));
  VLM_TRY(vlm_as_f32(c, c->in[0], &p->x));
  VLM_TRY(vlm_as_f32(c, c->in[1], &p->scale));
  VLM_TRY(vlm_as_f32(c, c->in[2], &p->bias));
  VLM_TRY(vlm_out_f32(c, 0, &p->y));
  int64_t size = p->group_size * p->inner, items = size ? vlm_tensor_count(c->in[0]) / size : 0;
  vlm_threads_range(c->threads, items, grain(size), group_task, p);
  vlm_store_f32(c, 0, p->y);
out:
  return st;
}

vlm_status vlm_run_instance_norm(vlm_op_call *c) {
  planes p = {0};
  if (c->in[0]->rank > 1 && c->in[0]->dims[1] == 0) return VLM_OK;
  return run_groups(c, &p, 0, false);
}

/* Opset 18 to 20 have scale and bias per group, later ones per channel. */
vlm_status vlm_run_group_norm(vlm_op_call *c) {
  planes p = {0};
  int64_t groups = vlm_arg_int(c, 1, 0);
  if (groups < 1) return vlm_fail(c->err, VLM_INPUT, "num_groups is %lld; wanted at least 1", (long long)groups);
  return run_groups(c, &p, groups, c->node->opset < 21);
}
