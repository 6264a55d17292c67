#include "quant/weight.h"

#include <math.h>
#include <string.h>

enum { CLIP_STEPS = 40 };

/* A channel is outer x inner elements, `stride` apart in the outer direction. */
typedef struct {
  int64_t outer, stride, inner;
} channel_shape;

typedef struct {
  double signal, error;
} quality;

static float channel_absmax(const float *x, const channel_shape *s) {
  float max = 0;
  for (int64_t o = 0; o < s->outer; o++)
    for (int64_t i = 0; i < s->inner; i++) max = fmaxf(max, fabsf(x[o * s->stride + i]));
  return max;
}

static float round_clip(float x, float scale) {
  float q = rintf(x / scale);
  return q < -127 ? -127 : q > 127 ? 127 : q;
}

static double channel_error(const float *x, const channel_shape *s, float scale) {
  double sum = 0;
  for (int64_t o = 0; o < s->outer; o++)
    for (int64_t i = 0; i < s->inner; i++) {
      float value = x[o * s->stride + i];
      double e = (double)value - (double)(round_clip(value, scale) * scale);
      sum += e * e;
    }
  return sum;
}

static float scale_of(float absmax) {
  float scale = absmax / 127.0f;
  return scale >= 0x1p-126f ? scale : 1.0f; /* an all-zero channel */
}

static float best_scale(const float *x, const channel_shape *s, float absmax) {
  float best = scale_of(absmax);
  double error = channel_error(x, s, best);
  for (int step = 1; step <= CLIP_STEPS && absmax > 0; step++) {
    float tried = scale_of(absmax * (1.0f - 0.01f * (float)step));
    double e = channel_error(x, s, tried);
    if (e < error) {
      error = e;
      best = tried;
    }
  }
  return best;
}

static quality store_channel(int8_t *q, const float *x, const channel_shape *s, float scale) {
  quality result = {0};
  for (int64_t o = 0; o < s->outer; o++)
    for (int64_t i = 0; i < s->inner; i++) {
      int64_t at = o * s->stride + i;
      float value = round_clip(x[at], scale);
      double e = (double)x[at] - (double)(value * scale);
      q[at] = (int8_t)value;
      result.signal += (double)x[at] * (double)x[at];
      result.error += e * e;
    }
  return result;
}

static vlm_status check_finite(const vlm_tensor *w, vlm_error *err) {
  const float *x = w->data;
  for (int64_t i = 0, n = vlm_tensor_count(w); i < n; i++)
    if (!isfinite(x[i])) return vlm_fail(err, VLM_INPUT, "weight element %lld is not finite; it cannot be quantized", (long long)i);
  return VLM_OK;
}

vlm_status vlm_weight_quantize(vlm_weight_s8 *out, const vlm_tensor *w, int axis, const vlm_weight_opts *opts, vlm_arena *arena, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(w->dtype == VLM_F32 && axis >= 0 && axis < w->rank, err, VLM_INTERNAL, "weight of type %s, axis %d", vlm_dtype_name(w->dtype), axis);
  VLM_TRY(check_finite(w, err));
  int64_t channels = w->dims[axis], inner = vlm_tensor_span(w, axis + 1, w->rank);
  channel_shape s = {.outer = vlm_tensor_span(w, 0, axis), .stride = channels * inner, .inner = inner};
  *out = (vlm_weight_s8){.data = *w, .axis = axis};
  out->data.dtype = VLM_S8;
  VLM_TRY(vlm_arena_alloc(arena, &out->data.data, (size_t)vlm_tensor_count(w), 1, err));
  out->scale = vlm_tensor_make(VLM_F32, 1, &channels, NULL);
  VLM_TRY(vlm_arena_alloc(arena, &out->scale.data, (size_t)channels, sizeof(float), err));
  float *scales = out->scale.data, largest = 0;
  for (int64_t c = 0; c < channels; c++) scales[c] = channel_absmax((const float *)w->data + c * inner, &s);
  for (int64_t c = 0; c < channels; c++) largest = fmaxf(largest, scales[c]);
  quality sum = {0};
  for (int64_t c = 0; c < channels; c++) {
    const float *x = (const float *)w->data + c * inner;
    scales[c] = opts->per_tensor ? scale_of(largest) : opts->mse ? best_scale(x, &s, scales[c]) : scale_of(scales[c]);
    quality q = store_channel((int8_t *)out->data.data + c * inner, x, &s, scales[c]);
    sum.signal += q.signal;
    sum.error += q.error;
  }
  out->sqnr_db = sum.error > 0 && sum.signal > 0 ? 10 * log10(sum.signal / sum.error) : 200;
out:
  return st;
}
