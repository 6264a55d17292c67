/* What a step is, for a profile: how much it does, with which kernel, on which layout, and what was joined into it. */
#ifndef VLM_FLOW_PROFILE_STEP_H
#define VLM_FLOW_PROFILE_STEP_H

#include "runtime/ops/op.h"

typedef struct vlm_step_facts {
  double macs, bytes; /* of one run; bytes: what it reads and writes, each tensor once */
  const char *kernel; /* the function that does most of it, or what it does without one */
  const char *layout; /* "NHWC", "NCHW", "columns", "rows" */
  bool integer;       /* it multiplies bytes */
  char joined[64];    /* "bias, Gelu, add"; empty = nothing */
} vlm_step_facts;

/* Of a call that has run: shapes are known. */
void vlm_step_facts_read(vlm_step_facts *out, vlm_op_call *call);

#endif
