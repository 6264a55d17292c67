/* Float convolution on [batch][channels][spatial...], as an implicit matrix product, or directly when it is depthwise.
 * y = sum over input channel, then kernel position, in order, of w * x with fused multiply-add (padding adds w * 0), then the epilogue:
 * + bias[o], + residual, activation. w: [out_channels][channels / groups][kernel...]; for a transposed convolution it is first brought
 * into that order by vlm_conv_transpose_weights. */
#ifndef VLM_KERNELS_CONV_F32_H
#define VLM_KERNELS_CONV_F32_H

#include "runtime/kernels/gemm_f32.h"
#include "runtime/kernels/im2col.h"

typedef struct vlm_conv_f32 {
  vlm_conv_shape shape;
  const float *x, *w, *bias, *residual; /* bias, residual (shape of y) may be NULL */
  vlm_row_unary *activation;
  float params[4];
  float *y;
  vlm_pack_columns_f32 *pack; /* other source of columns (deformable convolution); NULL = im2col of x */
  void *pack_user;
} vlm_conv_f32;

size_t vlm_conv_f32_scratch(const vlm_conv_f32 *conv, const vlm_kernels *kernels, const vlm_threads *threads);
void vlm_conv_f32_run(const vlm_conv_f32 *conv, const vlm_kernels *kernels, vlm_threads *threads, void *scratch);

/* [channels][out_channels / groups][taps] -> [out_channels][channels / groups][taps]; element size 4 or 1. */
void vlm_conv_transpose_weights(void *out, const void *w, const vlm_conv_shape *shape, int element_bytes);

#endif
