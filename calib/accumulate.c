#include "calib/accumulate.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"

enum { HALF = VLM_HISTOGRAM_BINS / 2, MIN_EXPONENT = -100, GRAIN = 1 << 16, FLUSH_ROWS = 256 };

/* The loops below are exact on every instruction set: the compiler makes a wide version of each, and the loader picks. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default"), optimize("O3", "no-trapping-math")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline)) /* a wide caller needs a wide callee */

enum { LANES = 8 };

/* ---- extent ---- */

typedef struct {
  float min, max;
  int64_t finite;
} extent;

INLINE void widen_lanes(float *restrict low, float *restrict high, float *restrict strange, const float *restrict x, int n) {
  for (int l = 0; l < n; l++) {
    low[l] = x[l] < low[l] ? x[l] : low[l];
    high[l] = x[l] > high[l] ? x[l] : high[l];
    strange[l] += x[l] - x[l]; /* 0 for what is finite, NaN for all else */
  }
}

/* The extent when everything is finite; *finite tells whether that was so. */
WIDE static extent plain_extent(const float *x, int64_t n, bool *finite) {
  enum { WIDTH = 4 * LANES };
  float low[WIDTH], high[WIDTH], strange[WIDTH] = {0};
  extent e = {INFINITY, -INFINITY, n};
  int64_t i = 0;
  for (int l = 0; l < WIDTH; l++) {
    low[l] = INFINITY;
    high[l] = -INFINITY;
  }
  for (; i + WIDTH <= n; i += WIDTH) widen_lanes(low, high, strange, x + i, WIDTH);
  widen_lanes(low, high, strange, x + i, (int)(n - i));
  *finite = true;
  for (int l = 0; l < WIDTH; l++) {
    e.min = low[l] < e.min ? low[l] : e.min;
    e.max = high[l] > e.max ? high[l] : e.max;
    *finite = *finite && strange[l] == 0;
  }
  return e;
}

static extent join(extent a, extent b) {
  return (extent){a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max, a.finite + b.finite};
}

/* The extent of what is finite; -0 and 0 are one value. */
static extent extent_of(const float *x, int64_t n) {
  bool finite;
  extent e = plain_extent(x, n, &finite);
  if (!finite) e = (extent){INFINITY, -INFINITY, 0};
  for (int64_t i = 0; !finite && i < n; i++)
    if (isfinite(x[i])) e = join(e, (extent){x[i], x[i], 1});
  if (e.min == 0) e.min = 0;
  if (e.max == 0) e.max = 0;
  return e;
}

/* ---- histogram ---- */

/* Smallest exponent whose 2 * HALF bins hold [min, max]. */
static int32_t exponent_for(float min, float max) {
  int high = MIN_EXPONENT, low = MIN_EXPONENT;
  if (max > 0) {
    frexpf(max, &high); /* max < 2^high */
    high -= 11;
  }
  if (min < 0) {
    float m = frexpf(-min, &low); /* -min <= 2^low, and 2^(low-1) itself still fits into the lower power */
    low -= m == 0.5f ? 12 : 11;
  }
  int e = high > low ? high : low;
  return e < MIN_EXPONENT ? MIN_EXPONENT : e;
}

static void double_width(vlm_histogram *h) {
  int64_t merged[VLM_HISTOGRAM_BINS] = {0};
  for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) {
    int from_zero = i - HALF;
    int bin = (from_zero < 0 ? (from_zero - 1) / 2 : from_zero / 2) + HALF;
    merged[bin] += h->bins[i];
  }
  memcpy(h->bins, merged, sizeof merged);
  h->exponent++;
}

void vlm_histogram_widen(vlm_histogram *h, int32_t exponent) {
  if (exponent - h->exponent > 24) { /* everything falls into the two bins at zero */
    int64_t below = 0, above = 0;
    for (int i = 0; i < HALF; i++) {
      below += h->bins[i];
      above += h->bins[HALF + i];
    }
    memset(h->bins, 0, sizeof h->bins);
    h->bins[HALF - 1] = below;
    h->bins[HALF] = above;
    h->exponent = exponent;
  }
  while (h->exponent < exponent) double_width(h);
}

typedef struct {
  const float *x;
  float inverse;
  int64_t n;
  int64_t (*bins)[VLM_HISTOGRAM_BINS]; /* one per worker */
} binning;

/* floor(x / w) exactly: the division is by a power of two and the truncation is corrected for negative values. */
INLINE void bin_indices(int32_t *restrict index, const float *restrict x, int n, float inverse) {
  for (int j = 0; j < n; j++) {
    float t = x[j] * inverse;
    int32_t k = (int32_t)t;
    index[j] = k - (t < (float)k) + HALF;
  }
}

WIDE static void count_bins(int64_t *bins, const float *x, int64_t n, float inverse) {
  enum { BLOCK = 64 };
  int32_t index[BLOCK];
  int64_t i = 0;
  for (; i + BLOCK <= n; i += BLOCK) {
    bin_indices(index, x + i, BLOCK, inverse);
    for (int j = 0; j < BLOCK; j++) bins[index[j]]++;
  }
  bin_indices(index, x + i, (int)(n - i), inverse);
  for (int j = 0; j < n - i; j++) bins[index[j]]++;
}

static void count_finite(int64_t *bins, const float *x, int64_t n, float inverse) {
  for (int64_t i = 0; i < n; i++)
    if (isfinite(x[i])) count_bins(bins, x + i, 1, inverse);
}

static void bin_task(void *user, int64_t begin, int64_t end, int worker) {
  const binning *b = user;
  count_bins(b->bins[worker], b->x + begin, end - begin, b->inverse);
}

static vlm_status add_to_histogram(vlm_histogram *h, const float *x, int64_t n, bool all_finite, vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  float inverse = ldexpf(1, -h->exponent);
  if (!all_finite || n < 2 * GRAIN || vlm_threads_count(threads) == 1) {
    if (all_finite) count_bins(h->bins, x, n, inverse);
    else count_finite(h->bins, x, n, inverse);
    return VLM_OK;
  }
  binning b = {.x = x, .inverse = inverse, .n = n};
  int workers = vlm_threads_count(threads);
  VLM_TRY(vlm_alloc((void **)&b.bins, (size_t)workers, sizeof *b.bins, err));
  vlm_threads_range(threads, n, GRAIN, bin_task, &b);
  for (int w = 0; w < workers; w++)
    for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) h->bins[i] += b.bins[w][i];
out:
  vlm_free(b.bins);
  return st;
}

/* ---- channels ---- */

static void add_sum(vlm_sum128 *sum, int64_t value) {
  uint64_t low = sum->low + (uint64_t)value;
  sum->high += (value < 0 ? -1 : 0) + (low < sum->low);
  sum->low = low;
}

/* value * 2^24 to the nearest integer, as a double: adding and taking away 1.5 * 2^52 rounds to nearest even. value is finite. */
INLINE double fixed_point(float value) {
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

INLINE void add_row(float *restrict low, float *restrict high, double *restrict partial, const float *restrict x, int32_t n) {
  for (int32_t c = 0; c < n; c++) {
    low[c] = x[c] < low[c] ? x[c] : low[c];
    high[c] = x[c] > high[c] ? x[c] : high[c];
    partial[c] += fixed_point(x[c]);
  }
}

WIDE static void add_rows(vlm_tensor_stats *s, double *partial, const float *x, int64_t rows) {
  for (int64_t r = 0; r < rows; r++) {
    add_row(s->channel_min, s->channel_max, partial, x + r * s->channels, s->channels);
    if ((r + 1) % FLUSH_ROWS == 0) flush_sums(s->channel_sum, partial, s->channels);
  }
  flush_sums(s->channel_sum, partial, s->channels);
}

/* One channel's run: element i goes to lane i mod LANES; the lanes meet at the end, exactly. */
WIDE static void add_run(float *low, float *high, vlm_sum128 *sum, const float *x, int64_t n) {
  float lows[LANES], highs[LANES];
  double partial[LANES] = {0};
  for (int l = 0; l < LANES; l++) {
    lows[l] = *low;
    highs[l] = *high;
  }
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    add_row(lows, highs, partial, x + i, LANES);
    if ((i / LANES + 1) % FLUSH_ROWS == 0)
      for (int l = 0; l < LANES; l++) flush_sums(sum, &partial[l], 1);
  }
  add_row(lows, highs, partial, x + i, (int32_t)(n - i));
  for (int l = 0; l < LANES; l++) {
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
  VLM_TRY(vlm_alloc((void **)&s->channel_absmax, (size_t)channels, sizeof(float), err));
  VLM_TRY(vlm_alloc((void **)&s->channel_min, (size_t)channels, sizeof(float), err));
  VLM_TRY(vlm_alloc((void **)&s->channel_max, (size_t)channels, sizeof(float), err));
  VLM_TRY(vlm_alloc((void **)&s->channel_sum, (size_t)channels, sizeof(vlm_sum128), err));
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

static vlm_status add_channels(vlm_tensor_stats *s, const vlm_tensor *t, bool all_finite, vlm_error *err) {
  vlm_status st = VLM_OK;
  double *partial = NULL;
  const float *x = t->data;
  bool planes = t->rank == 4;
  int axis = planes ? 1 : t->rank - 1;
  if (s->channels < 0 || t->rank == 0) return VLM_OK;
  int64_t channels = t->dims[axis], outer = vlm_tensor_span(t, 0, axis), inner = vlm_tensor_span(t, axis + 1, t->rank);
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
    VLM_TRY(vlm_alloc((void **)&partial, (size_t)channels, sizeof *partial, err));
    add_rows(s, partial, x, outer);
  }
  for (int64_t c = 0; c < channels; c++)
    if (s->channel_min[c] <= s->channel_max[c]) s->channel_absmax[c] = fmaxf(fabsf(s->channel_min[c]), fabsf(s->channel_max[c]));
  s->channel_count += outer * inner;
out:
  vlm_free(partial);
  return st;
}

/* ---- token kinds ---- */

/* A tensor in one or two parts, each of one kind of token or of none that is kept. */
typedef struct {
  extent extents[2];
  vlm_token_kind kinds[2];
  int count;
  bool kept;
} token_parts;

static token_parts parts_of(const vlm_tensor *t, const vlm_token_layout *layout) {
  const float *x = t->data;
  int64_t n = vlm_tensor_count(t), tokens = layout->image + layout->prompt;
  bool split = t->rank == 3 && t->dims[0] == 1 && tokens > 0 && t->dims[1] == tokens;
  if (!split) return (token_parts){{extent_of(x, n)}, {layout->rest}, 1, tokens == 0};
  int64_t image = layout->image * t->dims[2];
  return (token_parts){{extent_of(x, image), extent_of(x + image, n - image)}, {VLM_TOKEN_IMAGE, VLM_TOKEN_PROMPT}, 2, true};
}

static void add_kinds(vlm_tensor_stats *s, const token_parts *parts) {
  for (int p = 0; parts->kept && p < parts->count; p++) {
    const extent *e = &parts->extents[p];
    vlm_token_kind kind = parts->kinds[p];
    bool first = s->kind_count[kind] == 0;
    if (!e->finite) continue;
    s->kind_min[kind] = first ? e->min : fminf(s->kind_min[kind], e->min);
    s->kind_max[kind] = first ? e->max : fmaxf(s->kind_max[kind], e->max);
    s->kind_count[kind] += e->finite;
  }
}

/* ---- all of it ---- */

bool vlm_digest_less(vlm_digest a, vlm_digest b) { return a.high != b.high ? a.high < b.high : a.low < b.low; }

static void add_extent(vlm_tensor_stats *s, const extent *e, vlm_digest sample) {
  bool first = s->count == 0;
  if (first || e->min < s->min || (e->min == s->min && vlm_digest_less(sample, s->widest_low))) s->widest_low = sample;
  if (first || e->max > s->max || (e->max == s->max && vlm_digest_less(sample, s->widest_high))) s->widest_high = sample;
  s->min = first ? e->min : fminf(s->min, e->min);
  s->max = first ? e->max : fmaxf(s->max, e->max);
}

vlm_status vlm_accumulate(vlm_tensor_stats *s, const vlm_tensor *t, const vlm_token_layout *layout, vlm_digest sample, vlm_threads *threads,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  if (t->dtype != VLM_F32) return VLM_OK;
  int64_t n = vlm_tensor_count(t);
  s->runs++;
  if (n == 0) return VLM_OK;
  token_parts parts = parts_of(t, layout);
  extent e = parts.count == 2 ? join(parts.extents[0], parts.extents[1]) : parts.extents[0];
  s->not_finite += n - e.finite;
  if (e.finite == 0) return VLM_OK;
  int32_t exponent = exponent_for(e.min, e.max);
  if (s->count == 0) s->histogram.exponent = exponent;
  vlm_histogram_widen(&s->histogram, exponent);
  add_extent(s, &e, sample);
  VLM_TRY(add_to_histogram(&s->histogram, t->data, n, e.finite == n, threads, err));
  s->count += e.finite;
  VLM_TRY(add_channels(s, t, e.finite == n, err));
  add_kinds(s, &parts);
out:
  return st;
}
