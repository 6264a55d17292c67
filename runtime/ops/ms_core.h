/* What com.microsoft's Attention and MultiHeadAttention share: attributes, padding masks, the attention itself. */
#ifndef VLM_OPS_MS_CORE_H
#define VLM_OPS_MS_CORE_H

#include "runtime/ops/sdpa.h"

/* The attributes that the rows start with. */
enum {
  VLM_MS_NUM_HEADS,
  VLM_MS_MASK_VALUE,
  VLM_MS_SCALE,
  VLM_MS_UNIDIRECTIONAL,
  VLM_MS_QKV_SIZES,
  VLM_MS_DO_ROTARY
};

typedef struct vlm_ms_sizes {
  int64_t batch, heads, t, fresh, past, d, dv; /* fresh: new keys; past: keys before them */
} vlm_ms_sizes;

typedef struct vlm_ms_core {
  vlm_sdpa a; /* all but the pointers of the run; the strides of q, k and v are the caller's to set */
  vlm_result y;
  size_t offset;
  int padding; /* input with the padding mask, -1 = none */
  enum { VLM_MS_LENGTHS, VLM_MS_BOUNDS, VLM_MS_KEYS, VLM_MS_ROWS, VLM_MS_SQUARE } form; /* what it says */
  float masked; /* added where it masks */
  bool biased;
  vlm_sdpa bias; /* with a padding mask: the additive one */
  int64_t mask_heads;
  size_t sum; /* both masks as one */
} vlm_ms_core;

/* Inputs with the padding mask and the additive bias, which may be absent. */
vlm_status vlm_ms_prepare(vlm_op_call *c, vlm_ms_core *core, const vlm_ms_sizes *sizes, int padding,
                          int bias);
/* With q, k, v and the scores that are wanted; the result is output 0. */
void vlm_ms_run(vlm_op_call *c, const vlm_ms_core *core, vlm_sdpa *a);

#endif
