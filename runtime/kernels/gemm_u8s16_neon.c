#include <arm_neon.h>
#include <string.h>

#include "runtime/kernels/gemm_args.h"

/* Two activations as int16, in every lane. */
static inline int16x8_t splat_pair(const uint16_t *p) {
  int32_t pair;
  memcpy(&pair, p, sizeof pair);
  return vreinterpretq_s16_s32(vdupq_n_s32(pair));
}

/* Products in 32 bit, neighbours added: exact. */
static inline int32x4_t dot_pairs(int32x4_t acc, int16x8_t a, int16x8_t b) {
  return vaddq_s32(acc, vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b)));
}

#define TILE_GEMM vlm_gemm_u8s16_neon
#define TILE_ROWS 6
#define TILE_VECS 4
#define TILE_KR 2
#define TILE_ARGS vlm_gemm_u8s16_args
#define TILE_A uint16_t
#define TILE_B int16_t
#define VEC int32x4_t
#define VEC_IN int16x8_t
#define VEC_WIDTH 4
#define vec_zero() vdupq_n_s32(0)
#define vec_store(p, v) vst1q_s32(p, v)
#define vec_weights(p) vld1q_s16(p)
#define vec_group(p) splat_pair(p)
#define vec_dot(acc, a, b) dot_pairs(acc, a, b)
#include "runtime/kernels/gemm_u8s8_tile.h"
