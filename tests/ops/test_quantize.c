/* QuantizeLinear, DequantizeLinear in all granularities and types, the dynamic form, errors. */
#include "op_harness.h"
#include "tests/fine.h"

#include <math.h>
#include <stdlib.h>

static uint32_t seed = 3;
static float next(void) { return (float)((seed = seed * 1664525u + 1013904223u) >> 8) / 1048576.0f - 8.0f; }

static const struct {
  vlm_dtype type;
  double low, high;
} types[] = {{VLM_U8, 0, 255}, {VLM_S8, -128, 127}, {VLM_U16, 0, 65535}, {VLM_S16, -32768, 32767},
             {VLM_U4, 0, 15},  {VLM_S4, -8, 7},     {VLM_U2, 0, 3},      {VLM_S2, -2, 1}};
enum { TYPES = sizeof types / sizeof types[0] };

static double quantized(float x, float scale, int zero, int t) {
  double q = (double)rintf(x / scale) + zero;
  return q < types[t].low ? types[t].low : q > types[t].high ? types[t].high : q;
}

/* Tensor [3, 10, 7]; scale of dims [rows[0], rows[1], rows[2]] chosen by the index function. */
static void check(int t, int rank, const int64_t *scale_dims, int axis, int block,
                  int64_t (*index)(int64_t a, int64_t b, int64_t c)) {
  enum { A = 3, B = 10, C = 7, N = A * B * C };
  float x[N], scale[N];
  uint8_t zeros[2 * N] = {0};
  double want[N], back[N];
  vlm_tensor s = vlm_tensor_make(VLM_F32, rank, scale_dims, scale),
             z = vlm_tensor_make(types[t].type, rank, scale_dims, zeros);
  for (int64_t i = 0; i < vlm_tensor_count(&s); i++) {
    scale[i] = 0.05f + (float)(i % 7) * 0.1f;
    vlm_tensor_set(&z, i, (double)(i % 5) - (types[t].low < 0 ? 3 : 0));
  }
  for (int64_t i = 0; i < N; i++) {
    int64_t k = index(i / (B * C), i / C % B, i % C);
    int zero = (int)vlm_tensor_get_int(&z, k);
    x[i] = i % 11 ? next() : ((float)i + 0.5f) * scale[k];
    want[i] = quantized(x[i], scale[k], zero, t);
    back[i] = (double)((float)(want[i] - zero) * scale[k]);
  }
  vlm_tensor input = OP_TENSOR(VLM_F32, x, A, B, C);
  const vlm_attr at = OP_INT("axis", axis), size = OP_INT("block_size", block);
  op_harness q = {.threads = 2}, d = {.threads = 2};
  op_apply(&q, "", "QuantizeLinear", 21, (const vlm_attr *[]){&at, &size, NULL},
           (const vlm_tensor *[]){&input, &s, &z}, 3, 1);
  assert_int_equal(q.out[0].dtype, types[t].type);
  op_expect(&q, 0, want, N, 0);
  op_apply(&d, "", "DequantizeLinear", 21, (const vlm_attr *[]){&at, &size, NULL},
           (const vlm_tensor *[]){&q.out[0], &s, &z}, 3, 1);
  op_expect(&d, 0, back, N, 0);
  op_release(&q), op_release(&d);
}

static int64_t one(int64_t a, int64_t b, int64_t c) { return (void)a, (void)b, (void)c, 0; }
static int64_t first(int64_t a, int64_t b, int64_t c) { return (void)b, (void)c, a; }
static int64_t middle(int64_t a, int64_t b, int64_t c) { return (void)a, (void)c, b; }
static int64_t last(int64_t a, int64_t b, int64_t c) { return (void)a, (void)b, c; }
static int64_t block_middle(int64_t a, int64_t b, int64_t c) { return (a * 4 + b / 3) * 7 + c; }
static int64_t block_last(int64_t a, int64_t b, int64_t c) { return (a * 10 + b) * 2 + c / 4; }

static void test_granularities(void **state) {
  (void)state;
  for (int t = 0; t < TYPES; t++) {
    check(t, 0, NULL, 1, 0, one);
    check(t, 1, (int64_t[]){1}, 1, 0, one);
    check(t, 1, (int64_t[]){3}, 0, 0, first);
    check(t, 1, (int64_t[]){10}, 1, 0, middle);
    check(t, 1, (int64_t[]){7}, -1, 0, last);
    check(t, 3, (int64_t[]){3, 4, 7}, 1, 3, block_middle);
    check(t, 3, (int64_t[]){3, 10, 2}, 2, 4, block_last);
  }
}

static void test_types_of_output(void **state) {
  (void)state;
  float x[] = {1.0f, -1.0f}, s[] = {0.5f};
  uint16_t half_scale[] = {vlm_f32_to_f16(0.5f)};
  int32_t wide[] = {100000, -3};
  vlm_tensor t = OP_TENSOR(VLM_F32, x, 2), scale = OP_SCALAR(VLM_F32, s),
             half = OP_SCALAR(VLM_F16, half_scale), w = OP_TENSOR(VLM_S32, wide, 2);
  const vlm_attr s16 = OP_INT("output_dtype", vlm_dtype_onnx(VLM_S16)), e8m0 = OP_INT("output_dtype", 24);
  op_harness h = {0};
  op_apply(&h, "", "QuantizeLinear", 13, NULL, (const vlm_tensor *[]){&t, &scale}, 2, 1);
  assert_int_equal(h.out[0].dtype, VLM_U8);
  op_expect(&h, 0, (double[]){2, 0}, 2, 0);
  op_apply(&h, "", "QuantizeLinear", 21, (const vlm_attr *[]){&s16, NULL}, (const vlm_tensor *[]){&t, &scale},
           2, 1);
  assert_int_equal(h.out[0].dtype, VLM_S16);
  op_expect(&h, 0, (double[]){2, -2}, 2, 0);
  op_apply(&h, "", "DequantizeLinear", 19, NULL, (const vlm_tensor *[]){&w, &half}, 2, 1);
  assert_int_equal(h.out[0].dtype, VLM_F16);
  op_expect(&h, 0, (double[]){50000, -1.5}, 2, 1e-3);
  assert_int_equal(op_try(&h, "", "QuantizeLinear", 21, (const vlm_attr *[]){&e8m0, NULL},
                          (const vlm_tensor *[]){&t, &scale}, 2, 1),
                   VLM_UNSUPPORTED);
  op_release(&h);
}

/* Small floats: rounding of the quotient, zero points with fractions, one scale per row, saturation off. */
static void test_small_floats(void **state) {
  (void)state;
  static const float x[] = {0, 1, -3.5f, 1000, 18, 0.3f}, s[] = {2, 0.25f};
  static const double e4m3[] = {0, 0.5, -1.75, 448, 72, 1.25}, e2m1[] = {0, 0.5, -2, 6, 6, 1},
                      back[] = {0, 1, -3.5, 112, 18, 0.3125};
  static const double above[] = {0, 0.5, -1.75, NAN, 72, 1.25};
  uint8_t zeros[2] = {0};
  const vlm_tensor t = OP_TENSOR(VLM_F32, x, 2, 3), scale = OP_TENSOR(VLM_F32, s, 2),
                   z8 = OP_TENSOR(VLM_F8E4M3FN, zeros, 2), z4 = OP_TENSOR(VLM_F4E2M1, zeros, 2);
  const vlm_attr axis = OP_INT("axis", 0), no = OP_INT("saturate", 0);
  op_harness h = {0}, d = {0};
  op_apply(&h, "", "QuantizeLinear", 21, (const vlm_attr *[]){&axis, NULL},
           (const vlm_tensor *[]){&t, &scale, &z8}, 3, 1);
  assert_int_equal(h.out[0].dtype, VLM_F8E4M3FN);
  op_expect(&h, 0, e4m3, 6, 0);
  op_apply(&d, "", "DequantizeLinear", 21, (const vlm_attr *[]){&axis, NULL},
           (const vlm_tensor *[]){&h.out[0], &scale, &z8}, 3, 1);
  op_expect(&d, 0, back, 6, 0);
  op_apply(&h, "", "QuantizeLinear", 21, (const vlm_attr *[]){&axis, &no, NULL},
           (const vlm_tensor *[]){&t, &scale, &z8}, 3, 1);
  op_expect(&h, 0, above, 6, 0);
  op_apply(&h, "", "QuantizeLinear", 23, (const vlm_attr *[]){&axis, NULL},
           (const vlm_tensor *[]){&t, &scale, &z4}, 3, 1);
  assert_int_equal(vlm_tensor_bytes(&h.out[0]), 3);
  op_expect(&h, 0, e2m1, 6, 0);
  zeros[0] = 0x11; /* 0.5 for both rows */
  op_apply(&d, "", "DequantizeLinear", 23, (const vlm_attr *[]){&axis, NULL},
           (const vlm_tensor *[]){&h.out[0], &scale, &z4}, 3, 1);
  op_expect(&d, 0, (double[]){-1, 0, -5, 1.375, 1.375, 0.125}, 6, 0);
  op_release(&h), op_release(&d);
}

/* The quotient rounds to the type of the scale or of attribute precision: float16 has no 2049 and no 2051. */
static void test_precision(void **state) {
  (void)state;
  static const float x[] = {2049, 2051, 4.5f}, one[] = {1};
  const uint16_t half[] = {vlm_f32_to_f16(1.0f)};
  const vlm_tensor t = OP_TENSOR(VLM_F32, x, 3), f32 = OP_SCALAR(VLM_F32, one),
                   f16 = OP_SCALAR(VLM_F16, half);
  const vlm_attr out = OP_INT("output_dtype", vlm_dtype_onnx(VLM_S16)),
                 low = OP_INT("precision", vlm_dtype_onnx(VLM_F16)),
                 full = OP_INT("precision", vlm_dtype_onnx(VLM_F32)),
                 bad = OP_INT("precision", vlm_dtype_onnx(VLM_S8));
  static const double exact[] = {2049, 2051, 4}, rounded[] = {2048, 2052, 4};
  const struct {
    int opset;
    const vlm_attr *precision;
    const vlm_tensor *scale;
    const double *want;
  } rows[] = {{23, NULL, &f32, exact},
              {23, &low, &f32, rounded},
              {23, NULL, &f16, rounded},
              {23, &full, &f16, exact},
              {21, NULL, &f16, exact}};
  op_harness h = {0};
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
    op_apply(&h, "", "QuantizeLinear", rows[r].opset, (const vlm_attr *[]){&out, rows[r].precision, NULL},
             (const vlm_tensor *[]){&t, rows[r].scale}, 2, 1);
    op_expect(&h, 0, rows[r].want, 3, 0);
  }
  assert_int_equal(op_try(&h, "", "QuantizeLinear", 23, (const vlm_attr *[]){&out, &bad, NULL},
                          (const vlm_tensor *[]){&t, &f32}, 2, 1),
                   VLM_UNSUPPORTED);
  op_release(&h);
}

static void test_dynamic(void **state) {
  (void)state;
  float x[] = {0, 2, -3, -2.5f, 1.34f, 0.5f}, positive[] = {1, 2, 5}, zero[] = {0, 0};
  vlm_tensor t = OP_TENSOR(VLM_F32, x, 6), p = OP_TENSOR(VLM_F32, positive, 3),
             z = OP_TENSOR(VLM_F32, zero, 2);
  op_harness h = {.threads = 2};
  op_apply(&h, "", "DynamicQuantizeLinear", 11, NULL, (const vlm_tensor *[]){&t}, 1, 3);
  op_expect(&h, 0, (double[]){153, 255, 0, 26, 221, 179}, 6, 0);
  op_expect(&h, 1, (double[]){5.0 / 255}, 1, 1e-7);
  op_expect(&h, 2, (double[]){153}, 1, 0);
  op_apply(&h, "", "DynamicQuantizeLinear", 11, NULL, (const vlm_tensor *[]){&p}, 1, 3);
  op_expect(&h, 0, (double[]){51, 102, 255}, 3, 0);
  op_apply(&h, "", "DynamicQuantizeLinear", 11, NULL, (const vlm_tensor *[]){&z}, 1, 3);
  op_expect(&h, 0, (double[]){0, 0}, 2, 0);
  op_release(&h);
}

static void test_errors(void **state) {
  (void)state;
  float x[6] = {0}, s[4] = {1, 1, 1, 1};
  uint8_t q[4] = {0};
  vlm_tensor t = OP_TENSOR(VLM_F32, x, 2, 3), bad = OP_TENSOR(VLM_F32, s, 4),
             block = OP_TENSOR(VLM_F32, s, 2, 2), b = OP_TENSOR(VLM_U8, q, 4);
  vlm_tensor scale = OP_SCALAR(VLM_F32, s), zero = OP_SCALAR(VLM_S8, q);
  const vlm_attr size = OP_INT("block_size", 4);
  op_harness h = {0};
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "", "QuantizeLinear", 13, NULL, (const vlm_tensor *[]){&t, &bad}, 2, 1));
  assert_non_null(strstr(h.err.text, "4 elements"));
  assert_int_equal(op_try(&h, "", "QuantizeLinear", 21, (const vlm_attr *[]){&size, NULL},
                          (const vlm_tensor *[]){&t, &block}, 2, 1),
                   VLM_INPUT);
  assert_int_equal(op_try(&h, "com.microsoft", "QLinearSigmoid", 1, NULL,
                          (const vlm_tensor *[]){&b, &scale, &zero, &scale}, 4, 1),
                   VLM_INPUT);
  assert_int_equal(op_try(&h, "com.microsoft", "QLinearSigmoid", 1, NULL,
                          (const vlm_tensor *[]){&t, &scale, NULL, &scale}, 4, 1),
                   VLM_UNSUPPORTED);
  op_release(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_granularities), cmocka_unit_test(test_types_of_output),
      cmocka_unit_test(test_small_floats),  cmocka_unit_test(test_precision),
      cmocka_unit_test(test_dynamic),       cmocka_unit_test(test_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
