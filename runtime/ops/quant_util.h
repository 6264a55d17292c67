/* Scales and zero points of quantized operators. */
#ifndef VLM_OPS_QUANT_UTIL_H
#define VLM_OPS_QUANT_UTIL_H

#include <math.h>

#include "runtime/ops/op.h"

/* Bounds of an integer type of at most 32 bits. */
void vlm_quant_bounds(vlm_dtype type, int64_t *low, int64_t *high);

/* saturate(round(x / scale) + zero), to nearest even; NaN gives the lowest value. The bounds are small enough to be exact in float. */
static inline int32_t vlm_quantize_value(float x, float scale, int32_t zero, int32_t low, int32_t high) {
  float q = x / scale, bottom = (float)(low - zero), top = (float)(high - zero);
  q = q > bottom ? q : bottom;
  q = q < top ? q : top;
  return (int32_t)rintf(q) + zero;
}

/* One scale and zero point (scalar or one element; absent zero = 0). Type: the type the zero point must have. VLM_UNKNOWN when the values are not
 * there yet. */
typedef struct vlm_quant_param {
  float scale;
  int32_t zero;
} vlm_quant_param;
vlm_status vlm_quant_param_read(vlm_op_call *c, int scale_at, int zero_at, vlm_dtype type,
                                vlm_quant_param *out);

/* Element types of byte operators; others are refused. */
vlm_status vlm_quant_check_byte(vlm_op_call *c, int k);
/* real[q] for every byte q of the type (index by the raw byte). */
void vlm_quant_real_table(float real[256], vlm_dtype type, vlm_quant_param p);
/* Stores a real value as a raw byte of the type. */
static inline uint8_t vlm_quant_byte(float x, vlm_quant_param p, bool is_signed) {
  return (uint8_t)vlm_quantize_value(x, p.scale, p.zero, is_signed ? -128 : 0, is_signed ? 127 : 255);
}

#endif
