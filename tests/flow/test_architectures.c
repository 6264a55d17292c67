/* The architectures of tests/oracles/make_architectures.py against PyTorch: every graph of every one must be there and agree, plain C with
 * one thread and the best level with two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "flow/check.h"
#include "runtime/base/unconst.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/cli/data/architectures/"

typedef struct {
  const char *name;
  int64_t graphs;
} architecture;

static const architecture ARCHITECTURES[] = {
    {"bert_base", 3},    {"blip", 3},      {"clip_vit_l14_336", 2}, {"fastvlm", 4}, {"llava", 3},
    {"mobilenet_v3", 2}, {"mobilevlm", 5}, {"siglip_so400m", 2},    {"smolvlm", 4}, {"tinyllava_imp", 4},
    {"trocr", 3},        {"vit_gpt2", 3},  {"wavenet", 2},
};
enum { COUNT = sizeof ARCHITECTURES / sizeof ARCHITECTURES[0] };

static void report(void *user, const vlm_check_case *c) {
  if (c->result != VLM_CHECK_PASSED)
    print_error("%s %s/%s: %s\n", vlm_check_result_name(c->result), (const char *)user, c->name, c->detail);
}

/* Outputs are of size 1 to 20. */
static void check(const architecture *a, int threads, const char *cpu) {
  char path[512];
  const char *const folders[] = {path};
  const vlm_check_opts opts = {.rtol = 1e-4, .atol = 5e-5, .threads = threads, .cpu = cpu};
  vlm_check_counts counts = {0};
  snprintf(path, sizeof path, DATA "%s", a->name);
  FINE(vlm_check_folders(folders, 1, &opts, report, vlm_unconst(a->name), &counts, &error));
  assert_int_equal(counts.failed, 0);
  assert_int_equal(counts.unsupported, 0);
  assert_int_equal(counts.passed, a->graphs);
}

static void plain_c_agrees(void **state) {
  (void)state;
  for (int k = 0; k < COUNT; k++) check(&ARCHITECTURES[k], 1, "c");
}

static void best_level_agrees(void **state) {
  (void)state;
  for (int k = 0; k < COUNT; k++) check(&ARCHITECTURES[k], 2, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(plain_c_agrees), cmocka_unit_test(best_level_agrees)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
