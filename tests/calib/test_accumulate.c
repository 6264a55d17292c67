/* The statistics of a tensor against an obvious form: one element at a time, in 128-bit integers and double; any split, order and thread count. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calib/accumulate.h"
#include "calib/accumulate_parts.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

enum { MOST = 300000, MOST_CHANNELS = 512 };

/* ---- the slow twin ---- */

__extension__ typedef __int128 exact;

typedef struct {
  int64_t count, strange, bins[VLM_HISTOGRAM_BINS];
  float min, max;
  int exponent;
  float channel_min[MOST_CHANNELS], channel_max[MOST_CHANNELS];
  exact channel_sum[MOST_CHANNELS];
} twin;

static int64_t bin_of(double x, int exponent) {
  return (int64_t)floor(ldexp(x, -exponent)) + VLM_HISTOGRAM_BINS / 2;
}

static bool holds(const twin *w, int exponent) {
  const double half = VLM_HISTOGRAM_BINS / 2;
  return floor(ldexp((double)w->min, -exponent)) >= -half && floor(ldexp((double)w->max, -exponent)) < half;
}

static void twin_channel(twin *w, int64_t c, float x) {
  double clamped = x > 0x1p20f ? 0x1p20 : x < -0x1p20f ? -0x1p20 : (double)x;
  if (x < w->channel_min[c]) w->channel_min[c] = x;
  if (x > w->channel_max[c]) w->channel_max[c] = x;
  w->channel_sum[c] += (int64_t)nearbyint(clamped * 0x1p24);
}

static void twin_fill(twin *w, const float *x, int64_t n, int64_t inner, int64_t channels) {
  memset(w, 0, sizeof *w);
  w->min = INFINITY;
  w->max = -INFINITY;
  for (int64_t c = 0; c < channels; c++) {
    w->channel_min[c] = INFINITY;
    w->channel_max[c] = -INFINITY;
  }
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(x[i])) {
      w->strange++;
      continue;
    }
    w->count++;
    w->min = fminf(w->min, x[i]);
    w->max = fmaxf(w->max, x[i]);
    twin_channel(w, i / inner % channels, x[i]);
  }
  if (w->min == 0) w->min = 0;
  if (w->max == 0) w->max = 0;
  for (w->exponent = -100; w->count && !holds(w, w->exponent);) w->exponent++;
  for (int64_t i = 0; i < n; i++)
    if (isfinite(x[i])) w->bins[bin_of((double)x[i], w->exponent)]++;
}

/* ---- fills ---- */

static uint64_t seed;
static double uniform(void) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (double)(seed >> 11) * 0x1p-53;
}

static float normal(void) { return (float)((uniform() + uniform() + uniform() + uniform() - 2) * 3); }
static float rectified(void) { return fmaxf(normal(), 0); }
static float wide(void) { return (float)ldexp(uniform() - 0.5, (int)(uniform() * 60) - 30); }
static float powers(void) { return (float)(uniform() < 0.5 ? -1 : 1) * ldexpf(1, (int)(uniform() * 8) - 4); }
static float zeros(void) { return uniform() < 0.5 ? -0.0f : 0.0f; }
static float negative(void) { return -fabsf(normal()) - 1; }
static float strange(void) {
  double u = uniform();
  return u < 0.01 ? NAN : u < 0.02 ? INFINITY : u < 0.03 ? -INFINITY : normal();
}
static float nothing(void) { return NAN; }

static const struct {
  const char *name;
  float (*next)(void);
} FILLS[] = {{"normal", normal}, {"rectified", rectified}, {"wide", wide},       {"powers", powers},
             {"zeros", zeros},   {"negative", negative},   {"strange", strange}, {"nothing", nothing}};

static const struct {
  int rank;
  int64_t dims[4];
} SHAPES[] = {{4, {1, 3, 17, 19}}, {4, {2, 8, 1, 5}}, {3, {1, 49, 192}}, {3, {2, 7, 3}},
              {2, {300, 33}},      {2, {1, 512}},     {1, {37}},         {4, {1, 2, 380, 390}}};

/* ---- comparing ---- */

static void same(const vlm_tensor_stats *s, const twin *w, const char *what) {
  if (s->count != w->count || s->not_finite != w->strange)
    fail_msg("%s: %lld finite, %lld not", what, (long long)s->count, (long long)s->not_finite);
  if (w->count == 0) return;
  if (memcmp(&s->min, &w->min, 4) || memcmp(&s->max, &w->max, 4))
    fail_msg("%s: extent %g %g, wanted %g %g", what, (double)s->min, (double)s->max, (double)w->min,
             (double)w->max);
  if (s->histogram.exponent != w->exponent)
    fail_msg("%s: exponent %d, wanted %d", what, s->histogram.exponent, w->exponent);
  for (int i = 0; i < VLM_HISTOGRAM_BINS; i++)
    if (s->histogram.bins[i] != w->bins[i])
      fail_msg("%s: bin %d has %lld, wanted %lld", what, i, (long long)s->histogram.bins[i],
               (long long)w->bins[i]);
  for (int32_t c = 0; c < s->channels; c++) {
    exact sum = (exact)s->channel_sum[c].high * ((exact)1 << 64) + s->channel_sum[c].low;
    if (sum != w->channel_sum[c])
      fail_msg("%s: sum of channel %d is off by %lld", what, c, (long long)(sum - w->channel_sum[c]));
    if (s->channel_min[c] != w->channel_min[c] || s->channel_max[c] != w->channel_max[c])
      fail_msg("%s: extent of channel %d", what, c);
  }
}

static void drop(vlm_tensor_stats *s) {
  vlm_tensor_stats_drop_channels(s);
  memset(s, 0, sizeof *s);
}

/* The tensor at once, and its outermost slices one by one from the last to the first. */
static void check(const vlm_tensor *t, const twin *w, vlm_threads *threads, const char *what) {
  static vlm_tensor_stats s;
  const vlm_token_layout layout = {.rest = VLM_TOKEN_GENERATED};
  const vlm_digest sample = {1, 2};
  FINE(vlm_accumulate(&s, t, &layout, sample, threads, &error));
  same(&s, w, what);
  if (w->count)
    assert_true(s.kind_count[VLM_TOKEN_GENERATED] == w->count && s.kind_min[VLM_TOKEN_GENERATED] == w->min);
  drop(&s);
  vlm_tensor slice = *t;
  if (t->rank < 2) return;
  slice.dims[0] = 1;
  for (int64_t k = t->dims[0] - 1; k >= 0; k--) {
    slice.data = (float *)t->data + k * vlm_tensor_count(&slice);
    FINE(vlm_accumulate(&s, &slice, &layout, sample, threads, &error));
  }
  same(&s, w, what);
  drop(&s);
}

static void all_fills_and_shapes(void **state) {
  static float x[MOST];
  static twin w;
  vlm_threads *threads[2];
  (void)state;
  for (int k = 0; k < 2; k++) FINE(vlm_threads_create(&threads[k], k + 1, &error));
  for (size_t f = 0; f < sizeof FILLS / sizeof *FILLS; f++)
    for (size_t k = 0; k < sizeof SHAPES / sizeof *SHAPES; k++) {
      int rank = SHAPES[k].rank, axis = rank == 4 ? 1 : rank - 1;
      vlm_tensor t = vlm_tensor_make(VLM_F32, rank, SHAPES[k].dims, x);
      int64_t n = vlm_tensor_count(&t);
      assert_true(n <= MOST);
      for (int64_t i = 0; i < n; i++) x[i] = FILLS[f].next();
      twin_fill(&w, x, n, vlm_tensor_span(&t, axis + 1, rank), t.dims[axis]);
      for (int j = 0; j < 2; j++) check(&t, &w, threads[j], FILLS[f].name);
    }
  for (int k = 0; k < 2; k++) vlm_threads_free(threads[k]);
}

/* Image and prompt tokens have extents of their own; together they are the tensor's. */
static void token_kinds_are_apart(void **state) {
  static vlm_tensor_stats s;
  float x[5 * 2] = {1, -2, 3, 4, -5, 6, 70, 8, 9, -100};
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 3, (int64_t[]){1, 5, 2}, x);
  const vlm_token_layout layout = {.image = 3, .prompt = 2, .rest = VLM_TOKEN_GENERATED};
  (void)state;
  FINE(vlm_accumulate(&s, &t, &layout, (vlm_digest){0}, NULL, &error));
  assert_true(s.min == -100 && s.max == 70 && s.count == 10);
  assert_true(s.kind_min[VLM_TOKEN_IMAGE] == -5 && s.kind_max[VLM_TOKEN_IMAGE] == 6 &&
              s.kind_count[VLM_TOKEN_IMAGE] == 6);
  assert_true(s.kind_min[VLM_TOKEN_PROMPT] == -100 && s.kind_max[VLM_TOKEN_PROMPT] == 70 &&
              s.kind_count[VLM_TOKEN_PROMPT] == 4);
  assert_int_equal(s.kind_count[VLM_TOKEN_GENERATED], 0);
  drop(&s);
}

/* Without a layout there are no channels and no kinds; a tensor that was measured both ways has no channels either, whatever came first,
 * in one run or merged. */
static void detail_is_on_request(void **state) {
  static vlm_tensor_stats plain, with, mixed, a, b;
  float x[6] = {1, -2, 3, 4, -5, 6};
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 2, (int64_t[]){2, 3}, x);
  const vlm_token_layout layout = {.rest = VLM_TOKEN_GENERATED}, *const ORDERS[2][2] = {{&layout, NULL},
                                                                                        {NULL, &layout}};
  (void)state;
  FINE(vlm_accumulate(&plain, &t, NULL, (vlm_digest){0}, NULL, &error));
  FINE(vlm_accumulate(&with, &t, &layout, (vlm_digest){0}, NULL, &error));
  assert_true(plain.min == -5 && plain.max == 6 && plain.count == 6 && plain.channels == 0 &&
              plain.kind_count[VLM_TOKEN_GENERATED] == 0);
  assert_memory_equal(&plain.histogram, &with.histogram, sizeof plain.histogram);
  assert_int_equal(with.channels, 3);
  for (int order = 0; order < 2; order++) {
    for (int k = 0; k < 2; k++)
      FINE(vlm_accumulate(&mixed, &t, ORDERS[order][k], (vlm_digest){0}, NULL, &error));
    FINE(vlm_accumulate(&a, &t, ORDERS[order][0], (vlm_digest){0}, NULL, &error));
    FINE(vlm_accumulate(&b, &t, ORDERS[order][1], (vlm_digest){0}, NULL, &error));
    FINE(vlm_tensor_stats_merge(&a, &b, &error));
    assert_true(mixed.channels == -1 && a.channels == -1 && mixed.count == 12 && a.count == 12);
    drop(&mixed);
    drop(&a);
    drop(&b);
  }
  drop(&plain);
  drop(&with);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(all_fills_and_shapes),
                                     cmocka_unit_test(token_kinds_are_apart),
                                     cmocka_unit_test(detail_is_on_request)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
