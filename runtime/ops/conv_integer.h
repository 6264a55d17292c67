/* Exact integer convolution with any zero points: ConvInteger, QLinearConv. */
#ifndef VLM_OPS_CONV_INTEGER_H
#define VLM_OPS_CONV_INTEGER_H

#include "runtime/kernels/conv_q8.h"
#include "runtime/ops/packed.h"
#include "runtime/ops/prepare.h"

/* Packed weights of input k (int8, or uint8 moved down by 128). layout: what vlm_conv_q8_scratch needs of them. */
typedef struct vlm_conv_q8_packed {
  vlm_packed w;
  vlm_q8_weights layout;
} vlm_conv_q8_packed;
vlm_status vlm_conv_q8_pack(vlm_op_call *c, vlm_conv_q8_packed *packed, int k, const vlm_conv_shape *shape);

/* sums: [batch][out_channels][positions] of sum over the window of (x - x_zero) * (w - w_zero); padding counts as x_zero. */
typedef struct vlm_conv_sums {
  vlm_conv_shape shape, ones;
  vlm_conv_q8_packed w;
  int w_input, x_zero,
      w_zero; /* inputs; zeros -1 = 0; x_zero is one value, w_zero one or one per output channel */
  void *
      ones_packed; /* weights of one, for the sums of the windows; NULL when the weights surely have no zero point */
  size_t x, windows, scratch;
} vlm_conv_sums;
vlm_status vlm_conv_sums_prepare(vlm_op_call *c, vlm_conv_sums *s, int w_input, int x_zero, int w_zero);
/* x is input 0. */
vlm_status vlm_conv_sums_run(vlm_op_call *c, const vlm_conv_sums *s, int32_t *sums);

#endif
