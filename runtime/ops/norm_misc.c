/* LpNormalization, LRN, MeanVarianceNormalization. */
#include <math.h>

#include "runtime/kernels/elementary.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/reduce_plan.h"
#include "runtime/ops/rows.h"
#include "runtime/ops/values.h"

/* x / |x|_p along axis; a line of zeros stays zero. float64 keeps its precision through double. */
static void lp_line(const double *x, double *y, int64_t count, int64_t inner, int64_t p) {
  double norm = 0.0;
  for (int64_t k = 0; k < count; k++) norm += p == 1 ? fabs(x[k * inner]) : x[k * inner] * x[k * inner];
  if (p == 2) norm = sqrt(norm);
  for (int64_t k = 0; k < count; k++) y[k * inner] = norm == 0.0 ? 0.0 : x[k * inner] / norm;
}

typedef struct {
  vlm_doubles x;
  vlm_wide_result y;
  int64_t p, lines, count, inner;
} lp_norm_state;

vlm_status vlm_prepare_lp_norm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  lp_norm_state *s;
  const vlm_tensor *t = c->in[0];
  int axis;
  VLM_TRY(vlm_op_state_new(c, &s));
  s->p = vlm_arg_int(c, 1, 2);
  VLM_CHECK(s->p == 1 || s->p == 2, c->err, VLM_INPUT, "p is %lld; wanted 1 or 2", (long long)s->p);
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), t->rank, false, &axis));
  s->count = t->dims[axis];
  s->inner = vlm_tensor_span(t, axis + 1, t->rank);
  s->lines = vlm_tensor_span(t, 0, axis) * s->inner;
  VLM_TRY(vlm_doubles_prepare(c, &s->x, 0));
  VLM_TRY(vlm_wide_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_run_lp_norm(vlm_op_call *c) {
  const lp_norm_state *s = c->state;
  const double *x = vlm_doubles_get(c, &s->x);
  double *y = vlm_wide_result_get(c, &s->y);
  for (int64_t i = 0; i < s->lines; i++) {
    int64_t base = i / s->inner * s->count * s->inner + i % s->inner;
    lp_line(x + base, y + base, s->count, s->inner, s->p);
  }
  vlm_store_f64(c, 0, y);
  return VLM_OK;
}

/* ---- local response normalisation across channels ---- */

typedef struct {
  const float *x;
  float *y, alpha, beta, bias;
  int64_t size, channels, inner;
} lrn_job;

static void lrn_task(void *user, int64_t begin, int64_t end, int worker) {
  const lrn_job *j = user;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    int64_t channel = i / j->inner % j->channels, first = channel - (j->size - 1) / 2,
            last = channel + j->size / 2;
    float sum = 0.0f;
    if (first < 0) first = 0;
    if (last >= j->channels) last = j->channels - 1;
    for (int64_t k = first; k <= last; k++) {
      float v = j->x[i + (k - channel) * j->inner];
      sum += v * v;
    }
    j->y[i] = j->x[i] / vlm_pow32(j->bias + j->alpha / (float)j->size * sum, j->beta);
  }
}

typedef struct {
  lrn_job job; /* all but the pointers of the run */
  vlm_values x;
  vlm_result y;
} lrn_state;

vlm_status vlm_prepare_lrn(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  lrn_state *s;
  const vlm_tensor *t = c->in[0];
  VLM_TRY(vlm_op_state_new(c, &s));
  s->job = (lrn_job){.size = vlm_arg_int(c, 0, 0),
                     .alpha = vlm_arg_float(c, 1, 1e-4f),
                     .beta = vlm_arg_float(c, 2, 0.75f),
                     .bias = vlm_arg_float(c, 3, 1.0f)};
  VLM_CHECK(s->job.size >= 1 && t->rank >= 2, c->err, VLM_INPUT,
            "size %lld of a tensor of rank %d; wanted at least 1 and 2", (long long)s->job.size, t->rank);
  s->job.channels = t->dims[1];
  s->job.inner = vlm_tensor_span(t, 2, t->rank);
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_run_lrn(vlm_op_call *c) {
  const lrn_state *s = c->state;
  lrn_job j = s->job;
  j.x = vlm_values_get(c, &s->x);
  j.y = vlm_result_get(c, &s->y);
  vlm_threads_range(c->threads, vlm_tensor_count(c->in[0]), VLM_ROW_GRAIN / 8, lrn_task, &j);
  vlm_store_f32(c, 0, j.y);
  return VLM_OK;
}

/* ---- (x - mean) / (deviation + 1e-9) over axes ---- */

static void mean_variance(const vlm_reduce_plan *p, int64_t i, const double *x, double *y) {
  int64_t base = vlm_reduce_base(p, i);
  double mean = 0.0, variance = 0.0, count = (double)p->count;
  for (int64_t k = 0; k < p->count; k++) mean += x[base + vlm_reduce_offset(p, k)] / count;
  for (int64_t k = 0; k < p->count; k++) {
    double d = x[base + vlm_reduce_offset(p, k)] - mean;
    variance += d * d / count;
  }
  for (int64_t k = 0; k < p->count; k++) {
    int64_t at = base + vlm_reduce_offset(p, k);
    y[at] = (x[at] - mean) / (sqrt(variance) + 1e-9);
  }
}

typedef struct {
  vlm_reduce_plan plan;
  vlm_doubles x;
  vlm_wide_result y;
} mean_variance_state;

vlm_status vlm_prepare_mean_variance_norm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  static const int64_t usual[] = {0, 2, 3};
  mean_variance_state *s;
  const vlm_attr *given = vlm_arg(c, 0);
  bool has = given->kind == VLM_ATTR_INTS, axes[VLM_MAX_RANK] = {false};
  VLM_TRY(vlm_op_state_new(c, &s));
  for (int i = 0; i < (has ? given->count : 3); i++) {
    int axis;
    VLM_TRY(vlm_axis(c, has ? given->u.ints[i] : usual[i], c->in[0]->rank, false, &axis));
    axes[axis] = true;
  }
  vlm_reduce_plan_make(&s->plan, c->in[0], axes);
  VLM_TRY(vlm_doubles_prepare(c, &s->x, 0));
  VLM_TRY(vlm_wide_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_run_mean_variance_norm(vlm_op_call *c) {
  const mean_variance_state *s = c->state;
  const double *x = vlm_doubles_get(c, &s->x);
  double *y = vlm_wide_result_get(c, &s->y);
  for (int64_t i = 0; i < s->plan.outputs; i++) mean_variance(&s->plan, i, x, y);
  vlm_store_f64(c, 0, y);
  return VLM_OK;
}
