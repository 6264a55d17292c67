/* What the second run of a session asks of the system: no memory. */
#include <sys/resource.h>

#include "runtime/base/memory.h"
#include "tests/exec/graph_program.h"

enum { SIDE = 1024, INCIDENTAL = 16 };

static long faults(void) {
  struct rusage usage;
  assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
  return usage.ru_minflt;
}

/* 4 MiB for each value, several of them alive at a time; weights of 4 MiB. */
#define LAYERS                         \
  "in x float32 1024,1024\n"           \
  "const w float32 1024,1024 rand 1\n" \
  "MatMul x w -> a\n"                  \
  "Softmax a -> b\n"                   \
  "Transpose b -> c perm=1,0\n"        \
  "Add c a -> y\n"                     \
  "out y\n"

/* Pages touched for the first time in the second run. */
static long second_run(const vlm_session_opts *opts, float *x) {
  opened o = open_program(LAYERS, opts);
  const vlm_tensor in = floats("1024,1024", x);
  FINE(vlm_session_run(o.session, &in, 1, &error));
  const int64_t allocations = vlm_session_get_stats(o.session).allocations;
  const long before = faults();
  FINE(vlm_session_run(o.session, &in, 1, &error));
  const long taken = faults() - before;
  assert_int_equal(vlm_session_get_stats(o.session).allocations, allocations);
  close_program(&o);
  return taken;
}

static void test_a_further_run_takes_no_pages(void **state) {
  float *x;
  (void)state;
  FINE(vlm_new(&x, (size_t)SIDE * SIDE, &error));
  assert_in_range(second_run(NULL, x), 0, INCIDENTAL);
  vlm_free(x);
}

/* The count is one that can fail: memory that was given back comes anew, and is cleared. */
static void test_memory_given_back_is_taken_again(void **state) {
  float *x;
  (void)state;
  FINE(vlm_new(&x, (size_t)SIDE * SIDE, &error));
  assert_true(second_run(&(vlm_session_opts){.gives_memory_back = true}, x) > 0);
  vlm_free(x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_further_run_takes_no_pages),
      cmocka_unit_test(test_memory_given_back_is_taken_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
