/* The vector vocabulary of the float tiles, 16 lanes. vec_*_some touch the first n lanes alone, n <= 0 none. */
#include <immintrin.h>

#define VEC __m512
#define VEC_WIDTH 16
#define vec_zero() _mm512_setzero_ps()
#define vec_load(p) _mm512_loadu_ps(p)
#define vec_store(p, v) _mm512_storeu_ps(p, v)
#define vec_splat(p) _mm512_set1_ps(*(p))
#define vec_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vec_load_some(p, n) avx512vnni_load_some(p, n)
#define vec_store_some(p, v, n) avx512vnni_store_some(p, v, n)
#define vec_add(a, b) _mm512_add_ps(a, b)

#define HALF __m256
#define half_zero() _mm256_setzero_ps()
#define half_load(p) _mm256_loadu_ps(p)
#define half_store(p, v) _mm256_storeu_ps(p, v)
#define half_of(v) _mm512_castps512_ps256(v)
#define half_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define half_add(a, b) _mm256_add_ps(a, b)

static inline __mmask16 avx512vnni_first(int n) {
  return (__mmask16)(n >= VEC_WIDTH ? 0xffffu : n <= 0 ? 0u : (1u << n) - 1u);
}
static inline VEC avx512vnni_load_some(const float *p, int n) {
  return _mm512_maskz_loadu_ps(avx512vnni_first(n), p);
}
static inline void avx512vnni_store_some(float *p, VEC v, int n) {
  _mm512_mask_storeu_ps(p, avx512vnni_first(n), v);
}
