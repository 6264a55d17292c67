/* Convolution geometry, always with three spatial axes: 1-D and 2-D put ones in front. */
#ifndef VLM_KERNELS_CONV_SHAPE_H
#define VLM_KERNELS_CONV_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct vlm_conv_shape {
  int64_t batch, channels, out_channels, groups;
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3],
      pad[3];      /* pad: in front; what lies behind follows from `out` */
  bool transposed; /* output position o reads input (o + pad - k * dilation) / stride where that divides */
} vlm_conv_shape;

static inline int64_t vlm_conv_volume(const int64_t d[3]) { return d[0] * d[1] * d[2]; }

/* Products of a sum: kernel positions times channels of a group. */
static inline int64_t vlm_conv_depth(const vlm_conv_shape *s) {
  return s->channels / s->groups * vlm_conv_volume(s->kernel);
}

/* Input index along one axis for output o and kernel tap k, or -1 for padding. */
static inline int64_t vlm_conv_source(const vlm_conv_shape *s, int axis, int64_t o, int64_t k) {
  int64_t i = s->transposed ? o + s->pad[axis] - k * s->dilation[axis]
                            : o * s->stride[axis] - s->pad[axis] + k * s->dilation[axis];
  if (s->transposed) {
    if (i < 0 || i % s->stride[axis] != 0) return -1;
    i /= s->stride[axis];
  }
  return i >= 0 && i < s->in[axis] ? i : -1;
}

/* A plane of one column is one row: the same bytes, and its positions can be taken many at a time. */
static inline void vlm_conv_flatten(vlm_conv_shape *s) {
  bool column = !s->transposed && s->in[0] == 1 && s->out[0] == 1 && s->kernel[0] == 1 && s->pad[0] == 0 &&
                s->in[2] == 1 && s->out[2] == 1 && s->kernel[2] == 1 && s->pad[2] == 0;
  if (!column) return;
  int64_t *const axes[] = {s->in, s->out, s->kernel, s->stride, s->dilation, s->pad};
  for (int i = 0; i < 6; i++) {
    axes[i][2] = axes[i][1];
    axes[i][1] = axes[i][0];
  }
}

enum { VLM_CONV_RING = 32 }; /* input rows at once */

/* Input rows that an output row spans. */
static inline int64_t vlm_conv_extent(const vlm_conv_shape *s) {
  return (s->kernel[1] - 1) * s->dilation[1] + 1;
}

/* Whether the shape can be read by rows: one plane, no transposed form, few enough rows at once. */
static inline bool vlm_conv_has_rows(const vlm_conv_shape *s) {
  bool plane = s->in[0] == 1 && s->out[0] == 1 && s->kernel[0] == 1 && s->pad[0] == 0;
  return plane && !s->transposed && vlm_conv_extent(s) <= VLM_CONV_RING;
}

/* By rows, each output channel from one input channel. */
static inline bool vlm_conv_is_depthwise(const vlm_conv_shape *s) {
  return s->groups == s->channels && s->groups > 0 && vlm_conv_has_rows(s);
}

/* The same with every input channel as often as it has outputs: one channel in, one out. */
static inline vlm_conv_shape vlm_conv_spread(const vlm_conv_shape *s) {
  vlm_conv_shape spread = *s;
  spread.channels = spread.groups = s->out_channels;
  return spread;
}

/* Each output position reads the input position of the same number and no other. */
static inline bool vlm_conv_is_pointwise(const vlm_conv_shape *s) {
  bool same = !s->transposed;
  for (int i = 0; i < 3; i++)
    same = same && s->kernel[i] == 1 && s->stride[i] == 1 && s->pad[i] == 0 && s->in[i] == s->out[i];
  return same;
}

/* Transposed, and each input position makes a block of outputs of its own: the kernel is the stride. */
static inline bool vlm_conv_is_tiled(const vlm_conv_shape *s) {
  bool tiled = s->transposed && s->groups == 1 && s->kernel[0] == 1 && s->in[0] == 1 && s->out[0] == 1;
  for (int i = 1; i < 3; i++)
    tiled = tiled && s->kernel[i] == s->stride[i] && s->pad[i] == 0 && s->out[i] == s->in[i] * s->stride[i];
  return tiled;
}

#endif
