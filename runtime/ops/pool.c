/* MaxPool, AveragePool and LpPool over [N, C, spatial…]. */
#include <math.h>
#include <string.h>

#include "runtime/kernels/elementary.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/pool_window.h"
#include "runtime/ops/values.h"

enum { STORAGE_ORDER = VLM_POOL_MORE, COUNT_INCLUDE_PAD = VLM_POOL_MORE, LP_P = VLM_POOL_MORE };

vlm_status vlm_infer_Pool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_pool_window w;
  const vlm_tensor *x = c->in[0];
  int64_t dims[VLM_MAX_RANK];
  VLM_TRY(vlm_pool_window_read(c, &w));
  for (int i = 0; i < x->rank; i++) dims[i] = i < 2 ? x->dims[i] : w.out[VLM_POOL_SPACE - x->rank + i];
  vlm_out_shape(c, 0, x->dtype, x->rank, dims);
  vlm_out_shape(c, 1, VLM_S64, x->rank, dims);
out:
  return st;
}

/* Output positions [*from, *to) whose tap at `offset` (column 0's input column) lies inside a row of n. */
static void columns_of_tap(int64_t offset, int64_t stride, int64_t n, int64_t count, int64_t *from,
                           int64_t *to) {
  int64_t low = offset < 0 ? (-offset + stride - 1) / stride : 0,
          high = offset < n ? (n - 1 - offset) / stride + 1 : 0;
  *to = high < count ? high : count;
  *from = low < *to ? low : *to;
}

/* Taps [*first, *last) of a row's window that meet the row at all: a window may be far larger. */
static void taps_of_row(const vlm_pool_window *w, int64_t *first, int64_t *last) {
  int64_t step = w->dilation[2], reach = (w->out[2] - 1) * w->stride[2], low = w->before[2] - reach;
  *first = low > 0 ? low / step : 0;
  *last = (w->in[2] + w->before[2]) / step + 1;
  if (*last > w->kernel[2]) *last = w->kernel[2];
}

#define POOL_ROW(type, name)                                                           \
  static void name##_row(const vlm_pool_window *w, bool max, const type *x, type *y) { \
    int64_t first, last;                                                               \
    taps_of_row(w, &first, &last);                                                     \
    for (int64_t k = first; k < last; k++) {                                           \
      int64_t offset = k * w->dilation[2] - w->before[2], s = w->stride[2], from, to;  \
      columns_of_tap(offset, s, w->in[2], w->out[2], &from, &to);                      \
      const type *p = x + offset;                                                      \
      if (max && s == 1)                                                               \
        for (int64_t i = from; i < to; i++) y[i] = p[i] > y[i] ? p[i] : y[i];          \
      else if (max)                                                                    \
        for (int64_t i = from; i < to; i++) y[i] = p[i * s] > y[i] ? p[i * s] : y[i];  \
      else                                                                             \
        for (int64_t i = from; i < to; i++) y[i] += p[i * s];                          \
    }                                                                                  \
  }
POOL_ROW(float, f32)
POOL_ROW(double, f64)

#define REAL float
#define POOL(name) f32_##name
#include "runtime/ops/pool_body.h"
#undef REAL
#undef POOL
#define REAL double
#define POOL(name) f64_##name
#include "runtime/ops/pool_body.h"
#undef REAL
#undef POOL

typedef struct pool_job {
  vlm_pool_window w;
  bool max, wide, column_major;
  const void *x;
  void *y;
  int64_t *indices; /* MaxPool's second output or NULL */
  int64_t in_size, out_size;
  bool divide, include_pad;
} pool_job;

static void divide_plane(const pool_job *j, int64_t plane) {
  const vlm_pool_window *w = &j->w;
  int64_t at = plane * j->out_size;
  for (int64_t z = 0; z < w->out[0]; z++)
    for (int64_t r = 0; r < w->out[1]; r++)
      for (int64_t i = 0,
                   rows = vlm_pool_count(w, j->include_pad, 0, z) * vlm_pool_count(w, j->include_pad, 1, r);
           i < w->out[2]; i++, at++) {
        int64_t n = rows * vlm_pool_count(w, j->include_pad, 2, i);
        n = n > 0 ? n : 1;
        if (j->wide) ((double *)j->y)[at] /= (double)n;
        else ((float *)j->y)[at] /= (float)n;
      }
}

static double value_at(const pool_job *j, int64_t i) {
  return j->wide ? ((const double *)j->x)[i] : (double)((const float *)j->x)[i];
}

/* Index of the first largest entry of each window, counted over the whole input. */
static void index_plane(const pool_job *j, int64_t plane) {
  const vlm_pool_window *w = &j->w;
  int64_t *out = j->indices + plane * j->out_size;
  for (int64_t z = 0; z < w->out[0]; z++)
    for (int64_t r = 0; r < w->out[1]; r++)
      for (int64_t i = 0; i < w->out[2]; i++) {
        int64_t at[3] = {z, r, i}, from[3], to[3], best = -1;
        for (int d = 0; d < 3; d++) vlm_pool_taps(w, d, at[d], &from[d], &to[d]);
        for (int64_t a = from[0]; a < to[0]; a++)
          for (int64_t b = from[1]; b < to[1]; b++)
            for (int64_t e = from[2]; e < to[2]; e++) {
              int64_t p = z * w->stride[0] - w->before[0] + a * w->dilation[0],
                      q = r * w->stride[1] - w->before[1] + b * w->dilation[1];
              int64_t k =
                  (p * w->in[1] + q) * w->in[2] + i * w->stride[2] - w->before[2] + e * w->dilation[2];
              if (best < 0 || value_at(j, plane * j->in_size + k) > value_at(j, plane * j->in_size + best))
                best = k;
            }
        if (best >= 0 && j->column_major) {
          int64_t p = best / w->in[2] / w->in[1], q = best / w->in[2] % w->in[1], s = best % w->in[2];
          best = p + w->in[0] * (q + w->in[1] * s);
        }
        *out++ = best < 0 ? -1 : plane * j->in_size + best;
      }
}

static void pool_planes(void *user, int64_t begin, int64_t end, int worker) {
  const pool_job *j = user;
  (void)worker;
  for (int64_t p = begin; p < end; p++) {
    if (j->wide)
      f64_plane(&j->w, j->max, j->max ? -INFINITY : 0, (const double *)j->x + p * j->in_size,
                (double *)j->y + p * j->out_size);
    else
      f32_plane(&j->w, j->max, j->max ? -INFINITY : 0, (const float *)j->x + p * j->in_size,
                (float *)j->y + p * j->out_size);
    if (j->divide) divide_plane(j, p);
    if (j->indices) index_plane(j, p);
  }
}

typedef struct {
  pool_job job; /* all but the pointers of the run */
  vlm_values x;
  vlm_result y;
  vlm_wide_result wide_y;
  int64_t grain, p; /* grain 0: nothing to do; p > 0: LpPool */
  size_t powers;
} pool_state;

static vlm_status prepare_pool(vlm_op_call *c, const pool_job *job, pool_state **out) {
  vlm_status st = VLM_OK;
  pool_state *s;
  const vlm_tensor *x = c->in[0];
  VLM_TRY(vlm_op_state_new(c, &s));
  s->job = *job;
  VLM_TRY(vlm_pool_window_read(c, &s->job.w));
  s->job.wide = x->dtype == VLM_F64;
  s->job.in_size = vlm_tensor_span(x, 2, x->rank);
  s->job.out_size = vlm_tensor_span(c->out[0], 2, x->rank);
  if (s->job.wide) {
    VLM_TRY(vlm_wide_result_prepare(c, &s->wide_y, 0));
  } else {
    VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
    VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  }
  const int64_t *kernel = s->job.w.kernel;
  double work = (double)s->job.out_size * (double)kernel[0] * (double)kernel[1] * (double)kernel[2];
  s->grain = work > 0 ? (int64_t)(16384 / work) + 1 : 0;
  if (out) *out = s;
out:
  return st;
}

vlm_status vlm_prepare_MaxPool(vlm_op_call *c) {
  return prepare_pool(c, &(pool_job){.max = true, .column_major = vlm_arg_int(c, STORAGE_ORDER, 0) != 0},
                      NULL);
}

vlm_status vlm_prepare_AveragePool(vlm_op_call *c) {
  return prepare_pool(
      c, &(pool_job){.divide = true, .include_pad = vlm_arg_int(c, COUNT_INCLUDE_PAD, 0) != 0}, NULL);
}

vlm_status vlm_prepare_LpPool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  pool_state *s;
  int64_t p = vlm_arg_int(c, LP_P, 2);
  VLM_CHECK(p > 0, c->err, VLM_INPUT, "p is %lld", (long long)p);
  VLM_CHECK(c->in[0]->dtype != VLM_F64, c->err, VLM_UNSUPPORTED,
            "operator LpPool of float64 is not supported");
  VLM_TRY(prepare_pool(c, &(pool_job){.max = false}, &s));
  s->p = p;
  VLM_TRY(vlm_op_reserve(c, &s->powers, vlm_tensor_count(c->in[0]), sizeof(float)));
out:
  return st;
}

/* ---- LpPool: (sum |x|^p)^(1/p) ---- */

static float power(float x, double p) {
  if (x == 0 || p == 1) return x;
  return p == 2 ? x * x : (float)vlm_exp64(p * vlm_log64((double)x));
}

static const float *powers_of(const vlm_op_call *c, const pool_state *s, const float *x) {
  float *powers = vlm_op_work(c, s->powers);
  for (int64_t i = 0, n = vlm_tensor_count(c->in[0]); i < n; i++)
    powers[i] = power(fabsf(x[i]), (double)s->p);
  return powers;
}

static void take_roots(const vlm_op_call *c, const pool_state *s, float *y) {
  for (int64_t i = 0, n = vlm_tensor_count(c->out[0]); i < n; i++)
    y[i] = s->p == 2 ? sqrtf(y[i]) : power(y[i], 1.0 / (double)s->p);
}

vlm_status vlm_run_Pool(vlm_op_call *c) {
  const pool_state *s = c->state;
  pool_job j = s->job;
  j.x = j.wide ? c->in[0]->data : vlm_values_get(c, &s->x);
  j.y = j.wide ? (void *)vlm_wide_result_get(c, &s->wide_y) : vlm_result_get(c, &s->y);
  if (s->p) j.x = powers_of(c, s, j.x);
  if (j.max && vlm_out(c, 1)) j.indices = c->out[1]->data;
  if (s->grain) vlm_threads_range(c->threads, j.w.planes, s->grain, pool_planes, &j);
  if (s->p) take_roots(c, s, j.y);
  if (!j.wide) vlm_store_f32(c, 0, j.y);
  return VLM_OK;
}
