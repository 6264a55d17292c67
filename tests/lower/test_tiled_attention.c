/* MatMul, Softmax, MatMul and what stands around them become one operator that gives the same bytes, at every CPU level and on every number of
 * threads. */
#include "tests/lower/lowered_program.h"

static void expect_same(const char *text, int attentions, int steps) {
  expect_lowered(text, "Attention", attentions, steps);
}

/* ---- what vision encoders have ---- */

#define HEADS                 \
  "in x float32 3,50,3,2,8\n" \
  "const s int64 3 1 1 1\n"   \
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
  expect_same(
      "in x float32 2,7,3,4,5\n"
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

#define THREE               \
  "in q float32 2,3,70,8\n" \
  "in k float32 2,3,8,90\n" \
  "in v float32 2,3,90,5\n"

static void test_masks(void **state) {
  static const char *const MASKS[] = {"70,90", "90", "2,1,1,90", "3,1,1", "-", "1,3,70,1", "2,1,1,1,1"};
  (void)state;
  for (size_t i = 0; i < sizeof MASKS / sizeof MASKS[0]; i++) {
    char text[600];
    snprintf(
        text, sizeof text,
        THREE
        "in m float32 %s\nMatMul q k -> a\nAdd m a -> b\nSoftmax b -> p axis=-1\nMatMul p v -> y\nout y\n",
        MASKS[i]);
    expect_same(text, 1, 1);
    snprintf(
        text, sizeof text,
        THREE
        "in m float32 %s\nMatMul q k -> a\nMul a m -> b\nSoftmax b -> p axis=-1\nMatMul p v -> y\nout y\n",
        MASKS[i]);
    expect_same(text, 1, 1);
  }
}

static void test_a_masked_row_is_what_softmax_makes_of_it(void **state) {
  (void)state;
  expect_same(
      "in q float32 1,4,8\nin k float32 1,8,6\nin v float32 1,6,5\n"
      "const m float32 4,6 0 0 0 0 0 0 -inf 0 -inf 0 0 0 0 0 0 0 0 -inf -1000 -1000 -1000 -1000 -1000 0\n"
      "MatMul q k -> a\nAdd a m -> b\nSoftmax b -> p axis=-1\nMatMul p v -> y\nout y\n",
      1, 1);
}

static void test_both_operands_scaled(void **state) {
  (void)state;
  expect_same(
      THREE
      "const c float32 1 0.7\nconst e float32 8,1 rand 3\n"
      "Mul q c -> q2\nMul e k -> k2\nMatMul q2 k2 -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\n",
      1, 1);
}

static void test_broadcasting(void **state) {
  (void)state;
  expect_same(
      "in q float32 2,1,70,8\nin k float32 3,8,90\nin v float32 4,1,1,90,5\n"
      "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\n",
      1, 1);
  expect_same(
      "in q float32 1,8\nin k float32 8,1\nin m float32 5,6,7\nin v float32 7,3\n"
      "MatMul q k -> a\nAdd a m -> b\nSoftmax b -> p axis=-1\nMatMul p v -> y\nout y\n",
      1, 1);
}

/* Queries of one row against keys and values that are one for all of them: rows of one matrix, whatever stands beside them. */
static void test_beams_share_keys(void **state) {
  static const char *const MASKS[] = {"90", "3,1,1,90", "3,4,1,1", "4,1,90", "3,1,1,1"};
  (void)state;
  for (size_t i = 0; i < 2 * (sizeof MASKS / sizeof MASKS[0]); i++) {
    char text[700];
    snprintf(text, sizeof text,
             "in q float32 3,1,4,8\nin k float32 %s,4,90,8\nin v float32 1,4,90,5\nin m float32 %s\n"
             "const c float32 8 rand 3\n"
             "Transpose q -> qt perm=0,2,1,3\nMul qt c -> qs\nTranspose k -> kt perm=0,1,3,2\n"
             "MatMul qs kt -> a\nAdd a m -> b\nSoftmax b -> p axis=-1\nMatMul p v -> o\n"
             "Transpose o -> y perm=0,2,1,3\nout y\n",
             i % 2 ? "1" : "3", MASKS[i / 2]);
    expect_same(text, 1, 1);
  }
  expect_same(
      "in q float32 3,1,8\nin k float32 8,9\nin v float32 9,5\n"
      "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\n",
      1, 1);
}

/* ---- what is left alone ---- */

static void test_others_are_left(void **state) {
  (void)state;
  expect_same(THREE "MatMul q k -> a\nSoftmax a -> p axis=2\nMatMul p v -> y\nout y\n", 0, 0);
  expect_same(THREE "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\nout p\n", 0, 0);
  expect_same(THREE "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\nout a\n", 0, 0);
  expect_same(
      "in q float64 2,4,8\nin k float64 2,8,6\nin v float64 2,6,5\n"
      "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\n",
      0, 0);
  expect_same(
      "in q float16 2,4,8\nin k float16 2,8,6\nin v float16 2,6,5\n"
      "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> y\nout y\n",
      0, 0);
  /* The result's last dim would be heads. */
  expect_same(
      THREE
      "MatMul q k -> a\nSoftmax a -> p axis=-1\nMatMul p v -> o\nTranspose o -> y perm=0,2,3,1\nout y\n",
      1, 2);
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
      cmocka_unit_test(test_beams_share_keys),
      cmocka_unit_test(test_others_are_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
