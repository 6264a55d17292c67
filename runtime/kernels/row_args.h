/* The contracts of the kinds that work along a row: epilogue, conversion, depthwise convolution. n may be 0.
 */
#ifndef VLM_KERNELS_ROW_ARGS_H
#define VLM_KERNELS_ROW_ARGS_H

#include "runtime/kernels/kernels.h"

/* Int32 sums into floats: y[j] = fmaf((float)(acc[j] - zero_point * colsum[j]), a_scale * w_scale[j],
 * bias[j]), the difference modulo 2^32. */
struct vlm_q8_row_args {
  float *y;              /* written: n floats */
  const int32_t *acc;    /* n sums of activations (with their zero point) times weights */
  const int32_t *colsum; /* n sums of the weights alone */
  const float *w_scale;  /* n scales of the output channels */
  const float *bias;     /* n floats, NULL = 0 */
  float a_scale;         /* of the activations of this row */
  int32_t zero_point;
  size_t n;
};

/* y[j] = x[j], zero-extended. */
struct vlm_widen_u8_args {
  uint16_t *y;
  const uint8_t *x;
  size_t n;
};

/* y[j] = x[j], sign-extended. */
struct vlm_widen_s8_args {
  int16_t *y;
  const int8_t *x;
  size_t n;
};

/* q[j] = saturate(round(x[j] / scale) + zero), round to nearest even, true division; NaN gives 0. The same
 * function as rowops' quantize_u8, by hand. */
struct vlm_quantize_u8_args {
  uint8_t *q; /* written: n bytes */
  const float *x;
  size_t n;
  float scale;  /* > 0 */
  int32_t zero; /* 0 … 255 */
};

/* One output row of a depthwise convolution, channels last: y[i][c] = sum over kh, then kw, of
 * rows[kh][i * stride + kw * dilation][c] * w[kh][kw][c], from 0, fused multiply-add; i < n. Then + bias[c], or
 * sum * scale[c] + bias[c], rounded once. */
struct vlm_depthwise_f32_args {
  float *y;                 /* written: n pixels of `channels` floats */
  const float *const *rows; /* kh_count pointers to input rows of (n - 1) * stride + (kw_count - 1) * dilation
                               + 1 pixels, padding included */
  const float *w;           /* [kh_count][kw_count][channels] */
  const float *scale, *bias; /* channels floats each; NULL = none */
  int kh_count, kw_count;
  size_t stride, dilation; /* >= 1 */
  size_t channels, n;
};

#endif
