/* Data movement, pooling, resizing, recurrent and attention operators against ONNX Runtime: the cases of tests/oracles/make_shape_cases.py,
 * at every CPU level of this machine and with one, two and three threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

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
  static const char *const folder[] = {VLMQ_SOURCE_DIR "/tests/cli/data/shape_cases"};
  uint32_t mask = vlm_cpu_detect();
  for (int level = 0; level < VLM_CPU_COUNT; level++) {
    vlm_check_opts opts = {
        .rtol = 1e-4, .atol = 3e-5, .threads = 1 + level % 3, .cpu = vlm_cpu_name((vlm_cpu_level)level)};
    vlm_check_counts counts = {0};
    if (!(mask >> level & 1)) continue;
    FINE(vlm_check_folders(folder, 1, &opts, report, NULL, &counts, &error));
    assert_int_equal(counts.failed, 0);
    assert_int_equal(counts.unsupported, 0);
    assert_true(counts.passed >= 40);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
