/* Elementwise operators: broadcasting against a naive loop, integer and half semantics, special values, errors. */
#include "op_harness.h"
#include "tests/fine.h"

#include <math.h>
#include <stdlib.h>

static uint32_t seed = 1;
static uint32_t next(void) { return (seed = seed * 1664525u + 1013904223u) >> 8; }

static vlm_tensor random_tensor(op_harness *h, vlm_dtype type, int rank, const int64_t *dims) {
  vlm_tensor t = vlm_tensor_make(type, rank, dims, NULL);
  size_t bytes;
  FINE(vlm_tensor_bytes_checked(&bytes, &t, &error));
  t.data = malloc(bytes + 1);
  (void)h;
  for (int64_t i = 0; i < vlm_tensor_count(&t); i++)
    vlm_tensor_set(&t, i, (double)((int)(next() % 2001) - 1000) / (vlm_dtype_is_float(type) ? 16 : 10));
  return t;
}

/* Element of t that meets output element i of shape out. */
static double broadcast_get(const vlm_tensor *t, const vlm_tensor *out, int64_t i) {
  int64_t at = 0, span = 1;
  for (int d = out->rank - 1, e = t->rank - 1; d >= 0; i /= out->dims[d--], e--) {
    if (e < 0) continue;
    at += t->dims[e] == 1 ? 0 : i % out->dims[d] * span;
    span *= t->dims[e];
  }
  return vlm_tensor_get(t, at);
}

static double expected(const char *op, vlm_dtype type, double a, double b) {
  double y = strcmp(op, "Add") == 0   ? a + b
             : strcmp(op, "Sub") == 0 ? a - b
             : strcmp(op, "Mul") == 0 ? a * b
                                      : 0;
  if (strcmp(op, "Max") == 0) y = a > b ? a : b;
  if (strcmp(op, "Less") == 0) return a < b;
  if (type == VLM_S32) y = (double)(int32_t)(int64_t)y;
  if (type == VLM_S8) y = (double)(int8_t)(int64_t)y;
  if (type == VLM_F16) y = (double)vlm_f16_to_f32(vlm_f32_to_f16((float)y));
  if (type == VLM_BF16) y = (double)vlm_bf16_to_f32(vlm_f32_to_bf16((float)y));
  if (type == VLM_F32) y = (double)(float)y;
  return y;
}

static void test_broadcasting(void **state) {
  (void)state;
  static const struct {
    int ra, rb;
    int64_t a[4], b[4];
  } shapes[] = {{0, 0, {0}, {0}},
                {1, 0, {5}, {0}},
                {2, 1, {3, 4}, {4}},
                {2, 2, {3, 1}, {1, 4}},
                {4, 1, {2, 3, 4, 5}, {1}},
                {4, 3, {2, 3, 4, 5}, {3, 1, 1}},
                {4, 4, {2, 1, 4, 1}, {1, 3, 1, 5}},
                {3, 3, {2, 0, 3}, {2, 1, 3}},
                {1, 3, {3}, {2, 4, 3}},
                {2, 2, {130, 257}, {130, 1}},
                {2, 2, {1, 300}, {200, 300}},
                {3, 2, {0, 2, 2}, {1, 2}}};
  static const char *const ops[] = {"Add", "Sub", "Mul", "Max", "Less"};
  static const vlm_dtype types[] = {VLM_F32, VLM_F64, VLM_F16, VLM_BF16, VLM_S32, VLM_S64, VLM_S8};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
    for (size_t o = 0; o < 5; o++)
      for (size_t t = 0; t < 7; t++) {
        op_harness h = {.threads = s % 2 ? 2 : 1};
        vlm_tensor a = random_tensor(&h, types[t], shapes[s].ra, shapes[s].a),
                   b = random_tensor(&h, types[t], shapes[s].rb, shapes[s].b);
        op_apply(&h, "", ops[o], 13, NULL, (const vlm_tensor *[]){&a, &b}, 2, 1);
        for (int64_t i = 0; i < vlm_tensor_count(&h.out[0]); i++) {
          double want =
              expected(ops[o], types[t], broadcast_get(&a, &h.out[0], i), broadcast_get(&b, &h.out[0], i));
          double got = vlm_tensor_get(&h.out[0], i);
          if (got != want)
            fail_msg("%s of %s, shapes %d, element %d: %.17g, wanted %.17g", ops[o], vlm_dtype_name(types[t]),
                     (int)s, (int)i, got, want);
        }
        free(a.data), free(b.data);
        op_release(&h);
      }
}

static void binary(op_harness *h, const char *op, int opset, const vlm_attr *attr, vlm_tensor a, vlm_tensor b,
                   const double *want) {
  op_apply(h, "", op, opset, (const vlm_attr *[]){attr, NULL}, (const vlm_tensor *[]){&a, &b}, 2, 1);
  op_expect(h, 0, want, vlm_tensor_count(&h->out[0]), 0.0);
  op_release(h);
}

static void test_integer_semantics(void **state) {
  (void)state;
  op_harness h = {0};
  const vlm_attr fmod0 = OP_INT("fmod", 0), fmod1 = OP_INT("fmod", 1);
  int32_t a[] = {7, -7, 7, -7, 5, INT32_MIN, INT32_MAX}, b[] = {2, 2, -2, -2, 0, -1, 1};
  int64_t big[] = {INT64_MAX, INT64_MIN}, one[] = {1, -1};
  vlm_tensor x = OP_TENSOR(VLM_S32, a, 7), y = OP_TENSOR(VLM_S32, b, 7);
  binary(&h, "Div", 14, NULL, x, y, (double[]){3, -3, -3, 3, 0, INT32_MIN, INT32_MAX});
  binary(&h, "Mod", 13, &fmod0, x, y, (double[]){1, 1, -1, -1, 0, 0, 0});
  binary(&h, "Mod", 13, &fmod1, x, y, (double[]){1, -1, 1, -1, 0, 0, 0});
  binary(&h, "Add", 14, NULL, x, y, (double[]){9, -5, 5, -9, 5, INT32_MAX, INT32_MIN});
  binary(&h, "Add", 14, NULL, OP_TENSOR(VLM_S64, big, 2), OP_TENSOR(VLM_S64, one, 2),
         (double[]){(double)INT64_MIN, (double)INT64_MAX});
  uint8_t u[] = {1, 255, 16, 200}, s[] = {7, 1, 8, 3};
  const vlm_attr left = OP_STRING("direction", "LEFT"), right = OP_STRING("direction", "RIGHT");
  binary(&h, "BitShift", 11, &left, OP_TENSOR(VLM_U8, u, 4), OP_TENSOR(VLM_U8, s, 4),
         (double[]){128, 254, 0, 64});
  binary(&h, "BitShift", 11, &right, OP_TENSOR(VLM_U8, u, 4), OP_TENSOR(VLM_U8, s, 4),
         (double[]){0, 127, 0, 25});
  binary(&h, "BitwiseXor", 18, NULL, OP_TENSOR(VLM_U8, u, 4), OP_TENSOR(VLM_U8, s, 4),
         (double[]){6, 254, 24, 203});
}

static void test_mod_of_floats(void **state) {
  (void)state;
  op_harness h = {0};
  const vlm_attr fmod0 = OP_INT("fmod", 0), fmod1 = OP_INT("fmod", 1);
  float a[] = {5.5f, -5.5f, 5.5f, -5.5f}, b[] = {2, 2, -2, -2};
  binary(&h, "Mod", 13, &fmod1, OP_TENSOR(VLM_F32, a, 4), OP_TENSOR(VLM_F32, b, 4),
         (double[]){1.5, -1.5, 1.5, -1.5});
  binary(&h, "Mod", 13, &fmod0, OP_TENSOR(VLM_F32, a, 4), OP_TENSOR(VLM_F32, b, 4),
         (double[]){1.5, 0.5, -0.5, -1.5});
}

static void test_pow_of_mixed_types(void **state) {
  (void)state;
  op_harness h = {0};
  float f[] = {2, 3, 0.5f, -2}, e[] = {3, 0.5f, -1, 3};
  int64_t n[] = {2, 3, 0, -1}, base[] = {2, -3, 7, 0};
  int32_t two[] = {2};
  double cube_root[] = {8, sqrt(3.0), 2, -8};
  vlm_tensor x = OP_TENSOR(VLM_F32, f, 4), y = OP_TENSOR(VLM_F32, e, 4);
  op_apply(&h, "", "Pow", 15, NULL, (const vlm_tensor *[]){&x, &y}, 2, 1);
  op_expect(&h, 0, cube_root, 4, 1e-7);
  binary(&h, "Pow", 15, NULL, x, OP_TENSOR(VLM_S64, n, 4), (double[]){4, 27, 1, -0.5});
  binary(&h, "Pow", 15, NULL, OP_TENSOR(VLM_S64, base, 4), OP_TENSOR(VLM_S32, two, 1),
         (double[]){4, 9, 49, 0});
  binary(&h, "Pow", 15, NULL, OP_TENSOR(VLM_S64, base, 4), OP_TENSOR(VLM_F32, e, 1),
         (double[]){8, -27, 343, 0});
  op_release(&h);
}

static void test_variadic(void **state) {
  (void)state;
  op_harness h = {0};
  float a[] = {1, 5, NAN}, b[] = {2}, c[] = {0, 7, 3, 4, -1, 6};
  vlm_tensor x = OP_TENSOR(VLM_F32, a, 3), y = OP_TENSOR(VLM_F32, b, 1), z = OP_TENSOR(VLM_F32, c, 2, 3);
  const vlm_tensor *in[] = {&x, &y, &z};
  op_apply(&h, "", "Max", 13, NULL, in, 3, 1);
  op_expect(&h, 0, (double[]){2, 7, NAN, 4, 5, NAN}, 6, 0);
  op_apply(&h, "", "Mean", 13, NULL, in, 3, 1);
  op_expect(&h, 0, (double[]){1, 14.0 / 3, NAN, 7.0 / 3, 2, NAN}, 6, 1e-6);
  op_apply(&h, "", "Sum", 13, NULL, in, 1, 1);
  op_expect(&h, 0, (double[]){1, 5, NAN}, 3, 0);
  op_release(&h);
}

static void test_clip(void **state) {
  (void)state;
  op_harness h = {0};
  float a[] = {-2, 0.5f, 9, NAN}, low[] = {0}, high[] = {6};
  int8_t i[] = {-100, 3, 100}, top[] = {50};
  vlm_tensor x = OP_TENSOR(VLM_F32, a, 4), lo = OP_SCALAR(VLM_F32, low), hi = OP_SCALAR(VLM_F32, high);
  vlm_tensor n = OP_TENSOR(VLM_S8, i, 3), t = OP_SCALAR(VLM_S8, top);
  op_apply(&h, "", "Clip", 13, NULL, (const vlm_tensor *[]){&x, &lo, &hi}, 3, 1);
  op_expect(&h, 0, (double[]){0, 0.5, 6, NAN}, 4, 0);
  op_apply(&h, "", "Clip", 13, NULL, (const vlm_tensor *[]){&x, NULL, &hi}, 3, 1);
  op_expect(&h, 0, (double[]){-2, 0.5, 6, NAN}, 4, 0);
  op_apply(&h, "", "Clip", 13, NULL, (const vlm_tensor *[]){&n, NULL, &t}, 3, 1);
  op_expect(&h, 0, (double[]){-100, 3, 50}, 3, 0);
  const vlm_attr max = OP_FLOAT("max", 1.0f);
  op_apply(&h, "", "Clip", 6, (const vlm_attr *[]){&max, NULL}, (const vlm_tensor *[]){&x}, 1, 1);
  op_expect(&h, 0, (double[]){-2, 0.5, 1, NAN}, 4, 0);
  op_release(&h);
}

static void test_where_and_tests(void **state) {
  (void)state;
  op_harness h = {0};
  bool c[] = {true, false};
  int64_t a[] = {1, 2}, b[] = {10};
  float f[] = {NAN, INFINITY, -INFINITY, 0};
  vlm_tensor cond = OP_TENSOR(VLM_BOOL, c, 2, 1), x = OP_TENSOR(VLM_S64, a, 2), y = OP_TENSOR(VLM_S64, b, 1),
             v = OP_TENSOR(VLM_F32, f, 4);
  op_apply(&h, "", "Where", 16, NULL, (const vlm_tensor *[]){&cond, &x, &y}, 3, 1);
  op_expect(&h, 0, (double[]){1, 2, 10, 10}, 4, 0);
  assert_int_equal(h.out[0].dtype, VLM_S64);
  op_apply(&h, "", "IsNaN", 13, NULL, (const vlm_tensor *[]){&v}, 1, 1);
  op_expect(&h, 0, (double[]){1, 0, 0, 0}, 4, 0);
  const vlm_attr no = OP_INT("detect_negative", 0);
  op_apply(&h, "", "IsInf", 10, (const vlm_attr *[]){&no, NULL}, (const vlm_tensor *[]){&v}, 1, 1);
  op_expect(&h, 0, (double[]){0, 1, 0, 0}, 4, 0);
  assert_int_equal(h.out[0].dtype, VLM_BOOL);
  op_release(&h);
}

static void test_cast(void **state) {
  (void)state;
  op_harness h = {0};
  float f[] = {-1.9f, 2.9f, 300.0f, 0.0f, -0.0f, 1e30f};
  int64_t i[] = {-1, 257, 0x100000001};
  vlm_tensor x = OP_TENSOR(VLM_F32, f, 6), y = OP_TENSOR(VLM_S64, i, 3);
  static const struct {
    vlm_dtype to;
    double want[6];
  } rows[] = {{VLM_S32, {-1, 2, 300, 0, 0, -2147483648.0}},
              {VLM_U8, {255, 2, 44, 0, 0, 0}},
              {VLM_BOOL, {1, 1, 1, 0, 0, 1}},
              {VLM_S4, {-1, 2, -4, 0, 0, 0}},
              {VLM_U2, {3, 2, 0, 0, 0, 0}},
              {VLM_S2, {-1, -2, 0, 0, 0, 0}},
              {VLM_F8E4M3FN, {-1.875, 3, 288, 0, 0, 448}},
              {VLM_F8E5M2, {-2, 3, 320, 0, 0, 57344}},
              {VLM_F4E2M1, {-2, 3, 6, 0, 0, 6}},
              {VLM_F16, {-1.900390625, 2.900390625, 300, 0, 0, INFINITY}}};
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
    const vlm_attr to = OP_INT("to", vlm_dtype_onnx(rows[r].to));
    op_apply(&h, "", "Cast", 21, (const vlm_attr *[]){&to, NULL}, (const vlm_tensor *[]){&x}, 1, 1);
    op_expect(&h, 0, rows[r].want, 6, 0);
  }
  const vlm_attr to = OP_INT("to", vlm_dtype_onnx(VLM_U8)), string = OP_INT("to", 8);
  op_apply(&h, "", "Cast", 13, (const vlm_attr *[]){&to, NULL}, (const vlm_tensor *[]){&y}, 1, 1);
  op_expect(&h, 0, (double[]){255, 1, 1}, 3, 0);
  FAILS_WITH(
      h.err, VLM_UNSUPPORTED,
      op_try(&h, "", "Cast", 19, (const vlm_attr *[]){&string, NULL}, (const vlm_tensor *[]){&x}, 1, 1));
  assert_non_null(strstr(h.err.text, "string"));
  op_release(&h);
}

/* saturate and round_mode, of both operators; from the small floats; all through packed storage. */
static void test_cast_small_floats(void **state) {
  (void)state;
  op_harness h = {0}, back = {0};
  static const float f[] = {1e6f, -INFINITY, 0.3f, 5.0f, 1.5f};
  static const uint8_t none[1] = {0};
  static const struct {
    vlm_dtype to;
    const char *mode;
    double want[5];
  } rows[] = {{VLM_F8E4M3FN, "up", {NAN, NAN, 0.3125, 5, 1.5}},
              {VLM_F8E5M2, "up", {INFINITY, -INFINITY, 0.3125, 5, 1.5}},
              {VLM_F4E2M1, "up", {6, -6, 0.5, 4, 1.5}},
              {VLM_F8E8M0, "up", {0x1p20, NAN, 0.5, 8, 2}},
              {VLM_F8E8M0, "down", {0x1p19, NAN, 0.25, 4, 1}},
              {VLM_F8E8M0, "nearest", {0x1p20, NAN, 0.25, 4, 2}}};
  const vlm_tensor x = OP_TENSOR(VLM_F32, f, 5);
  const vlm_attr no = OP_INT("saturate", 0), wide = OP_INT("to", vlm_dtype_onnx(VLM_F16));
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
    const vlm_attr to = OP_INT("to", vlm_dtype_onnx(rows[r].to)),
                   mode = OP_STRING("round_mode", rows[r].mode);
    const vlm_tensor like = OP_SCALAR(rows[r].to, none);
    op_apply(&h, "", "Cast", 24, (const vlm_attr *[]){&to, &no, &mode, NULL}, (const vlm_tensor *[]){&x}, 1,
             1);
    op_expect(&h, 0, rows[r].want, 5, 0);
    op_apply(&h, "", "CastLike", 24, (const vlm_attr *[]){&no, &mode, NULL},
             (const vlm_tensor *[]){&x, &like}, 2, 1);
    op_expect(&h, 0, rows[r].want, 5, 0);
    op_apply(&back, "", "Cast", 24, (const vlm_attr *[]){&wide, NULL}, (const vlm_tensor *[]){&h.out[0]}, 1,
             1);
    if (rows[r].to != VLM_F8E8M0) op_expect(&back, 0, rows[r].want, 5, 0);
  }
  const vlm_attr power = OP_INT("to", vlm_dtype_onnx(VLM_F8E8M0)), odd = OP_STRING("round_mode", "sideways");
  FAILS_WITH(
      h.err, VLM_INPUT,
      op_try(&h, "", "Cast", 24, (const vlm_attr *[]){&power, &odd, NULL}, (const vlm_tensor *[]){&x}, 1, 1));
  assert_non_null(strstr(h.err.text, "sideways"));
  op_release(&h), op_release(&back);
}

static void test_activations(void **state) {
  (void)state;
  float f[] = {-3, -0.5f, 0, 0.5f, 3};
  static const struct {
    const char *domain, *op;
    int opset;
    double want[5];
  } rows[] = {
      {"", "Relu", 14, {0, 0, 0, 0.5, 3}},
      {"", "LeakyRelu", 16, {-0.03, -0.005, 0, 0.5, 3}},
      {"", "Elu", 6, {-0.950212932, -0.39346934, 0, 0.5, 3}},
      {"", "Selu", 6, {-1.67056873, -0.69175819, 0, 0.525350511, 3.15210307}},
      {"", "HardSigmoid", 6, {0, 0.4, 0.5, 0.6, 1}},
      {"", "HardSwish", 14, {0, -0.208333333, 0, 0.291666667, 3}},
      {"", "Softplus", 1, {0.0485873516, 0.474076984, 0.693147181, 0.974076984, 3.04858735}},
      {"", "Softsign", 1, {-0.75, -0.333333333, 0, 0.333333333, 0.75}},
      {"", "Gelu", 20, {-0.00404969, -0.154268770, 0, 0.34573123, 2.99595031}},
      {"", "Mish", 18, {-0.14564746, -0.22074377, 0, 0.37524521, 2.986535}},
      {"", "ThresholdedRelu", 10, {0, 0, 0, 0, 3}},
      {"", "Shrink", 9, {-3, 0, 0, 0, 3}},
      {"", "Swish", 24, {-0.142277620, -0.188770334, 0, 0.311229666, 2.85772238}},
      {"com.microsoft", "QuickGelu", 1, {-0.01807131, -0.14961156, 0, 0.35038844, 2.98192869}},
      {"com.microsoft", "FastGelu", 1, {-0.00363739, -0.15428599, 0, 0.34571401, 2.99636261}},
  };
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
    for (int wide = 0; wide < 2; wide++) {
      op_harness h = {0};
      double d[5];
      for (int i = 0; i < 5; i++) d[i] = (double)f[i];
      vlm_tensor x = wide ? OP_TENSOR(VLM_F64, d, 5) : OP_TENSOR(VLM_F32, f, 5);
      op_apply(&h, rows[r].domain, rows[r].op, rows[r].opset, NULL, (const vlm_tensor *[]){&x}, 1, 1);
      op_expect(&h, 0, rows[r].want, 5, 5e-7);
      op_release(&h);
    }
}

static void test_errors(void **state) {
  (void)state;
  op_harness h = {0};
  float f[6] = {0};
  int32_t i[6] = {0};
  vlm_tensor a = OP_TENSOR(VLM_F32, f, 2, 3), b = OP_TENSOR(VLM_F32, f, 2), c = OP_TENSOR(VLM_S32, i, 2, 3);
  FAILS_WITH(h.err, VLM_INPUT, op_try(&h, "", "Add", 14, NULL, (const vlm_tensor *[]){&a, &b}, 2, 1));
  assert_non_null(strstr(h.err.text, "[2, 3]"));
  FAILS_WITH(h.err, VLM_INPUT, op_try(&h, "", "Add", 14, NULL, (const vlm_tensor *[]){&a, &c}, 2, 1));
  assert_non_null(strstr(h.err.text, "int32"));
  FAILS_WITH(h.err, VLM_UNSUPPORTED, op_try(&h, "", "Sqrt", 13, NULL, (const vlm_tensor *[]){&c}, 1, 1));
  op_release(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_broadcasting),    cmocka_unit_test(test_integer_semantics),
      cmocka_unit_test(test_mod_of_floats),   cmocka_unit_test(test_pow_of_mixed_types),
      cmocka_unit_test(test_variadic),        cmocka_unit_test(test_clip),
      cmocka_unit_test(test_where_and_tests), cmocka_unit_test(test_cast),
      cmocka_unit_test(test_activations),     cmocka_unit_test(test_cast_small_floats),
      cmocka_unit_test(test_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
