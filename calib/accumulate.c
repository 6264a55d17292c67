#include "calib/accumulate.h"

#include <assert.h>
#include <math.h>

#include "calib/accumulate_parts.h"
#include "runtime/base/memory.h"
#include "runtime/base/wide.h"

/* ---- extent ---- */

typedef struct {
  float min, max;
  int64_t finite;
} extent;

VLM_WIDE_INLINE void widen_lanes(float *restrict low, float *restrict high, float *restrict strange,
                                 const float *restrict x, int n) {
  for (int l = 0; l < n; l++) {
    low[l] = x[l] < low[l] ? x[l] : low[l];
    high[l] = x[l] > high[l] ? x[l] : high[l];
    strange[l] += x[l] - x[l]; /* 0 for what is finite, NaN for all else */
  }
}

/* The extent when everything is finite; *finite tells whether that was so. */
VLM_WIDE static extent plain_extent(const float *x, int64_t n, bool *finite) {
  enum { WIDTH = 4 * VLM_LANES };
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
  int64_t n = vlm_tensor_count(t);
  if (!layout) return (token_parts){{extent_of(x, n)}, {VLM_TOKEN_GENERATED}, 1, false};
  int64_t tokens = layout->image + layout->prompt;
  bool split = t->rank == 3 && t->dims[0] == 1 && tokens > 0 && t->dims[1] == tokens;
  if (!split) return (token_parts){{extent_of(x, n)}, {layout->rest}, 1, tokens == 0};
  int64_t image = layout->image * t->dims[2];
  return (token_parts){
      {extent_of(x, image), extent_of(x + image, n - image)}, {VLM_TOKEN_IMAGE, VLM_TOKEN_PROMPT}, 2, true};
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

/* What was seen without its channels cannot have them later. */
static vlm_status add_channels(vlm_tensor_stats *s, const vlm_tensor *t, bool detail, bool all_finite,
                               vlm_error *err) {
  bool open = s->count == 0 || s->channels != 0;
  if (detail && open && t->rank > 0) return vlm_channels_add(s, t, all_finite, err);
  if (detail || s->channels > 0) vlm_tensor_stats_drop_channels(s);
  return VLM_OK;
}

/* ---- all of it ---- */

bool vlm_digest_less(vlm_digest a, vlm_digest b) {
  return a.high != b.high ? a.high < b.high : a.low < b.low;
}

static void add_extent(vlm_tensor_stats *s, const extent *e, vlm_digest sample) {
  bool first = s->count == 0;
  if (first || e->min < s->min || (e->min == s->min && vlm_digest_less(sample, s->widest_low)))
    s->widest_low = sample;
  if (first || e->max > s->max || (e->max == s->max && vlm_digest_less(sample, s->widest_high)))
    s->widest_high = sample;
  s->min = first ? e->min : fminf(s->min, e->min);
  s->max = first ? e->max : fmaxf(s->max, e->max);
}

static vlm_status add_float32(vlm_tensor_stats *s, const vlm_tensor *t, const vlm_token_layout *layout,
                              vlm_digest sample, vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t n = vlm_tensor_count(t);
  s->runs++;
  if (n == 0) return VLM_OK;
  token_parts parts = parts_of(t, layout);
  extent e = parts.count == 2 ? join(parts.extents[0], parts.extents[1]) : parts.extents[0];
  s->not_finite += n - e.finite;
  if (e.finite == 0) return VLM_OK;
  assert(e.min <= e.max && e.finite <= n);
  int32_t exponent = vlm_histogram_exponent(e.min, e.max);
  if (s->count == 0) s->histogram.exponent = exponent;
  vlm_histogram_widen(&s->histogram, exponent);
  add_extent(s, &e, sample);
  VLM_TRY(vlm_histogram_add(&s->histogram, t->data, n, e.finite == n, threads, err));
  VLM_TRY(add_channels(s, t, layout != NULL, e.finite == n, err));
  s->count += e.finite;
  add_kinds(s, &parts);
out:
  return st;
}

vlm_status vlm_accumulate(vlm_tensor_stats *s, const vlm_tensor *t, const vlm_token_layout *layout,
                          vlm_digest sample, vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor floats = *t;
  float *values = NULL;
  if (t->dtype == VLM_F32) return add_float32(s, t, layout, sample, threads, err);
  if (!vlm_dtype_is_float(t->dtype) || vlm_dtype_bits(t->dtype) < 16) return VLM_OK;
  int64_t n = vlm_tensor_count(t);
  VLM_TRY(vlm_new(&values, n, err));
  for (int64_t i = 0; i < n; i++) values[i] = (float)vlm_tensor_get(t, i);
  floats.dtype = VLM_F32;
  floats.data = values;
  st = add_float32(s, &floats, layout, sample, threads, err);
out:
  vlm_free(values);
  return st;
}
