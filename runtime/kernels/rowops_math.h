/* Branch-free float32 functions, written so that compilers turn loops over them into vector code.
 * Polynomials are weighted least-maximum fits made for this file; each comment gives the interval and the error of the fit. */
#ifndef VLM_KERNELS_ROWOPS_MATH_H
#define VLM_KERNELS_ROWOPS_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A loop that calls is not vectorized, so whether they are inlined is not left to the compiler. */
#if defined(VLM_ROW_SMALL)
#define ROW_INLINE static inline
#else
#define ROW_INLINE static inline __attribute__((always_inline))
#endif
#define ROW_FMA(a, b, c) __builtin_fmaf(a, b, c)

ROW_INLINE float row_from_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

ROW_INLINE uint32_t row_bits(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

ROW_INLINE float row_abs(float x) { return row_from_bits(row_bits(x) & 0x7fffffffu); }
ROW_INLINE float row_with_sign(float magnitude, float sign) {
  return row_from_bits((row_bits(magnitude) & 0x7fffffffu) | (row_bits(sign) & 0x80000000u));
}

/* x = n ln 2 + r, |r| <= ln 2 / 2 for x in [-104, 89]; returns r. The product with the high part is exact. */
ROW_INLINE float row_exp_reduce(float x, float *n) {
  float k = ROW_FMA(x, 1.44269504f, 12582912.0f) - 12582912.0f;
  *n = k;
  return ROW_FMA(k, -1.4286068e-06f, ROW_FMA(k, -0.693145751953125f, x));
}

/* exp(r) - 1 on [-0.35, 0.35], relative error of the fit 3.4e-9. */
ROW_INLINE float row_expm1_core(float r) {
  float p = 1.395166968e-03f;
  p = ROW_FMA(p, r, 8.369603194e-03f);
  p = ROW_FMA(p, r, 4.166618735e-02f);
  p = ROW_FMA(p, r, 1.666651219e-01f);
  p = ROW_FMA(p, r, 5.000000000e-01f);
  return ROW_FMA(r * r, p, r);
}

ROW_INLINE float row_exp(float x) {
  float c = x < 89.0f ? x : 89.0f, n;
  c = c > -104.0f ? c : -104.0f;
  float y = row_expm1_core(row_exp_reduce(c, &n)) + 1.0f;
  /* 2^n in two factors: the product is rounded once, also when it is denormal or overflows. */
  int32_t k = (int32_t)n, half = k >> 1;
  y = y * row_from_bits((uint32_t)(half + 127) << 23) * row_from_bits((uint32_t)(k - half + 127) << 23);
  return x != x ? x : y;
}

ROW_INLINE float row_expm1(float x) {
  float n, small = row_expm1_core(row_exp_reduce(row_abs(x) < 0.34f ? x : 0.0f, &n));
  return row_abs(x) < 0.34f ? small : row_exp(x) - 1.0f;
}

/* log(1 + f) on [sqrt(1/2) - 1, sqrt(2) - 1], relative error of the fit 7.6e-10. */
ROW_INLINE float row_log(float x) {
  float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x;
  float shift = x < 1.17549435e-38f ? -23.0f : 0.0f;
  uint32_t bits = row_bits(scaled) - 0x3f3504f3u;
  float e = (float)((int32_t)bits >> 23) + shift;
  float f = row_from_bits((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  float p = 6.749445200e-02f;
  p = ROW_FMA(p, f, -1.167836338e-01f);
  p = ROW_FMA(p, f, 1.188831925e-01f);
  p = ROW_FMA(p, f, -1.240508556e-01f);
  p = ROW_FMA(p, f, 1.421945393e-01f);
  p = ROW_FMA(p, f, -1.666802615e-01f);
  p = ROW_FMA(p, f, 2.000212520e-01f);
  p = ROW_FMA(p, f, -2.500000894e-01f);
  p = ROW_FMA(p, f, 3.333331347e-01f);
  float square = f * f;
  float y = ROW_FMA(square * f, p, e * 1.4286068e-06f);
  y = ROW_FMA(square, -0.5f, y) + f;
  y = ROW_FMA(e, 0.693145751953125f, y);
  y = x == 0.0f ? -INFINITY : y;
  y = x < 0.0f ? NAN : y;
  return x < INFINITY ? y : x;
}

/* log(1 + x) for x in [0, 1]: the rounding of 1 + x is put back. */
ROW_INLINE float row_log1p_unit(float x) {
  float u = 1.0f + x;
  return row_log(u) + (x - (u - 1.0f)) / u;
}

/* |x| < 0.6: x + x^3 P(x^2), error of the fit 2.7e-9; else 1 - 2 / (exp(2|x|) + 1). */
ROW_INLINE float row_tanh(float x) {
  float a = row_abs(x), s = x * x;
  float p = -5.905681755e-03f;
  p = ROW_FMA(p, s, 2.080521546e-02f);
  p = ROW_FMA(p, s, -5.378663167e-02f);
  p = ROW_FMA(p, s, 1.333195716e-01f);
  p = ROW_FMA(p, s, -3.333329856e-01f);
  float small = ROW_FMA(x * s, p, x);
  float large = 1.0f - 2.0f / (row_exp(a + a) + 1.0f);
  return row_with_sign(a < 0.6f ? small : large, x);
}

/* |x| < 0.921875: x + x P(x^2), relative error of the fit 1.4e-8; else 1 - exp(Q(|x|)), error 1.6e-9. */
ROW_INLINE float row_erf(float x) {
  float a = row_abs(x), s = x * x, t = a < 4.0f ? a : 4.0f;
  float p = -6.013336242e-04f;
  p = ROW_FMA(p, s, 4.997988697e-03f);
  p = ROW_FMA(p, s, -2.677022293e-02f);
  p = ROW_FMA(p, s, 1.128192693e-01f);
  p = ROW_FMA(p, s, -3.761250675e-01f);
  p = ROW_FMA(p, s, 1.283791512e-01f);
  float small = ROW_FMA(x, p, x);
  float q = 1.959612564e-04f;
  q = ROW_FMA(q, t, -3.043437144e-03f);
  q = ROW_FMA(q, t, 2.222773805e-02f);
  q = ROW_FMA(q, t, -1.039331779e-01f);
  q = ROW_FMA(q, t, -6.371805668e-01f);
  q = ROW_FMA(q, t, -1.127676606e+00f);
  q = ROW_FMA(q, t, -1.954629988e-04f);
  float large = row_with_sign(1.0f - row_exp(q), x);
  float y = a < 0.921875f ? small : large;
  return x != x ? x : y;
}

ROW_INLINE float row_sigmoid(float x) {
  float e = row_exp(-row_abs(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

ROW_INLINE float row_gelu(float x) { return 0.5f * x * (1.0f + row_erf(x * 0.70710678f)); }
ROW_INLINE float row_gelu_tanh(float x) {
  return 0.5f * x * (1.0f + row_tanh(0.79788456f * ROW_FMA(0.044715f * x * x, x, x)));
}
ROW_INLINE float row_softplus(float x) {
  return (x > 0.0f || x != x ? x : 0.0f) + row_log1p_unit(row_exp(-row_abs(x)));
}

/* x tanh(log(1 + exp x)), with the hyperbolic tangent written as a ratio of polynomials in exp(-|x|). */
ROW_INLINE float row_mish(float x) {
  float e = row_exp(-row_abs(x));
  float top = x < 0.0f ? ROW_FMA(e, e, 2.0f * e) : ROW_FMA(2.0f, e, 1.0f);
  float more = x < 0.0f ? 2.0f : 2.0f * e * e;
  return x * (top / (top + more));
}

/* The exponent is moved by a multiplication, which makes subnormal halves right as well. */
ROW_INLINE float row_from_f16(uint16_t h) {
  uint32_t rest = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16;
  float finite = row_from_bits(rest) * 0x1p112f;
  uint32_t bits = rest >= 0x0f800000u ? rest + 0x70000000u : row_bits(finite);
  return row_from_bits(bits | sign);
}

ROW_INLINE uint16_t row_to_f16(float f) {
  uint32_t bits = row_bits(f), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  uint32_t normal = (rest + 0xfff + (rest >> 13 & 1) - 0x38000000u) >> 13;
  /* Results below 2^-14: adding 0.5 lets the adder round at the place of the last bit of a half. */
  uint32_t tiny = row_bits(row_from_bits(rest < 0x38800000u ? rest : 0) + 0.5f) - 0x3f000000u;
  uint32_t half = rest < 0x38800000u ? tiny : normal;
  half = rest >= 0x477ff000u ? 0x7c00 : half;
  half = rest > 0x7f800000u ? 0x7e00 : half;
  return (uint16_t)(sign | half);
}

ROW_INLINE uint16_t row_to_bf16(float f) {
  uint32_t bits = row_bits(f), rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return (uint16_t)((bits & 0x7fffffff) > 0x7f800000u ? bits >> 16 | 0x40 : rounded);
}

ROW_INLINE float row_min(float a, float b) { return a < b || a != a ? a : b; }
ROW_INLINE float row_max(float a, float b) { return a > b || a != a ? a : b; }

#endif
