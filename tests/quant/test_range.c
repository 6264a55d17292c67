/* Ranges from histograms: every method against a slow one that looks at the samples or at all windows, and what holds for each. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calib/accumulate.h"
#include "quant/range.h"
#include "tests/fine.h"

enum { N = 20000, HALF = VLM_HISTOGRAM_BINS / 2 };

static float samples[N];
static uint32_t seed;

/* In [-1, 1). */
static float draw(void) { return (float)((seed = seed * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1.0f; }
static float bell(void) { return draw() + draw() + draw() + draw() + draw() + draw(); }

typedef void fill_fn(void);
static void fill_bell(void) {
  for (int i = 0; i < N; i++) samples[i] = bell();
}
/* What follows a Relu: half zeros, a long tail. */
static void fill_relu(void) {
  for (int i = 0; i < N; i++) samples[i] = fmaxf(0, bell()) * (i % 1000 ? 1 : 9);
}
/* Signed with rare outliers far out. */
static void fill_outliers(void) {
  for (int i = 0; i < N; i++) samples[i] = bell() * (i % 5000 == 7 ? 60 : 1);
}
static void fill_negative(void) {
  for (int i = 0; i < N; i++) samples[i] = -3 - fabsf(bell());
}
static void fill_positive(void) {
  for (int i = 0; i < N; i++) samples[i] = 1e-6f * (5 + draw());
}

static const struct {
  const char *name;
  fill_fn *fill;
} SHAPES[] = {{"bell", fill_bell},
              {"relu", fill_relu},
              {"outliers", fill_outliers},
              {"negative", fill_negative},
              {"positive", fill_positive}};
enum { N_SHAPES = sizeof SHAPES / sizeof SHAPES[0] };

/* Statistics of the samples. Free with vlm_stats_free. */
static vlm_tensor_stats *collect(vlm_stats **stats, int64_t n) {
  vlm_tensor_stats *t;
  const vlm_tensor tensor = vlm_tensor_make(VLM_F32, 2, (int64_t[]){n, 1}, samples);
  const vlm_token_layout layout = {.rest = VLM_TOKEN_IMAGE};
  FINE(vlm_stats_create(stats, (vlm_digest){0}, "", &error));
  FINE(vlm_stats_entry(&t, *stats, "model", "x", &error));
  if (n) FINE(vlm_accumulate(t, &tensor, &layout, (vlm_digest){0}, NULL, &error));
  return t;
}

static vlm_tensor_stats *start(vlm_stats **stats, int shape) {
  seed = 1;
  SHAPES[shape].fill();
  return collect(stats, N);
}

/* Signal to error in dB of the samples themselves, each through u8 and back. */
static double measured_db(const vlm_range *r) {
  double signal = 0, wrong = 0;
  for (int i = 0; i < N; i++) {
    double q = rint((double)samples[i] / (double)r->scale) + r->zero_point;
    q = q < 0 ? 0 : q > 255 ? 255 : q;
    const double e = (double)samples[i] - (q - r->zero_point) * (double)r->scale;
    signal += (double)samples[i] * (double)samples[i];
    wrong += e * e;
  }
  return 10 * log10(signal / wrong);
}

/* ---- what holds for every method ---- */

static void test_every_method_keeps_its_promise(void **state) {
  (void)state;
  for (int shape = 0; shape < N_SHAPES; shape++) {
    vlm_stats *stats;
    const vlm_tensor_stats *t = start(&stats, shape);
    for (int m = VLM_RANGE_AUTO; m < VLM_RANGE_COUNT; m++) {
      vlm_range r;
      FINE(vlm_range_choose(&r, t, (vlm_range_method)m, 0, &error));
      assert_true(m == VLM_RANGE_AUTO ? r.method > VLM_RANGE_AUTO && r.method < VLM_RANGE_COUNT
                                      : (int)r.method == m);
      assert_true(r.zero_point >= 0 && r.zero_point <= 255 && r.scale > 0 && r.candidates > 0);
      const double told = r.sqnr_db, seen = measured_db(&r);
      /* Exact zeros are told a little worse than they are: a bin stands for all values in it. */
      if (!(told < seen + 0.25 && told > seen - 1))
        fail_msg("%s by %s: %.2f dB told, %.2f dB measured", SHAPES[shape].name,
                 vlm_range_method_name(r.method), told, seen);
    }
    vlm_stats_free(stats);
  }
}

static void test_auto_is_the_best_of_all(void **state) {
  (void)state;
  for (int shape = 0; shape < N_SHAPES; shape++) {
    vlm_stats *stats;
    const vlm_tensor_stats *t = start(&stats, shape);
    vlm_range best = {0}, each, chosen;
    int32_t candidates = 0;
    for (int m = VLM_RANGE_MINMAX; m < VLM_RANGE_COUNT; m++) {
      FINE(vlm_range_choose(&each, t, (vlm_range_method)m, 0, &error));
      candidates += each.candidates;
      if (m == VLM_RANGE_MINMAX || each.sqnr_db > best.sqnr_db) best = each;
    }
    FINE(vlm_range_choose(&chosen, t, VLM_RANGE_AUTO, 0, &error));
    assert_int_equal(chosen.method, best.method);
    assert_true(chosen.low == best.low && chosen.high == best.high && chosen.sqnr_db == best.sqnr_db);
    assert_int_equal(chosen.candidates, candidates);
    vlm_stats_free(stats);
  }
}

/* ---- one method each ---- */

static int ascending(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static void test_minmax_and_percentile(void **state) {
  (void)state;
  static const double PERCENTILES[] = {100, 99.99, 99.9, 99, 90, 60};
  for (int shape = 0; shape < N_SHAPES; shape++) {
    vlm_stats *stats;
    const vlm_tensor_stats *t = start(&stats, shape);
    vlm_range r;
    const float bin = ldexpf(1, t->histogram.exponent);
    qsort(samples, N, sizeof *samples, ascending);
    FINE(vlm_range_choose(&r, t, VLM_RANGE_MINMAX, 0, &error));
    assert_true(r.low == samples[0] && r.high == samples[N - 1]);
    for (size_t k = 0; k < sizeof PERCENTILES / sizeof *PERCENTILES; k++) {
      /* So many samples may be outside on each side. */
      const int cut = (int)((100 - PERCENTILES[k]) / 200 * N);
      FINE(vlm_range_choose(&r, t, VLM_RANGE_PERCENTILE, PERCENTILES[k], &error));
      assert_true(r.low <= samples[cut] && r.low >= samples[cut] - bin);
      assert_true(r.high >= samples[N - 1 - cut] && r.high <= samples[N - 1 - cut] + bin);
    }
    vlm_stats_free(stats);
  }
}

/* No range of a fine grid measures noticeably better than the search's. */
static void test_mse_against_a_grid(void **state) {
  (void)state;
  for (int shape = 0; shape < N_SHAPES; shape++) {
    vlm_stats *stats;
    const vlm_tensor_stats *t = start(&stats, shape);
    vlm_range r, tried = {0};
    double best = -INFINITY;
    FINE(vlm_range_choose(&r, t, VLM_RANGE_MSE, 0, &error));
    for (int a = 0; a <= 30; a++)
      for (int b = 0; b <= 30; b++) {
        const float low = fminf(t->min, 0) * (float)pow(0.88, a),
                    high = fmaxf(t->max, 0) * (float)pow(0.88, b);
        vlm_range_affine(low, high, &tried.scale, &tried.zero_point);
        best = fmax(best, measured_db(&tried));
      }
    if (measured_db(&r) < best - 0.2)
      fail_msg("%s: %.2f dB, %.2f dB on the grid", SHAPES[shape].name, measured_db(&r), best);
    vlm_stats_free(stats);
  }
}

/* The definition, bin by bin: P has what lies outside in its end bins, Q is P in 256 levels, each spread over its bins in use. */
static double slow_divergence(const vlm_tensor_stats *t, int a, int b) {
  const int64_t *bins = t->histogram.bins;
  double below = 0, above = 0, kl = 0;
  for (int i = 0; i < a; i++) below += (double)bins[i];
  for (int i = b + 1; i < VLM_HISTOGRAM_BINS; i++) above += (double)bins[i];
  for (int i = a; i <= b; i++) {
    if (!bins[i]) continue;
    int level = 0, used = 0;
    double mass = 0;
    while (a + (int64_t)(b - a + 1) * (level + 1) / 256 <= i) level++;
    for (int k = a + (int)((int64_t)(b - a + 1) * level / 256);
         k < a + (int)((int64_t)(b - a + 1) * (level + 1) / 256); k++) {
      mass += (double)bins[k];
      used += bins[k] > 0;
    }
    const double p = (double)bins[i] + (i == a ? below : 0) + (i == b ? above : 0);
    kl += p / (double)t->count * log(p / (mass / used));
  }
  const double lost = (bins[a] ? 0 : below) + (bins[b] ? 0 : above);
  return lost > 0 ? kl + lost / (double)t->count * log(lost * 1e9 + 1) : kl;
}

static void test_entropy_has_the_least_divergence(void **state) {
  (void)state;
  for (int shape = 0; shape < N_SHAPES; shape++) {
    vlm_stats *stats;
    const vlm_tensor_stats *t = start(&stats, shape);
    const float bin = ldexpf(1, t->histogram.exponent);
    int first = 0, last = VLM_HISTOGRAM_BINS - 1;
    double best = INFINITY, got = INFINITY;
    vlm_range r;
    while (!t->histogram.bins[first]) first++;
    while (!t->histogram.bins[last]) last--;
    FINE(vlm_range_choose(&r, t, VLM_RANGE_ENTROPY, 0, &error));
    for (int half = 128; half <= HALF; half += 7) { /* some of the windows: all of them take long */
      const int a = HALF - half > first ? HALF - half : first,
                b = HALF + half - 1 < last ? HALF + half - 1 : last;
      if (a < b) best = fmin(best, slow_divergence(t, a, b));
    }
    /* The window that was taken; its ends may have been cut to the smallest and the largest value. */
    const int a = (int)floorf(r.low / bin) + HALF, b = (int)ceilf(r.high / bin) - 1 + HALF;
    got = slow_divergence(t, a > first ? a : first, b < last ? b : last);
    if (!(got <= best * (1 + 1e-9)))
      fail_msg("%s: divergence %.9g, another window has %.9g", SHAPES[shape].name, got, best);
    vlm_stats_free(stats);
  }
}

static void test_outliers_are_clipped(void **state) {
  (void)state;
  vlm_stats *stats;
  const vlm_tensor_stats *t = start(&stats, 2);
  vlm_range minmax, chosen;
  FINE(vlm_range_choose(&minmax, t, VLM_RANGE_MINMAX, 0, &error));
  FINE(vlm_range_choose(&chosen, t, VLM_RANGE_ENTROPY, 0, &error));
  assert_true(chosen.scale < minmax.scale / 4);
  vlm_stats_free(stats);
}

/* ---- ends ---- */

static void test_degenerate_tensors(void **state) {
  (void)state;
  static const float VALUES[] = {0, 5, -5, 1e-40f, 3e38f, -3e38f};
  for (size_t k = 0; k < sizeof VALUES / sizeof *VALUES; k++)
    for (int m = VLM_RANGE_AUTO; m < VLM_RANGE_COUNT; m++) {
      vlm_stats *stats;
      vlm_range r;
      for (int i = 0; i < 10; i++) samples[i] = VALUES[k];
      const vlm_tensor_stats *t = collect(&stats, 10);
      FINE(vlm_range_choose(&r, t, (vlm_range_method)m, 0, &error));
      assert_true(isfinite(r.scale) && r.scale > 0 && r.zero_point >= 0 && r.zero_point <= 255);
      vlm_stats_free(stats);
    }
}

static void test_never_seen(void **state) {
  (void)state;
  vlm_stats *stats;
  vlm_range r;
  const vlm_tensor_stats *t = collect(&stats, 0);
  FAILS(VLM_INPUT, vlm_range_choose(&r, t, VLM_RANGE_AUTO, 0, &error));
  assert_non_null(strstr(error.text, "tensor \"x\" of model was never seen"));
  vlm_stats_free(stats);
}

static void test_affine(void **state) {
  (void)state;
  static const float LIMITS[][2] = {{-1, 1},  {0, 6}, {-3, 0},          {2, 5},
                                    {-5, -2}, {0, 0}, {-1e-30f, 1e30f}, {-1e30f, 1e-30f}};
  for (size_t i = 0; i < sizeof LIMITS / sizeof *LIMITS; i++) {
    float scale, low = fminf(LIMITS[i][0], 0), high = fmaxf(LIMITS[i][1], 0);
    int32_t zero;
    vlm_range_affine(LIMITS[i][0], LIMITS[i][1], &scale, &zero);
    assert_true(scale > 0 && zero >= 0 && zero <= 255);
    /* Both ends are within half a step of what u8 can hold; 0 is exact by the form. */
    assert_true((float)(0 - zero) * scale <= low + 0.5f * scale &&
                (float)(255 - zero) * scale >= high - 0.5f * scale);
  }
}

static void test_parse(void **state) {
  (void)state;
  static const char *const BAD[] = {
      "", "minmaxi", "percentile:", "percentile:50", "percentile:101", "percentile:9x", "mse:3", ":", "MSE"};
  vlm_range_method method = VLM_RANGE_COUNT;
  double percentile = 7;
  for (int m = VLM_RANGE_AUTO; m < VLM_RANGE_COUNT; m++) {
    FINE(vlm_range_method_parse(&method, &percentile, vlm_range_method_name((vlm_range_method)m), &error));
    assert_int_equal(method, m);
    assert_true(percentile == 7);
  }
  FINE(vlm_range_method_parse(&method, &percentile, "percentile:99.9", &error));
  assert_int_equal(method, VLM_RANGE_PERCENTILE);
  assert_true(percentile == 99.9);
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
    FAILS(VLM_USAGE, vlm_range_method_parse(&method, &percentile, BAD[i], &error));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_method_keeps_its_promise),
      cmocka_unit_test(test_auto_is_the_best_of_all),
      cmocka_unit_test(test_minmax_and_percentile),
      cmocka_unit_test(test_mse_against_a_grid),
      cmocka_unit_test(test_entropy_has_the_least_divergence),
      cmocka_unit_test(test_outliers_are_clipped),
      cmocka_unit_test(test_degenerate_tensors),
      cmocka_unit_test(test_never_seen),
      cmocka_unit_test(test_affine),
      cmocka_unit_test(test_parse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
