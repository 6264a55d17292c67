/* float32 reductions. Three layouts: the reduced dims are the last ones (rows), the kept dims are (columns), or neither (elements of a
 * result are gathered into a row). Which one is used depends on the shape alone. */
#include <math.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/reduce_plan.h"
#include "runtime/ops/rows.h"

enum { BLOCK = 256 };

typedef struct {
  const vlm_reduce_plan *plan;
  const vlm_rowops *ops;
  vlm_reduce_kind kind;
  const float *x;
  float *y, *gathered;   /* gathered: plan->count values per worker */
  int64_t inner, blocks; /* columns: width, blocks per outer index */
} reduce_job;

/* From the raw reduction to the result, n results at once. */
static void finish(const reduce_job *j, float *y, int64_t n) {
  float count = (float)j->plan->count;
  if (j->kind == VLM_REDUCE_MEAN) j->ops->div(y, y, 1, &count, 0, n);
  if (j->kind == VLM_REDUCE_L2) j->ops->sqrt(y, y, n, NULL);
  if (j->kind == VLM_REDUCE_LOG_SUM) j->ops->log(y, y, n, NULL);
}

/* log of the sum of exp(x), shifted by the largest; an infinite one is the answer. */
static float log_sum_exp(const vlm_rowops *ops, const float *x, int64_t n) {
  float max = ops->row_max(x, n), sum = 0.0f, block[BLOCK];
  if (fabsf(max) == INFINITY || max != max) return max;
  for (int64_t i = 0; i < n; i += BLOCK) {
    int64_t m = n - i < BLOCK ? n - i : BLOCK;
    ops->sub(block, x + i, 1, &max, 0, m);
    ops->exp(block, block, m, NULL);
    sum += ops->row_sum(block, m);
  }
  ops->log(&sum, &sum, 1, NULL);
  return max + sum;
}

static float reduce_row(const reduce_job *j, const float *x, int64_t n) {
  switch (j->kind) {
    case VLM_REDUCE_MAX: return j->ops->row_max(x, n);
    case VLM_REDUCE_MIN: return j->ops->row_min(x, n);
    case VLM_REDUCE_PROD: return j->ops->row_prod(x, n);
    case VLM_REDUCE_L1: return j->ops->row_sumabs(x, n);
    case VLM_REDUCE_L2:
    case VLM_REDUCE_SUM_SQUARE: return j->ops->row_sumsq(x, n);
    case VLM_REDUCE_LOG_SUM_EXP: return log_sum_exp(j->ops, x, n);
    default: return j->ops->row_sum(x, n);
  }
}

static void rows_task(void *user, int64_t begin, int64_t end, int worker) {
  const reduce_job *j = user;
  (void)worker;
  for (int64_t i = begin; i < end; i++) j->y[i] = reduce_row(j, j->x + i * j->plan->count, j->plan->count);
  finish(j, j->y + begin, end - begin);
}

static void gather_task(void *user, int64_t begin, int64_t end, int worker) {
  const reduce_job *j = user;
  float *row = j->gathered + (int64_t)worker * j->plan->count;
  for (int64_t i = begin; i < end; i++) {
    const float *x = j->x + vlm_reduce_base(j->plan, i);
    for (int64_t k = 0; k < j->plan->count; k++) row[k] = x[vlm_reduce_offset(j->plan, k)];
    j->y[i] = reduce_row(j, row, j->plan->count);
  }
  finish(j, j->y + begin, end - begin);
}

/* acc = acc (+) x for n columns. */
static void column_step(const reduce_job *j, float *acc, const float *x, const float *max, int64_t n) {
  float t[BLOCK];
  switch (j->kind) {
    case VLM_REDUCE_MAX: j->ops->max(acc, acc, 1, x, 1, n); return;
    case VLM_REDUCE_MIN: j->ops->min(acc, acc, 1, x, 1, n); return;
    case VLM_REDUCE_PROD: j->ops->mul(acc, acc, 1, x, 1, n); return;
    case VLM_REDUCE_L1: j->ops->abs(t, x, n, NULL); break;
    case VLM_REDUCE_L2:
    case VLM_REDUCE_SUM_SQUARE: j->ops->mul(t, x, 1, x, 1, n); break;
    case VLM_REDUCE_LOG_SUM_EXP:
      j->ops->sub(t, x, 1, max, 1, n);
      j->ops->exp(t, t, n, NULL);
      break;
    default: j->ops->add(acc, acc, 1, x, 1, n); return;
  }
  j->ops->add(acc, acc, 1, t, 1, n);
}

static float start_of(vlm_reduce_kind kind) {
  return kind == VLM_REDUCE_PROD  ? 1.0f
         : kind == VLM_REDUCE_MAX ? -INFINITY
         : kind == VLM_REDUCE_MIN ? INFINITY
                                  : 0.0f;
}

/* The largest finite value of each column; columns with an infinite one are shifted by 0 and mended at the end. */
static void column_max(const reduce_job *j, float *max, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) max[i] = -INFINITY;
  for (int64_t k = 0; k < j->plan->count; k++) j->ops->max(max, max, 1, x + k * j->inner, 1, n);
}

static void reduce_columns(const reduce_job *j, float *y, const float *x, int64_t n) {
  float max[BLOCK], shift[BLOCK], acc[BLOCK];
  bool exponential = j->kind == VLM_REDUCE_LOG_SUM_EXP;
  if (exponential) column_max(j, max, x, n);
  for (int64_t i = 0; i < n; i++) {
    acc[i] = start_of(j->kind);
    shift[i] = exponential && fabsf(max[i]) < INFINITY ? max[i] : 0.0f;
  }
  for (int64_t k = 0; k < j->plan->count; k++) column_step(j, acc, x + k * j->inner, shift, n);
  if (exponential) {
    j->ops->log(acc, acc, n, NULL);
    for (int64_t i = 0; i < n; i++) acc[i] = fabsf(max[i]) < INFINITY ? max[i] + acc[i] : max[i];
  }
  finish(j, acc, n);
  for (int64_t i = 0; i < n; i++) y[i] = acc[i];
}

/* Index = outer index * blocks + block. */
static void columns_task(void *user, int64_t begin, int64_t end, int worker) {
  const reduce_job *j = user;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    int64_t outer = i / j->blocks, at = i % j->blocks * BLOCK,
            n = j->inner - at < BLOCK ? j->inner - at : BLOCK;
    reduce_columns(j, j->y + outer * j->inner + at, j->x + outer * j->plan->count * j->inner + at, n);
  }
}

static int64_t grain(int64_t work_per_item) {
  return work_per_item >= VLM_ROW_GRAIN ? 1 : VLM_ROW_GRAIN / (work_per_item + 1) + 1;
}

/* The elements of a group lie together, or there is one. */
static bool in_rows(const vlm_reduce_plan *p) {
  return p->n_reduced == 0 || (p->n_reduced == 1 && p->reduced_stride[0] == 1) || p->count == 0;
}
static bool in_columns(const vlm_reduce_plan *p) { return p->n_reduced == 1 && p->reduced_stride[0] >= 8; }

int64_t vlm_reduce_room(const vlm_reduce_plan *p) {
  return p->outputs == 0 || in_rows(p) || in_columns(p) ? 0 : p->count;
}

void vlm_reduce_f32(vlm_op_call *c, const vlm_reduce_plan *p, vlm_reduce_kind kind, const float *x, float *y,
                    float *room) {
  reduce_job j = {.plan = p, .ops = vlm_call_rowops(c), .kind = kind, .x = x, .y = y, .gathered = room};
  if (p->outputs == 0) return;
  if (in_rows(p)) {
    vlm_threads_range(c->threads, p->outputs, grain(p->count), rows_task, &j);
  } else if (in_columns(p)) {
    j.inner = p->reduced_stride[0];
    j.blocks = (j.inner + BLOCK - 1) / BLOCK;
    int64_t outer = p->outputs / j.inner;
    vlm_threads_range(c->threads, outer * j.blocks, grain(p->count * BLOCK), columns_task, &j);
  } else {
    vlm_threads_range(c->threads, p->outputs, grain(p->count), gather_task, &j);
  }
}
