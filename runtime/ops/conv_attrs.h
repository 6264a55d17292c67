/* Convolution attributes, in the order of CONV_ATTRS of conv.def, and the geometry they give. */
#ifndef VLM_OPS_CONV_ATTRS_H
#define VLM_OPS_CONV_ATTRS_H

#include "runtime/kernels/conv_shape.h"
#include "runtime/ops/op.h"

enum {
  VLM_CONV_AUTO_PAD,
  VLM_CONV_DILATIONS,
  VLM_CONV_GROUP,
  VLM_CONV_KERNEL,
  VLM_CONV_PADS,
  VLM_CONV_STRIDES,
  VLM_CONV_MORE
};

/* x: [N, C, spatial…] with 1 to 3 spatial dims, w: [O, C / group, kernel…]. */
vlm_status vlm_conv_read(vlm_op_call *c, const vlm_tensor *x, const vlm_tensor *w, vlm_conv_shape *shape);
/* w: [C, O / group, kernel…]; output_padding and output_shape are the two attributes behind the common ones. */
vlm_status vlm_conv_transpose_read(vlm_op_call *c, const vlm_tensor *x, const vlm_tensor *w,
                                   vlm_conv_shape *shape);
/* Output 0 gets [N, O, spatial…] with as many spatial dims as x. */
void vlm_conv_out_shape(vlm_op_call *c, vlm_dtype dtype, const vlm_tensor *x, const vlm_conv_shape *shape);
/* [N, spatial…, O]. */
void vlm_conv_out_shape_last(vlm_op_call *c, vlm_dtype dtype, const vlm_tensor *x,
                             const vlm_conv_shape *shape);
/* The dims of [N, spatial…, C] in the order [N, C, spatial…]; the data stays where it is. */
vlm_tensor vlm_channels_first(const vlm_tensor *x);

#endif
