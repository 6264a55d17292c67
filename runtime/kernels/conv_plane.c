/* Rows are padded once, the kernel then needs no test at the borders. */
#include "runtime/kernels/conv_plane.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/row_args.h"

enum { MAX_KERNEL_ROWS = 32 };

bool vlm_conv_is_depthwise(const vlm_conv_shape *s) {
  return !s->transposed && s->groups == s->channels && s->groups > 0 && s->in[0] == 1 && s->kernel[0] == 1 && s->out[0] == 1 &&
         s->pad[0] == 0 && s->kernel[1] <= MAX_KERNEL_ROWS && vlm_conv_volume(s->out) > 0 && vlm_conv_volume(s->kernel) > 0;
}

/* Rows of the input, then one row of zeros. */
size_t vlm_conv_plane_floats(const vlm_conv_shape *s) {
  return vlm_size_align((size_t)((s->in[1] + 1) * vlm_conv_plane_width(s)) * sizeof(float)) / sizeof(float);
}

void vlm_conv_plane_run(float *y, const vlm_conv_shape *s, const float *plane, const float *w, const vlm_kernels *kernels) {
  int64_t width = vlm_conv_plane_width(s);
  const float *zeros = plane + s->in[1] * width, *rows[MAX_KERNEL_ROWS];
  vlm_depthwise_f32_args d = {.rows = rows, .w = w, .kh_count = (int)s->kernel[1], .kw_count = (int)s->kernel[2]};
  d.stride = (size_t)s->stride[2];
  d.dilation = (size_t)s->dilation[2];
  d.n = (size_t)s->out[2];
  assert(s->kernel[1] <= MAX_KERNEL_ROWS);
  for (int64_t h = 0; h < s->out[1]; h++, y += s->out[2]) {
    for (int64_t k = 0; k < s->kernel[1]; k++) {
      int64_t source = vlm_conv_source(s, 1, h, k);
      rows[k] = source < 0 ? zeros : plane + source * width;
    }
    d.y = y;
    kernels->depthwise_f32->fn.depthwise_f32(&d);
  }
}
