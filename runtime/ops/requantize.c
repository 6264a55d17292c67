#include "runtime/ops/requantize.h"

#include <math.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/weights.h"

vlm_status vlm_requantize_scales(vlm_op_call *c, vlm_requantize *q, const vlm_tensor *a_scale, const vlm_tensor *b_scale,
                                 const vlm_tensor *y_scale, const vlm_tensor *y_zero, int64_t m, int64_t n) {
  vlm_status st = VLM_OK;
  int64_t a_count = vlm_tensor_count(a_scale), b_count = vlm_tensor_count(b_scale);
  float y = 1;
  void *block;
  VLM_CHECK((a_count == 1 || a_count == m) && (b_count == 1 || b_count == n), c->err, VLM_INPUT,
            "scales of %lld and %lld values; wanted 1 or %lld, and 1 or %lld", (long long)a_count, (long long)b_count, (long long)m,
            (long long)n);
  VLM_CHECK(a_count == 1 || b_count == 1, c->err, VLM_UNSUPPORTED, "scales per row and per column at once are not supported");
  if (y_scale) VLM_TRY(vlm_op_scalar(c, y_scale, "the scale of y", &y));
  VLM_TRY(vlm_op_zero_point(c, y_zero, &q->zero));
  q->factor_count = a_count > b_count ? a_count : b_count;
  q->by_row = a_count > 1;
  VLM_TRY(vlm_scratch_array(c, &block, q->factor_count, sizeof(float)));
  q->factor = block;
  for (int64_t i = 0; i < q->factor_count; i++)
    ((float *)block)[i] = (float)vlm_tensor_get(a_scale, i % a_count) * (float)vlm_tensor_get(b_scale, i % b_count) / y;
out:
  return st;
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
    if (q->out->dtype == VLM_F32)
      ((float *)q->out->data)[at + j] = v;
    else if (q->out->dtype == VLM_U8)
      ((uint8_t *)q->out->data)[at + j] = (uint8_t)clamp(v, q->zero, 0, 255);
    else
      ((int8_t *)q->out->data)[at + j] = (int8_t)clamp(v, q->zero, -128, 127);
  }
}

void vlm_requantize_run(vlm_op_call *c, const vlm_requantize *q) { vlm_threads_run(c->threads, q->rows, row_task, (void *)q); }
