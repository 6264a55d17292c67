/* What a run does not do: ask the system for memory, copy what is in its place. */
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

/* ---- copies that change nothing are no steps ---- */

#define MOVES                \
  "in x float32 1,3,1,4\n"   \
  "in z float32 2,5\n"       \
  "const none4 int64 8 0\n"  \
  "const zero int64 1 0\n"   \
  "const far int64 1 9000\n" \
  "const one int64 1 1\n"    \
  "const ones int64 4 1\n"

static void test_moves_that_keep_the_order_are_views(void **state) {
  (void)state;
  static const char *const VIEWS[] = {
      "Transpose a -> b perm=1,0,3,2\n",
      "Transpose a -> b perm=0,2,1,3\n",
      "Slice a zero far one -> b\n",
      "Pad a none4 -> b\n",
      "Tile a ones -> b\n",
      "Expand a ones -> b\n",
  };
  static const float X[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  for (size_t i = 0; i < sizeof VIEWS / sizeof VIEWS[0]; i++) {
    char text[800];
    snprintf(text, sizeof text, "%sNeg x -> a\n%sNeg b -> c\nout c\nout b\n", MOVES, VIEWS[i]);
    opened o = open_program(text, NULL);
    float z[10] = {0};
    const vlm_tensor in[] = {floats("1,3,1,4", X), floats("2,5", z)};
    for (int round = 0; round < 2; round++) FINE(vlm_session_run(o.session, in, 2, &error));
    assert_int_equal(steps_of(&o, NULL), 2);
    for (int k = 0; k < 12; k++) {
      assert_true(vlm_tensor_get(vlm_session_output(o.session, 0), k) == (double)X[k]);
      assert_true(vlm_tensor_get(vlm_session_output(o.session, 1), k) == -(double)X[k]);
    }
    close_program(&o);
  }
}

static void test_moves_that_do_not_are_steps(void **state) {
  (void)state;
  opened o = open_program(
      "in x float32 3,1,4\nconst minus int64 1 -1\nconst far int64 1 -9000\nconst two int64 1 2\nconst axis "
      "int64 1 0\n"
      "const pads int64 6 1 0 0 -1 0 0\nconst n int64 3 2 1 1\n"
      "Transpose x -> a perm=2,1,0\nSlice x minus far axis minus -> b\nPad x pads -> c\nTile x n -> d\n"
      "out a\nout b\nout c\nout d\n",
      NULL);
  static const float X[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const vlm_tensor in = floats("3,1,4", X);
  FINE(vlm_session_run(o.session, &in, 1, &error));
  assert_int_equal(steps_of(&o, NULL), 4);
  expect(&o, 0, "4,1,3", (double[]){1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12});
  expect(&o, 1, "3,1,4", (double[]){9, 10, 11, 12, 5, 6, 7, 8, 1, 2, 3, 4});
  expect(&o, 2, "3,1,4", (double[]){0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8});
  expect(&o, 3, "6,1,4",
         (double[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  close_program(&o);
}

/* What is a view of an input is copied when it is an output: the caller's bytes may go. */
static void test_views_of_inputs(void **state) {
  (void)state;
  opened o = open_program("in x float32 1,4\nTranspose x -> y perm=1,0\nNeg y -> z\nout y\nout z\n", NULL);
  float x[4] = {1, 2, 3, 4};
  const vlm_tensor in = floats("1,4", x);
  FINE(vlm_session_run(o.session, &in, 1, &error));
  memset(x, 0, sizeof x);
  expect(&o, 0, "4,1", (double[]){1, 2, 3, 4});
  expect(&o, 1, "4,1", (double[]){-1, -2, -3, -4});
  close_program(&o);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_further_run_takes_no_pages),
      cmocka_unit_test(test_memory_given_back_is_taken_again),
      cmocka_unit_test(test_moves_that_keep_the_order_are_views),
      cmocka_unit_test(test_moves_that_do_not_are_steps),
      cmocka_unit_test(test_views_of_inputs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
