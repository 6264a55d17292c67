#include "runtime/ops/requantize.h"

#include <math.h>

#include "runtime/base/unconst.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/prepare.h"

static const vlm_tensor *optional(const vlm_op_call *c, int k) { return k < 0 ? NULL : vlm_in(c, k); }

static vlm_status check_one(vlm_op_call *c, int k, const char *what) {
  const vlm_tensor *t = optional(c, k);
  if (!t || vlm_tensor_count(t) == 1) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "%s has %lld elements; wanted one value per tensor", what,
                  (long long)vlm_tensor_count(t));
}

vlm_status vlm_requantize_prepare(vlm_op_call *c, vlm_requantize_scales *s, int64_t m, int64_t n) {
  vlm_status st = VLM_OK;
  int64_t a_count = vlm_tensor_count(c->in[s->a]), b_count = vlm_tensor_count(c->in[s->b]);
  VLM_CHECK((a_count == 1 || a_count == m) && (b_count == 1 || b_count == n), c->err, VLM_INPUT,
            "scales of %lld and %lld values; wanted 1 or %lld, and 1 or %lld", (long long)a_count,
            (long long)b_count, (long long)m, (long long)n);
  VLM_CHECK(a_count == 1 || b_count == 1, c->err, VLM_UNSUPPORTED,
            "scales per row and per column at once are not supported");
  VLM_TRY(check_one(c, s->y_scale, "the scale of y"));
  VLM_TRY(check_one(c, s->y_zero, "the zero point of y"));
  s->count = a_count == 0 || b_count == 0 ? 0
             : a_count > b_count          ? a_count
                                          : b_count; /* 0: no element asks */
  s->by_row = a_count > 1;
  VLM_TRY(vlm_op_reserve(c, &s->factor, s->count, sizeof(float)));
out:
  return st;
}

void vlm_requantize_read(vlm_op_call *c, const vlm_requantize_scales *s, vlm_requantize *q) {
  const vlm_tensor *a = c->in[s->a], *b = c->in[s->b], *y_scale = optional(c, s->y_scale),
                   *y_zero = optional(c, s->y_zero);
  int64_t a_count = vlm_tensor_count(a), b_count = vlm_tensor_count(b);
  float y = y_scale ? (float)vlm_tensor_get(y_scale, 0) : 1, *factor = vlm_op_work(c, s->factor);
  for (int64_t i = 0; i < s->count; i++) {
    factor[i] = (float)vlm_tensor_get(a, i % a_count) * (float)vlm_tensor_get(b, i % b_count) / y;
    factor[i] *= s->alpha;
  }
  q->factor = factor;
  q->factor_count = s->count;
  q->by_row = s->by_row;
  q->zero = y_zero ? (int32_t)vlm_tensor_get_int(y_zero, 0) : 0;
}

static int32_t clamp(float v, int32_t zero, int32_t low, int32_t high) {
  double r = (double)rintf(v) + zero;
  return !(r >= low) ? low : r > high ? high : (int32_t)r; /* NaN: the lowest, as QuantizeLinear */
}

static void row_task(void *user, int64_t i, int worker) {
  const vlm_requantize *q = user;
  const int32_t *sums = q->sums + i * q->columns;
  int64_t at = i * q->columns, step = q->by_row || q->factor_count == 1 ? 0 : 1;
  const float *factor = q->factor + (q->by_row ? i % q->factor_count : 0);
  (void)worker;
  for (int64_t j = 0; j < q->columns; j++) {
    float v = (float)sums[j] * factor[j * step];
    if (q->out->dtype == VLM_F32) ((float *)q->out->data)[at + j] = v;
    else if (q->out->dtype == VLM_U8) ((uint8_t *)q->out->data)[at + j] = (uint8_t)clamp(v, q->zero, 0, 255);
    else ((int8_t *)q->out->data)[at + j] = (int8_t)clamp(v, q->zero, -128, 127);
  }
}

void vlm_requantize_run(vlm_op_call *c, const vlm_requantize *q) {
  vlm_threads_run(c->threads, q->rows, row_task, vlm_unconst(q));
}
