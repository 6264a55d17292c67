#include <immintrin.h>

#include "runtime/kernels/gemm_args.h"

#define TILE_GEMM vlm_gemm_f32s8_avx512vnni
#define TILE_VECS 4
#define VEC __m512
#define VEC_WIDTH 16
#define vec_zero() _mm512_setzero_ps()
#define vec_store(p, v) _mm512_storeu_ps(p, v)
#define vec_splat(p) _mm512_set1_ps(*(p))
#define vec_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vec_weights(p) _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(p))))
#include "runtime/kernels/gemm_f32s8_tile.h"
