#include <arm_neon.h>

#include "runtime/kernels/gemm_args.h"

#define TILE_GEMM vlm_gemm_f32_neon
#define TILE_GEMV vlm_gemv_f32_neon
#define TILE_ROWS 6
#define TILE_VECS 4
#define VEC float32x4_t
#define VEC_WIDTH 4
#define vec_zero() vdupq_n_f32(0)
#define vec_load(p) vld1q_f32(p)
#define vec_store(p, v) vst1q_f32(p, v)
#define vec_splat(p) vld1q_dup_f32(p)
#define vec_fma(a, b, c) vfmaq_f32(c, a, b)
#include "runtime/kernels/gemm_f32_tile.h"
