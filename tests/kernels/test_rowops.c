/* Row operations: every level gives the bits of the C level; values against the mathematical library; special values as in numpy. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/cpu.h"
#include "runtime/base/tensor.h"
#include "runtime/kernels/elementary.h"
#include "runtime/kernels/rowops.h"

enum { SIZES = 68, LONG_SIZE = 1031 };

static const float parameters[2] = {0.75f, 1.25f};

static float random_float(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return ((float)(*state >> 8) / 16777216.0f - 0.5f) * 24.0f;
}

/* Values of every kind at positions that move with the seed. */
static void fill(float *x, int64_t n, uint32_t seed, bool special) {
  static const float kinds[] = {NAN,   INFINITY, -INFINITY, 0.0f,   -0.0f,   1e-40f, -1e-42f, 1.4e-45f,
                                3e38f, -3e38f,   88.7f,     -87.4f, -103.5f, 89.5f,  0.5f,    2.5f};
  uint32_t state = seed;
  for (int64_t i = 0; i < n; i++) x[i] = random_float(&state);
  if (special)
    for (int64_t i = seed % 3; i < n; i += 3)
      x[i] = kinds[(i / 3 + seed) % (int64_t)(sizeof kinds / sizeof kinds[0])];
}

static bool same_bits(float a, float b) { return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0; }

static void check_row(const char *level, const char *what, int64_t n, const float *got, const float *want,
                      int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (!same_bits(got[i], want[i]))
      fail_msg("%s: %s of %d values differs from c at %d: %a, wanted %a", level, what, (int)n, (int)i, got[i],
               want[i]);
}

static void compare_elementwise(const vlm_rowops *v, const vlm_rowops *c, const float *a, const float *b,
                                int64_t n) {
  float got[LONG_SIZE], want[LONG_SIZE];
#define VLM_ROW_UNARY(op)        \
  v->op(got, a, n, parameters);  \
  c->op(want, a, n, parameters); \
  check_row(v->name, #op, n, got, want, n);
#define VLM_ROW_BINARY(op)                       \
  for (int steps = 0; steps < 4; steps++) {      \
    v->op(got, a, steps & 1, b, steps >> 1, n);  \
    c->op(want, a, steps & 1, b, steps >> 1, n); \
    check_row(v->name, #op, n, got, want, n);    \
  }
#define VLM_ROW_REDUCE(op)     \
  got[0] = v->row_##op(a, n);  \
  want[0] = c->row_##op(a, n); \
  check_row(v->name, #op, n, got, want, 1);
#include "runtime/kernels/rowops.def"
}

/* The fused operations: compare_NAME for every row VLM_ROW_FUSED of rowops.def. */
#define COMPARE(op)                                                                                  \
  static void compare_##op(const vlm_rowops *v, const vlm_rowops *c, const float *a, const float *b, \
                           int64_t n)
#define ROWS float got[LONG_SIZE], want[LONG_SIZE]

COMPARE(minmax) {
  float g[2], w[2];
  (void)b;
  v->minmax(a, n, &g[0], &g[1]), c->minmax(a, n, &w[0], &w[1]);
  check_row(v->name, "minmax", n, g, w, 2);
}

COMPARE(softmax) {
  ROWS;
  (void)b;
  v->softmax(got, a, n), c->softmax(want, a, n);
  check_row(v->name, "softmax", n, got, want, n);
}

COMPARE(log_softmax) {
  ROWS;
  (void)b;
  v->log_softmax(got, a, n), c->log_softmax(want, a, n);
  check_row(v->name, "log_softmax", n, got, want, n);
}

COMPARE(layer_norm) {
  ROWS;
  float g[2], w[2];
  for (int with_bias = 0; with_bias < 2 && n > 0; with_bias++) {
    vlm_row_norm p = {
        .scale = b, .bias = with_bias ? a : NULL, .eps = 1e-5f, .mean = &g[0], .inverse = &g[1]};
    v->layer_norm(got, a, n, &p);
    p.mean = &w[0];
    p.inverse = &w[1];
    c->layer_norm(want, a, n, &p);
    check_row(v->name, "layer_norm", n, got, want, n);
    check_row(v->name, "layer_norm statistics", n, g, w, 2);
  }
}

COMPARE(rms_norm) {
  ROWS;
  float g = 0, w = 0;
  const vlm_row_norm v_norm = {.scale = b, .eps = 1e-6f, .inverse = &g},
                     c_norm = {.scale = b, .eps = 1e-6f, .inverse = &w};
  if (n > 0) v->rms_norm(got, a, n, &v_norm), c->rms_norm(want, a, n, &c_norm);
  check_row(v->name, "rms_norm", n, got, want, n);
  check_row(v->name, "rms_norm statistics", n, &g, &w, 1);
}

COMPARE(moments) {
  float g[2], w[2];
  (void)b;
  v->moments(a, n, &g[0], &g[1]), c->moments(a, n, &w[0], &w[1]);
  check_row(v->name, "moments", n, g, w, 2);
}

COMPARE(affine) {
  ROWS;
  (void)b;
  const vlm_row_map map = {0.3f, 1.7f, -0.1f};
  v->affine(got, a, n, &map), c->affine(want, a, n, &map);
  check_row(v->name, "affine", n, got, want, n);
}

COMPARE(add_scaled) {
  ROWS;
  v->add_scaled(got, a, b, 0.3f, n), c->add_scaled(want, a, b, 0.3f, n);
  check_row(v->name, "add_scaled", n, got, want, n);
}

#define COMPARE_QUANTIZED(type, bits, zero)                                                          \
  COMPARE(quantize_##bits) {                                                                         \
    type got[LONG_SIZE], want[LONG_SIZE];                                                            \
    (void)b;                                                                                         \
    v->quantize_##bits(got, a, n, 0.0371f, zero), c->quantize_##bits(want, a, n, 0.0371f, zero);     \
    assert_memory_equal(got, want, (size_t)n);                                                       \
  }                                                                                                  \
  COMPARE(dequantize_##bits) {                                                                       \
    ROWS;                                                                                            \
    type q[LONG_SIZE];                                                                               \
    (void)b;                                                                                         \
    c->quantize_##bits(q, a, n, 0.0371f, zero);                                                      \
    v->dequantize_##bits(got, q, n, 0.0371f, zero), c->dequantize_##bits(want, q, n, 0.0371f, zero); \
    check_row(v->name, "dequantize_" #bits, n, got, want, n);                                        \
  }
COMPARE_QUANTIZED(uint8_t, u8, 131)
COMPARE_QUANTIZED(int8_t, s8, -3)

COMPARE(max_u8) {
  uint8_t got[LONG_SIZE], want[LONG_SIZE];
  const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
  v->max_u8(got, x, y, n), c->max_u8(want, x, y, n);
  assert_memory_equal(got, want, (size_t)n);
  for (int64_t i = 0; i < n; i++) assert_int_equal(got[i], x[i] > y[i] ? x[i] : y[i]);
}

/* test_halves has every value; here the lengths. */
#define COMPARE_HALVES(half)                                   \
  COMPARE(f32_to_##half) {                                     \
    uint16_t got[LONG_SIZE], want[LONG_SIZE];                  \
    (void)b;                                                   \
    v->f32_to_##half(got, a, n), c->f32_to_##half(want, a, n); \
    assert_memory_equal(got, want, (size_t)n * sizeof *got);   \
  }                                                            \
  COMPARE(half##_to_f32) {                                     \
    ROWS;                                                      \
    uint16_t h[LONG_SIZE];                                     \
    (void)b;                                                   \
    c->f32_to_##half(h, a, n);                                 \
    v->half##_to_f32(got, h, n), c->half##_to_f32(want, h, n); \
    check_row(v->name, #half "_to_f32", n, got, want, n);      \
  }
COMPARE_HALVES(f16)
COMPARE_HALVES(bf16)

static void compare_fused(const vlm_rowops *v, const vlm_rowops *c, const float *a, const float *b,
                          int64_t n) {
#define VLM_ROW_FUSED(name, parameters) compare_##name(v, c, a, b, n);
#include "runtime/kernels/rowops.def"
}

static void test_levels_agree(void **state) {
  (void)state;
  uint32_t mask = vlm_cpu_detect();
  int level, checked = 0;
  const vlm_rowops *c = vlm_rowops_for(1u << VLM_CPU_C), *v;
  assert_string_equal(c->name, "c");
  for (int k = 0; (v = vlm_rowops_variant(k, &level)); k++) {
    if (!(mask >> level & 1)) continue;
    float a[LONG_SIZE], b[LONG_SIZE];
    for (int n = 0; n <= SIZES; n++)
      for (int special = 0; special < 2; special++) {
        int64_t size = n == SIZES ? LONG_SIZE : n;
        fill(a, LONG_SIZE, (uint32_t)n * 2 + 1, special);
        fill(b, LONG_SIZE, (uint32_t)n * 7 + 5, special);
        compare_elementwise(v, c, a, b, size);
        compare_fused(v, c, a, b, size);
      }
    checked++;
  }
  print_message("%d levels checked\n", checked);
  assert_true(checked >= 1);
}

static double ulp_of(double value) {
  double a = fabs(value);
  if (a < 0x1p-126) return 0x1p-149;
  int e;
  frexp(a, &e);
  return ldexp(1.0, e - 24);
}

static double gelu(double x) { return 0.5 * x * (1.0 + erf(x * 0.70710678118654752440)); }
static double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
static double softplus(double x) { return x > 30 ? x : log1p(exp(x)); }
static double mish(double x) { return x * tanh(softplus(x)); }

/* Largest error in ulp (limit > 0) or absolute (limit < 0) over a dense set of arguments. */
static void check_accuracy(const char *what, vlm_row_unary *row, double (*exact)(double), float low,
                           float high, double limit) {
  enum { N = 200003 };
  float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
  double worst = 0;
  float worst_x = 0;
  for (int i = 0; i < N; i++) x[i] = low + (high - low) * ((float)i / (N - 1));
  row(y, x, N, parameters);
  for (int i = 0; i < N; i++) {
    double want = exact(x[i]), error = fabs(y[i] - want);
    if (fabs(want) > 3.4e38) continue;
    if (limit > 0) error /= ulp_of(want);
    if (error > worst) worst = error, worst_x = x[i];
  }
  free(x), free(y);
  print_message("%-10s on [%g, %g]: worst error %.3g %s at %g\n", what, low, high, worst,
                limit > 0 ? "ulp" : "absolute", worst_x);
  assert_true(worst <= fabs(limit));
}

static void test_accuracy(void **state) {
  (void)state;
  const vlm_rowops *r = vlm_rowops_for(vlm_cpu_detect());
  check_accuracy("exp", r->exp, exp, -103.0f, 88.7f, 2.0);
  check_accuracy("log", r->log, log, 1e-6f, 4.0f, 2.0);
  check_accuracy("log", r->log, log, 1e-45f, 1e-37f, 2.0);
  check_accuracy("log", r->log, log, 1.0f, 3e38f, 2.0);
  check_accuracy("tanh", r->tanh, tanh, -10.0f, 10.0f, 2.0);
  check_accuracy("erf", r->erf, erf, -5.0f, 5.0f, -2e-7);
  check_accuracy("sigmoid", r->sigmoid, sigmoid, -87.0f, 40.0f, 2.5);
  check_accuracy("gelu", r->gelu, gelu, -6.0f, 6.0f, -6e-7);
  check_accuracy("softplus", r->softplus, softplus, -80.0f, 40.0f, 3.0);
  check_accuracy("mish", r->mish, mish, -20.0f, 20.0f, -2e-6);
}

static void check_scalar(const char *what, float (*f)(float), double (*exact)(double), float low,
                         float high) {
  double worst = 0;
  float worst_x = 0;
  for (int i = 0; i < 100003; i++) {
    float x = (float)(low + ((double)high - low) * (i / 100002.0));
    double want = exact(x);
    if (!(fabs(want) < 3.4e38)) continue;
    double error = fabs(f(x) - want) / ulp_of(want);
    if (error > worst) worst = error, worst_x = x;
  }
  print_message("%-10s on [%g, %g]: worst error %.4f ulp at %g\n", what, low, high, worst, worst_x);
  assert_true(worst <= 0.51);
}

static void test_elementary(void **state) {
  (void)state;
  check_scalar("sin", vlm_sin32, sin, -50.0f, 50.0f);
  check_scalar("sin", vlm_sin32, sin, -1e6f, 3e6f);
  check_scalar("sin", vlm_sin32, sin, -3e38f, 3e38f);
  check_scalar("cos", vlm_cos32, cos, -50.0f, 50.0f);
  check_scalar("cos", vlm_cos32, cos, 1e6f, 1e12f);
  check_scalar("cos", vlm_cos32, cos, -3e38f, 3e38f);
  check_scalar("tan", vlm_tan32, tan, -30.0f, 30.0f);
  check_scalar("asin", vlm_asin32, asin, -1.0f, 1.0f);
  check_scalar("acos", vlm_acos32, acos, -1.0f, 1.0f);
  check_scalar("atan", vlm_atan32, atan, -20.0f, 20.0f);
  check_scalar("atan", vlm_atan32, atan, -1e30f, 1e30f);
  check_scalar("sinh", vlm_sinh32, sinh, -89.0f, 89.0f);
  check_scalar("sinh", vlm_sinh32, sinh, -1.0f, 1.0f);
  check_scalar("cosh", vlm_cosh32, cosh, -89.0f, 89.0f);
  check_scalar("asinh", vlm_asinh32, asinh, -100.0f, 100.0f);
  check_scalar("asinh", vlm_asinh32, asinh, -1e-3f, 3e38f);
  check_scalar("acosh", vlm_acosh32, acosh, 1.0f, 50.0f);
  check_scalar("atanh", vlm_atanh32, atanh, -0.9999f, 0.9999f);
}

static void test_pow(void **state) {
  (void)state;
  static const float xs[] = {-INFINITY, -3e38f, -2.0f, -1.0f,      -0.5f, -1e-40f, -0.0f,    0.0f,
                             1e-40f,    0.3f,   1.0f,  1.0000001f, 7.25f, 3e38f,   INFINITY, NAN};
  static const float ys[] = {-INFINITY, -3e38f, -4.0f, -3.0f, -0.5f,       -0.0f, 0.0f,     0.5f,
                             1.0f,      2.0f,   3.0f,  1e7f,  16777217.0f, 3e38f, INFINITY, NAN};
  for (size_t i = 0; i < sizeof xs / sizeof xs[0]; i++)
    for (size_t j = 0; j < sizeof ys / sizeof ys[0]; j++) {
      float got = vlm_pow32(xs[i], ys[j]), want = (float)pow((double)xs[i], (double)ys[j]);
      if (!same_bits(got, want)) fail_msg("pow(%g, %g) = %a, wanted %a", xs[i], ys[j], got, want);
    }
  uint32_t seed = 3;
  double worst = 0;
  for (int i = 0; i < 100000; i++) {
    float x = fabsf(random_float(&seed)), y = random_float(&seed);
    double want = pow(x, y);
    if (want < 3.4e38) worst = fmax(worst, fabs(vlm_pow32(x, y) - want) / ulp_of(want));
  }
  print_message("pow: worst error %.4f ulp\n", worst);
  assert_true(worst <= 0.51);
}

static void test_special_values(void **state) {
  (void)state;
  const vlm_rowops *r = vlm_rowops_for(vlm_cpu_detect());
  const float x[] = {NAN, INFINITY, -INFINITY, -0.0f, 0.0f, 89.0f, -104.0f};
  float y[7];
  r->exp(y, x, 7, NULL);
  assert_true(y[0] != y[0] && y[1] == INFINITY && y[2] == 0.0f && y[3] == 1.0f && y[5] == INFINITY &&
              y[6] == 0.0f);
  r->log(y, x, 7, NULL);
  assert_true(y[0] != y[0] && y[1] == INFINITY && y[2] != y[2] && y[3] == -INFINITY && y[4] == -INFINITY);
  r->erf(y, x, 7, NULL);
  assert_true(y[0] != y[0] && y[1] == 1.0f && y[2] == -1.0f && y[3] == 0.0f && signbit(y[3]) && y[5] == 1.0f);
  r->tanh(y, x, 7, NULL);
  assert_true(y[0] != y[0] && y[1] == 1.0f && y[2] == -1.0f && signbit(y[3]) && !signbit(y[4]));
  r->sigmoid(y, x, 7, NULL);
  assert_true(y[0] != y[0] && y[1] == 1.0f && y[2] == 0.0f && y[3] == 0.5f);
  r->relu(y, x, 7, NULL);
  assert_true(y[0] != y[0] && y[1] == INFINITY && y[2] == 0.0f);
  r->max(y, x, 1, x + 1, 0, 7);
  assert_true(y[0] != y[0] && y[2] == INFINITY);
  assert_true(isnan(r->row_max(x, 7)) && r->row_max(x + 1, 6) == INFINITY && r->row_max(x, 0) == -INFINITY &&
              r->row_prod(x, 0) == 1.0f);
  const float inf[3] = {-INFINITY, -INFINITY, 2.0f};
  r->softmax(y, inf, 3);
  assert_true(y[0] == 0.0f && y[2] == 1.0f);
  r->softmax(y, inf, 2);
  assert_true(isnan(y[0]) && isnan(y[1]));
  r->softmax(y, (const float[]){10.0f, -50.0f, -50.1f, -90.0f}, 4);
  assert_true(y[0] == 1.0f && y[1] > 0.0f && y[2] == 0.0f && y[3] == 0.0f);
}

static void test_quantize_rounds_to_even(void **state) {
  (void)state;
  const vlm_rowops *r = vlm_rowops_for(vlm_cpu_detect());
  const float x[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 1e9f, -1e9f, INFINITY, -INFINITY};
  const uint8_t want_u8[] = {10, 12, 12, 10, 8, 255, 0, 255, 0};
  const int8_t want_s8[] = {0, 2, 2, 0, -2, 127, -128, 127, -128};
  uint8_t u[9];
  int8_t s[9];
  r->quantize_u8(u, x, 9, 1.0f, 10);
  r->quantize_s8(s, x, 9, 1.0f, 0);
  assert_memory_equal(u, want_u8, 9);
  assert_memory_equal(s, want_s8, 9);
}

/* Every half, and floats around every half and between, at every level. */
static void test_halves(void **state) {
  (void)state;
  enum { ALL = 65536 };
  static uint16_t h[ALL], back[2 * ALL];
  static float f[ALL], around[2 * ALL];
  const vlm_rowops *v;
  int level;
  for (int i = 0; i < ALL; i++) h[i] = (uint16_t)i;
  for (int k = 0; (v = vlm_rowops_variant(k, &level)); k++) {
    if (!(vlm_cpu_detect() >> level & 1)) continue;
    v->f16_to_f32(f, h, ALL);
    for (int i = 0; i < ALL; i++) {
      float want = vlm_f16_to_f32(h[i]), next = vlm_f16_to_f32((uint16_t)(i + 1)),
            middle = 0.5f * want + 0.5f * next;
      if (memcmp(&f[i], &want, sizeof want))
        fail_msg("%s: half %04x is %a, wanted %a", v->name, i, f[i], want);
      around[2 * i] = middle;
      around[2 * i + 1] = nextafterf(middle, i & 1 ? 1e30f : -1e30f);
    }
    v->f32_to_f16(back, around, 2 * ALL);
    for (int i = 0; i < 2 * ALL; i++) assert_int_equal(back[i], vlm_f32_to_f16(around[i]));
    v->bf16_to_f32(f, h, ALL);
    for (int i = 0; i < ALL; i++) {
      float want = vlm_bf16_to_f32(h[i]), next = vlm_bf16_to_f32((uint16_t)(i + 1));
      assert_memory_equal(&f[i], &want, sizeof want);
      around[2 * i] = 0.5f * want + 0.5f * next;
      around[2 * i + 1] = nextafterf(around[2 * i], i & 1 ? 1e30f : -1e30f);
    }
    v->f32_to_bf16(back, around, 2 * ALL);
    for (int i = 0; i < 2 * ALL; i++) assert_int_equal(back[i], vlm_f32_to_bf16(around[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_levels_agree),   cmocka_unit_test(test_accuracy),
      cmocka_unit_test(test_elementary),     cmocka_unit_test(test_pow),
      cmocka_unit_test(test_special_values), cmocka_unit_test(test_quantize_rounds_to_even),
      cmocka_unit_test(test_halves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
