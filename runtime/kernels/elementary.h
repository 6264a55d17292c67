/* Elementary functions for float32 results, computed in double with operations that every machine does alike (no libm, no contraction).
 * Arguments are float32 values; results rounded to float32 are within 0.51 ulp. NaN and infinities as in C's Annex F. */
#ifndef VLM_KERNELS_ELEMENTARY_H
#define VLM_KERNELS_ELEMENTARY_H

/* Relative error below 1e-14 over the range of double. */
double vlm_exp64(double x);
double vlm_log64(double x);

float vlm_sin32(float x);
float vlm_cos32(float x);
float vlm_tan32(float x);
float vlm_asin32(float x);
float vlm_acos32(float x);
float vlm_atan32(float x);
float vlm_sinh32(float x);
float vlm_cosh32(float x);
float vlm_asinh32(float x);
float vlm_acosh32(float x);
float vlm_atanh32(float x);
float vlm_pow32(float x, float y);

#endif
