/* Operators against ONNX Runtime: the cases of tests/oracles/make_op_cases.py and make_product_cases.py, at every CPU level,
 * with one and two threads; old and new opsets and many dims against numpy (make_version_cases.py). Whole models as its optimizer writes them: make_optimized_cases.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flow/check.h"
#include "runtime/base/cpu.h"
#include "tests/fine.h"

static void report(void *user, const vlm_check_case *c) {
  (void)user;
  if (c->result != VLM_CHECK_PASSED)
    print_error("%s %s: %s\n", vlm_check_result_name(c->result), c->name, c->detail);
}

static void test_cases(void **state) {
  (void)state;
  static const char *const folder[] = {VLMQ_SOURCE_DIR "/tests/cli/data/op_cases",
                                       VLMQ_SOURCE_DIR "/tests/cli/data/product_cases",
                                       VLMQ_SOURCE_DIR "/tests/cli/data/version_cases"};
  uint32_t mask = vlm_cpu_detect();
  for (int level = 0; level < VLM_CPU_COUNT; level++) {
    vlm_check_opts opts = {
        .rtol = 1e-5, .atol = 1e-6, .threads = 1 + level % 2, .cpu = vlm_cpu_name((vlm_cpu_level)level)};
    vlm_check_counts counts = {0};
    if (!(mask >> level & 1)) continue;
    FINE(vlm_check_folders(folder, 3, &opts, report, NULL, &counts, &error));
    assert_int_equal(counts.failed, 0);
    assert_int_equal(counts.unsupported, 0);
    assert_true(counts.passed >= 250);
  }
}

static void test_optimized_models(void **state) {
  (void)state;
  static const char *const folder[] = {VLMQ_SOURCE_DIR "/tests/cli/data/optimized_cases"};
  const vlm_check_opts opts = {.rtol = 1e-4, .atol = 1e-5, .threads = 2};
  vlm_check_counts counts = {0};
  vlm_error err = {0};
  if (vlm_check_folders(folder, 1, &opts, report, NULL, &counts, &err) != VLM_OK) fail_msg("%s", err.text);
  assert_int_equal(counts.failed, 0);
  assert_int_equal(counts.unsupported, 0);
  assert_int_equal(counts.passed, 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_optimized_models)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
