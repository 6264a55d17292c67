/* The vector vocabulary of the float tiles, 8 lanes. vec_*_some touch the first n lanes alone, n <= 0 none. */
#include <immintrin.h>

#define VEC __m256
#define VEC_WIDTH 8
#define vec_zero() _mm256_setzero_ps()
#define vec_load(p) _mm256_loadu_ps(p)
#define vec_store(p, v) _mm256_storeu_ps(p, v)
#define vec_splat(p) _mm256_broadcast_ss(p)
#define vec_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vec_load_some(p, n) avx2_load_some(p, n)
#define vec_store_some(p, v, n) avx2_store_some(p, v, n)
#define vec_add(a, b) _mm256_add_ps(a, b)

static inline __m256i avx2_first(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline VEC avx2_load_some(const float *p, int n) { return _mm256_maskload_ps(p, avx2_first(n)); }
static inline void avx2_store_some(float *p, VEC v, int n) { _mm256_maskstore_ps(p, avx2_first(n), v); }
