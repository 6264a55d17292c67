/* Arrays in the type of an input: when no value changes, and only then. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "calib/array_fit.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

static vlm_tensor make(vlm_dtype dtype, const void *data, int64_t count) {
  vlm_tensor t = vlm_tensor_make(dtype, 1, &count, NULL);
  size_t bytes = vlm_tensor_bytes(&t);
  FINE(vlm_alloc(&t.data, bytes, 1, &error));
  memcpy(t.data, data, bytes);
  return t;
}

static void becomes(vlm_dtype from, const void *data, int64_t count, vlm_dtype wanted, const void *want) {
  vlm_tensor t = make(from, data, count);
  FINE(vlm_array_fit(&t, wanted, "x", &error));
  assert_int_equal(t.dtype, wanted);
  assert_memory_equal(t.data, want, vlm_tensor_bytes(&t));
  vlm_free(t.data);
}

static void refuses(vlm_dtype from, const void *data, int64_t count, vlm_dtype wanted) {
  vlm_tensor t = make(from, data, count);
  FAILS(VLM_INPUT, vlm_array_fit(&t, wanted, "x", &error));
  assert_int_equal(t.dtype, from);
  assert_non_null(strstr(error.text, "astype"));
  vlm_free(t.data);
}

static void test_what_is_the_same(void **state) {
  (void)state;
  const double d[] = {0.5, -3, INFINITY};
  const float f[] = {0.5f, -3, INFINITY}, whole[] = {1, 0, 255};
  const int64_t i[] = {1, 0, 255}, large[] = {INT64_MAX};
  const int32_t i32[] = {1, 0, 255};
  const uint8_t u8[] = {1, 0, 255}, flags[] = {1, 0};
  const uint64_t ularge[] = {INT64_MAX};
  becomes(VLM_F64, d, 3, VLM_F32, f);
  becomes(VLM_S64, i, 3, VLM_S32, i32);
  becomes(VLM_S64, i, 3, VLM_U8, u8);
  becomes(VLM_U8, u8, 3, VLM_S64, i);
  becomes(VLM_F32, whole, 3, VLM_S64, i);
  becomes(VLM_S64, i, 3, VLM_F32, whole);
  becomes(VLM_S64, i, 2, VLM_BOOL, flags);
  becomes(VLM_S64, large, 1, VLM_U64, ularge);
}

static void test_what_would_change(void **state) {
  (void)state;
  const double tenth[] = {0.1}, huge[] = {1e300};
  const float part[] = {1.5f}, below[] = {-1}, not_a_number[] = {NAN};
  const int64_t large[] = {16777217}, two[] = {2}, negative[] = {-1};
  const uint64_t top[] = {UINT64_MAX};
  refuses(VLM_F64, tenth, 1, VLM_F32);
  refuses(VLM_F64, huge, 1, VLM_F32);
  refuses(VLM_F32, part, 1, VLM_S64);
  refuses(VLM_F32, below, 1, VLM_U8);
  refuses(VLM_F32, not_a_number, 1, VLM_S32);
  refuses(VLM_S64, large, 1, VLM_F32);
  refuses(VLM_S64, two, 1, VLM_BOOL);
  refuses(VLM_S64, negative, 1, VLM_U64);
  refuses(VLM_U64, top, 1, VLM_S64);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_the_same),
                                     cmocka_unit_test(test_what_would_change)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
