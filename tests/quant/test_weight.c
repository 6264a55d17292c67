/* Weights to s8: codes, scales and the clip search against the plain definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "quant/weight.h"
#include "tests/fine.h"

enum { ROWS = 12000, COLUMNS = 7 };

static float w[ROWS * COLUMNS];

/* Bell-shaped, every channel of another size, with a few outliers; column 3 is zero. */
static void fill(void) {
  uint32_t state = 1;
  for (int i = 0; i < ROWS * COLUMNS; i++) {
    float sum = 0;
    for (int k = 0; k < 6; k++) {
      state = state * 1664525u + 1013904223u;
      sum += (float)(state >> 8) / (1 << 24) - 0.5f;
    }
    int column = i % COLUMNS;
    w[i] = column == 3 ? 0 : sum * (float)(column + 1) * (i % 9973 == 0 ? 1.3f : 1.0f);
  }
}

static float code_of(float x, float scale) { return fmaxf(-127, fminf(127, nearbyintf(x / scale))); }

static double column_error(int column, float scale) {
  double sum = 0;
  for (int r = 0; r < ROWS; r++) {
    double e =
        (double)w[r * COLUMNS + column] - (double)code_of(w[r * COLUMNS + column], scale) * (double)scale;
    sum += e * e;
  }
  return sum;
}

static float column_absmax(int column) {
  float max = 0;
  for (int r = 0; r < ROWS; r++) max = fmaxf(max, fabsf(w[r * COLUMNS + column]));
  return max;
}

static void columns_have_least_error(void **state) {
  vlm_arena *arena;
  vlm_weight_s8 q;
  const vlm_weight_opts opts = {.mse = true};
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 2, (int64_t[]){ROWS, COLUMNS}, w);
  (void)state;
  fill();
  FINE(vlm_arena_create(&arena, &error));
  FINE(vlm_weight_quantize(&q, &t, 1, &opts, arena, &error));
  assert_int_equal(q.scale.dims[0], COLUMNS);
  const float *scales = q.scale.data;
  int clipped = 0;
  for (int c = 0; c < COLUMNS; c++) {
    if (c == 3) continue;
    double got = column_error(c, scales[c]), best = HUGE_VAL;
    for (int step = 0; step <= 40; step++)
      best = fmin(best, column_error(c, column_absmax(c) * (1 - 0.01f * (float)step) / 127));
    assert_true(got <= best * (1 + 1e-5));
    clipped += scales[c] < 0.99f * column_absmax(c) / 127;
  }
  assert_true(clipped > 0); /* the few outliers are not worth their steps */
  for (int i = 0; i < ROWS * COLUMNS; i++)
    assert_int_equal(((int8_t *)q.data.data)[i], (int)code_of(w[i], scales[i % COLUMNS]));
  assert_int_equal(((int8_t *)q.data.data)[3], 0);
  vlm_arena_free(arena);
}

static void absmax_and_per_tensor(void **state) {
  vlm_arena *arena;
  vlm_weight_s8 q;
  const vlm_weight_opts plain = {0}, one = {.per_tensor = true};
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 2, (int64_t[]){ROWS, COLUMNS}, w);
  (void)state;
  fill();
  float largest = 0;
  FINE(vlm_arena_create(&arena, &error));
  FINE(vlm_weight_quantize(&q, &t, 1, &plain, arena, &error));
  for (int c = 0; c < COLUMNS; c++) {
    largest = fmaxf(largest, column_absmax(c));
    if (c != 3) assert_float_equal(((float *)q.scale.data)[c], column_absmax(c) / 127, 1e-9);
  }
  double per_channel = q.sqnr_db;
  FINE(vlm_weight_quantize(&q, &t, 1, &one, arena, &error));
  for (int c = 0; c < COLUMNS; c++) assert_float_equal(((float *)q.scale.data)[c], largest / 127, 1e-9);
  assert_true(q.sqnr_db < per_channel);
  vlm_arena_free(arena);
}

/* The same numbers with the channel first and in the middle. */
static void any_axis(void **state) {
  static float turned[ROWS * COLUMNS];
  vlm_arena *arena;
  vlm_weight_s8 a, b;
  const vlm_weight_opts opts = {.mse = true};
  (void)state;
  fill();
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < COLUMNS; c++) turned[c * ROWS + r] = w[r * COLUMNS + c];
  const vlm_tensor columns = vlm_tensor_make(VLM_F32, 2, (int64_t[]){ROWS, COLUMNS}, w);
  const vlm_tensor rows = vlm_tensor_make(VLM_F32, 3, (int64_t[]){COLUMNS, ROWS / 10, 10}, turned);
  FINE(vlm_arena_create(&arena, &error));
  FINE(vlm_weight_quantize(&a, &columns, 1, &opts, arena, &error));
  FINE(vlm_weight_quantize(&b, &rows, 0, &opts, arena, &error));
  assert_memory_equal(a.scale.data, b.scale.data, COLUMNS * sizeof(float));
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < COLUMNS; c++)
      assert_int_equal(((int8_t *)a.data.data)[r * COLUMNS + c], ((int8_t *)b.data.data)[c * ROWS + r]);
  vlm_arena_free(arena);
}

static void refuses_nan(void **state) {
  vlm_arena *arena;
  vlm_weight_s8 q;
  const vlm_weight_opts opts = {.mse = true};
  float bad[4] = {1, 2, NAN, 4};
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 2, (int64_t[]){2, 2}, bad);
  (void)state;
  FINE(vlm_arena_create(&arena, &error));
  FAILS(VLM_INPUT, vlm_weight_quantize(&q, &t, 1, &opts, arena, &error));
  assert_non_null(strstr(error.text, "element 2"));
  vlm_arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(columns_have_least_error),
      cmocka_unit_test(absmax_and_per_tensor),
      cmocka_unit_test(any_axis),
      cmocka_unit_test(refuses_nan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
