#include <immintrin.h>

#include "runtime/kernels/gemm_args.h"

#define TILE_GEMM vlm_gemm_f32_avx512vnni
#define TILE_GEMV vlm_gemv_f32_avx512vnni
#define TILE_ROWS 12
#define TILE_VECS 2
#define VEC __m512
#define VEC_WIDTH 16
#define vec_zero() _mm512_setzero_ps()
#define vec_load(p) _mm512_loadu_ps(p)
#define vec_store(p, v) _mm512_storeu_ps(p, v)
#define vec_splat(p) _mm512_set1_ps(*(p))
#define vec_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#include "runtime/kernels/gemm_f32_tile.h"
