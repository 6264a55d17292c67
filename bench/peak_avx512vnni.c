#include <immintrin.h>

#include "bench/peak.h"
#include "bench/peak_body.h"

#define REGISTER(a) "v"(a)

double vlm_peak_fma_avx512vnni(int64_t rounds) {
#define VEC __m512
  const __m512 zero = _mm512_setzero_ps(), x = _mm512_set1_ps(0.5f);
  REPEAT(DECLARE)
#define STEP(i) __asm__ volatile("vfmadd231ps %1, %1, %0" : "+v"(a##i) : "v"(x));
  for (int64_t n = 0; n < rounds; n++) {
    REPEAT(STEP)
  }
#undef STEP
  REPEAT(KEEP)
#undef VEC
  return (double)rounds * 12 * 32;
}

double vlm_peak_dot_avx512vnni(int64_t rounds) {
#define VEC __m512i
  const __m512i zero = _mm512_setzero_si512(), x = _mm512_set1_epi8(3);
  REPEAT(DECLARE)
#define STEP(i) __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(a##i) : "v"(x));
  for (int64_t n = 0; n < rounds; n++) {
    REPEAT(STEP)
  }
#undef STEP
  REPEAT(KEEP)
#undef VEC
  return (double)rounds * 12 * 128;
}
