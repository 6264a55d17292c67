#include <immintrin.h>
#include <string.h>

#include "runtime/kernels/gemm_args.h"

/* Four activations, in every lane. */
static inline __m256i splat_quad(const uint8_t *p) {
  int32_t quad;
  memcpy(&quad, p, sizeof quad);
  return _mm256_set1_epi32(quad);
}

/* Assembly, because gcc 12 spills every accumulator of a tile written with the intrinsic. */
static inline __m256i dot_quads(__m256i acc, __m256i a, __m256i b) {
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
  return acc;
}

#define TILE_GEMM vlm_gemm_u8s8_avxvnni
#define TILE_ROWS 6
#define TILE_VECS 2
#define TILE_KR 4
#define TILE_ARGS vlm_gemm_u8s8_args
#define TILE_A uint8_t
#define TILE_B int8_t
#define VEC __m256i
#define VEC_IN __m256i
#define VEC_WIDTH 8
#define vec_zero() _mm256_setzero_si256()
#define vec_store(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define vec_weights(p) _mm256_loadu_si256((const __m256i *)(p))
#define vec_group(p) splat_quad(p)
#define vec_dot(acc, a, b) dot_quads(acc, a, b)
#include "runtime/kernels/gemm_u8s8_tile.h"
