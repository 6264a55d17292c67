/* One tensor's contribution to its statistics. */
#ifndef VLM_CALIB_ACCUMULATE_H
#define VLM_CALIB_ACCUMULATE_H

#include "calib/stats.h"
#include "runtime/base/threads.h"

/* Rows of a token sequence by origin: tensors [batch, image + prompt, channels] are split there; image = prompt = 0: all rows are `rest`. */
typedef struct vlm_token_layout {
  int64_t image, prompt;
  vlm_token_kind rest;
} vlm_token_layout;

/* Adds a tensor of floats, as float32 (other types are ignored). Integer arithmetic only: the result does not depend on threads (NULL = this one) or
 * order. layout NULL: neither channels nor kinds of tokens, which no recipe reads; a tensor that was measured both ways has no channels. */
vlm_status vlm_accumulate(vlm_tensor_stats *stats, const vlm_tensor *tensor, const vlm_token_layout *layout,
                          vlm_digest sample, vlm_threads *threads, vlm_error *err);

#endif
