/* The drivers: matrix products and convolutions against plain loops, for every CPU level this machine has and for one and three threads.
 * Everything must agree bit for bit, including what lies between the rows of the output. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/conv_f32.h"
#include "runtime/kernels/conv_q8.h"
#include "runtime/kernels/gemm_f32.h"
#include "runtime/kernels/gemm_q8.h"
#include "runtime/kernels/gemm_w8.h"
#include "tests/fine.h"

static uint32_t seed = 99;
static uint32_t next_random(void) {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 8;
}
static float next_float(void) { return ((float)(next_random() % 2001) - 1000.0f) / 317.0f; }

static void *take(int64_t count, size_t size) {
  void *p;
  FINE(vlm_alloc(&p, (size_t)(count > 0 ? count : 1), size, &error));
  return p;
}
static float *floats(int64_t count) {
  float *p = take(count, 4);
  for (int64_t i = 0; i < count; i++) p[i] = next_float();
  return p;
}
static uint8_t *bytes(int64_t count) {
  uint8_t *p = take(count, 1);
  for (int64_t i = 0; i < count; i++) p[i] = (uint8_t)next_random();
  return p;
}

/* Runs `check` for every level and two thread counts. */
typedef void check_fn(const vlm_kernels *kernels, vlm_threads *threads);
static void everywhere(check_fn *check) {
  uint32_t mask = vlm_cpu_detect();
  for (int level = 0; level < VLM_CPU_COUNT; level++) {
    uint32_t part;
    vlm_kernels kernels;
    if (!(mask >> level & 1)) continue;
    FINE(vlm_cpu_select(&part, vlm_cpu_name((vlm_cpu_level)level), &error));
    FINE(vlm_kernels_select(&kernels, part, &error));
    for (int count = 1; count <= 3; count += 2) {
      vlm_threads *threads;
      FINE(vlm_threads_create(&threads, count, &error));
      seed = 99;
      check(&kernels, threads);
      vlm_threads_free(threads);
    }
  }
}

static void expect(float got, float wanted, const char *what, int64_t i, int64_t j) {
  uint32_t a, b;
  memcpy(&a, &got, 4);
  memcpy(&b, &wanted, 4);
  if (a != b) fail_msg("%s: element (%d, %d) is %.9g, wanted %.9g", what, (int)i, (int)j, (double)got, (double)wanted);
}

/* ---- float ---- */

static float f32_at(const vlm_gemm_f32 *g, int64_t batch, int64_t i, int64_t j) {
  float sum = 0;
  for (int64_t p = 0; p < g->k; p++)
    sum = fmaf(g->a[batch * g->m * g->k + i * g->a_row + p * g->a_column], g->b[batch * g->k * g->n + p * g->b_row + j * g->b_column], sum);
  if (g->epilogue.alpha != 1) sum = sum * g->epilogue.alpha;
  if (g->epilogue.bias) sum = sum + g->epilogue.bias[j];
  if (g->epilogue.activation) sum = sum > 0 ? sum : 0;
  return sum;
}

static void check_f32_shape(const vlm_kernels *kernels, vlm_threads *threads, int64_t batch, int64_t m, int64_t n, int64_t k, int form) {
  int64_t ldc = n + 3, offsets[4], *a_offset = offsets;
  float *a = floats(batch * m * k), *b = floats(batch * k * n), *bias = floats(n), *c = take(batch * m * ldc, 4), *panels = NULL;
  for (int64_t i = 0; i < batch * m * ldc; i++) c[i] = -77;
  for (int64_t i = 0; i < batch; i++) a_offset[i] = i * m * k;
  int64_t b_offset[4] = {0, k * n, 2 * k * n, 3 * k * n};
  vlm_gemm_f32 g = {.batch = batch,
                    .m = m,
                    .n = n,
                    .k = k,
                    .a = a,
                    .a_offset = a_offset,
                    .a_row = k,
                    .a_column = 1,
                    .b = b,
                    .b_offset = b_offset,
                    .b_row = n,
                    .b_column = 1};
  if (form & 1) {
    g.a_row = 1;
    g.a_column = m;
  }
  if (form & 2) {
    g.b_row = 1;
    g.b_column = k;
  }
  g.c = c;
  g.c_batch = m * ldc;
  g.ldc = ldc;
  g.epilogue = (vlm_epilogue_f32){
      .alpha = form & 1 ? 0.37f : 1, .bias = form & 2 ? bias : NULL, .activation = form & 4 ? kernels->rowops->relu : NULL};
  vlm_gemm_f32 packed = g;
  int64_t packed_offset[4];
  if (form & 4) {
    int64_t count = vlm_gemm_f32_packed_count(kernels, k, n);
    panels = take(batch * count, 4);
    for (int64_t i = 0; i < batch; i++) {
      vlm_f32_source source = {.b = b + i * k * n, .b_row = g.b_row, .b_column = g.b_column, .k = k, .n = n};
      vlm_gemm_f32_pack(panels + i * count, &source, kernels->gemm_f32->nr);
      packed_offset[i] = i * count;
    }
    packed.panels = panels;
    packed.b_offset = packed_offset;
  }
  void *scratch = take((int64_t)vlm_gemm_f32_scratch(&packed, kernels, threads), 1);
  vlm_gemm_f32_run(&packed, kernels, threads, scratch);
  for (int64_t q = 0; q < batch; q++)
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < ldc; j++) expect(c[q * g.c_batch + i * ldc + j], j < n ? f32_at(&g, q, i, j) : -77, "float product", i, j);
  vlm_free(scratch);
  vlm_free(panels);
  vlm_free(a);
  vlm_free(b);
  vlm_free(bias);
  vlm_free(c);
}

static void check_f32(const vlm_kernels *kernels, vlm_threads *threads) {
  static const int64_t shapes[][4] = {{1, 1, 1, 1},   {1, 1, 200, 33}, {1, 5, 37, 19}, {2, 7, 16, 8},   {4, 13, 65, 5},
                                      {1, 50, 33, 0}, {1, 0, 5, 3},    {1, 3, 0, 5},   {1, 97, 130, 70}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
    for (int form = 0; form < 8; form++) check_f32_shape(kernels, threads, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3], form);
}
static void test_f32(void **state) {
  (void)state;
  everywhere(check_f32);
}

/* ---- integers ---- */

static void check_q8_shape(const vlm_kernels *kernels, vlm_threads *threads, int64_t m, int64_t n, int64_t k, int form) {
  uint8_t *a = bytes(m * k), *w = bytes(k * n), *out8 = take(m * n, 1);
  float *w_scale = floats(n), *bias = floats(n), *out = take(m * n, 4), *row_scale = floats(m);
  int32_t *sums = take(m * n, 4), *row_zero = take(m, 4);
  bool transposed = form & 1, by_row = form & 2, with_bias = form & 4;
  vlm_q8_weights layout;
  for (int64_t i = 0; i < m; i++) row_zero[i] = (int32_t)(next_random() % 256);
  assert_true(vlm_q8_weights_layout(&layout, kernels, k, n, 1));
  void *block = take((int64_t)layout.bytes, 1);
  vlm_q8_source source = {.w = w, .w_row = transposed ? 1 : n, .w_column = transposed ? k : 1, .k = k, .n = n, .count = 1};
  const vlm_q8_weights *packed = vlm_q8_weights_pack(block, kernels, &source);
  vlm_gemm_q8 g = {
      .batch = 1, .m = m, .w = packed, .a = a, .lda = k, .a_scale = 0.021f, .zero = 131, .w_scale = w_scale, .c_row = n, .c_column = 1};
  if (by_row) {
    g.row_scale = row_scale;
    g.row_zero = row_zero;
  }
  if (with_bias) g.bias = bias;
  if (transposed) {
    g.c_row = 1;
    g.c_column = m;
  }
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
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      int64_t sum = 0, zero = by_row ? row_zero[i] : 131, at = i * g.c_row + j * g.c_column;
      for (int64_t p = 0; p < k; p++) sum += (a[i * k + p] - zero) * (int8_t)w[transposed ? j * k + p : p * n + j];
      float scale = (by_row ? row_scale[i] : 0.021f) * w_scale[j], y = fmaf((float)(int32_t)sum, scale, with_bias ? bias[j] : 0.0f);
      float q = rintf(y / 3.7f) + 99;
      assert_int_equal(sums[at], (int32_t)sum);
      expect(out[at], y, "integer product", i, j);
      assert_int_equal(out8[at], q < 0 ? 0 : q > 255 ? 255 : (int)q);
    }
  }
  vlm_free(scratch);
  vlm_free(block);
  void *all[] = {a, w, out8, w_scale, bias, out, row_scale, sums, row_zero};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
}

static void check_q8(const vlm_kernels *kernels, vlm_threads *threads) {
  static const int64_t shapes[][3] = {{1, 1, 1}, {1, 100, 37}, {3, 17, 4}, {7, 16, 8}, {29, 65, 130}, {4, 5, 0}, {0, 4, 4}, {61, 130, 66}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
    for (int form = 0; form < 8; form++) check_q8_shape(kernels, threads, shapes[s][0], shapes[s][1], shapes[s][2], form);
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
  g.w = vlm_q8_weights_pack(block, kernels, &(vlm_q8_source){.w = w, .w_row = 1, .w_column = K, .k = K, .n = N, .count = 1});
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

static void check_w8_shape(const vlm_kernels *kernels, vlm_threads *threads, int64_t m, int64_t n, int64_t k) {
  float *x = floats(m * k), *scale = floats(n), *bias = floats(n), *y = take(m * n, 4);
  int8_t *w = (int8_t *)bytes(k * n), *panels = take(vlm_w8_packed_bytes(k, n), 1);
  vlm_w8_pack(panels, &(vlm_w8_source){.w = w, .w_row = n, .w_column = 1, .k = k, .n = n});
  vlm_gemm_w8 g = {.m = m, .n = n, .k = k, .x = x, .ldx = k, .panels = panels, .scale = scale, .bias = bias, .y = y, .ldy = n};
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
  static const int64_t shapes[][3] = {{1, 1, 1}, {1, 200, 33}, {3, 70, 12}, {8, 64, 5}, {9, 65, 7}, {40, 130, 31}, {2, 3, 0}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) check_w8_shape(kernels, threads, shapes[s][0], shapes[s][1], shapes[s][2]);
}
static void test_w8(void **state) {
  (void)state;
  everywhere(check_w8);
}

/* ---- convolution ---- */

static const vlm_conv_shape conv_shapes[] = {
    {.batch = 1,
     .channels = 3,
     .out_channels = 5,
     .groups = 1,
     .in = {1, 9, 11},
     .out = {1, 5, 6},
     .kernel = {1, 3, 3},
     .stride = {1, 2, 2},
     .dilation = {1, 1, 1},
     .pad = {0, 1, 1}},
    {.batch = 2,
     .channels = 4,
     .out_channels = 6,
     .groups = 2,
     .in = {1, 7, 20},
     .out = {1, 5, 20},
     .kernel = {1, 2, 5},
     .stride = {1, 1, 1},
     .dilation = {1, 2, 1},
     .pad = {0, 0, 2}},
    {.batch = 2,
     .channels = 6,
     .out_channels = 6,
     .groups = 6,
     .in = {1, 8, 40},
     .out = {1, 8, 40},
     .kernel = {1, 3, 3},
     .stride = {1, 1, 1},
     .dilation = {1, 1, 1},
     .pad = {0, 1, 1}},
    {.batch = 1,
     .channels = 3,
     .out_channels = 6,
     .groups = 3,
     .in = {1, 1, 33},
     .out = {1, 1, 11},
     .kernel = {1, 1, 4},
     .stride = {1, 1, 3},
     .dilation = {1, 1, 2},
     .pad = {0, 0, 2}},
    {.batch = 1,
     .channels = 2,
     .out_channels = 3,
     .groups = 1,
     .in = {4, 5, 6},
     .out = {4, 3, 6},
     .kernel = {3, 3, 1},
     .stride = {1, 2, 1},
     .dilation = {1, 1, 1},
     .pad = {1, 1, 0}},
    {.batch = 3,
     .channels = 16,
     .out_channels = 33,
     .groups = 1,
     .in = {1, 5, 5},
     .out = {1, 5, 5},
     .kernel = {1, 1, 1},
     .stride = {1, 1, 1},
     .dilation = {1, 1, 1}},
    {.batch = 1,
     .channels = 2,
     .out_channels = 4,
     .groups = 2,
     .in = {1, 4, 3},
     .out = {1, 9, 5},
     .kernel = {1, 3, 3},
     .stride = {1, 2, 2},
     .dilation = {1, 1, 1},
     .pad = {0, 0, 1},
     .transposed = true},
};

/* Index of the input element for a position and tap (taps row-major), or -1. */
static int64_t source_of(const vlm_conv_shape *s, int64_t position, int64_t tap) {
  int64_t o[3] = {position / (s->out[1] * s->out[2]), position / s->out[2] % s->out[1], position % s->out[2]};
  int64_t k[3] = {tap / (s->kernel[1] * s->kernel[2]), tap / s->kernel[2] % s->kernel[1], tap % s->kernel[2]}, at = 0;
  for (int i = 0; i < 3; i++) {
    int64_t from = s->transposed ? o[i] + s->pad[i] - k[i] * s->dilation[i] : o[i] * s->stride[i] - s->pad[i] + k[i] * s->dilation[i];
    if (s->transposed && (from < 0 || from % s->stride[i])) return -1;
    if (s->transposed) from /= s->stride[i];
    if (from < 0 || from >= s->in[i]) return -1;
    at = at * s->in[i] + from;
  }
  return at;
}

static float conv_at(const vlm_conv_shape *s, const float *x, const float *w, int64_t image, int64_t o, int64_t position) {
  int64_t per_in = s->channels / s->groups, per_out = s->out_channels / s->groups, taps = vlm_conv_volume(s->kernel),
          plane = vlm_conv_volume(s->in);
  float sum = 0;
  for (int64_t c = 0; c < per_in; c++) {
    for (int64_t t = 0; t < taps; t++) {
      int64_t at = source_of(s, position, t);
      float v = at < 0 ? 0 : x[(image * s->channels + o / per_out * per_in + c) * plane + at];
      sum = fmaf(v, w[(o * per_in + c) * taps + t], sum);
    }
  }
  return sum;
}

static void check_conv_f32(const vlm_kernels *kernels, vlm_threads *threads) {
  for (size_t q = 0; q < sizeof conv_shapes / sizeof conv_shapes[0]; q++) {
    const vlm_conv_shape *s = &conv_shapes[q];
    int64_t size = vlm_conv_volume(s->out), total = s->batch * s->out_channels * size;
    float *x = floats(s->batch * s->channels * vlm_conv_volume(s->in)),
          *w = floats(s->out_channels * s->channels / s->groups * vlm_conv_volume(s->kernel));
    float *bias = floats(s->out_channels), *residual = floats(total), *y = take(total, 4);
    vlm_conv_f32 conv = {.shape = *s, .x = x, .w = w, .bias = bias, .residual = residual, .y = y};
    void *scratch = take((int64_t)vlm_conv_f32_scratch(&conv, kernels, threads), 1);
    vlm_conv_f32_run(&conv, kernels, threads, scratch);
    for (int64_t i = 0; i < total; i++) {
      int64_t o = i / size % s->out_channels;
      float wanted = conv_at(s, x, w, i / size / s->out_channels, o, i % size) + bias[o];
      expect(y[i], wanted + residual[i], "float convolution", (int64_t)q, i);
    }
    void *all[] = {x, w, bias, residual, y, scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
  }
}
static void test_conv_f32(void **state) {
  (void)state;
  everywhere(check_conv_f32);
}

static int32_t conv_sum_at(const vlm_conv_shape *s, const uint8_t *x, const int8_t *w, int32_t zero, int64_t image, int64_t o,
                           int64_t position) {
  int64_t per_in = s->channels / s->groups, per_out = s->out_channels / s->groups, taps = vlm_conv_volume(s->kernel),
          plane = vlm_conv_volume(s->in);
  int32_t sum = 0;
  for (int64_t c = 0; c < per_in; c++) {
    for (int64_t t = 0; t < taps; t++) {
      int64_t at = source_of(s, position, t);
      int32_t v = at < 0 ? zero : x[(image * s->channels + o / per_out * per_in + c) * plane + at];
      sum += (v - zero) * w[(o * per_in + c) * taps + t];
    }
  }
  return sum;
}

static void check_conv_q8(const vlm_kernels *kernels, vlm_threads *threads) {
  for (size_t q = 0; q < sizeof conv_shapes / sizeof conv_shapes[0]; q++) {
    const vlm_conv_shape *s = &conv_shapes[q];
    int64_t size = vlm_conv_volume(s->out), total = s->batch * s->out_channels * size,
            weights = s->out_channels * s->channels / s->groups * vlm_conv_volume(s->kernel);
    int64_t inputs = s->batch * s->channels * vlm_conv_volume(s->in);
    uint8_t *x = bytes(inputs), *w = bytes(weights), *room = take(weights, 1), *y8 = take(total, 1);
    float *x_f32 = take(inputs, 4), *w_scale = floats(s->out_channels), *bias = floats(s->out_channels), *y = take(total, 4);
    int32_t *sums = take(total, 4);
    size_t block_bytes;
    for (int64_t i = 0; i < inputs; i++) x_f32[i] = (float)(x[i] - 117) * 0.25f;
    assert_true(vlm_conv_q8_weights_bytes(&block_bytes, s, kernels));
    void *block = take((int64_t)block_bytes, 1);
    vlm_conv_q8_weights_pack(block, kernels, &(vlm_conv_q8_source){.shape = s, .w = w, .room = room});
    vlm_conv_q8 conv = {
        .shape = *s, .x_u8 = x, .x_scale = 0.25f, .x_zero = 117, .weights = block, .w_scale = w_scale, .bias = bias, .y_sums = sums};
    void *scratch = take((int64_t)vlm_conv_q8_scratch(&conv, kernels, threads), 1);
    vlm_conv_q8_run(&conv, kernels, threads, scratch);
    conv.y_sums = NULL;
    conv.y_u8 = y8;
    conv.y_scale = 9.5f;
    conv.y_zero = 120;
    vlm_conv_q8_run(&conv, kernels, threads, scratch);
    conv.x_u8 = NULL;
    conv.x_f32 = x_f32;
    conv.y_u8 = NULL;
    conv.y = y;
    vlm_conv_q8_run(&conv, kernels, threads, scratch);
    for (int64_t i = 0; i < total; i++) {
      int64_t o = i / size % s->out_channels;
      int32_t sum = conv_sum_at(s, x, (int8_t *)w, 117, i / size / s->out_channels, o, i % size);
      float scale = 0.25f * w_scale[o], wanted = fmaf((float)sum, scale, bias[o]), level = rintf(wanted / 9.5f) + 120;
      assert_int_equal(sums[i], sum);
      expect(y[i], wanted, "integer convolution", (int64_t)q, i);
      assert_int_equal(y8[i], level < 0 ? 0 : level > 255 ? 255 : (int)level);
    }
    void *all[] = {x, w, room, y8, x_f32, w_scale, bias, y, sums, block, scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
  }
}
static void test_conv_q8(void **state) {
  (void)state;
  everywhere(check_conv_q8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_f32),      cmocka_unit_test(test_q8),      cmocka_unit_test(test_saturation), cmocka_unit_test(test_w8),
      cmocka_unit_test(test_conv_f32), cmocka_unit_test(test_conv_q8),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
