/* vlm.MaxPool, vlm.AveragePool: the pools of ai.onnx on [N, spatial..., C]; whole pixels at a time. */
#include <math.h>
#include <string.h>

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/rowops.h"
#include "runtime/ops/conv_attrs.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/pool_window.h"
#include "runtime/ops/values.h"

enum { COUNT_INCLUDE_PAD = VLM_POOL_MORE };

typedef struct {
  vlm_pool_window w;
  int64_t channels;
  bool max, bytes, include_pad;
  vlm_values x;
  vlm_result y;
  int64_t grain; /* rows of a task */
} last_pool_state;

typedef struct {
  const last_pool_state *s;
  const vlm_rowops *rowops;
  const void *x;
  void *y;
} last_pool_job;

static vlm_status read_window(vlm_op_call *c, vlm_pool_window *w) {
  const vlm_tensor x = vlm_channels_first(c->in[0]);
  const vlm_tensor *in[1] = {&x};
  vlm_op_call first = *c;
  first.in = in;
  return vlm_pool_window_read(&first, w);
}

vlm_status vlm_infer_PoolLast(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_pool_window w;
  const vlm_tensor *x = c->in[0];
  int64_t dims[VLM_MAX_RANK] = {x->dims[0]};
  VLM_TRY(read_window(c, &w));
  for (int i = 1; i < x->rank - 1; i++) dims[i] = w.out[VLM_POOL_SPACE - x->rank + 1 + i];
  dims[x->rank - 1] = x->dims[x->rank - 1];
  vlm_out_shape(c, 0, x->dtype, x->rank, dims);
out:
  return st;
}

static vlm_status prepare(vlm_op_call *c, bool max) {
  vlm_status st = VLM_OK;
  last_pool_state *s;
  const vlm_tensor *x = c->in[0];
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_window(c, &s->w));
  s->channels = x->dims[x->rank - 1];
  s->max = max;
  s->bytes = max && x->dtype == VLM_U8;
  s->include_pad = !max && vlm_arg_int(c, COUNT_INCLUDE_PAD, 0) != 0;
  if (!s->bytes) VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  if (!s->bytes) VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  double work =
      (double)(s->w.kernel[0] * s->w.kernel[1] * s->w.kernel[2]) * (double)(s->w.out[2] * s->channels);
  s->grain = (int64_t)(16384 / (work > 0 ? work : 1)) + 1;
out:
  return st;
}

vlm_status vlm_prepare_MaxPoolLast(vlm_op_call *c) { return prepare(c, true); }
vlm_status vlm_prepare_AveragePoolLast(vlm_op_call *c) { return prepare(c, false); }

/* n elements of x joined into y. */
static void join(const last_pool_job *j, int64_t y, int64_t x, int64_t n) {
  if (j->s->bytes) {
    uint8_t *to = (uint8_t *)j->y + y;
    j->rowops->max_u8(to, to, (const uint8_t *)j->x + x, n);
  } else {
    float *to = (float *)j->y + y;
    (j->s->max ? j->rowops->max : j->rowops->add)(to, to, 1, (const float *)j->x + x, 1, n);
  }
}

/* One tap row of one output row. */
static void join_row(const last_pool_job *j, int64_t y, int64_t x) {
  const last_pool_state *s = j->s;
  const vlm_pool_window *w = &s->w;
  for (int64_t i = 0; i < w->out[2]; i++) {
    int64_t from, to, first = i * w->stride[2] - w->before[2];
    vlm_pool_taps(w, 2, i, &from, &to);
    for (int64_t k = from; k < to; k++)
      join(j, y + i * s->channels, x + (first + k * w->dilation[2]) * s->channels, s->channels);
  }
}

static void clear_row(const last_pool_job *j, int64_t y, int64_t n) {
  if (j->s->bytes) memset((uint8_t *)j->y + y, 0, (size_t)n);
  for (int64_t i = 0; !j->s->bytes && i < n; i++) ((float *)j->y)[y + i] = j->s->max ? -INFINITY : 0;
}

static void divide_row(const last_pool_job *j, int64_t y, int64_t z, int64_t r) {
  const last_pool_state *s = j->s;
  const vlm_pool_window *w = &s->w;
  int64_t rows = vlm_pool_count(w, s->include_pad, 0, z) * vlm_pool_count(w, s->include_pad, 1, r);
  for (int64_t i = 0; i < w->out[2]; i++) {
    int64_t n = rows * vlm_pool_count(w, s->include_pad, 2, i);
    float count = (float)(n > 0 ? n : 1), *at = (float *)j->y + y + i * s->channels;
    j->rowops->div(at, at, 1, &count, 0, s->channels);
  }
}

static void pool_rows(void *user, int64_t begin, int64_t end, int worker) {
  const last_pool_job *j = user;
  const last_pool_state *s = j->s;
  const vlm_pool_window *w = &s->w;
  int64_t width = w->out[2] * s->channels;
  (void)worker;
  for (int64_t row = begin; row < end; row++) {
    int64_t r = row % w->out[1], z = row / w->out[1] % w->out[0], image = row / w->out[1] / w->out[0],
            y = row * width;
    int64_t z0, z1, r0, r1;
    vlm_pool_taps(w, 0, z, &z0, &z1);
    vlm_pool_taps(w, 1, r, &r0, &r1);
    clear_row(j, y, width);
    for (int64_t kz = z0; kz < z1; kz++) {
      for (int64_t kr = r0; kr < r1; kr++) {
        int64_t iz = z * w->stride[0] - w->before[0] + kz * w->dilation[0],
                ir = r * w->stride[1] - w->before[1] + kr * w->dilation[1];
        join_row(j, y, ((image * w->in[0] + iz) * w->in[1] + ir) * w->in[2] * s->channels);
      }
    }
    if (!s->max) divide_row(j, y, z, r);
  }
}

vlm_status vlm_run_PoolLast(vlm_op_call *c) {
  const last_pool_state *s = c->state;
  last_pool_job j = {.s = s, .rowops = c->kernels->rowops};
  j.x = s->bytes ? c->in[0]->data : vlm_values_get(c, &s->x);
  j.y = s->bytes ? c->out[0]->data : (void *)vlm_result_get(c, &s->y);
  if (vlm_tensor_count(c->out[0]) > 0)
    vlm_threads_range(c->threads, c->in[0]->dims[0] * s->w.out[0] * s->w.out[1], s->grain, pool_rows, &j);
  if (!s->bytes) vlm_store_f32(c, 0, j.y);
  return VLM_OK;
}
