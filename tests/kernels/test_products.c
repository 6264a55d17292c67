/* The matrix products against plain loops. Everything must agree bit for bit, including what lies between the rows of the output. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/kernels/gemm_f32.h"
#include "runtime/kernels/gemm_q8.h"
#include "runtime/kernels/gemm_w8.h"
#include "tests/kernels/everywhere.h"

/* ---- float ---- */

static float f32_at(const vlm_gemm_f32 *g, int64_t batch, int64_t i, int64_t j) {
  float sum = 0;
  for (int64_t p = 0; p < g->k; p++)
    sum = fmaf(g->a[batch * g->m * g->k + i * g->a_row + p * g->a_column],
               g->b[batch * g->k * g->n + p * g->b_row + j * g->b_column], sum);
  if (g->epilogue.alpha != 1) sum = sum * g->epilogue.alpha;
  if (g->epilogue.bias) sum = sum + g->epilogue.bias[j];
  if (g->epilogue.activation) sum = sum > 0 ? sum : 0;
  return sum;
}

/* form: 1 = a turned and scaled, 2 = b turned and a bias, 4 = b packed and relu */
static vlm_gemm_f32 f32_of(const vlm_kernels *kernels, const int64_t shape[4], int form) {
  int64_t m = shape[1], n = shape[2], k = shape[3];
  vlm_gemm_f32 g = {
      .batch = shape[0], .m = m, .n = n, .k = k, .a_row = k, .a_column = 1, .b_row = n, .b_column = 1};
  if (form & 1) {
    g.a_row = 1;
    g.a_column = m;
  }
  if (form & 2) {
    g.b_row = 1;
    g.b_column = k;
  }
  g.ldc = n + 3;
  g.c_batch = m * g.ldc;
  g.epilogue = (vlm_epilogue_f32){.alpha = form & 1 ? 0.37f : 1,
                                  .activation = form & 4 ? kernels->rowops->relu : NULL};
  return g;
}

/* The panels of all batches, and where each begins. */
static float *pack_f32(const vlm_kernels *kernels, const vlm_gemm_f32 *g, int64_t *offsets) {
  int64_t count = vlm_gemm_f32_packed_count(kernels, g->k, g->n);
  float *panels = take(g->batch * count, 4);
  for (int64_t i = 0; i < g->batch; i++) {
    vlm_f32_source source = {
        .b = g->b + g->b_offset[i], .b_row = g->b_row, .b_column = g->b_column, .k = g->k, .n = g->n};
    vlm_gemm_f32_pack(panels + i * count, &source, kernels->gemm_f32->nr);
    offsets[i] = i * count;
  }
  return panels;
}

static void check_f32_shape(const vlm_kernels *kernels, vlm_threads *threads, const int64_t shape[4],
                            int form) {
  int64_t batch = shape[0], m = shape[1], n = shape[2], k = shape[3], a_offset[4], b_offset[4],
          packed_offset[4];
  vlm_gemm_f32 g = f32_of(kernels, shape, form);
  float *a = floats(batch * m * k), *b = floats(batch * k * n), *bias = floats(n),
        *c = take(batch * g.c_batch, 4), *panels = NULL;
  for (int64_t i = 0; i < batch * g.c_batch; i++) c[i] = -77;
  for (int64_t i = 0; i < batch; i++) {
    a_offset[i] = i * m * k;
    b_offset[i] = i * k * n;
  }
  g.a = a;
  g.a_offset = a_offset;
  g.b = b;
  g.b_offset = b_offset;
  g.c = c;
  if (form & 2) g.epilogue.bias = bias;
  vlm_gemm_f32 packed = g;
  if (form & 4) {
    packed.panels = panels = pack_f32(kernels, &g, packed_offset);
    packed.b_offset = packed_offset;
  }
  void *scratch = take((int64_t)vlm_gemm_f32_scratch(&packed, kernels, threads), 1);
  vlm_gemm_f32_run(&packed, kernels, threads, scratch);
  for (int64_t q = 0; q < batch; q++)
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < g.ldc; j++)
        expect(c[q * g.c_batch + i * g.ldc + j], j < n ? f32_at(&g, q, i, j) : -77, "float product", i, j);
  void *all[] = {scratch, panels, a, b, bias, c};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
}

static void check_f32(const vlm_kernels *kernels, vlm_threads *threads) {
  static const int64_t shapes[][4] = {{1, 1, 1, 1},  {1, 1, 200, 33}, {1, 5, 37, 19},
                                      {2, 7, 16, 8}, {4, 13, 65, 5},  {1, 50, 33, 0},
                                      {1, 0, 5, 3},  {1, 3, 0, 5},    {1, 97, 130, 70}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
    for (int form = 0; form < 8; form++) check_f32_shape(kernels, threads, shapes[s], form);
}
static void test_f32(void **state) {
  (void)state;
  everywhere(check_f32);
}

/* ---- integers ---- */

/* The three outputs, one run each. */
static void run_q8(vlm_gemm_q8 g, int32_t *sums, float *out, uint8_t *out8, const vlm_kernels *kernels,
                   vlm_threads *threads) {
  void *scratch = take((int64_t)vlm_gemm_q8_scratch(&g, kernels, threads), 1);
  g.c_sums = sums;
  vlm_gemm_q8_run(&g, kernels, threads, scratch);
  g.c_sums = NULL;
  g.c = out;
  vlm_gemm_q8_run(&g, kernels, threads, scratch);
  g.c = NULL;
  g.c_u8 = out8;
  g.q_scale = 3.7f;
  g.q_zero = 99;
  vlm_gemm_q8_run(&g, kernels, threads, scratch);
  vlm_free(scratch);
}

static void check_q8_shape(const vlm_kernels *kernels, vlm_threads *threads, int64_t m, int64_t n, int64_t k,
                           int form) {
  uint8_t *a = bytes(m * k), *w = bytes(k * n), *out8 = take(m * n, 1);
  float *w_scale = floats(n), *bias = floats(n), *out = take(m * n, 4), *row_scale = floats(m);
  int32_t *sums = take(m * n, 4), *row_zero = take(m, 4);
  bool transposed = form & 1, by_row = form & 2, with_bias = form & 4;
  vlm_q8_weights layout;
  for (int64_t i = 0; i < m; i++) row_zero[i] = (int32_t)(next_random() % 256);
  assert_true(vlm_q8_weights_layout(&layout, kernels, k, n, 1));
  void *block = take((int64_t)layout.bytes, 1);
  vlm_q8_source source = {
      .w = w, .w_row = transposed ? 1 : n, .w_column = transposed ? k : 1, .k = k, .n = n, .count = 1};
  const vlm_q8_weights *packed = vlm_q8_weights_pack(block, kernels, &source);
  vlm_gemm_q8 g = {.batch = 1,
                   .m = m,
                   .w = packed,
                   .a = a,
                   .lda = k,
                   .a_scale = 0.021f,
                   .zero = 131,
                   .w_scale = w_scale,
                   .c_row = n,
                   .c_column = 1};
  if (by_row) {
    g.row_scale = row_scale;
    g.row_zero = row_zero;
  }
  if (with_bias) g.bias = bias;
  if (transposed) {
    g.c_row = 1;
    g.c_column = m;
  }
  run_q8(g, sums, out, out8, kernels, threads);
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      int64_t sum = 0, zero = by_row ? row_zero[i] : 131, at = i * g.c_row + j * g.c_column;
      for (int64_t p = 0; p < k; p++)
        sum += (a[i * k + p] - zero) * (int8_t)w[transposed ? j * k + p : p * n + j];
      float scale = (by_row ? row_scale[i] : 0.021f) * w_scale[j],
            y = fmaf((float)(int32_t)sum, scale, with_bias ? bias[j] : 0.0f);
      float q = rintf(y / 3.7f) + 99;
      assert_int_equal(sums[at], (int32_t)sum);
      expect(out[at], y, "integer product", i, j);
      assert_int_equal(out8[at], q < 0 ? 0 : q > 255 ? 255 : (int)q);
    }
  }
  vlm_free(block);
  void *all[] = {a, w, out8, w_scale, bias, out, row_scale, sums, row_zero};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
}

static void check_q8(const vlm_kernels *kernels, vlm_threads *threads) {
  static const int64_t shapes[][3] = {{1, 1, 1},     {1, 100, 37}, {3, 17, 4}, {7, 16, 8},
                                      {29, 65, 130}, {4, 5, 0},    {0, 4, 4},  {61, 130, 66}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
    for (int form = 0; form < 8; form++)
      check_q8_shape(kernels, threads, shapes[s][0], shapes[s][1], shapes[s][2], form);
}
static void test_q8(void **state) {
  (void)state;
  everywhere(check_q8);
}

/* All activations and weights at their extremes: 255 * 127 in every product, where a 16-bit intermediate would saturate. */
static void check_saturation(const vlm_kernels *kernels, vlm_threads *threads) {
  enum { M = 13, N = 35, K = 4096 };
  uint8_t *a = take(M * K, 1);
  int8_t *w = take(N * K, 1);
  int32_t *sums = take(M * N, 4);
  vlm_q8_weights layout;
  memset(a, 255, M * K);
  for (int64_t j = 0; j < N; j++) memset(w + j * K, j & 1 ? 127 : -128, K);
  assert_true(vlm_q8_weights_layout(&layout, kernels, K, N, 1));
  void *block = take((int64_t)layout.bytes, 1);
  vlm_gemm_q8 g = {.batch = 1, .m = M, .a = a, .lda = K, .c_sums = sums, .c_row = N, .c_column = 1};
  g.w = vlm_q8_weights_pack(block, kernels,
                            &(vlm_q8_source){.w = w, .w_row = 1, .w_column = K, .k = K, .n = N, .count = 1});
  void *scratch = take((int64_t)vlm_gemm_q8_scratch(&g, kernels, threads), 1);
  vlm_gemm_q8_run(&g, kernels, threads, scratch);
  for (int64_t i = 0; i < M * N; i++) assert_int_equal(sums[i], 255 * K * (i % N & 1 ? 127 : -128));
  void *all[] = {a, w, sums, block, scratch};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
}
static void test_saturation(void **state) {
  (void)state;
  everywhere(check_saturation);
}

static void check_w8_shape(const vlm_kernels *kernels, vlm_threads *threads, int64_t m, int64_t n,
                           int64_t k) {
  float *x = floats(m * k), *scale = floats(n), *bias = floats(n), *y = take(m * n, 4);
  int8_t *w = (int8_t *)bytes(k * n), *panels = take(vlm_w8_packed_bytes(k, n), 1);
  vlm_w8_pack(panels, &(vlm_w8_source){.w = w, .w_row = n, .w_column = 1, .k = k, .n = n});
  vlm_gemm_w8 g = {.m = m,
                   .n = n,
                   .k = k,
                   .x = x,
                   .ldx = k,
                   .panels = panels,
                   .scale = scale,
                   .bias = bias,
                   .y = y,
                   .ldy = n};
  void *scratch = take((int64_t)vlm_gemm_w8_scratch(&g, kernels, threads), 1);
  vlm_gemm_w8_run(&g, kernels, threads, scratch);
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      float sum = 0;
      for (int64_t p = 0; p < k; p++) sum = fmaf(x[i * k + p], (float)w[p * n + j], sum);
      float scaled = sum * scale[j];
      expect(y[i * n + j], scaled + bias[j], "weight-only product", i, j);
    }
  }
  void *all[] = {x, scale, bias, y, w, panels, scratch};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
}
static void check_w8(const vlm_kernels *kernels, vlm_threads *threads) {
  static const int64_t shapes[][3] = {{1, 1, 1},  {1, 200, 33},  {3, 70, 12}, {8, 64, 5},
                                      {9, 65, 7}, {40, 130, 31}, {2, 3, 0}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
    check_w8_shape(kernels, threads, shapes[s][0], shapes[s][1], shapes[s][2]);
}
static void test_w8(void **state) {
  (void)state;
  everywhere(check_w8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_f32),
      cmocka_unit_test(test_q8),
      cmocka_unit_test(test_saturation),
      cmocka_unit_test(test_w8),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
