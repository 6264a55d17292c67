/* Row kernels: epilogue, widening, quantization. Tails are scalar with the same operations. */
#include <immintrin.h>

#include "runtime/kernels/row_args.h"

void vlm_q8_row_avx2(const vlm_q8_row_args *r) {
  const __m256 scale = _mm256_set1_ps(r->a_scale);
  const __m256i zero = _mm256_set1_epi32(r->zero_point);
  const int32_t *acc = r->acc, *colsum = r->colsum;
  const float *w_scale = r->w_scale, *biases = r->bias;
  float *y = r->y;
  size_t j = 0, n = r->n;
  for (; j + 8 <= n; j += 8) {
    __m256i shift = _mm256_mullo_epi32(zero, _mm256_loadu_si256((const __m256i *)(colsum + j)));
    __m256 sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(acc + j)), shift));
    __m256 bias = biases ? _mm256_loadu_ps(biases + j) : _mm256_setzero_ps();
    _mm256_storeu_ps(y + j, _mm256_fmadd_ps(sum, _mm256_mul_ps(scale, _mm256_loadu_ps(w_scale + j)), bias));
  }
  if (j == n) return;
  vlm_q8_row_args rest = {
      .y = y + j, .acc = acc + j, .colsum = colsum + j, .w_scale = w_scale + j, .n = n - j};
  rest.bias = biases ? biases + j : NULL;
  rest.a_scale = r->a_scale;
  rest.zero_point = r->zero_point;
  vlm_q8_row_c(&rest);
}

void vlm_widen_u8_avx2(const vlm_widen_u8_args *w) {
  uint16_t *y = w->y;
  const uint8_t *x = w->x;
  size_t j = 0, n = w->n;
  for (; j + 16 <= n; j += 16)
    _mm256_storeu_si256((__m256i *)(y + j), _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(x + j))));
  for (; j < n; j++) y[j] = x[j];
}

void vlm_widen_s8_avx2(const vlm_widen_s8_args *w) {
  int16_t *y = w->y;
  const int8_t *x = w->x;
  size_t j = 0, n = w->n;
  for (; j + 16 <= n; j += 16)
    _mm256_storeu_si256((__m256i *)(y + j), _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(x + j))));
  for (; j < n; j++) y[j] = x[j];
}

/* A maximum with a NaN on the left gives the right operand: low. */
static inline __m256i quantize_step(const float *x, __m256 scale, __m256 low, __m256 high) {
  __m256 v = _mm256_div_ps(_mm256_loadu_ps(x), scale);
  return _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(v, low), high));
}

void vlm_quantize_u8_avx2(const vlm_quantize_u8_args *a) {
  const __m256 scales = _mm256_set1_ps(a->scale), low = _mm256_set1_ps((float)-a->zero),
               high = _mm256_set1_ps((float)(255 - a->zero));
  const __m256i zeros = _mm256_set1_epi16((int16_t)a->zero),
                order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  uint8_t *q = a->q;
  const float *x = a->x;
  size_t j = 0, n = a->n;
  for (; j + 32 <= n; j += 32) {
    __m256i v0 = quantize_step(x + j, scales, low, high), v1 = quantize_step(x + j + 8, scales, low, high);
    __m256i v2 = quantize_step(x + j + 16, scales, low, high),
            v3 = quantize_step(x + j + 24, scales, low, high);
    v0 = _mm256_add_epi16(_mm256_packs_epi32(v0, v1), zeros);
    v2 = _mm256_add_epi16(_mm256_packs_epi32(v2, v3), zeros);
    _mm256_storeu_si256((__m256i *)(q + j), _mm256_permutevar8x32_epi32(_mm256_packus_epi16(v0, v2), order));
  }
  for (; j + 8 <= n; j += 8) {
    __m256i v = quantize_step(x + j, scales, low, high);
    v = _mm256_add_epi16(_mm256_packs_epi32(v, v), zeros);
    v = _mm256_packus_epi16(v, v); /* four bytes at the start of each half */
    _mm_storel_epi64((__m128i *)(q + j),
                     _mm_unpacklo_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
  }
  if (j == n) return;
  vlm_quantize_u8_c(
      &(vlm_quantize_u8_args){.q = q + j, .x = x + j, .n = n - j, .scale = a->scale, .zero = a->zero});
}
