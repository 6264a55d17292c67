/* The geometry of pooling windows: kernel, strides, pads, dilations of up to three spatial dims, always presented as three. */
#ifndef VLM_OPS_POOL_WINDOW_H
#define VLM_OPS_POOL_WINDOW_H

#include "runtime/ops/op.h"

enum { VLM_POOL_SPACE = 3 };

/* Attributes every pooling row starts with, in this order (pool.def). */
enum {
  VLM_POOL_AUTO_PAD,
  VLM_POOL_KERNEL,
  VLM_POOL_PADS,
  VLM_POOL_STRIDES,
  VLM_POOL_DILATIONS,
  VLM_POOL_CEIL,
  VLM_POOL_MORE
};

typedef struct vlm_pool_window {
  int64_t planes; /* N * C */
  int64_t in[VLM_POOL_SPACE], out[VLM_POOL_SPACE];
  int64_t kernel[VLM_POOL_SPACE], stride[VLM_POOL_SPACE], dilation[VLM_POOL_SPACE];
  int64_t before[VLM_POOL_SPACE], after[VLM_POOL_SPACE]; /* pads */
} vlm_pool_window;

/* From the attributes and input 0, [N, C, spatial…]; missing leading spatial dims become 1. */
vlm_status vlm_pool_window_read(vlm_op_call *c, vlm_pool_window *w);
/* Kernel taps [*from, *to) of output position `at` along dim d that fall inside the input. */
void vlm_pool_taps(const vlm_pool_window *w, int d, int64_t at, int64_t *from, int64_t *to);
/* How many taps an average divides by along dim d: those inside the input, or inside its padding too. */
int64_t vlm_pool_count(const vlm_pool_window *w, bool include_pad, int d, int64_t at);

#endif
