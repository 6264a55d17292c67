#include <arm_neon.h>
#include <string.h>

#include "runtime/kernels/gemm_args.h"

/* Four activations, moved down by 128 to int8 (sdot wants equal signs), in every lane. */
static inline int8x16_t splat_quad(const uint8_t *p) {
  uint32_t quad;
  memcpy(&quad, p, sizeof quad);
  return vreinterpretq_s8_u32(vdupq_n_u32(quad ^ 0x80808080u));
}

#define TILE_GEMM vlm_gemm_u8s8_dotprod
#define TILE_ROWS 5
#define TILE_VECS 4
#define TILE_KR 4
#define TILE_ARGS vlm_gemm_u8s8_args
#define TILE_A uint8_t
#define TILE_B int8_t
#define VEC int32x4_t
#define VEC_IN int8x16_t
#define VEC_WIDTH 4
#define vec_zero() vdupq_n_s32(0)
#define vec_store(p, v) vst1q_s32(p, v)
#define vec_weights(p) vld1q_s8(p)
#define vec_group(p) splat_quad(p)
#define vec_dot(acc, a, b) vdotq_s32(acc, a, b)
#define TILE_OFFSET 128
#define vec_ones() vdupq_n_s8(1)
#define vec_restore(acc, sums) vmlaq_n_s32(acc, sums, TILE_OFFSET)
#include "runtime/kernels/gemm_u8s8_tile.h"
