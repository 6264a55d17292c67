/* Softmax, LogSoftmax, Hardmax along one axis. Rows (the axis is last) go through the row operation; other axes gather each line into a
 * row. */
#include <math.h>
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"
#include "runtime/ops/values.h"

vlm_status vlm_infer_softmax(vlm_op_call *c) {
  int axis, rank = c->in[0]->rank;
  vlm_status st = rank == 0 ? VLM_OK : vlm_axis(c, vlm_arg_int(c, 0, -1), rank, c->node->opset < 13, &axis);
  if (st == VLM_OK) vlm_out_like(c, 0, 0);
  return st;
}

typedef void row_fn(const vlm_rowops *ops, float *z, const float *x, int64_t n);

static void softmax_row(const vlm_rowops *ops, float *z, const float *x, int64_t n) { ops->softmax(z, x, n); }
static void log_softmax_row(const vlm_rowops *ops, float *z, const float *x, int64_t n) {
  ops->log_softmax(z, x, n);
}
static void hardmax_row(const vlm_rowops *ops, float *z, const float *x, int64_t n) {
  (void)ops;
  int64_t best = 0;
  for (int64_t i = 1; i < n; i++)
    if (x[i] > x[best]) best = i;
  for (int64_t i = 0; i < n; i++) z[i] = i == best ? 1.0f : 0.0f;
}

typedef struct {
  const vlm_rowops *ops;
  row_fn *fn;
  const float *x;
  float *y, *line; /* line: 2 * count values per worker, when inner > 1 */
  int64_t count, inner;
} softmax_job;

static void rows_task(void *user, int64_t begin, int64_t end, int worker) {
  const softmax_job *j = user;
  (void)worker;
  for (int64_t i = begin; i < end; i++) j->fn(j->ops, j->y + i * j->count, j->x + i * j->count, j->count);
}

/* ---- short rows: a block of them at once, one array per place in the row ---- */

enum { SHORT = 4, SHORT_ROWS = 64 };

/* The place arrays of sums in the order of the row operation: 0 with 2, 1 with 3, then both. */
static void add_places(const vlm_rowops *ops, float *sum, float e[SHORT][SHORT_ROWS], int64_t count,
                       int64_t n) {
  float odd[SHORT_ROWS];
  memcpy(sum, e[0], (size_t)n * sizeof *sum);
  memcpy(odd, e[1], (size_t)n * sizeof *odd);
  if (count > 2) ops->add(sum, sum, 1, e[2], 1, n);
  if (count > 3) ops->add(odd, odd, 1, e[3], 1, n);
  ops->add(sum, sum, 1, odd, 1, n);
}

/* The same bits as n calls of the row operation. */
static void softmax_short(const softmax_job *j, const float *x, float *y, int64_t n) {
  float e[SHORT][SHORT_ROWS], max[SHORT_ROWS], sum[SHORT_ROWS];
  const vlm_rowops *ops = j->ops;
  int64_t count = j->count;
  const float one = 1;
  for (int64_t k = 0; k < count; k++)
    for (int64_t i = 0; i < n; i++) e[k][i] = x[i * count + k];
  memcpy(max, e[0], (size_t)n * sizeof *max);
  for (int64_t k = 1; k < count; k++) ops->max(max, max, 1, e[k], 1, n);
  for (int64_t k = 0; k < count; k++) {
    float d[SHORT_ROWS];
    ops->sub(d, e[k], 1, max, 1, n);
    ops->exp(e[k], d, n, NULL);
    for (int64_t i = 0; i < n; i++) e[k][i] = d[i] < -60.0f ? 0.0f : e[k][i];
  }
  add_places(ops, sum, e, count, n);
  ops->div(sum, &one, 0, sum, 1, n);
  for (int64_t k = 0; k < count; k++) {
    ops->mul(e[k], e[k], 1, sum, 1, n);
    for (int64_t i = 0; i < n; i++) y[i * count + k] = e[k][i];
  }
}

static void short_task(void *user, int64_t begin, int64_t end, int worker) {
  const softmax_job *j = user;
  (void)worker;
  for (int64_t i = begin; i < end; i += SHORT_ROWS) {
    int64_t n = end - i < SHORT_ROWS ? end - i : SHORT_ROWS;
    softmax_short(j, j->x + i * j->count, j->y + i * j->count, n);
  }
}

static void lines_task(void *user, int64_t begin, int64_t end, int worker) {
  const softmax_job *j = user;
  float *in = j->line + (int64_t)worker * 2 * j->count, *out = in + j->count;
  for (int64_t i = begin; i < end; i++) {
    int64_t base = i / j->inner * j->count * j->inner + i % j->inner;
    for (int64_t k = 0; k < j->count; k++) in[k] = j->x[base + k * j->inner];
    j->fn(j->ops, out, in, j->count);
    for (int64_t k = 0; k < j->count; k++) j->y[base + k * j->inner] = out[k];
  }
}

/* float64 lines, in place over stride `inner`. */
static void line_f64(double *y, const double *x, int64_t count, int64_t inner, row_fn *fn) {
  double max = -(double)INFINITY, sum = 0.0;
  int64_t best = 0;
  for (int64_t k = 0; k < count; k++)
    if (x[k * inner] > max) max = x[(best = k) * inner];
  for (int64_t k = 0; k < count; k++) sum += exp(x[k * inner] - max);
  for (int64_t k = 0; k < count; k++) {
    double v = x[k * inner] - max;
    y[k * inner] = fn == hardmax_row   ? (k == best ? 1.0 : 0.0)
                   : fn == softmax_row ? exp(v) / sum
                                       : v - log(sum);
  }
}

typedef struct {
  row_fn *fn;
  int64_t outer, count, inner;
  vlm_values x;
  vlm_result y;
  size_t line;
} softmax_state;

static vlm_status prepare_lines(vlm_op_call *c, row_fn *fn, int64_t outer, int64_t count, int64_t inner) {
  vlm_status st = VLM_OK;
  softmax_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  s->fn = fn;
  s->outer = outer;
  s->count = count;
  s->inner = inner;
  if (c->in[0]->dtype == VLM_F64) goto out;
  VLM_TRY(vlm_values_prepare(c, &s->x, 0, vlm_tensor_count(c->in[0]), "the input"));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  if (inner > 1)
    VLM_TRY(vlm_op_reserve(c, &s->line, 2 * count * (c->threads ? vlm_threads_count(c->threads) : 1),
                           sizeof(float)));
out:
  return st;
}

static void run_f64(const vlm_op_call *c, const softmax_state *s) {
  for (int64_t i = 0; i < s->outer * s->inner; i++) {
    int64_t base = i / s->inner * s->count * s->inner + i % s->inner;
    line_f64((double *)c->out[0]->data + base, (const double *)c->in[0]->data + base, s->count, s->inner,
             s->fn);
  }
}

static vlm_range_task *task_of(const softmax_state *s) {
  if (s->inner > 1) return lines_task;
  return s->fn == softmax_row && s->count > 1 && s->count <= SHORT ? short_task : rows_task;
}

vlm_status vlm_run_softmax(vlm_op_call *c) {
  const softmax_state *s = c->state;
  int64_t grain = 4096 / (s->count + 1) + 1, rows = s->outer * s->inner;
  if (rows * s->count == 0) return VLM_OK;
  if (c->in[0]->dtype == VLM_F64) {
    run_f64(c, s);
    return VLM_OK;
  }
  softmax_job j = {.ops = vlm_call_rowops(c),
                   .fn = s->fn,
                   .count = s->count,
                   .inner = s->inner,
                   .x = vlm_values_get(c, &s->x),
                   .y = vlm_result_get(c, &s->y)};
  if (s->inner > 1) j.line = vlm_op_work(c, s->line);
  vlm_threads_range(c->threads, rows, grain, task_of(s), &j);
  vlm_store_f32(c, 0, j.y);
  return VLM_OK;
}

static vlm_status along_axis(vlm_op_call *c, row_fn *fn) {
  const vlm_tensor *x = c->in[0];
  int axis;
  if (x->rank == 0) return prepare_lines(c, fn, 1, 1, 1);
  vlm_status st = vlm_axis(c, vlm_arg_int(c, 0, -1), x->rank, false, &axis);
  return st != VLM_OK ? st
                      : prepare_lines(c, fn, vlm_tensor_span(x, 0, axis), x->dims[axis],
                                      vlm_tensor_span(x, axis + 1, x->rank));
}

static vlm_status as_matrix(vlm_op_call *c, row_fn *fn) {
  const vlm_tensor *x = c->in[0];
  int axis;
  if (x->rank == 0) return prepare_lines(c, fn, 1, 1, 1);
  vlm_status st = vlm_axis(c, vlm_arg_int(c, 0, 1), x->rank, true, &axis);
  return st != VLM_OK
             ? st
             : prepare_lines(c, fn, vlm_tensor_span(x, 0, axis), vlm_tensor_span(x, axis, x->rank), 1);
}

vlm_status vlm_prepare_softmax(vlm_op_call *c) { return along_axis(c, softmax_row); }
vlm_status vlm_prepare_softmax_matrix(vlm_op_call *c) { return as_matrix(c, softmax_row); }
vlm_status vlm_prepare_log_softmax(vlm_op_call *c) { return along_axis(c, log_softmax_row); }
vlm_status vlm_prepare_log_softmax_matrix(vlm_op_call *c) { return as_matrix(c, log_softmax_row); }
vlm_status vlm_prepare_hardmax(vlm_op_call *c) { return along_axis(c, hardmax_row); }
vlm_status vlm_prepare_hardmax_matrix(vlm_op_call *c) { return as_matrix(c, hardmax_row); }
