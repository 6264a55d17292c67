/* An array in the type that an input wants, when no value changes. */
#ifndef VLM_CALIB_ARRAY_FIT_H
#define VLM_CALIB_ARRAY_FIT_H

#include "runtime/base/tensor.h"

/* Replaces the array, whose data is its own, by one of the wanted type (VLM_NONE = as it is). VLM_INPUT names the first value that would
 * change. `name` stands in messages. */
vlm_status vlm_array_fit(vlm_tensor *array, vlm_dtype wanted, const char *name, vlm_error *err);

#endif
