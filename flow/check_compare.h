/* Private to check: comparing two tensors. */
#ifndef VLM_FLOW_CHECK_COMPARE_H
#define VLM_FLOW_CHECK_COMPARE_H

#include "runtime/base/tensor.h"

/* VLM_INPUT with a message when `got` is not `wanted`; `name` is the output. */
vlm_status vlm_check_compare(const vlm_tensor *got, const vlm_tensor *wanted, const char *name, double rtol,
                             double atol, vlm_error *err);

#endif
