/* Percentiles, bootstrap, agreement, divergences. Expected values from numpy 1.24 and by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "eval/agreement.h"
#include "eval/random.h"
#include "eval/stats.h"
#include "runtime/base/unconst.h"
#include "tests/fine.h"

static void near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance)) fail_msg("got %.17g, wanted %.17g", got, want);
}

static void test_percentiles(void **state) {
  (void)state;
  vlm_samples s = {0};
  for (int i = 0; i < 11; i++) FINE(vlm_samples_add(&s, (double)((i * 7) % 11), &error));
  vlm_summary m = vlm_samples_summarize(&s);
  assert_int_equal(m.n, 11);
  near(m.p50, 5, 0);
  near(m.p90, 9, 1e-12);
  near(m.p95, 9.5, 1e-12);
  near(m.p99, 9.9, 1e-12);
  near(m.mean, 5, 1e-12);
  near(m.min, 0, 0);
  near(m.max, 10, 0);
  vlm_samples_free(&s);
  m = vlm_samples_summarize(&s);
  assert_true(m.n == 0 && isnan(m.p50));
  const double one[] = {3};
  near(vlm_percentile(one, 1, 99), 3, 0);
}

static void test_random(void **state) {
  (void)state;
  vlm_random r = {1234567};
  /* Reference values of SplitMix64 for seed 1234567. */
  assert_true(vlm_random_next(&r) == 6457827717110365317u);
  assert_true(vlm_random_next(&r) == 3203168211198807973u);
  int seen[5] = {0};
  for (int i = 0; i < 5000; i++) seen[vlm_random_below(&r, 5)]++;
  for (int i = 0; i < 5; i++) assert_in_range(seen[i], 900, 1100);
}

static void test_bootstrap(void **state) {
  (void)state;
  double reference[400], candidate[400];
  vlm_random r = {5};
  for (int i = 0; i < 400; i++) {
    reference[i] = (double)vlm_random_below(&r, 1000) / 500;
    candidate[i] = reference[i] - (i % 10 == 0 ? 0.2 : 0);
  }
  vlm_drop a, b, c;
  const vlm_bootstrap_opts opts = {.resamples = 2000, .seed = 7};
  FINE(vlm_bootstrap_drop(&a, reference, candidate, 400, &opts, &error));
  FINE(vlm_bootstrap_drop(&b, reference, candidate, 400, &opts, &error));
  FINE(vlm_bootstrap_drop(&c, reference, candidate, 400, &(vlm_bootstrap_opts){.resamples = 2000, .seed = 8},
                          &error));
  near(a.percent, 100 * 0.02 / a.reference, 1e-9);
  assert_true(a.low == b.low && a.high == b.high);
  assert_true(a.low != c.low);
  /* Standard error of the mean of 0.2 in one of ten images, relative to the reference: 0.06 / sqrt(400) / mean. */
  near(a.standard_error, 100 * 0.06 / 20 / a.reference, 0.15 * a.standard_error);
  near(a.high - a.low, 2 * 1.96 * a.standard_error, 0.15 * (a.high - a.low));
  assert_true(a.low < a.percent && a.percent < a.high);
  const double zeros[3] = {0, 0, 0};
  FINE(vlm_bootstrap_drop(&a, zeros, zeros, 3, &opts, &error));
  assert_true(a.percent == 0 && a.low == 0 && a.high == 0);
  FAILS(VLM_INPUT, vlm_bootstrap_drop(&a, zeros, zeros, 0, &opts, &error));
}

static void test_agreement(void **state) {
  (void)state;
  vlm_agreement a = {0};
  assert_true(isnan(vlm_agreement_exact_percent(&a)));
  const int32_t x[] = {1, 2, 3, 4}, y[] = {1, 2, 9, 4};
  vlm_agreement_add(&a, x, 4, x, 4);
  assert_true(isnan(vlm_agreement_mean_divergence(&a)));
  vlm_agreement_add(&a, x, 4, y, 4);
  vlm_agreement_add(&a, x, 4, x, 1);
  vlm_agreement_add(&a, x, 0, x, 0);
  near(vlm_agreement_exact_percent(&a), 50, 0);
  near(vlm_agreement_token_percent(&a), 100.0 * 8 / 12, 1e-12);
  near(vlm_agreement_mean_divergence(&a), 1.5, 0);
  assert_int_equal(a.first_divergence, 1);
  vlm_agreement t = {0};
  vlm_agreement_add_text(&t, "a red bus", "a red bus");
  vlm_agreement_add_text(&t, "a red bus", "a blue bus now");
  vlm_agreement_add_text(&t, "", "a");
  assert_int_equal(t.exact, 1);
  assert_int_equal(t.positions, 3 + 4 + 1);
  assert_int_equal(t.equal, 3 + 2);
  near(vlm_agreement_mean_divergence(&t), 0.5, 0);
}

static void test_kl(void **state) {
  (void)state;
  const float p[] = {0, 1, 2}, q[] = {0, 1, 3}, shifted[] = {100, 101, 102}, masked[] = {0, -INFINITY, 3},
              broken[] = {0, NAN, 1};
  near(vlm_kl_divergence(p, p, 3), 0, 1e-15);
  near(vlm_kl_divergence(p, shifted, 3), 0, 1e-12);
  double sp = exp(0) + exp(1) + exp(2), sq = exp(0) + exp(1) + exp(3), want = 0;
  for (int i = 0; i < 3; i++) want += exp(p[i]) / sp * log(exp(p[i]) / sp / (exp(q[i]) / sq));
  near(vlm_kl_divergence(p, q, 3), want, 1e-12);
  assert_true(isinf(vlm_kl_divergence(p, masked, 3)));
  assert_true(isfinite(vlm_kl_divergence(masked, p, 3)));
  assert_true(isinf(vlm_kl_divergence(p, broken, 3)));
  assert_int_equal(vlm_top1(q, 3), 2);
  assert_int_equal(vlm_top1(broken, 3), 2);
  assert_int_equal(vlm_top1((const float[]){NAN, 1, 1}, 3), 1);
}

static void test_sqnr(void **state) {
  (void)state;
  vlm_sqnr s = {0};
  assert_true(isnan(vlm_sqnr_db(&s)));
  const float r[] = {3, 4}, c[] = {3, 4.5f};
  vlm_sqnr_add(&s, r, r, 2);
  assert_true(isinf(vlm_sqnr_db(&s)));
  vlm_sqnr_add(&s, r, c, 2);
  near(vlm_sqnr_db(&s), 10 * log10(50 / 0.25), 1e-12);
  const int64_t dims[] = {2}, other[] = {1, 2};
  int8_t q[] = {3, 5};
  const vlm_tensor a = vlm_tensor_make(VLM_F32, 1, dims, vlm_unconst(r)),
                   b = vlm_tensor_make(VLM_S8, 1, dims, q),
                   d = vlm_tensor_make(VLM_F32, 2, other, vlm_unconst(c));
  vlm_sqnr t = {0};
  FINE(vlm_sqnr_add_tensor(&t, &a, &b, &error));
  near(vlm_sqnr_db(&t), 10 * log10(25), 1e-12);
  FAILS(VLM_INPUT, vlm_sqnr_add_tensor(&t, &a, &d, &error));
  assert_string_equal(error.text, "outputs differ in shape: reference [2], candidate [1, 2]");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_percentiles), cmocka_unit_test(test_random), cmocka_unit_test(test_bootstrap),
      cmocka_unit_test(test_agreement),   cmocka_unit_test(test_kl),     cmocka_unit_test(test_sqnr),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
