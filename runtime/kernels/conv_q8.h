/* Integer convolution: uint8 activations, int8 weights, exact sums, the epilogue of gemm_q8.h; padding counts as the zero point.
 * x: float (quantized here with x_scale, x_zero) or uint8, [batch][channels][spatial...] or, `last`, [batch][spatial...][channels]; y in
 * the same order, float, uint8 or int32 sums. */
#ifndef VLM_KERNELS_CONV_Q8_H
#define VLM_KERNELS_CONV_Q8_H

#include "runtime/kernels/conv_f32.h"
#include "runtime/kernels/gemm_q8.h"

/* Weights in the form that vlm_conv_q8 reads, one block: packed panels, or plain floats when depthwise. */
bool vlm_conv_q8_weights_bytes(size_t *bytes, const vlm_conv_shape *shape, const vlm_kernels *kernels);
/* Where the weights lie before packing. */
typedef struct vlm_conv_q8_source {
  const vlm_conv_shape *shape;
  const void *w; /* as vlm_conv_f32_pack wants it; the caller's, not kept */
  void *room;    /* written: as many bytes as w */
  uint8_t flip;  /* XORed into every byte: 0x80 turns uint8 into int8 */
} vlm_conv_q8_source;
void vlm_conv_q8_weights_pack(void *block, const vlm_kernels *kernels, const vlm_conv_q8_source *source);

typedef struct vlm_conv_q8 {
  vlm_conv_shape shape;
  bool last;
  const float *x_f32;
  const uint8_t *x_u8; /* one of the two */
  float x_scale;
  int32_t x_zero;
  const void *weights;         /* from vlm_conv_q8_weights_pack */
  const float *w_scale, *bias; /* [out_channels]; bias may be NULL */
  vlm_row_unary *activation;
  float params[4];
  float *y;
  uint8_t *y_u8;
  int32_t *y_sums; /* one of the three */
  float y_scale;
  int32_t y_zero;
} vlm_conv_q8;

size_t vlm_conv_q8_scratch(const vlm_conv_q8 *conv, const vlm_kernels *kernels, const vlm_threads *threads);
void vlm_conv_q8_run(const vlm_conv_q8 *conv, const vlm_kernels *kernels, vlm_threads *threads,
                     void *scratch);

#endif
