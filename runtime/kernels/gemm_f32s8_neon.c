#include <arm_neon.h>
#include <string.h>

#include "runtime/kernels/gemm_args.h"

static inline float32x4_t four_weights(const int8_t *p) {
  int32_t quad;
  memcpy(&quad, p, sizeof quad);
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(quad))))));
}

#define TILE_GEMM vlm_gemm_f32s8_neon
#define TILE_VECS 4
#define VEC float32x4_t
#define VEC_WIDTH 4
#define vec_zero() vdupq_n_f32(0)
#define vec_store(p, v) vst1q_f32(p, v)
#define vec_splat(p) vld1q_dup_f32(p)
#define vec_fma(a, b, c) vfmaq_f32(c, a, b)
#define vec_weights(p) four_weights(p)
#include "runtime/kernels/gemm_f32s8_tile.h"
