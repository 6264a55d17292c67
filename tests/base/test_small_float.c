/* Small floats: every code against ml_dtypes, every rounding against a search for the nearest value, the special values of the ONNX
 * tables, and elements that share a byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/small_float.h"
#include "runtime/base/tensor.h"

enum { FORMATS = 6, POWERS = 5, CODES = 256 };

static const vlm_dtype formats[FORMATS] = {VLM_F8E4M3FN,   VLM_F8E4M3FNUZ, VLM_F8E5M2,
                                           VLM_F8E5M2FNUZ, VLM_F4E2M1,     VLM_F8E8M0};
static const int codes[FORMATS] = {256, 256, 256, 256, 16, 256};
static float meaning[FORMATS][CODES]; /* according to ml_dtypes */

static int read_meaning(void **state) {
  (void)state;
  FILE *f = fopen(VLMQ_SOURCE_DIR "/tests/base/data/small_float.f32", "rb");
  size_t n = f ? fread(meaning, sizeof(float), FORMATS * CODES, f) : 0;
  if (f) fclose(f);
  return n == FORMATS * CODES ? 0 : 1;
}

static const vlm_small_rule saturating = {.saturate = true}, plain = {.saturate = false};

static void test_every_code(void **state) {
  (void)state;
  for (int f = 0; f < FORMATS; f++) {
    assert_true(vlm_dtype_is_small_float(formats[f]) && vlm_dtype_is_float(formats[f]) &&
                !vlm_dtype_is_integer(formats[f]));
    for (int code = 0; code < codes[f]; code++) {
      double got = vlm_small_decode(formats[f], (unsigned)code), want = (double)meaning[f][code];
      if (isnan(want)) {
        assert_true(isnan(got));
        assert_true(isnan(vlm_small_decode(formats[f], vlm_small_encode(formats[f], got, plain))));
        continue;
      }
      assert_true(got == want && signbit(got) == signbit(want));
      assert_int_equal(vlm_small_encode(formats[f], got, plain), code);
    }
  }
  assert_false(vlm_dtype_is_small_float(VLM_F16) || vlm_dtype_is_small_float(VLM_U4) ||
               vlm_dtype_is_small_float(VLM_NONE));
}

/* The code of the nearest finite value, the even one of two. Independent of how the format is built. */
static int search(int f, double value) {
  int best = -1;
  for (int code = 0; code < codes[f]; code++) {
    double m = (double)meaning[f][code];
    bool one_zero =
        codes[f] == 256 && isnan(meaning[f][128]) && m == 0; /* zero is also next to the negative values */
    if (!isfinite(m) || (signbit(m) != signbit(value) && !one_zero)) continue;
    double d = fabs(m - value), least = best < 0 ? (double)INFINITY : fabs((double)meaning[f][best] - value);
    if (d < least || (d == least && code % 2 == 0)) best = code;
  }
  return best;
}

static void check_nearest(int f, double value) {
  unsigned got = vlm_small_encode(formats[f], value, saturating);
  if ((int)got != search(f, value))
    print_error("%s: %.17g gives %u, wanted %d\n", vlm_dtype_name(formats[f]), value, got, search(f, value));
  assert_int_equal(got, search(f, value));
}

/* Around every middle between neighbours, and at random. */
static void test_nearest_even(void **state) {
  (void)state;
  uint32_t seed = 7;
  for (int f = 0; f < POWERS; f++) {
    for (int code = 0; code + 1 < codes[f] / 2; code++) {
      double a = (double)meaning[f][code], b = (double)meaning[f][code + 1], middle = (a + b) / 2;
      if (!isfinite(b)) break;
      for (int sign = -1; sign <= 1; sign += 2) {
        check_nearest(f, sign * middle);
        check_nearest(f, sign * nextafter(middle, 0));
        check_nearest(f, sign * nextafter(middle, (double)INFINITY));
      }
    }
    for (int i = 0; i < 20000; i++) {
      seed = seed * 1664525u + 1013904223u;
      check_nearest(f, ldexp((double)(int32_t)seed, -31 - (int)(seed >> 3) % 24 + (f == 4 ? 3 : 12)));
    }
  }
}

/* The exact border to overflow: half a step above the largest value; on it the even neighbour wins. */
static void test_overflow(void **state) {
  (void)state;
  static const struct {
    int f;
    double border, largest;
    unsigned kept, beyond; /* on the border and just above it, without saturation */
  } rows[] = {{0, 464, 448, 0x7e, 0x7f},
              {1, 248, 240, 0x80, 0x80},
              {2, 61440, 57344, 0x7c, 0x7c},
              {3, 61440, 57344, 0x80, 0x80}};
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
    vlm_dtype type = formats[rows[r].f];
    double above = nextafter(rows[r].border, (double)INFINITY), below = nextafter(rows[r].border, 0);
    assert_true(vlm_small_decode(type, vlm_small_encode(type, below, plain)) == rows[r].largest);
    assert_int_equal(vlm_small_encode(type, rows[r].border, plain), rows[r].kept);
    assert_int_equal(vlm_small_encode(type, above, plain), rows[r].beyond);
    assert_true(vlm_small_decode(type, vlm_small_encode(type, above, saturating)) == rows[r].largest);
    assert_true(vlm_small_decode(type, vlm_small_encode(type, -1e300, saturating)) == -rows[r].largest);
  }
}

static void test_special_values(void **state) {
  (void)state;
  static const double values[] = {0.0, -0.0, (double)NAN, -(double)NAN, (double)INFINITY, -(double)INFINITY,
                                  1e9, -1e9};
  static const unsigned saturated[POWERS][8] = {{0, 0x80, 0x7f, 0xff, 0x7e, 0xfe, 0x7e, 0xfe},
                                                {0, 0, 0x80, 0x80, 0x7f, 0xff, 0x7f, 0xff},
                                                {0, 0x80, 0x7e, 0xfe, 0x7b, 0xfb, 0x7b, 0xfb},
                                                {0, 0, 0x80, 0x80, 0x7f, 0xff, 0x7f, 0xff},
                                                {0, 8, 8, 8, 7, 15, 7, 15}};
  static const unsigned unsaturated[POWERS][8] = {{0, 0x80, 0x7f, 0xff, 0x7f, 0xff, 0x7f, 0xff},
                                                  {0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
                                                  {0, 0x80, 0x7e, 0xfe, 0x7c, 0xfc, 0x7c, 0xfc},
                                                  {0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
                                                  {0, 8, 8, 8, 7, 15, 7, 15}};
  for (int f = 0; f < POWERS; f++)
    for (int i = 0; i < 8; i++) {
      assert_int_equal(vlm_small_encode(formats[f], values[i], saturating), saturated[f][i]);
      assert_int_equal(vlm_small_encode(formats[f], values[i], plain), unsaturated[f][i]);
    }
}

static unsigned power(double value, vlm_power_rounding rounding, bool saturate) {
  return vlm_small_encode(VLM_F8E8M0, value, (vlm_small_rule){.saturate = saturate, .power = rounding});
}

static void test_powers_of_two(void **state) {
  (void)state;
  for (unsigned code = 0; code < 254; code++) {
    double low = (double)meaning[POWERS][code], middle = 1.5 * low;
    const struct {
      double value;
      unsigned up, down, nearest;
    } rows[] = {{low, 0, 0, 0},
                {nextafter(low, 1e300), 1, 0, 0},
                {nextafter(middle, 0), 1, 0, 0},
                {middle, 1, 0, 1},
                {1.9 * low, 1, 0, 1}};
    for (int r = 0; r < 5; r++) {
      assert_int_equal(power(rows[r].value, VLM_POWER_UP, false), code + rows[r].up);
      assert_int_equal(power(rows[r].value, VLM_POWER_DOWN, false), code + rows[r].down);
      assert_int_equal(power(rows[r].value, VLM_POWER_NEAREST, false), code + rows[r].nearest);
    }
  }
  static const double beyond[] = {(double)INFINITY, 0x1.8p127, 0, 0x1p-130};
  static const unsigned kept[] = {0xfe, 0xfe, 0, 0};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(power(beyond[i], VLM_POWER_NEAREST, true), kept[i]);
    assert_int_equal(power(beyond[i], VLM_POWER_NEAREST, false), 0xff);
  }
  assert_int_equal(power((double)NAN, VLM_POWER_UP, true), 0xff);
  assert_int_equal(power(-1, VLM_POWER_UP, true), 0xff);
}

/* Elements that share a byte: each is stored and read back without touching the others. */
static void test_shared_bytes(void **state) {
  (void)state;
  static const struct {
    vlm_dtype type;
    double low, high;
  } rows[] = {{VLM_U2, 0, 3}, {VLM_S2, -2, 1}, {VLM_U4, 0, 15}, {VLM_S4, -8, 7}, {VLM_F4E2M1, -6, 6}};
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
    uint8_t bytes[8] = {0};
    vlm_tensor t = vlm_tensor_make(rows[r].type, 1, (int64_t[]){7}, bytes);
    assert_int_equal(vlm_tensor_bytes(&t), vlm_dtype_bits(t.dtype) == 2 ? 2 : 4);
    for (int64_t i = 0; i < 7; i++) vlm_tensor_set(&t, i, i % 2 ? -1000 : 1000);
    vlm_tensor_set(&t, 3, 1);
    for (int64_t i = 0; i < 7; i++) {
      assert_true(vlm_tensor_get(&t, i) == (i == 3 ? 1 : i % 2 ? rows[r].low : rows[r].high));
      assert_int_equal(vlm_tensor_get_int(&t, i), (int64_t)vlm_tensor_get(&t, i));
    }
  }
  uint8_t byte[1] = {0};
  vlm_tensor two = vlm_tensor_make(VLM_S2, 1, (int64_t[]){4}, byte);
  for (int64_t i = 0; i < 4; i++)
    vlm_tensor_set_int(&two, i, i + 4); /* the first element lies lowest; wraps */
  assert_int_equal(byte[0], 0xe4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_code),    cmocka_unit_test(test_nearest_even),
      cmocka_unit_test(test_overflow),      cmocka_unit_test(test_special_values),
      cmocka_unit_test(test_powers_of_two), cmocka_unit_test(test_shared_bytes),
  };
  return cmocka_run_group_tests(tests, read_meaning, NULL);
}
