/* Private to the face: tensors inside, arrays outside. */
#ifndef VLM_FACE_ARRAYS_H
#define VLM_FACE_ARRAYS_H

#include <vlmq/base.h>

#include "runtime/base/tensor.h"

/* A view; the tensor's shape is known. */
vlm_array vlm_array_of(const char *name, const vlm_tensor *tensor);
/* A view the other way. VLM_USAGE: no data, a rank or a dim that cannot be, fewer bytes than the shape
 * has. */
vlm_status vlm_array_tensor(vlm_tensor *out, const vlm_array *array, vlm_error *err);

#endif
