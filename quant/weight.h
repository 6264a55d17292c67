/* Weights to s8 in [-127, 127], symmetric, one scale per output channel. */
#ifndef VLM_QUANT_WEIGHT_H
#define VLM_QUANT_WEIGHT_H

#include "runtime/base/memory.h"
#include "runtime/base/tensor.h"
#include "runtime/base/threads.h"

typedef struct vlm_weight_opts {
  bool per_tensor;      /* one scale for all channels: a deliberately bad recipe for comparisons */
  bool mse;             /* search the clip that minimises each channel's squared error; false = absmax */
  vlm_threads *threads; /* NULL = this thread; the result does not depend on it */
} vlm_weight_opts;

typedef struct vlm_weight_s8 {
  vlm_tensor data;  /* s8, shape of the input */
  vlm_tensor scale; /* f32 [channels of `axis`] */
  int32_t axis;
  double sqnr_db;
  bool tried, rounded; /* by what is known of the inputs (weight_round.h): judged; better than to nearest */
  double gain_db;      /* of the product's output, on samples that were not rounded with */
} vlm_weight_s8;

/* w: f32, any rank >= 1. Results live in the arena. VLM_INPUT on NaN or infinity (index in the message). */
vlm_status vlm_weight_quantize(vlm_weight_s8 *out, const vlm_tensor *w, int axis, const vlm_weight_opts *opts,
                               vlm_arena *arena, vlm_error *err);

#endif
