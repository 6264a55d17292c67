/* QuantizeLinear in front of what moves its values, and inside the norm in front of it: the bytes stay. */
#include "tests/lower/lowered_program.h"

#define RANGE                 \
  "const s float32 - 0.013\n" \
  "const z uint8 - 131\n"

#define NORM                    \
  RANGE                         \
  "in x float32 2,24,36,40\n"   \
  "const g float32 40 rand 1\n" \
  "const b float32 40 rand 2\n"

static void test_a_norm_gives_bytes(void **state) {
  (void)state;
  expect_lowered(NORM "LayerNormalization x g b -> n\nQuantizeLinear n s z -> y\nout y\n", "QLayerNorm", 1,
                 1);
  expect_lowered(NORM "LayerNormalization x g -> n\nQuantizeLinear n s z -> y\nout y\n", "QLayerNorm", 1, 1);
  expect_lowered(NORM "SimplifiedLayerNormalization x g -> n\nQuantizeLinear n s z -> y\nout y\n",
                 "QLayerNorm", 1, 1);
}

/* Window partition with padding: rows are moved as bytes. */
static void test_through_moves(void **state) {
  (void)state;
  expect_lowered(
      NORM
      "const pads int64 8 0 0 0 0 0 12 12 0\nconst w int64 6 2 3 12 4 12 40\nconst m int64 3 -1 144 40\n"
      "LayerNormalization x g b -> n\nPad n pads -> p\nReshape p w -> r\nTranspose r -> t perm=0,1,3,2,4,5\n"
      "Reshape t m -> u\nQuantizeLinear u s z -> y\nout y\n",
      "QLayerNorm", 1, 3);
}

static void test_what_is_read_elsewhere_stays(void **state) {
  (void)state;
  expect_lowered(NORM "LayerNormalization x g b -> n\nQuantizeLinear n s z -> y\nout y\nout n\n",
                 "QLayerNorm", 0, 2);
  expect_lowered(NORM "LayerNormalization x g b -> n m\nQuantizeLinear n s z -> y\nout y\nout m\n",
                 "QLayerNorm", 0, 2);
  expect_lowered(NORM "Transpose x -> t perm=0,2,1,3\nQuantizeLinear t s z -> y\nout y\nout t\n",
                 "QLayerNorm", 0, 2);
  expect_lowered(NORM
                 "const one float32 - 1\nconst pads int64 8 0 0 0 0 0 1 0 0\nLayerNormalization x g b -> "
                 "n\nPad n pads one -> p\n"
                 "QuantizeLinear p s z -> y\nout y\n",
                 "QLayerNorm", 0, 3);
  expect_lowered(NORM "const zs int8 - 3\nLayerNormalization x g b -> n\nQuantizeLinear n s zs -> y\nout y\n",
                 "QLayerNorm", 0, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_norm_gives_bytes),
      cmocka_unit_test(test_through_moves),
      cmocka_unit_test(test_what_is_read_elsewhere_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
