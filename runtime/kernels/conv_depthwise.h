/* Depthwise convolution, channels last: the driver of depthwise_f32, for float and for 8 bits. */
#ifndef VLM_KERNELS_CONV_DEPTHWISE_H
#define VLM_KERNELS_CONV_DEPTHWISE_H

#include "runtime/base/threads.h"
#include "runtime/kernels/conv_input.h"
#include "runtime/kernels/kernels.h"

typedef struct vlm_conv_depthwise {
  const vlm_conv_input *in;  /* of floats */
  const float *w;            /* [kernel...][channels] */
  const float *scale, *bias; /* of depthwise_f32 */
  float *y;                  /* [batch][spatial...][channels]; NULL = rows pass through `finish` alone */
  /* Called for each row when it is made: elements [at, at + n) of the output, whole pixels. */
  void (*finish)(const void *user, float *row, int64_t at, int64_t n);
  const void *user;
} vlm_conv_depthwise;

size_t vlm_conv_depthwise_scratch(const vlm_conv_shape *shape, const vlm_threads *threads);
void vlm_conv_depthwise_run(const vlm_conv_depthwise *conv, const vlm_kernels *kernels, vlm_threads *threads,
                            void *scratch);

#endif
