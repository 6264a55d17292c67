/* The conformance check: what passes, what fails and with which words, what is unsupported. Cases: tests/oracles/check_cases.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "flow/check.h"
#include "tests/fine.h"

#define CASES VLMQ_SOURCE_DIR "/tests/cli/data/check"

static const struct {
  const char *name;
  vlm_check_result result;
  const char *detail;
} rows[] = {
    {"bad/garbage", VLM_CHECK_FAILED, "is not a valid ONNX file"},
    {"bad/integer", VLM_CHECK_FAILED,
     "output \"y0\": element 0 is -100000, expected -100001 (1 of 1 elements differ)"},
    {"bad/nan", VLM_CHECK_FAILED, "output \"y0\": element 0 is -1, expected nan"},
    {"bad/no_sets", VLM_CHECK_FAILED, "holds no folder test_data_set_*"},
    {"bad/shape", VLM_CHECK_FAILED, "output \"y0\" has shape [1], expected [1, 1]"},
    {"bad/type", VLM_CHECK_FAILED, "output \"y0\" is float32, expected float64"},
    {"bad/value", VLM_CHECK_FAILED,
     "output \"y0\": element 1 is -2, expected -2.0999999 (1 of 3 elements differ)"},
    {"good/close", VLM_CHECK_PASSED, ""},
    {"good/deep/neg", VLM_CHECK_PASSED, ""},
    {"good/integers", VLM_CHECK_PASSED, ""},
    {"good/relu", VLM_CHECK_PASSED, ""},
    {"unknown/operator", VLM_CHECK_UNSUPPORTED, "operator com.acme.Frobnicate is not supported"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void compare_row(void *user, const vlm_check_case *c) {
  int *k = user;
  if (*k >= ROWS) fail_msg("one case too many: %s", c->name);
  assert_string_equal(c->name, rows[*k].name);
  assert_int_equal(c->result, rows[*k].result);
  if (strstr(c->detail, rows[*k].detail) == NULL)
    fail_msg("%s: \"%s\" lacks \"%s\"", c->name, c->detail, rows[*k].detail);
  if (c->result == VLM_CHECK_PASSED) assert_string_equal(c->detail, "");
  ++*k;
}

static vlm_check_counts check(const char *folder, double rtol, double atol,
                              void (*report)(void *, const vlm_check_case *), void *user) {
  vlm_check_counts counts;
  const vlm_check_opts opts = {.rtol = rtol, .atol = atol, .threads = 1};
  FINE(vlm_check_folders(&folder, 1, &opts, report, user, &counts, &error));
  return counts;
}

static void every_case_is_judged(void **state) {
  (void)state;
  int k = 0;
  vlm_check_counts counts = check(CASES, -1, -1, compare_row, &k);
  assert_int_equal(k, ROWS);
  assert_int_equal(counts.passed, 4);
  assert_int_equal(counts.failed, 7);
  assert_int_equal(counts.unsupported, 1);
}

static void tolerances_count(void **state) {
  (void)state;
  assert_int_equal(check(CASES "/good/close", 1e-4, -1, NULL, NULL).failed, 1);
  assert_int_equal(check(CASES "/good/close", 0, 1, NULL, NULL).passed, 1);
  assert_int_equal(check(CASES "/bad/value", 0.1, -1, NULL, NULL).passed, 1);
  assert_int_equal(check(CASES "/bad/integer", 0.1, 10, NULL, NULL).failed, 1);
}

static void keep_name(void *user, const vlm_check_case *c) { snprintf(user, 64, "%s", c->name); }

static void a_single_case_has_its_own_name(void **state) {
  (void)state;
  char name[64] = "";
  assert_int_equal(check(CASES "/good/relu/", -1, -1, keep_name, name).passed, 1);
  assert_string_equal(name, "relu");
}

static void folders_without_cases_are_refused(void **state) {
  (void)state;
  vlm_check_counts counts;
  const vlm_check_opts opts = {.rtol = -1, .atol = -1, .threads = 1};
  const char *empty = CASES "/good/relu/test_data_set_0", *absent = CASES "/absent";
  FAILS(VLM_INPUT, vlm_check_folders(&empty, 1, &opts, NULL, NULL, &counts, &error));
  assert_non_null(strstr(error.text, "holds no folder with a model.onnx"));
  FAILS(VLM_INPUT, vlm_check_folders(&absent, 1, &opts, NULL, NULL, &counts, &error));
  assert_non_null(strstr(error.text, "/absent: cannot be opened"));
}

/* The trained models that lie beside the checkout. */
static void shared_models_pass(void **state) {
  (void)state;
  vlm_check_counts counts;
  const vlm_check_opts opts = {.rtol = -1, .atol = -1};
  const char *folder = VLMQ_SOURCE_DIR "/../shared/data/models";
  if (vlm_check_folders(&folder, 1, &opts, NULL, NULL, &counts, &error) != VLM_OK) skip();
  assert_int_equal(counts.failed + counts.unsupported, 0);
  assert_true(counts.passed >= 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_case_is_judged),
      cmocka_unit_test(tolerances_count),
      cmocka_unit_test(a_single_case_has_its_own_name),
      cmocka_unit_test(folders_without_cases_are_refused),
      cmocka_unit_test(shared_models_pass),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
