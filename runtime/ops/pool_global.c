/* GlobalAveragePool, GlobalMaxPool, GlobalLpPool: one number per plane of [N, C, spatial…]. */
#include <math.h>
#include <string.h>

#include "runtime/kernels/elementary.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"
#include "runtime/ops/values.h"

vlm_status vlm_infer_GlobalPool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t dims[VLM_MAX_RANK];
  VLM_CHECK(x->rank >= 2, c->err, VLM_INPUT, "input has %d dims, wanted at least 2", x->rank);
  for (int i = 0; i < x->rank; i++) dims[i] = i < 2 ? x->dims[i] : 1;
  vlm_out_shape(c, 0, x->dtype, x->rank, dims);
out:
  return st;
}

typedef struct global_job {
  const vlm_rowops *ops;
  const float *x;
  float *y;
  int64_t n, p;
  char kind; /* 'a'verage, 'm'ax, 'l'p */
} global_job;

static float lp_norm(const global_job *j, const float *x) {
  if (j->p == 1) return j->ops->row_sumabs(x, j->n);
  if (j->p == 2) return sqrtf(j->ops->row_sumsq(x, j->n));
  double sum = 0;
  for (int64_t i = 0; i < j->n; i++)
    if (x[i] != 0) sum += vlm_exp64((double)j->p * vlm_log64(fabs((double)x[i])));
  return sum > 0 ? (float)vlm_exp64(vlm_log64(sum) / (double)j->p) : 0;
}

static void global_planes(void *user, int64_t begin, int64_t end, int worker) {
  const global_job *j = user;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const float *x = j->x + i * j->n;
    j->y[i] = j->kind == 'm'   ? j->ops->row_max(x, j->n)
              : j->kind == 'l' ? lp_norm(j, x)
                               : j->ops->row_sum(x, j->n) / (float)j->n;
  }
}

typedef struct {
  global_job job; /* all but the pointers of the run */
  vlm_values x;
  vlm_result y;
} global_state;

static vlm_status prepare_global(vlm_op_call *c, char kind, int64_t p) {
  vlm_status st = VLM_OK;
  global_state *s;
  const vlm_tensor *x = c->in[0];
  VLM_TRY(vlm_op_state_new(c, &s));
  s->job = (global_job){.ops = vlm_call_rowops(c), .n = vlm_tensor_span(x, 2, x->rank), .kind = kind, .p = p};
  VLM_CHECK(s->job.n > 0 || vlm_tensor_count(c->out[0]) == 0, c->err, VLM_INPUT,
            "there is nothing to pool: the planes are empty");
  VLM_CHECK(p > 0, c->err, VLM_INPUT, "p is %lld", (long long)p);
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_prepare_GlobalAveragePool(vlm_op_call *c) { return prepare_global(c, 'a', 1); }
vlm_status vlm_prepare_GlobalMaxPool(vlm_op_call *c) { return prepare_global(c, 'm', 1); }
vlm_status vlm_prepare_GlobalLpPool(vlm_op_call *c) { return prepare_global(c, 'l', vlm_arg_int(c, 0, 2)); }

vlm_status vlm_run_GlobalPool(vlm_op_call *c) {
  const global_state *s = c->state;
  global_job j = s->job;
  j.x = vlm_values_get(c, &s->x);
  j.y = vlm_result_get(c, &s->y);
  if (j.n > 0)
    vlm_threads_range(c->threads, c->in[0]->dims[0] * c->in[0]->dims[1], 16384 / j.n + 1, global_planes, &j);
  vlm_store_f32(c, 0, j.y);
  return VLM_OK;
}
