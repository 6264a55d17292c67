/* Convolution geometry, always with three spatial axes (1-D and 2-D put ones in front), and the column packer of the implicit product. */
#ifndef VLM_KERNELS_IM2COL_H
#define VLM_KERNELS_IM2COL_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/kernels/gemm_f32.h"

typedef struct vlm_conv_shape {
  int64_t batch, channels, out_channels, groups;
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3]; /* pad: in front; what lies behind follows from `out` */
  bool transposed; /* output position o reads input (o + pad - k * dilation) / stride where that divides */
} vlm_conv_shape;

static inline int64_t vlm_conv_volume(const int64_t d[3]) { return d[0] * d[1] * d[2]; }

/* Input index along one axis for output o and kernel tap k, or -1 for padding. */
static inline int64_t vlm_conv_source(const vlm_conv_shape *s, int axis, int64_t o, int64_t k) {
  int64_t i = s->transposed ? o + s->pad[axis] - k * s->dilation[axis] : o * s->stride[axis] - s->pad[axis] + k * s->dilation[axis];
  if (s->transposed) {
    if (i < 0 || i % s->stride[axis] != 0) return -1;
    i /= s->stride[axis];
  }
  return i >= 0 && i < s->in[axis] ? i : -1;
}

/* For a vlm_pack_columns_f32: row (c * taps + tap), column = output position. Batch index b is image b / groups, group b % groups. */
typedef struct vlm_im2col {
  vlm_conv_shape shape;
  const float *x; /* [batch][channels][in...] */
} vlm_im2col;
void vlm_im2col_pack(void *im2col, const vlm_columns_f32 *wanted);

#endif
