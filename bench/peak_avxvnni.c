#include <immintrin.h>

#include "bench/peak.h"
#include "bench/peak_body.h"

#define REGISTER(a) "x"(a)
#define VEC __m256i

double vlm_peak_dot_avxvnni(int64_t rounds) {
  const __m256i zero = _mm256_setzero_si256(), x = _mm256_set1_epi8(3);
  REPEAT(DECLARE)
#define STEP(i) __asm__ volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(a##i) : "x"(x));
  for (int64_t n = 0; n < rounds; n++) {
    REPEAT(STEP)
  }
  REPEAT(KEEP)
  return (double)rounds * 12 * 64;
}
