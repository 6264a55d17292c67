/* Depthwise convolution: one padded plane per call of the kernel, for float and for 8 bits. */
#ifndef VLM_KERNELS_CONV_PLANE_H
#define VLM_KERNELS_CONV_PLANE_H

#include "runtime/kernels/im2col.h"
#include "runtime/kernels/kernels.h"

bool vlm_conv_is_depthwise(const vlm_conv_shape *shape);
/* Floats of a padded plane plus its zero row and the row pointers. */
size_t vlm_conv_plane_floats(const vlm_conv_shape *shape);
/* Runs the kernel over all output rows of a plane whose rows (padded in front by pad[2], zeros behind) lie `width` floats apart. */
void vlm_conv_plane_run(float *y, const vlm_conv_shape *shape, const float *plane, const float *w, const vlm_kernels *kernels);
static inline int64_t vlm_conv_plane_width(const vlm_conv_shape *s) {
  return (s->out[2] - 1) * s->stride[2] + (s->kernel[2] - 1) * s->dilation[2] + 1;
}

#endif
