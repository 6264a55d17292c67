/* Exact integer convolution with any zero points: ConvInteger, QLinearConv. */
#ifndef VLM_OPS_CONV_INTEGER_H
#define VLM_OPS_CONV_INTEGER_H

#include "runtime/kernels/conv_q8.h"
#include "runtime/ops/op.h"

/* Packed weights of input k (int8, or uint8 moved down by 128). */
vlm_status vlm_conv_q8_weights(vlm_op_call *c, int k, const vlm_conv_shape *shape, const void **out);
/* sums: [batch][out_channels][positions] of sum over the window of (x - x_zero) * (w - w_zero); padding counts as x_zero. x_zero is one
 * value, w_zero one or one per output channel; NULL = 0. */
vlm_status vlm_conv_integer_sums(vlm_op_call *c, const vlm_tensor *x, int w_input, const vlm_tensor *x_zero, const vlm_tensor *w_zero,
                                 const vlm_conv_shape *shape, int32_t *sums);

#endif
