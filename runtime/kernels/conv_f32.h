/* Float convolution, channels last inside.
 * y = sum over kernel position, then input channel of the group, in order, of x * w with fused multiply-add (padding
 * adds 0 * w), then + bias[o], + residual, activation. The layout of x and y does not change the sums. */
#ifndef VLM_KERNELS_CONV_F32_H
#define VLM_KERNELS_CONV_F32_H

#include "runtime/kernels/conv_shape.h"
#include "runtime/kernels/gemm_f32.h"

typedef struct vlm_conv_f32 {
  vlm_conv_shape shape;
  bool last; /* x, y, residual: [batch][spatial...][channels], else [batch][channels][spatial...] */
  const float *x;
  const float *weights;         /* from vlm_conv_f32_pack */
  const float *bias, *residual; /* bias [out_channels], residual of the shape of y; may be NULL */
  vlm_row_unary *activation;
  float params[4];
  float *y;
} vlm_conv_f32;

/* Floats of the packed weights. */
/* Of a tiled one: how many kernel rows a matrix makes, all when they are few columns together, else 1. */
int64_t vlm_conv_f32_rows_at_once(const vlm_conv_shape *shape, const vlm_kernels *kernels);
int64_t vlm_conv_f32_packed_count(const vlm_conv_shape *shape, const vlm_kernels *kernels);
/* Where the weights lie before packing. */
typedef struct vlm_conv_f32_source {
  const vlm_conv_shape *shape;
  const float *
      w; /* ONNX's order: [out_channels][channels / groups][kernel...], transposed [channels][out_channels / groups]
                     [kernel...]; the caller's, not kept */
  float *room; /* written: as many floats as w */
} vlm_conv_f32_source;
void vlm_conv_f32_pack(float *weights, const vlm_kernels *kernels, const vlm_conv_f32_source *source);

size_t vlm_conv_f32_scratch(const vlm_conv_f32 *conv, const vlm_kernels *kernels, const vlm_threads *threads);
void vlm_conv_f32_run(const vlm_conv_f32 *conv, const vlm_kernels *kernels, vlm_threads *threads,
                      void *scratch);

/* ONNX's order to [out_channels][kernel...][channels / groups]; elements of 1 or 4 bytes. */
void vlm_conv_weights_last(void *out, const void *w, const vlm_conv_shape *shape, int element_bytes);

#endif
