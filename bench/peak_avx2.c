#include <immintrin.h>

#include "bench/peak.h"
#include "bench/peak_body.h"

#define REGISTER(a) "x"(a)

double vlm_peak_fma_avx2(int64_t rounds) {
#define VEC __m256
  const __m256 zero = _mm256_setzero_ps(), x = _mm256_set1_ps(0.5f);
  REPEAT(DECLARE)
#define STEP(i) __asm__ volatile("vfmadd231ps %1, %1, %0" : "+x"(a##i) : "x"(x));
  for (int64_t n = 0; n < rounds; n++) {
    REPEAT(STEP)
  }
#undef STEP
  REPEAT(KEEP)
#undef VEC
  return (double)rounds * 12 * 16;
}

double vlm_peak_madd_avx2(int64_t rounds) {
#define VEC __m256i
  const __m256i zero = _mm256_setzero_si256(), x = _mm256_set1_epi16(3);
  __m256i t;
  REPEAT(DECLARE)
#define STEP(i) __asm__ volatile("vpmaddwd %2, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(a##i), "=&x"(t) : "x"(x));
  for (int64_t n = 0; n < rounds; n++) {
    REPEAT(STEP)
  }
#undef STEP
  REPEAT(KEEP)
#undef VEC
  return (double)rounds * 12 * 32;
}
