/* Vectorised operations on contiguous float32 rows.
 *
 * One body (rowops_body.h) is compiled once per instruction set, so every level gives the same bits (a NaN may differ in sign and payload).
 * Elementwise results do not depend on the position in the row. Reductions keep 16 partial results, element i in partial i mod 16, and
 * join them pairwise: j with j + 8, then + 4, + 2, + 1. Input and output may be the same array, never overlap otherwise.
 * Errors: exp, log, tanh within 2 ulp, sigmoid 2.5 ulp, erf within 2e-7 absolute; sqrt and division are IEEE. NaN and infinities as in
 * numpy.
 *
 * Parameters p of unary operations: swish {factor of x inside the sigmoid}, elu / celu / leaky_relu {alpha}, selu {alpha, gamma},
 * clip {low, high}, hard_sigmoid {alpha, beta}; NULL for the others.
 * gelu = x/2 (1 + erf(x/sqrt 2)); gelu_tanh its tanh form; round is to nearest even; min, max give NaN when an operand is NaN. */
#ifndef VLM_KERNELS_ROWOPS_H
#define VLM_KERNELS_ROWOPS_H

#include <stdint.h>

typedef void vlm_row_unary(float *z, const float *x, int64_t n, const float *p);
/* Steps are 0 (one value for the whole row) or 1. */
typedef void vlm_row_binary(float *z, const float *a, int64_t a_step, const float *b, int64_t b_step,
                            int64_t n);
/* n = 0: sum 0, prod 1, max -inf, min inf, absmax 0. absmax skips NaN; the others yield NaN when the row holds one. */
typedef float vlm_row_reduce(const float *x, int64_t n);

/* What layer_norm and rms_norm have beside the row. */
typedef struct vlm_row_norm {
  const float *scale, *bias; /* [n]; layer_norm: bias may be NULL; rms_norm has none */
  float eps;
  float *mean, *inverse; /* written, one value each, when not NULL; rms_norm has no mean */
} vlm_row_norm;
/* z = (x - shift) * factor + offset, one value each for the row */
typedef struct vlm_row_map {
  float shift, factor, offset;
} vlm_row_map;

/* The fused operations (VLM_ROW_FUSED):
 * minmax       smallest and largest value; NaN is skipped. n = 0: +inf, -inf
 * softmax      z = exp(x - max) / sum, 0 where x - max < -60; log_softmax: z = x - max - log(sum)
 * layer_norm   z = (x - mean) / sqrt(var + eps) * scale + bias; mean and inverse deviation are stored
 * rms_norm     z = x / sqrt(mean(x^2) + eps) * scale; the inverse is stored
 * moments      mean and mean squared deviation; n = 0 gives NaN
 * affine       a vlm_row_map
 * add_scaled   z = a + b * factor, the accumulation step of column reductions
 * quantize     q = saturate(round(x / scale) + zero), round to nearest even, true division; NaN gives the lowest value
 * dequantize   x = (q - zero) * scale
 * max_u8       z = the larger byte
 * f16, bf16    IEEE half and bfloat16, to nearest even; the same bits as the functions of base/tensor.h */
typedef struct vlm_rowops {
  const char *name;
#define VLM_ROW_UNARY(name) vlm_row_unary *name;
#define VLM_ROW_BINARY(name) vlm_row_binary *name;
#define VLM_ROW_REDUCE(name) vlm_row_reduce *row_##name;
#define VLM_ROW_FUSED(name, parameters) void(*name) parameters;
#include "runtime/kernels/rowops.def"
} vlm_rowops;

/* The best table for a set of CPU levels (bit mask, base/cpu.h); never NULL. */
const vlm_rowops *vlm_rowops_for(uint32_t cpu_mask);

/* All tables and the level each needs (a vlm_cpu_level), for the checker. NULL past the end. */
const vlm_rowops *vlm_rowops_variant(int index, int *level);

#endif
