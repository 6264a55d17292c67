/* Row kernels: epilogue, widening, depthwise. Tails are scalar with the same operations. */
#include <immintrin.h>

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/unroll.h"

void vlm_q8_row_avx2(float *y, const int32_t *acc, const vlm_q8_epilogue *e, float a_scale, int32_t zero_point, size_t n) {
  const __m256 scale = _mm256_set1_ps(a_scale);
  const __m256i zero = _mm256_set1_epi32(zero_point);
  size_t j = 0;
  for (; j + 8 <= n; j += 8) {
    __m256i shift = _mm256_mullo_epi32(zero, _mm256_loadu_si256((const __m256i *)(e->colsum + j)));
    __m256 sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(acc + j)), shift));
    __m256 bias = e->bias ? _mm256_loadu_ps(e->bias + j) : _mm256_setzero_ps();
    _mm256_storeu_ps(y + j, _mm256_fmadd_ps(sum, _mm256_mul_ps(scale, _mm256_loadu_ps(e->w_scale + j)), bias));
  }
  if (j < n) {
    vlm_q8_epilogue rest = {e->colsum + j, e->w_scale + j, e->bias ? e->bias + j : NULL};
    vlm_q8_row_c(y + j, acc + j, &rest, a_scale, zero_point, n - j);
  }
}

void vlm_widen_u8_avx2(uint16_t *y, const uint8_t *x, size_t n) {
  size_t j = 0;
  for (; j + 16 <= n; j += 16) _mm256_storeu_si256((__m256i *)(y + j), _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(x + j))));
  for (; j < n; j++) y[j] = x[j];
}

void vlm_widen_s8_avx2(int16_t *y, const int8_t *x, size_t n) {
  size_t j = 0;
  for (; j + 16 <= n; j += 16) _mm256_storeu_si256((__m256i *)(y + j), _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(x + j))));
  for (; j < n; j++) y[j] = x[j];
}

/* A maximum with a NaN on the left gives the right operand: low. */
static inline __m256i quantize_step(const float *x, __m256 scale, __m256 low, __m256 high) {
  __m256 v = _mm256_div_ps(_mm256_loadu_ps(x), scale);
  return _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(v, low), high));
}

void vlm_quantize_u8_avx2(uint8_t *q, const float *x, int64_t n, float scale, int32_t zero) {
  const __m256 scales = _mm256_set1_ps(scale), low = _mm256_set1_ps((float)-zero), high = _mm256_set1_ps((float)(255 - zero));
  const __m256i zeros = _mm256_set1_epi16((int16_t)zero), order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  int64_t j = 0;
  for (; j + 32 <= n; j += 32) {
    __m256i a = quantize_step(x + j, scales, low, high), b = quantize_step(x + j + 8, scales, low, high);
    __m256i c = quantize_step(x + j + 16, scales, low, high), d = quantize_step(x + j + 24, scales, low, high);
    a = _mm256_add_epi16(_mm256_packs_epi32(a, b), zeros);
    c = _mm256_add_epi16(_mm256_packs_epi32(c, d), zeros);
    _mm256_storeu_si256((__m256i *)(q + j), _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, c), order));
  }
  vlm_quantize_u8_c(q + j, x + j, n - j, scale, zero);
}

/* Four vectors of neighbouring outputs share the broadcast weight. */
static void depthwise_step(float *y, const float *const *rows, const float *w, int kh_count, int kw_count, size_t dilation, size_t x) {
  __m256 acc[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  for (int kh = 0; kh < kh_count; kh++) {
    const float *row = rows[kh] + x;
    for (int kw = 0; kw < kw_count; kw++, row += dilation) {
      __m256 tap = _mm256_broadcast_ss(w + kh * kw_count + kw);
      VLM_UNROLL for (int i = 0; i < 4; i++) acc[i] = _mm256_fmadd_ps(_mm256_loadu_ps(row + i * 8), tap, acc[i]);
    }
  }
  VLM_UNROLL for (int i = 0; i < 4; i++) _mm256_storeu_ps(y + x + i * 8, acc[i]);
}

static void depthwise_rest(float *y, const float *const *rows, const float *w, int kh_count, int kw_count, size_t stride, size_t dilation,
                           size_t x, size_t n) {
  for (; x < n; x++) {
    float sum = 0;
    for (int kh = 0; kh < kh_count; kh++)
      for (int kw = 0; kw < kw_count; kw++) sum = __builtin_fmaf(rows[kh][x * stride + (size_t)kw * dilation], w[kh * kw_count + kw], sum);
    y[x] = sum;
  }
}

void vlm_depthwise_f32_avx2(float *y, const float *const *rows, const float *w, int kh_count, int kw_count, size_t stride, size_t dilation,
                            size_t n) {
  size_t x = 0;
  if (stride == 1)
    for (; x + 32 <= n; x += 32) depthwise_step(y, rows, w, kh_count, kw_count, dilation, x);
  if (stride == 1 && x < n && n >= 32) {
    depthwise_step(y, rows, w, kh_count, kw_count, dilation, n - 32); /* overlaps: the same values again */
    x = n;
  }
  depthwise_rest(y, rows, w, kh_count, kw_count, stride, dilation, x, n);
}
