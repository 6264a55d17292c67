#include <immintrin.h>

#include "runtime/kernels/gemm_args.h"

#define TILE_GEMM vlm_gemm_f32_avx2
#define TILE_GEMV vlm_gemv_f32_avx2
#define TILE_ROWS 6
#define TILE_VECS 2
#define VEC __m256
#define VEC_WIDTH 8
#define vec_zero() _mm256_setzero_ps()
#define vec_load(p) _mm256_loadu_ps(p)
#define vec_store(p, v) _mm256_storeu_ps(p, v)
#define vec_splat(p) _mm256_broadcast_ss(p)
#define vec_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#include "runtime/kernels/gemm_f32_tile.h"
