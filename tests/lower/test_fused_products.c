/* Float products take bias, activation and the Add behind them; products in 8 bits take the Add. The bytes stay. */
#include "tests/lower/lowered_program.h"

static void expect_same(const char *text, int products, int steps) {
  expect_lowered(text, "MatMul", products, steps);
}

#define LAYER                      \
  "in x float32 2,37,24\n"         \
  "in r float32 2,37,40\n"         \
  "const w float32 24,40 rand 1\n" \
  "const b float32 40 rand 2\n"    \
  "MatMul x w -> p\n"

static void test_bias_activation_residual(void **state) {
  static const char *const ACTIVATIONS[] = {"Gelu",     "Relu", "Sigmoid", "Tanh", "com.microsoft:QuickGelu",
                                            "LeakyRelu"};
  (void)state;
  for (size_t i = 0; i < sizeof ACTIVATIONS / sizeof ACTIVATIONS[0]; i++) {
    char text[400];
    snprintf(text, sizeof text, LAYER "Add b p -> q\n%s q -> s\nAdd s r -> y\nout y\n", ACTIVATIONS[i]);
    expect_same(text, 1, 1);
  }
  expect_same(LAYER "Add p b -> q\nAdd r q -> y\nout y\n", 1, 1);
  expect_same(LAYER "Gelu p -> y\nout y\n", 1, 1);
  expect_same(LAYER "Add r p -> y\nout y\n", 1, 1);
}

static void test_one_row(void **state) {
  (void)state;
  expect_same(
      "in x float32 1,24\nin r float32 1,2000\nconst w float32 24,2000 rand 1\nconst b float32 2000 rand 2\n"
      "MatMul x w -> p\nAdd p b -> q\nRelu q -> s\nAdd s r -> y\nout y\n",
      1, 1);
  expect_same(
      "in x float32 24\nin r float32 41\nconst w float32 24,41 rand 1\nconst b float32 41 rand 2\n"
      "MatMul x w -> p\nAdd p b -> q\nAdd q r -> y\nout y\n",
      1, 1);
}

static void test_gemm(void **state) {
  (void)state;
  expect_same(
      "in x float32 33,24\nin r float32 33,40\nconst w float32 40,24 rand 1\nconst b float32 40 rand 2\n"
      "Gemm x w b -> p transB=1\nRelu p -> q\nAdd q r -> y\nout y\n",
      1, 1);
  expect_same(
      "in x float32 33,24\nconst w float32 24,40 rand 1\nconst b float32 1,40 rand 2\n"
      "Gemm x w -> p\nAdd p b -> q\nGelu q -> y\nout y\n",
      1, 1);
  expect_same(
      "in x float32 24,33\nconst w float32 24,40 rand 1\nGemm x w -> p transA=1\nGelu p -> y\nout y\n", 0, 2);
}

/* The addend has another shape than the product: fewer dims, or more than it. */
static void test_addends_that_broadcast(void **state) {
  static const char *const SHAPES[] = {"1,37,40",   "37,40",    "2,1,40",      "2,37,1",
                                       "3,2,37,40", "5,1,1,40", "1,1,2,37,40", "-"};
  (void)state;
  for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
    char text[400];
    snprintf(text, sizeof text, LAYER "in m float32 %s\nRelu p -> q\nAdd q m -> y\nout y\n", SHAPES[i]);
    expect_same(text, 1, 1);
  }
  expect_same(
      "in x float32 1,6\nin m float32 70,5\nconst w float32 6,1 rand 1\nMatMul x w -> p\nAdd m p -> y\nout "
      "y\n",
      1, 1);
}

static void test_two_products_meet(void **state) {
  (void)state;
  expect_same(LAYER "const v float32 24,40 rand 5\nMatMul x v -> p2\nAdd p2 b -> q2\nAdd p q2 -> y\nout y\n",
              2, 2);
}

static void test_what_is_read_elsewhere_stays(void **state) {
  (void)state;
  expect_same(LAYER "Add p b -> q\nGelu q -> y\nout y\nout q\n", 1, 2);
  expect_same(LAYER "Add p b -> y\nout y\nout p\n", 1, 2);
  expect_same(LAYER "Add p p -> y\nout y\n", 1, 2);
  expect_same(
      "in x float64 3,24\nconst w float64 24,40 rand 1\nconst b float64 40 rand 2\nMatMul x w -> p\nAdd p b "
      "-> y\nout y\n",
      1, 2);
  expect_same(
      "in x int32 3,24\nconst w int32 24,40 3\nconst b int32 40 7\nMatMul x w -> p\nAdd p b -> y\nout y\n", 1,
      2);
}

/* ---- 8 bits ---- */

#define WEIGHTS                                         \
  "const scale float32 - 0.01\n"                        \
  "const zero uint8 - 128\n"                            \
  "const w8 int8 24,40 1 -3 5 7 -11 13 -127 90 44 -8\n" \
  "const ws float32 40 0.01 0.02 0.03\n"                \
  "const wz int8 40 0\n"                                \
  "const b float32 40 rand 2\n"                         \
  "DequantizeLinear w8 ws wz -> w axis=1\n"
#define STORED "in x float32 2,37,24\n" WEIGHTS

/* Lowered and lowered, since dequantized weights round otherwise: with `apart`, what stands in front of the node of type `last` as an output
 * of its own, that node is not taken. */
static void expect_taken(const char *text, const char *op, const char *last, const char *apart, int steps) {
  char both[1200];
  snprintf(both, sizeof both, "%s%s", text, apart);
  for (int threads = 1; threads < 3; threads++) {
    const answer one = run(text, op, true, threads, NULL), two = run(both, last, true, threads, "c");
    assert_int_equal(one.made, 1);
    assert_int_equal(one.steps, steps);
    assert_int_equal(two.made, 1);
    assert_true(vlm_tensor_same_shape(&one.y, &two.y));
    assert_memory_equal(one.bytes, two.bytes, vlm_tensor_bytes(&one.y));
    vlm_free(one.bytes);
    vlm_free(two.bytes);
  }
}

static void test_integer_products(void **state) {
  static const char *const SHAPES[] = {"2,37,40", "37,40", "3,2,37,40"};
  (void)state;
  for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
    char text[1000];
    snprintf(text, sizeof text,
             STORED
             "in r float32 %s\nQuantizeLinear x scale zero -> q\nDequantizeLinear q scale zero -> d\n"
             "MatMul d w -> p\nAdd p b -> s\nGelu s -> t\nAdd t r -> y\nout y\n",
             SHAPES[i]);
    expect_taken(text, "QMatMul", "Add", "out t\n", 2);
    snprintf(
        text, sizeof text,
        STORED
        "in r float32 %s\nvlm:QMatMulDynamic x w8 ws -> p\nAdd p b -> s\nGelu s -> t\nAdd r t -> y\nout y\n",
        SHAPES[i]);
    expect_taken(text, "QMatMulDynamic", "Add", "out t\n", 1);
    snprintf(text, sizeof text,
             STORED "in r float32 %s\nMatMul x w -> p\nAdd b p -> s\nGelu s -> t\nAdd r t -> y\nout y\n",
             SHAPES[i]);
    expect_taken(text, "WMatMul", "Add", "out t\n", 1);
  }
}

/* A product with a range per row gives the bytes that its one reader wants. */
static void test_row_products_that_give_bytes(void **state) {
  static const char *const TAILS[] = {"Add p b -> t\n", "Add p b -> s\nGelu s -> t\n", "Relu p -> t\n",
                                      "Add b p -> s\ncom.microsoft:QuickGelu s -> t\n"};
  static const char *const ROWS[] = {"1,1,24", "2,37,24", "2,1,24", "1,129,24"};
  (void)state;
  for (size_t i = 0; i < sizeof TAILS / sizeof TAILS[0]; i++)
    for (size_t k = 0; k < sizeof ROWS / sizeof ROWS[0]; k++) {
      char text[1000];
      snprintf(text, sizeof text,
               "in x float32 %s\n" WEIGHTS
               "vlm:QMatMulDynamic x w8 ws -> p\n%s"
               "QuantizeLinear t scale zero -> y\nout y\n",
               ROWS[k], TAILS[i]);
      expect_taken(text, "QMatMulDynamic", "QuantizeLinear", "out t\n", 1);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bias_activation_residual),
      cmocka_unit_test(test_one_row),
      cmocka_unit_test(test_gemm),
      cmocka_unit_test(test_addends_that_broadcast),
      cmocka_unit_test(test_two_products_meet),
      cmocka_unit_test(test_what_is_read_elsewhere_stays),
      cmocka_unit_test(test_integer_products),
      cmocka_unit_test(test_row_products_that_give_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
