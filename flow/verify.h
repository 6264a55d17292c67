/* Verifying a packed file: every hash, every graph, and every golden case, run as the model runs. */
#ifndef VLM_FLOW_VERIFY_H
#define VLM_FLOW_VERIFY_H

#include "flow/open.h"
#include "pack/pack.h"
#include "runtime/exec/session.h"

typedef struct vlm_verify_result {
  vlm_pack_report file;
  int32_t passed;  /* golden cases that hold */
  int32_t not_run; /* those of no single graph that are not the answer of a pipeline (flow/golden.h) */
} vlm_verify_result;

/* VLM_INTEGRITY tells what is wrong; *out is then what was checked before. opts may be NULL: shapes for a single
 * graph. */
vlm_status vlm_flow_verify(vlm_verify_result *out, vlm_context *context, const char *path,
                           const vlm_flow_open_opts *opts, vlm_error *err);

#endif
