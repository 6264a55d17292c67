/* The C row of every kind: the executable specification, plain loops. */
#include <math.h>

#include "runtime/kernels/kernels.h"

void vlm_gemm_f32_c(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t b_stride, size_t k, int rows) {
  for (int i = 0; i < rows; i++) {
    for (size_t j = 0; j < 16; j++) {
      float sum = 0;
      for (size_t p = 0; p < k; p++) sum = fmaf(a[(size_t)i * lda + p], b[p * b_stride + j], sum);
      c[(size_t)i * ldc + j] = sum;
    }
  }
}

void vlm_gemv_f32_c(float *c, const float *a, const float *b, size_t b_stride, size_t panel_stride, size_t k) {
  for (size_t i = 0; i < VLM_GEMV_PANELS; i++) vlm_gemm_f32_c(c + i * 16, 16, a, k, b + i * panel_stride, b_stride, k, 1);
}

/* One int32 lane: the sum is exact modulo 2^32, and K up to 66 000 cannot leave the int32 range. */
static int32_t dot_column(const uint8_t *a, const int8_t *b, size_t groups) {
  uint32_t sum = 0;
  for (size_t p = 0; p < groups; p++)
    for (size_t q = 0; q < 4; q++) sum += (uint32_t)((int32_t)a[p * 4 + q] * b[p * 64 + q]);
  return (int32_t)sum;
}

void vlm_gemm_u8s8_c(int32_t *c, size_t ldc, const void *a, size_t lda, const int8_t *b, size_t groups, int rows) {
  for (size_t i = 0; i < (size_t)rows; i++)
    for (size_t j = 0; j < 16; j++) c[i * ldc + j] = dot_column((const uint8_t *)a + i * lda, b + j * 4, groups);
}

void vlm_gemm_u8s16_c(int32_t *c, size_t ldc, const void *a, size_t lda, const int16_t *b, size_t groups, int rows) {
  for (size_t i = 0; i < (size_t)rows; i++) {
    const uint16_t *row = (const uint16_t *)a + i * lda;
    for (size_t j = 0; j < 16; j++) {
      uint32_t sum = 0;
      for (size_t p = 0; p < groups * 2; p++) sum += (uint32_t)(row[p] * b[p / 2 * 32 + j * 2 + p % 2]);
      c[i * ldc + j] = (int32_t)sum;
    }
  }
}

void vlm_gemm_f32s8_c(float *c, size_t ldc, const float *a, size_t lda, const int8_t *b, size_t k, int rows) {
  for (size_t i = 0; i < (size_t)rows; i++) {
    for (size_t j = 0; j < VLM_W8_COLUMNS; j++) {
      float sum = 0;
      for (size_t p = 0; p < k; p++) sum = fmaf(a[i * lda + p], (float)b[p * VLM_W8_COLUMNS + j], sum);
      c[i * ldc + j] = sum;
    }
  }
}

void vlm_depthwise_f32_c(float *y, const float *const *rows, const float *w, int kh_count, int kw_count, size_t stride, size_t dilation,
                         size_t n) {
  for (size_t x = 0; x < n; x++) {
    float sum = 0;
    for (int kh = 0; kh < kh_count; kh++)
      for (int kw = 0; kw < kw_count; kw++) sum = fmaf(rows[kh][x * stride + (size_t)kw * dilation], w[kh * kw_count + kw], sum);
    y[x] = sum;
  }
}

void vlm_q8_row_c(float *y, const int32_t *acc, const vlm_q8_epilogue *e, float a_scale, int32_t zero_point, size_t n) {
  for (size_t j = 0; j < n; j++) {
    int32_t sum = (int32_t)((uint32_t)acc[j] - (uint32_t)zero_point * (uint32_t)e->colsum[j]);
    float scale = a_scale * e->w_scale[j];
    y[j] = fmaf((float)sum, scale, e->bias ? e->bias[j] : 0.0f);
  }
}

void vlm_widen_u8_c(uint16_t *y, const uint8_t *x, size_t n) {
  for (size_t j = 0; j < n; j++) y[j] = x[j];
}

void vlm_widen_s8_c(int16_t *y, const int8_t *x, size_t n) {
  for (size_t j = 0; j < n; j++) y[j] = x[j];
}

void vlm_quantize_u8_c(uint8_t *q, const float *x, int64_t n, float scale, int32_t zero) {
  float low = (float)-zero, high = (float)(255 - zero); /* integers: clamping before rounding is clamping after it */
  for (int64_t j = 0; j < n; j++) {
    float v = x[j] / scale;
    v = v > low ? v : low;
    v = v < high ? v : high;
    q[j] = (uint8_t)((int32_t)rintf(v) + zero);
  }
}

void vlm_transpose_8_c(uint8_t *y, size_t y_stride, const uint8_t *x, size_t x_stride, size_t rows, size_t columns) {
  for (size_t j = 0; j < columns; j++)
    for (size_t i = 0; i < rows; i++) y[j * y_stride + i] = x[i * x_stride + j];
}

void vlm_transpose_32_c(uint32_t *y, size_t y_stride, const uint32_t *x, size_t x_stride, size_t rows, size_t columns) {
  for (size_t j = 0; j < columns; j++)
    for (size_t i = 0; i < rows; i++) y[j * y_stride + i] = x[i * x_stride + j];
}
