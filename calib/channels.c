#include <assert.h>
#include <math.h>

#include "calib/accumulate_parts.h"
#include "runtime/base/memory.h"
#include "runtime/base/wide.h"

enum { FLUSH_ROWS = 256 };

static void add_sum(vlm_sum128 *sum, int64_t value) {
  uint64_t low = sum->low + (uint64_t)value;
  sum->high += (value < 0 ? -1 : 0) + (low < sum->low);
  sum->low = low;
}

/* value * 2^24 to the nearest integer, as a double: adding and taking away 1.5 * 2^52 rounds to nearest even. value is finite. */
VLM_WIDE_INLINE double fixed_point(float value) {
  value = value > 0x1p20f ? 0x1p20f : value;
  value = value < -0x1p20f ? -0x1p20f : value;
  return ((double)value * 0x1p24 + 0x1.8p52) - 0x1.8p52;
}

static void flush_sums(vlm_sum128 *sums, double *partial, int32_t channels) {
  for (int32_t c = 0; c < channels; c++) {
    add_sum(&sums[c], (int64_t)partial[c]);
    partial[c] = 0;
  }
}

VLM_WIDE_INLINE void add_row(float *restrict low, float *restrict high, double *restrict partial,
                             const float *restrict x, int32_t n) {
  for (int32_t c = 0; c < n; c++) {
    low[c] = x[c] < low[c] ? x[c] : low[c];
    high[c] = x[c] > high[c] ? x[c] : high[c];
    partial[c] += fixed_point(x[c]);
  }
}

VLM_WIDE static void add_rows(vlm_tensor_stats *s, double *partial, const float *x, int64_t rows) {
  for (int64_t r = 0; r < rows; r++) {
    add_row(s->channel_min, s->channel_max, partial, x + r * s->channels, s->channels);
    if ((r + 1) % FLUSH_ROWS == 0) flush_sums(s->channel_sum, partial, s->channels);
  }
  flush_sums(s->channel_sum, partial, s->channels);
}

/* One channel's run: element i goes to lane i mod VLM_LANES; the lanes meet at the end, exactly. */
VLM_WIDE static void add_run(float *low, float *high, vlm_sum128 *sum, const float *x, int64_t n) {
  float lows[VLM_LANES], highs[VLM_LANES];
  double partial[VLM_LANES] = {0};
  for (int l = 0; l < VLM_LANES; l++) {
    lows[l] = *low;
    highs[l] = *high;
  }
  int64_t i = 0;
  for (; i + VLM_LANES <= n; i += VLM_LANES) {
    add_row(lows, highs, partial, x + i, VLM_LANES);
    if ((i / VLM_LANES + 1) % FLUSH_ROWS == 0)
      for (int l = 0; l < VLM_LANES; l++) flush_sums(sum, &partial[l], 1);
  }
  add_row(lows, highs, partial, x + i, (int32_t)(n - i));
  for (int l = 0; l < VLM_LANES; l++) {
    flush_sums(sum, &partial[l], 1);
    *low = lows[l] < *low ? lows[l] : *low;
    *high = highs[l] > *high ? highs[l] : *high;
  }
}

/* [N, C, inner]: each channel is a contiguous run. */
static void add_planes(vlm_tensor_stats *s, const float *x, int64_t outer, int64_t inner) {
  for (int64_t p = 0; p < outer * s->channels; p++) {
    int32_t c = (int32_t)(p % s->channels);
    add_run(&s->channel_min[c], &s->channel_max[c], &s->channel_sum[c], x + p * inner, inner);
  }
}

/* One by one, without what is not finite. */
static void add_finite(vlm_tensor_stats *s, const float *x, int64_t outer, int64_t inner) {
  for (int64_t i = 0; i < outer * s->channels * inner; i++) {
    int32_t c = (int32_t)(i / inner % s->channels);
    double value = 0;
    if (!isfinite(x[i])) continue;
    add_row(&s->channel_min[c], &s->channel_max[c], &value, &x[i], 1);
    flush_sums(&s->channel_sum[c], &value, 1);
  }
}

vlm_status vlm_tensor_stats_start_channels(vlm_tensor_stats *s, int32_t channels, vlm_error *err) {
  vlm_status st = VLM_OK;
  assert(channels > 0 && !s->channel_min);
  VLM_TRY(vlm_new(&s->channel_absmax, channels, err));
  VLM_TRY(vlm_new(&s->channel_min, channels, err));
  VLM_TRY(vlm_new(&s->channel_max, channels, err));
  VLM_TRY(vlm_new(&s->channel_sum, channels, err));
  for (int32_t c = 0; c < channels; c++) {
    s->channel_min[c] = INFINITY;
    s->channel_max[c] = -INFINITY;
  }
  s->channels = channels;
out:
  return st;
}

/* The count of channels differs between runs (a sequence axis is last): there are no channels to speak of. */
void vlm_tensor_stats_drop_channels(vlm_tensor_stats *s) {
  vlm_free(s->channel_absmax);
  vlm_free(s->channel_min);
  vlm_free(s->channel_max);
  vlm_free(s->channel_sum);
  s->channel_absmax = s->channel_min = s->channel_max = NULL;
  s->channel_sum = NULL;
  s->channels = -1;
  s->channel_axis = 0;
  s->channel_count = 0;
}

enum { MAX_CHANNELS = 1 << 16 };

vlm_status vlm_channels_add(vlm_tensor_stats *s, const vlm_tensor *t, bool all_finite, vlm_error *err) {
  vlm_status st = VLM_OK;
  double *partial = NULL;
  const float *x = t->data;
  bool planes = t->rank == 4;
  int axis = planes ? 1 : t->rank - 1;
  if (s->channels < 0 || t->rank == 0) return VLM_OK;
  int64_t channels = t->dims[axis], outer = vlm_tensor_span(t, 0, axis),
          inner = vlm_tensor_span(t, axis + 1, t->rank);
  if (s->channels == 0 && channels > 0 && channels <= MAX_CHANNELS) {
    s->channel_axis = axis;
    VLM_TRY(vlm_tensor_stats_start_channels(s, (int32_t)channels, err));
  }
  if (channels != s->channels || axis != s->channel_axis) {
    vlm_tensor_stats_drop_channels(s);
    goto out;
  }
  if (!all_finite) {
    add_finite(s, x, outer, inner);
  } else if (planes) {
    add_planes(s, x, outer, inner);
  } else {
    VLM_TRY(vlm_new(&partial, channels, err));
    add_rows(s, partial, x, outer);
  }
  for (int64_t c = 0; c < channels; c++)
    if (s->channel_min[c] <= s->channel_max[c])
      s->channel_absmax[c] = fmaxf(fabsf(s->channel_min[c]), fabsf(s->channel_max[c]));
  s->channel_count += outer * inner;
out:
  vlm_free(partial);
  return st;
}
