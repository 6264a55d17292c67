/* Private to exec/: what a context is. */
#ifndef VLM_EXEC_CONTEXT_PRIVATE_H
#define VLM_EXEC_CONTEXT_PRIVATE_H

#include "runtime/exec/session.h"
#include "runtime/kernels/kernels.h"
#include "runtime/ops/weights.h"

struct vlm_context {
  vlm_threads *threads;
  uint32_t cpu_mask;
  vlm_kernels kernels;
  int64_t max_loop_runs;
  const vlm_step_watch *watch;
  vlm_weights *weights; /* packed forms, held by the steps that use them */
};

#endif
