/* The kernel checker: every row of kernels.def that this machine can run, against plain loops, over shapes around the tile, fills that
 * provoke overflow and rounding, strides, and guard values around the destination. Float results must agree bit for bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/kernels.h"

static const int64_t depths[] = {0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 64, 129};
enum { DEPTHS = sizeof depths / sizeof depths[0], MAX_DEPTH = 132, GUARD = 7, FILLS = 3 };

static uint32_t seed;
static uint32_t next_random(void) {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 8;
}

static float float_fill(int fill) {
  if (fill == 0) return ((float)(next_random() % 2001) - 1000.0f) / 317.0f;
  if (fill == 1)
    return (next_random() & 1 ? 1.0f : -1.0f) * ldexpf(1.0f + (float)(next_random() % 4096) / 4096.0f, (int)(next_random() % 40) - 20);
  return 0;
}
static uint8_t u8_fill(int fill) { return fill == 0 ? (uint8_t)next_random() : fill == 1 ? 255 : 0; }
static int8_t s8_fill(int fill) { return fill == 0 ? (int8_t)next_random() : fill == 1 ? (next_random() & 1 ? 127 : -128) : 0; }

static void *zeroed(size_t count, size_t size) {
  void *p;
  assert_int_equal(vlm_alloc(&p, count, size, NULL), VLM_OK);
  return p;
}

/* A destination of rows with guard words between and behind them. */
typedef struct {
  uint32_t *words;
  size_t rows, columns, stride;
} target;

static target target_make(size_t rows, size_t columns) {
  target t = {zeroed((rows + 1) * (columns + GUARD), 4), rows, columns, columns + GUARD};
  for (size_t i = 0; i < (rows + 1) * t.stride; i++) t.words[i] = 0xDEADBEEFu;
  return t;
}
static void target_check_guards(const target *t, const vlm_kernel *row) {
  for (size_t i = 0; i < (t->rows + 1) * t->stride; i++)
    if ((i / t->stride >= t->rows || i % t->stride >= t->columns) && t->words[i] != 0xDEADBEEFu)
      fail_msg("%s wrote outside its tile, at row %zu column %zu", row->name, i / t->stride, i % t->stride);
}

static void expect_float(float got, float wanted, const vlm_kernel *row, int64_t k, int rows, int i, int j) {
  uint32_t a, b;
  memcpy(&a, &got, 4);
  memcpy(&b, &wanted, 4);
  if (a != b)
    fail_msg("%s, k %d, %d rows: c[%d][%d] is %.9g (%08x), wanted %.9g (%08x)", row->name, (int)k, rows, i, j, (double)got, a,
             (double)wanted, b);
}

static void check_gemm_f32(const vlm_kernel *row, int64_t k, int fill) {
  size_t lda = (size_t)k + 3, stride = (size_t)row->nr + (k & 1 ? 5 : 0);
  float *a = zeroed((size_t)row->mr * lda, 4), *b = zeroed((size_t)(k + 1) * stride, 4);
  for (size_t i = 0; i < (size_t)row->mr * lda; i++) a[i] = float_fill(fill);
  for (size_t i = 0; i < (size_t)k * stride; i++) b[i] = float_fill(fill);
  for (int rows = 1; rows <= row->mr; rows++) {
    target c = target_make((size_t)rows, (size_t)row->nr);
    row->fn.gemm_f32((float *)c.words, c.stride, a, lda, b, stride, (size_t)k, rows);
    target_check_guards(&c, row);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < row->nr; j++) {
        float sum = 0;
        for (int64_t p = 0; p < k; p++) sum = fmaf(a[(size_t)i * lda + (size_t)p], b[(size_t)p * stride + (size_t)j], sum);
        expect_float(((float *)c.words)[(size_t)i * c.stride + (size_t)j], sum, row, k, rows, i, j);
      }
    }
    vlm_free(c.words);
  }
  vlm_free(a);
  vlm_free(b);
}

static void check_gemv_f32(const vlm_kernel *row, int64_t k, int fill) {
  size_t nr = (size_t)row->nr, panel = nr * (size_t)k + 9, columns = nr * VLM_GEMV_PANELS;
  float *a = zeroed((size_t)k + 1, 4), *b = zeroed(panel * VLM_GEMV_PANELS, 4);
  for (int64_t i = 0; i < k; i++) a[i] = float_fill(fill);
  for (size_t i = 0; i < panel * VLM_GEMV_PANELS; i++) b[i] = float_fill(fill);
  target c = target_make(1, columns);
  row->fn.gemv_f32((float *)c.words, a, b, nr, panel, (size_t)k);
  target_check_guards(&c, row);
  for (size_t j = 0; j < columns; j++) {
    float sum = 0;
    for (size_t p = 0; p < (size_t)k; p++) sum = fmaf(a[p], b[j / nr * panel + p * nr + j % nr], sum);
    expect_float(((float *)c.words)[j], sum, row, k, 1, 0, (int)j);
  }
  vlm_free(c.words);
  vlm_free(a);
  vlm_free(b);
}

static void check_gemm_u8s8(const vlm_kernel *row, int64_t groups, int fill) {
  size_t kr = (size_t)row->kr, nr = (size_t)row->nr, k = (size_t)groups * kr, lda = k + 2 * kr;
  uint8_t *a = zeroed((size_t)row->mr * lda, (size_t)row->a_bytes);
  int8_t *b = zeroed(nr * k + 1, 1);
  for (size_t i = 0; i < (size_t)row->mr * lda; i++) {
    if (row->a_bytes == 2)
      ((uint16_t *)(void *)a)[i] = u8_fill(fill);
    else
      a[i] = u8_fill(fill);
  }
  for (size_t i = 0; i < nr * k; i++) b[i] = s8_fill(fill);
  for (int rows = 1; rows <= row->mr; rows++) {
    target c = target_make((size_t)rows, nr);
    row->fn.gemm_u8s8((int32_t *)c.words, c.stride, a, lda, b, (size_t)groups, rows);
    target_check_guards(&c, row);
    for (size_t i = 0; i < (size_t)rows; i++) {
      for (size_t j = 0; j < nr; j++) {
        int64_t sum = 0;
        for (size_t p = 0; p < k; p++) {
          int64_t x = row->a_bytes == 2 ? ((uint16_t *)(void *)a)[i * lda + p] : a[i * lda + p];
          sum += x * b[(p / kr * nr + j) * kr + p % kr];
        }
        if ((int32_t)c.words[i * c.stride + j] != sum)
          fail_msg("%s, %d groups, %d rows: c[%zu][%zu] is %d, wanted %d", row->name, (int)groups, rows, i, j,
                   (int32_t)c.words[i * c.stride + j], (int)sum);
      }
    }
    vlm_free(c.words);
  }
  vlm_free(a);
  vlm_free(b);
}

/* Widened weights: the layout of gemm_u8s8, int16. */
static void check_gemm_u8s16(const vlm_kernel *row, int64_t groups, int fill) {
  size_t kr = (size_t)row->kr, nr = (size_t)row->nr, k = (size_t)groups * kr, lda = k + 2 * kr;
  uint16_t *a = zeroed((size_t)row->mr * lda, 2);
  int16_t *b = zeroed(nr * k + 1, 2);
  for (size_t i = 0; i < (size_t)row->mr * lda; i++) a[i] = u8_fill(fill);
  for (size_t i = 0; i < nr * k; i++) b[i] = s8_fill(fill);
  for (int rows = 1; rows <= row->mr; rows++) {
    target c = target_make((size_t)rows, nr);
    row->fn.gemm_u8s16((int32_t *)c.words, c.stride, a, lda, b, (size_t)groups, rows);
    target_check_guards(&c, row);
    for (size_t i = 0; i < (size_t)rows; i++) {
      for (size_t j = 0; j < nr; j++) {
        int64_t sum = 0;
        for (size_t p = 0; p < k; p++) sum += (int64_t)a[i * lda + p] * b[(p / kr * nr + j) * kr + p % kr];
        if ((int32_t)c.words[i * c.stride + j] != sum)
          fail_msg("%s, %d groups, %d rows: c[%zu][%zu] is wrong", row->name, (int)groups, rows, i, j);
      }
    }
    vlm_free(c.words);
  }
  vlm_free(a);
  vlm_free(b);
}

static void check_gemm_f32s8(const vlm_kernel *row, int64_t k, int fill) {
  size_t lda = (size_t)k + 3;
  float *a = zeroed(VLM_W8_ROWS * lda, 4);
  int8_t *b = zeroed((size_t)(k + 1) * VLM_W8_COLUMNS, 1);
  for (size_t i = 0; i < VLM_W8_ROWS * lda; i++) a[i] = float_fill(fill);
  for (int64_t i = 0; i < k * VLM_W8_COLUMNS; i++) b[i] = s8_fill(fill);
  for (int rows = 1; rows <= VLM_W8_ROWS; rows++) {
    target c = target_make((size_t)rows, VLM_W8_COLUMNS);
    row->fn.gemm_f32s8((float *)c.words, c.stride, a, lda, b, (size_t)k, rows);
    target_check_guards(&c, row);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < VLM_W8_COLUMNS; j++) {
        float sum = 0;
        for (int64_t p = 0; p < k; p++) sum = fmaf(a[(size_t)i * lda + (size_t)p], (float)b[p * VLM_W8_COLUMNS + j], sum);
        expect_float(((float *)c.words)[(size_t)i * c.stride + (size_t)j], sum, row, k, rows, i, j);
      }
    }
    vlm_free(c.words);
  }
  vlm_free(a);
  vlm_free(b);
}

static void check_depthwise_f32(const vlm_kernel *row, int64_t n, int fill) {
  static const int kernels[][4] = {
      {3, 3, 1, 1}, {3, 3, 2, 1}, {1, 5, 1, 2}, {7, 7, 1, 1}, {2, 1, 3, 1}}; /* rows, columns, stride, dilation */
  for (size_t c = 0; c < sizeof kernels / sizeof kernels[0]; c++) {
    int kh = kernels[c][0], kw = kernels[c][1], stride = kernels[c][2], dilation = kernels[c][3];
    size_t width = (size_t)((n > 0 ? n - 1 : 0) * stride + (kw - 1) * dilation + 1);
    float *x = zeroed((size_t)kh * width, 4), w[49];
    const float *rows[7];
    for (size_t i = 0; i < (size_t)kh * width; i++) x[i] = float_fill(fill);
    for (int i = 0; i < 49; i++) w[i] = float_fill(fill);
    for (int i = 0; i < kh; i++) rows[i] = x + (size_t)i * width;
    target y = target_make(1, (size_t)n);
    row->fn.depthwise_f32((float *)y.words, rows, w, kh, kw, (size_t)stride, (size_t)dilation, (size_t)n);
    target_check_guards(&y, row);
    for (int64_t i = 0; i < n; i++) {
      float sum = 0;
      for (int t = 0; t < kh * kw; t++) sum = fmaf(rows[t / kw][i * stride + t % kw * dilation], w[t], sum);
      expect_float(((float *)y.words)[i], sum, row, n, 1, (int)c, (int)i);
    }
    vlm_free(y.words);
    vlm_free(x);
  }
}

static void check_q8_row(const vlm_kernel *row, int64_t n, int fill) {
  int32_t acc[MAX_DEPTH], colsum[MAX_DEPTH];
  float scale[MAX_DEPTH], bias[MAX_DEPTH];
  for (int i = 0; i < MAX_DEPTH; i++) {
    acc[i] = fill == 0 ? (int32_t)(next_random() % 2000000) - 1000000 : fill == 1 ? INT32_MAX - (int32_t)(next_random() % 100) : 0;
    colsum[i] = fill == 1 ? -4096 * 127 : (int32_t)(next_random() % 20000) - 10000;
    scale[i] = fill == 2 ? 0 : (float)(next_random() % 1000 + 1) / 77777.0f;
    bias[i] = float_fill(fill);
  }
  for (int with_bias = 0; with_bias < 2; with_bias++) {
    int32_t zero = fill == 1 ? 0 : (int32_t)(next_random() % 256);
    vlm_q8_epilogue e = {colsum, scale, with_bias ? bias : NULL};
    target y = target_make(1, (size_t)n);
    row->fn.q8_row((float *)y.words, acc, &e, 0.0371f, zero, (size_t)n);
    target_check_guards(&y, row);
    for (int64_t i = 0; i < n; i++) {
      float product = 0.0371f * scale[i];
      float wanted = fmaf((float)(int32_t)((int64_t)acc[i] - (int64_t)zero * colsum[i]), product, with_bias ? bias[i] : 0.0f);
      expect_float(((float *)y.words)[i], wanted, row, n, 1, 0, (int)i);
    }
    vlm_free(y.words);
  }
}

static void check_widen_u8(const vlm_kernel *row, int64_t n, int fill) {
  uint8_t x[MAX_DEPTH];
  uint16_t y[MAX_DEPTH + 1];
  for (int i = 0; i < MAX_DEPTH; i++) x[i] = u8_fill(fill);
  memset(y, 0xAB, sizeof y);
  row->fn.widen_u8(y, x, (size_t)n);
  for (int64_t i = 0; i < n; i++) assert_int_equal(y[i], x[i]);
  assert_int_equal(y[n], 0xABAB);
}

static void check_widen_s8(const vlm_kernel *row, int64_t n, int fill) {
  int8_t x[MAX_DEPTH];
  int16_t y[MAX_DEPTH + 1];
  for (int i = 0; i < MAX_DEPTH; i++) x[i] = s8_fill(fill);
  memset(y, 0x5A, sizeof y);
  row->fn.widen_s8(y, x, (size_t)n);
  for (int64_t i = 0; i < n; i++) assert_int_equal(y[i], x[i]);
  assert_int_equal(y[n], 0x5A5A);
}

static void check_quantize_u8(const vlm_kernel *row, int64_t n, int fill) {
  static const float special[] = {NAN, INFINITY, -INFINITY, 0.5f, 1.5f, 2.5f, -0.5f, 1e30f, -1e30f, -0.0f};
  float x[MAX_DEPTH];
  uint8_t q[MAX_DEPTH + 1];
  float scale = fill == 2 ? 1.0f : 0.037f;
  int32_t zero = fill == 0 ? 128 : fill == 1 ? 255 : 0;
  for (int i = 0; i < MAX_DEPTH; i++) x[i] = i % 3 == 0 ? special[i / 3 % 10] : float_fill(fill);
  memset(q, 0x77, sizeof q);
  row->fn.quantize_u8(q, x, n, scale, zero);
  for (int64_t i = 0; i < n; i++) {
    double v = (double)rintf(x[i] / scale) + zero;
    assert_int_equal(q[i], !(v > 0) ? 0 : v > 255 ? 255 : (int)v);
  }
  assert_int_equal(q[n], 0x77);
}

static void check_transpose_8(const vlm_kernel *row, int64_t n, int fill) {
  uint8_t x[40 * MAX_DEPTH], y[40 * MAX_DEPTH];
  if (fill > 0) return;
  for (size_t i = 0; i < sizeof x; i++) x[i] = (uint8_t)next_random();
  for (size_t rows = 0; rows <= 35; rows += 7) {
    memset(y, 0xEE, sizeof y);
    row->fn.transpose_8(y, 40, x, MAX_DEPTH, rows, (size_t)n);
    for (size_t j = 0; j < MAX_DEPTH; j++)
      for (size_t i = 0; i < 40; i++) assert_int_equal(y[j * 40 + i], i < rows && j < (size_t)n ? x[i * MAX_DEPTH + j] : 0xEE);
  }
}

static void check_transpose_32(const vlm_kernel *row, int64_t n, int fill) {
  static uint32_t x[40 * MAX_DEPTH], y[40 * MAX_DEPTH];
  if (fill > 0) return;
  for (size_t i = 0; i < 40 * MAX_DEPTH; i++) x[i] = next_random();
  for (size_t rows = 0; rows <= 35; rows += 7) {
    memset(y, 0xEE, sizeof y);
    row->fn.transpose_32(y, 40, x, MAX_DEPTH, rows, (size_t)n);
    for (size_t j = 0; j < MAX_DEPTH; j++)
      for (size_t i = 0; i < 40; i++) assert_int_equal(y[j * 40 + i], i < rows && j < (size_t)n ? x[i * MAX_DEPTH + j] : 0xEEEEEEEEu);
  }
}

typedef void checker(const vlm_kernel *row, int64_t k, int fill);
static checker *const checkers[VLM_KERNEL_KINDS] = {
    [VLM_KERNEL_gemm_f32] = check_gemm_f32,
    [VLM_KERNEL_gemv_f32] = check_gemv_f32,
    [VLM_KERNEL_gemm_u8s8] = check_gemm_u8s8,
    [VLM_KERNEL_gemm_f32s8] = check_gemm_f32s8,
    [VLM_KERNEL_q8_row] = check_q8_row,
    [VLM_KERNEL_widen_u8] = check_widen_u8,
    [VLM_KERNEL_depthwise_f32] = check_depthwise_f32,
    [VLM_KERNEL_gemm_u8s16] = check_gemm_u8s16,
    [VLM_KERNEL_widen_s8] = check_widen_s8,
    [VLM_KERNEL_quantize_u8] = check_quantize_u8,
    [VLM_KERNEL_transpose_8] = check_transpose_8,
    [VLM_KERNEL_transpose_32] = check_transpose_32,
};

static void test_rows(void **state) {
  int count, checked = 0;
  const vlm_kernel *table = vlm_kernel_table(&count);
  uint32_t mask = vlm_cpu_detect();
  (void)state;
  for (int i = 0; i < count; i++) {
    if (table[i].level != VLM_CPU_C && !(mask >> table[i].level & 1)) {
      print_message("not on this machine: %s\n", table[i].name);
      continue;
    }
    assert_non_null(checkers[table[i].kind]);
    for (int fill = 0; fill < FILLS; fill++) {
      seed = 12345;
      for (int d = 0; d < DEPTHS; d++) checkers[table[i].kind](&table[i], depths[d], fill);
    }
    checked++;
  }
  print_message("%d rows checked\n", checked);
  assert_true(checked >= VLM_KERNEL_KINDS);
}

/* The drivers' buffers are sized for this. */
static void test_limits(void **state) {
  int count;
  const vlm_kernel *table = vlm_kernel_table(&count);
  (void)state;
  for (int i = 0; i < count; i++) {
    assert_true(table[i].mr <= VLM_TILE_MAX_ROWS);
    assert_true(table[i].nr <= VLM_TILE_MAX_COLUMNS);
    if (table[i].kind == VLM_KERNEL_gemm_f32) assert_int_equal(VLM_W8_COLUMNS % table[i].nr, 0);
    assert_non_null(vlm_kernel_kind_name(table[i].kind));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_limits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
