/* DynamicQuantizeLinear: uint8, the range is that of the data stretched to hold zero. */
#include <math.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/rows.h"

vlm_status vlm_infer_dynamic_quantize_linear(vlm_op_call *c) {
  vlm_out_shape(c, 0, VLM_U8, c->in[0]->rank, c->in[0]->dims);
  vlm_out_shape(c, 1, VLM_F32, 0, NULL);
  vlm_out_shape(c, 2, VLM_U8, 0, NULL);
  return VLM_OK;
}

typedef struct {
  const vlm_rowops *ops;
  const float *x;
  float *bounds; /* low and high of each chunk */
  uint8_t *q;
  float scale;
  int32_t zero;
} dynamic_job;

static void minmax_task(void *user, int64_t begin, int64_t end, int worker) {
  const dynamic_job *j = user;
  float *out = j->bounds + begin / VLM_ROW_GRAIN * 2;
  (void)worker;
  j->ops->minmax(j->x + begin, end - begin, &out[0], &out[1]);
}

static void quantize_task(void *user, int64_t begin, int64_t end, int worker) {
  const dynamic_job *j = user;
  (void)worker;
  j->ops->quantize_u8(j->q + begin, j->x + begin, end - begin, j->scale, j->zero);
}

typedef struct {
  int64_t chunks;
  size_t bounds;
} dynamic_state;

vlm_status vlm_prepare_dynamic_quantize_linear(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  dynamic_state *s;
  const vlm_tensor *t = c->in[0];
  VLM_CHECK(t->dtype == VLM_F32, c->err, VLM_UNSUPPORTED, "no form for elements of type %s; wanted float32",
            vlm_dtype_name(t->dtype));
  VLM_TRY(vlm_op_state_new(c, &s));
  s->chunks = (vlm_tensor_count(t) + VLM_ROW_GRAIN - 1) / VLM_ROW_GRAIN;
  VLM_TRY(vlm_op_reserve(c, &s->bounds, 2 * s->chunks, sizeof(float)));
out:
  return st;
}

static void choose_scale(dynamic_job *j, int64_t chunks) {
  float low = 0.0f, high = 0.0f;
  for (int64_t i = 0; i < chunks; i++) {
    low = j->bounds[2 * i] < low ? j->bounds[2 * i] : low;
    high = j->bounds[2 * i + 1] > high ? j->bounds[2 * i + 1] : high;
  }
  j->scale = high > low ? (high - low) / 255.0f : 1.0f;
  float zero = rintf((0.0f - low) / j->scale);
  j->zero = zero > 0.0f ? (zero < 255.0f ? (int32_t)zero : 255) : 0;
}

vlm_status vlm_run_dynamic_quantize_linear(vlm_op_call *c) {
  const dynamic_state *s = c->state;
  int64_t n = vlm_tensor_count(c->in[0]);
  dynamic_job j = {.ops = vlm_call_rowops(c),
                   .x = c->in[0]->data,
                   .bounds = vlm_op_work(c, s->bounds),
                   .q = vlm_out(c, 0) ? c->out[0]->data : NULL};
  vlm_threads_range(c->threads, n, VLM_ROW_GRAIN, minmax_task, &j);
  choose_scale(&j, s->chunks);
  if (vlm_out(c, 1)) *(float *)c->out[1]->data = j.scale;
  if (vlm_out(c, 2)) *(uint8_t *)c->out[2]->data = (uint8_t)j.zero;
  if (j.q) vlm_threads_range(c->threads, n, VLM_ROW_GRAIN, quantize_task, &j);
  return VLM_OK;
}
