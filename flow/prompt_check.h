/* Prompts that name a task which the model does not have. */
#ifndef VLM_FLOW_PROMPT_CHECK_H
#define VLM_FLOW_PROMPT_CHECK_H

#include "calib/dataset.h"
#include "runtime/bundle/bundle.h"

/* VLM_INPUT when a text in <...> in one of the prompts, or in those of the set (may be NULL), is neither a task nor a token of the model;
 * the message names the nearest. */
vlm_status vlm_prompts_check(const vlm_bundle *bundle, const vlm_dataset *set, const char *const *prompts,
                             int32_t count, vlm_error *err);

#endif
