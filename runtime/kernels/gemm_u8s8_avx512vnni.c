#include <immintrin.h>
#include <string.h>

#include "runtime/kernels/gemm_args.h"

/* Four activations, in every lane. */
static inline __m512i splat_quad(const uint8_t *p) {
  int32_t quad;
  memcpy(&quad, p, sizeof quad);
  return _mm512_set1_epi32(quad);
}

/* Assembly, because gcc 12 spills every accumulator of a tile written with the intrinsic. */
static inline __m512i dot_quads(__m512i acc, __m512i a, __m512i b) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  return acc;
}

#define TILE_GEMM vlm_gemm_u8s8_avx512vnni
#define TILE_ROWS 12
#define TILE_VECS 2
#define TILE_KR 4
#define TILE_ARGS vlm_gemm_u8s8_args
#define TILE_A uint8_t
#define TILE_B int8_t
#define VEC __m512i
#define VEC_IN __m512i
#define VEC_WIDTH 16
#define vec_zero() _mm512_setzero_si512()
#define vec_store(p, v) _mm512_storeu_si512(p, v)
#define vec_weights(p) _mm512_loadu_si512(p)
#define vec_group(p) splat_quad(p)
#define vec_dot(acc, a, b) dot_quads(acc, a, b)
#include "runtime/kernels/gemm_u8s8_tile.h"
