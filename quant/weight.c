#include "quant/weight.h"

#include <math.h>
#include <string.h>

#include "runtime/base/wide.h"

enum { CLIP_STEPS = 40, BLOCK = 256 };

/* A channel is outer x inner elements, `stride` apart in the outer direction. */
typedef struct {
  int64_t outer, stride, inner;
} channel_shape;

typedef struct {
  double signal, error;
} quality;

/* One channel, made contiguous: the search reads it many times. */
static void gather_channel(float *to, const float *x, const channel_shape *s) {
  for (int64_t o = 0; o < s->outer; o++)
    memcpy(to + o * s->inner, x + o * s->stride, (size_t)s->inner * sizeof *to);
}

static float channel_absmax(const float *x, int64_t n) {
  float max = 0;
  for (int64_t i = 0; i < n; i++) max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
  return max;
}

/* To nearest, ties to even: after clipping the sum is in the binade whose unit is 1. */
VLM_WIDE_INLINE float round_clip(float x, float scale) {
  const float shift = 0x1.8p23f;
  float q = x / scale;
  q = q < -127 ? -127 : q > 127 ? 127 : q;
  return (q + shift) - shift;
}

/* Sum of squared errors of at most BLOCK elements, in VLM_LANES interleaved sums. */
VLM_WIDE_INLINE double block_error(const float *x, int64_t n, float scale) {
  float lanes[VLM_LANES] = {0};
  int64_t i = 0;
  double sum = 0;
  for (; i + VLM_LANES <= n; i += VLM_LANES)
    for (int k = 0; k < VLM_LANES; k++) {
      float e = x[i + k] - round_clip(x[i + k], scale) * scale;
      lanes[k] += e * e;
    }
  for (int k = 0; i < n; i++, k++) {
    float e = x[i] - round_clip(x[i], scale) * scale;
    lanes[k] += e * e;
  }
  for (int k = 0; k < VLM_LANES; k++) sum += (double)lanes[k];
  return sum;
}

/* Stops when the sum is above `limit`. */
VLM_WIDE static double channel_error(const float *x, int64_t n, float scale, double limit) {
  double sum = 0;
  for (int64_t i = 0; i < n && sum <= limit; i += BLOCK)
    sum += block_error(x + i, n - i < BLOCK ? n - i : BLOCK, scale);
  return sum;
}

static float scale_of(float absmax) {
  float scale = absmax / 127.0f;
  return scale >= 0x1p-126f ? scale : 1.0f; /* an all-zero channel */
}

static float best_scale(const float *x, int64_t n, float absmax) {
  float best = scale_of(absmax);
  double error = channel_error(x, n, best, HUGE_VAL);
  for (int step = 1; step <= CLIP_STEPS && absmax > 0; step++) {
    float tried = scale_of(absmax * (1.0f - 0.01f * (float)step));
    double e = channel_error(x, n, tried, error);
    if (e < error) {
      error = e;
      best = tried;
    }
  }
  return best;
}

/* x is the gathered channel; q has the tensor's layout. */
static quality store_channel(int8_t *q, const float *x, const channel_shape *s, float scale) {
  quality result = {0};
  for (int64_t o = 0; o < s->outer; o++)
    for (int64_t i = 0; i < s->inner; i++) {
      float got = x[o * s->inner + i], value = round_clip(got, scale);
      double e = (double)got - (double)(value * scale);
      q[o * s->stride + i] = (int8_t)value;
      result.signal += (double)got * (double)got;
      result.error += e * e;
    }
  return result;
}

static vlm_status check_finite(const vlm_tensor *w, vlm_error *err) {
  const float *x = w->data;
  for (int64_t i = 0, n = vlm_tensor_count(w); i < n; i++)
    if (!isfinite(x[i]))
      return vlm_fail(err, VLM_INPUT, "weight element %lld is not finite; it cannot be quantized",
                      (long long)i);
  return VLM_OK;
}

typedef struct {
  const vlm_tensor *w;
  const vlm_weight_opts *opts;
  channel_shape shape;
  float absmax; /* of the whole tensor, when it has one scale */
  int8_t *data;
  float *scales;
  quality *qualities; /* per channel: added up in their order, whoever made them */
  float *gathered;    /* a channel per worker */
} channel_job;

static void channel_task(void *user, int64_t c, int worker) {
  const channel_job *j = user;
  const channel_shape *s = &j->shape;
  int64_t n = s->outer * s->inner;
  float *x = j->gathered + worker * n;
  gather_channel(x, (const float *)j->w->data + c * s->inner, s);
  float absmax = channel_absmax(x, n);
  j->scales[c] = j->opts->per_tensor ? scale_of(j->absmax)
                 : j->opts->mse      ? best_scale(x, n, absmax)
                                     : scale_of(absmax);
  j->qualities[c] = store_channel(j->data + c * s->inner, x, s, j->scales[c]);
}

static double total_sqnr(const quality *q, int64_t channels) {
  quality sum = {0};
  for (int64_t c = 0; c < channels; c++) {
    sum.signal += q[c].signal;
    sum.error += q[c].error;
  }
  return sum.error > 0 && sum.signal > 0 ? 10 * log10(sum.signal / sum.error) : 200;
}

vlm_status vlm_weight_quantize(vlm_weight_s8 *out, const vlm_tensor *w, int axis, const vlm_weight_opts *opts,
                               vlm_arena *arena, vlm_error *err) {
  vlm_status st = VLM_OK;
  channel_job j = {.w = w, .opts = opts};
  VLM_CHECK(w->dtype == VLM_F32 && axis >= 0 && axis < w->rank, err, VLM_INTERNAL,
            "weight of type %s, axis %d", vlm_dtype_name(w->dtype), axis);
  VLM_TRY(check_finite(w, err));
  int64_t channels = w->dims[axis], inner = vlm_tensor_span(w, axis + 1, w->rank);
  j.shape = (channel_shape){.outer = vlm_tensor_span(w, 0, axis), .stride = channels * inner, .inner = inner};
  *out = (vlm_weight_s8){.data = *w, .axis = axis};
  out->data.dtype = VLM_S8;
  VLM_TRY(vlm_arena_alloc(arena, &out->data.data, (size_t)vlm_tensor_count(w), 1, err));
  out->scale = vlm_tensor_make(VLM_F32, 1, &channels, NULL);
  VLM_TRY(vlm_arena_alloc(arena, &out->scale.data, (size_t)channels, sizeof(float), err));
  VLM_TRY(vlm_new(&j.qualities, channels, err));
  VLM_TRY(vlm_new(&j.gathered, j.shape.outer * inner * vlm_threads_count(opts->threads), err));
  j.data = out->data.data;
  j.scales = out->scale.data;
  j.absmax = opts->per_tensor ? channel_absmax(w->data, vlm_tensor_count(w)) : 0;
  vlm_threads_run(opts->threads, channels, channel_task, &j);
  out->sqnr_db = total_sqnr(j.qualities, channels);
out:
  vlm_free(j.gathered);
  vlm_free(j.qualities);
  return st;
}
