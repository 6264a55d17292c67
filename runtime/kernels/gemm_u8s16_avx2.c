#include <immintrin.h>
#include <string.h>

#include "runtime/kernels/gemm_args.h"

/* Two activations as int16, in every lane. */
static inline __m256i splat_pair(const uint16_t *p) {
  int32_t pair;
  memcpy(&pair, p, sizeof pair);
  return _mm256_set1_epi32(pair);
}

/* The form of gemm_u8s8_avx2.c for weights that were widened once for many rows: no extension in the inner loop. */
#define TILE_GEMM vlm_gemm_u8s16_avx2
#define TILE_ROWS 6
#define TILE_VECS 2
#define TILE_KR 2
#define TILE_ARGS vlm_gemm_u8s16_args
#define TILE_A uint16_t
#define TILE_B int16_t
#define VEC __m256i
#define VEC_IN __m256i
#define VEC_WIDTH 8
#define vec_zero() _mm256_setzero_si256()
#define vec_store(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define vec_weights(p) _mm256_loadu_si256((const __m256i *)(p))
#define vec_group(p) splat_pair(p)
#define vec_dot(acc, a, b) _mm256_add_epi32(acc, _mm256_madd_epi16(a, b))
#include "runtime/kernels/gemm_u8s8_tile.h"
