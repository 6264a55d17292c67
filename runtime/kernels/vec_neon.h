/* The vector vocabulary of the float tiles, 4 lanes. vec_*_some touch the first n lanes alone, n <= 0 none. */
#include <arm_neon.h>

#define VEC float32x4_t
#define VEC_WIDTH 4
#define vec_zero() vdupq_n_f32(0)
#define vec_load(p) vld1q_f32(p)
#define vec_store(p, v) vst1q_f32(p, v)
#define vec_splat(p) vld1q_dup_f32(p)
#define vec_fma(a, b, c) vfmaq_f32(c, a, b)
#define vec_load_some(p, n) neon_load_some(p, n)
#define vec_store_some(p, v, n) neon_store_some(p, v, n)
#define vec_add(a, b) vaddq_f32(a, b)

static inline VEC neon_load_some(const float *p, int n) {
  float lanes[VEC_WIDTH] = {0};
  for (int i = 0; i < n && i < VEC_WIDTH; i++) lanes[i] = p[i];
  return vld1q_f32(lanes);
}
static inline void neon_store_some(float *p, VEC v, int n) {
  float lanes[VEC_WIDTH];
  vst1q_f32(lanes, v);
  for (int i = 0; i < n && i < VEC_WIDTH; i++) p[i] = lanes[i];
}
