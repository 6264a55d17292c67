/* MatMul, Softmax, MatMul and what stands around them become one operator that gives the same bytes, at every CPU level and on every number of
 * threads. */
#include "runtime/base/memory.h"
#include "runtime/lower/lower.h"
#include "tests/exec/graph_program.h"

enum { MOST = 1 << 18, INPUTS = 4 };

/* Output 0 of a run on noise. */
typedef struct {
  vlm_tensor y;
  int attentions, steps;
  float *bytes;
} answer;

static void fill(const vlm_graph *g, vlm_tensor *in, double *room) {
  uint32_t seed = 5;
  for (int32_t i = 0; i < g->n_inputs; i++, room += MOST) {
    in[i] = g->values[g->inputs[i]].tensor;
    in[i].data = room;
    assert_true(vlm_tensor_count(&in[i]) <= MOST);
    for (int64_t k = 0; k < vlm_tensor_count(&in[i]); k++) vlm_tensor_set(&in[i], k, program_noise(&seed));
  }
}

static answer run(const char *text, bool lower, int threads, const char *cpu) {
  static double room[INPUTS * MOST];
  opened o = {.graph = graph_of(text)};
  vlm_tensor in[INPUTS];
  answer a;
  assert_true(o.graph->n_inputs <= INPUTS);
  if (lower) FINE(vlm_graph_lower(o.graph, NULL, &error));
  FINE(vlm_context_create(&o.context, &(vlm_context_opts){.threads = threads, .cpu_level = cpu}, &error));
  FINE(vlm_session_create(&o.session, o.context, o.graph, NULL, &error));
  fill(o.graph, in, room);
  FINE(vlm_session_run(o.session, in, o.graph->n_inputs, &error));
  a.y = *vlm_session_output(o.session, 0);
  a.attentions = steps_of(&o, "Attention");
  a.steps = steps_of(&o, NULL);
  FINE(vlm_new(&a.bytes, vlm_tensor_bytes(&a.y), &error));
  memcpy(a.bytes, a.y.data, vlm_tensor_bytes(&a.y));
  close_program(&o);
  return a;
}

static void expect_same(const char *text, int attentions, int steps) {
  static const char *const LEVELS[] = {NULL, "c", NULL};
  const answer want = run(text, false, 1, "c");
  for (int i = 0; i < 3; i++) {
    const answer got = run(text, true, 1 + i, LEVELS[i]);
    assert_int_equal(got.attentions, attentions);
    if (steps) assert_int_equal(got.steps, steps);
    assert_true(vlm_tensor_same_shape(&got.y, &want.y));
    assert_memory_equal(got.bytes, want.bytes, vlm_tensor_bytes(&want.y));
    vlm_free(got.bytes);
  }
  vlm_free(want.bytes);
}

/* ---- what vision encoders have ---- */

#define HEADS                                   \
  "in x float32 3,50,3,2,8\n"                   \
  "const s int64 3 1 1 1\n"                     \
  "const zero int64 1 0\n"

static void test_windows_read_and_write_in_place(void **state) {
  (void)state;
  expect_same(HEADS
              "const c float32 - 0.3\n"
              "Transpose x -> t perm=2,0,3,1,4\n"
              "Split t s -> q4 k4 v4 axis=0\n"
              "Squeeze q4 zero -> q\n"
              "Squeeze k4 zero -> k\n"
              "Squeeze v4 zero -> v\n"
              "Transpose k -> kt perm=0,1,3,2\n"
              "MatMul q kt -> a\n"
              "Mul a c -> b\n"
              "Softmax b -> p axis=-1\n"
              "MatMul p v -> o\n"
              "Transpose o -> y perm=0,2,1,3\n"
              "out y\n",
              1, 1);
}

static void test_channels_attend(void **state) {
  (void)state;
  expect_same(HEADS
              "const c float32 1,1 0.3\n"
              "Transpose x -> t perm=2,0,3,4,1\n"
              "Split t s -> q4 k4 v4 axis=0\n"
              "Squeeze q4 zero -> q\n"
              "Squeeze k4 zero -> k\n"
              "Squeeze v4 zero -> v\n"
              "Mul q c -> scaled\n"
              "Transpose k -> kt perm=0,1,3,2\n"
              "MatMul scaled kt -> a\n"
              "Softmax a -> p axis=-1\n"
              "MatMul p v -> o\n"
              "Transpose o -> y perm=0,3,1,2\n"
              "out y\n",
              1, 1);
}

static void test_one_of_several_is_gathered(void **state) {
  (void)state;
  expect_same("in x float32 2,7,3,4,5\n"
              "const zero int64 - 0\n"
              "const one int64 - 1\n"
              "const two int64 - 2\n"
              "const d float32 - 2.2\n"
              "Transpose x -> t perm=2,0,3,1,4\n"
              "Gather t zero -> q axis=0\n"
              "Gather t one -> k axis=0\n"
              "Gather t two -> v axis=0\n"
              "Transpose k -> kt perm=0,1,3,2\n"
              "MatMul q kt -> a\n"
              "Div a d -> b\n"
              "Softmax b -> p axis=-1\n"
              "MatMul p v -> y\n"
              "out y\n",
              1, 1);
}

/* ---- factors, masks, broadcasting ---- */

#define THREE                      \
  "in q float32 2,3,70,8\n"        \
  "in k float32 2,3,8,90\n"        \
  "in v float32 2,3,90,5\n"

static void test_masks(void **state) {
  static const char *const MASKS[] = {"70,90", "90", "2,1,1,90", "3,1,1", "-", "1,3,70,1", "2,1,1,1,1"};
  (void)state;
  for (size_t i = 0; i < sizeof MASKS / sizeof MASKS[0]; i++) {
    char text[600];
    snprintf(text, sizeof text, THREE "in m float32 %s\nMatMul q k -> a\nAdd m a -> b\nSoftmax b -> p axis=-1\nMatMul p v -> y\nout y\n", MASKS[i]);
    expect_same(text, 1, 1);
    snprintf(text, sizeof text, THREE "in m float32 %s\nMatMul q k -> a\nMul a m -> b\nSoftmax b -> p axis=-1\nMatMul p v -> y\nout y\n", MASKS[i]);
    expect_same(text, 1, 1);
  }
}

static void test_a_masked_row_is_what_softmax_makes_of_it(void **state) {
  (void)state;
  expect_same("in q float32 1,4,8\nin k float32 1,8,6\nin v float32 1,6,5\n"
              "const m float32 4,6 0 0 0 0 0 0 -inf 0 -inf 0 0 0 0 0 0 0 0 -inf -1000 -1000 -1000 -1000 -1000 0\n"
              "MatMul q k -> a\nAdd a m -> b\nSoftmax b -> p axis=-1\nMatMul p v -> y\nout y\n",
              1, 1);
}

static void test_both_operands_scaled(void **state) {
  (void)state;
  expect_same(THREE "const c float32 1 0.7\nconst e float32 8,1 rand 3\n"
              "Mul q c -> q2\nMul e k -> k2\nMatMul q2 k2 -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\n",
              1, 1);
}

static void test_broadcasting(void **state) {
  (void)state;
  expect_same("in q float32 2,1,70,8\nin k float32 3,8,90\nin v float32 4,1,1,90,5\n"
              "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\n",
              1, 1);
  expect_same("in q float32 1,8\nin k float32 8,1\nin m float32 5,6,7\nin v float32 7,3\n"
              "MatMul q k -> a\nAdd a m -> b\nSoftmax b -> p axis=-1\nMatMul p v -> y\nout y\n",
              1, 1);
}

/* ---- what is left alone ---- */

static void test_others_are_left(void **state) {
  (void)state;
  expect_same(THREE "MatMul q k -> a\nSoftmax a -> p axis=2\nMatMul p v -> y\nout y\n", 0, 0);
  expect_same(THREE "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\nout p\n", 0, 0);
  expect_same(THREE "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\nout a\n", 0, 0);
  expect_same("in q float64 2,4,8\nin k float64 2,8,6\nin v float64 2,6,5\n"
              "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\n", 0, 0);
  expect_same("in q float16 2,4,8\nin k float16 2,8,6\nin v float16 2,6,5\n"
              "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\n", 0, 0);
  /* The result's last dim would be heads. */
  expect_same(THREE "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> o\nTranspose o -> y perm=0,2,3,1\nout y\n", 1, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_windows_read_and_write_in_place),
      cmocka_unit_test(test_channels_attend),
      cmocka_unit_test(test_one_of_several_is_gathered),
      cmocka_unit_test(test_masks),
      cmocka_unit_test(test_a_masked_row_is_what_softmax_makes_of_it),
      cmocka_unit_test(test_both_operands_scaled),
      cmocka_unit_test(test_broadcasting),
      cmocka_unit_test(test_others_are_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
