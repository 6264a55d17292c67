/* Structs of the public headers that begin with their size, between programs and libraries of different
 * age. */
#ifndef VLM_FACE_SIZED_H
#define VLM_FACE_SIZED_H

#include <stddef.h>

#include "runtime/base/status.h"

/* Fills `ours` (`bytes` bytes, a struct of this library) from `theirs`; what they do not know is zero.
 * VLM_USAGE when theirs->size cannot be one, VLM_UNSUPPORTED when a field that we do not know is not zero.
 * `what` names the type. */
vlm_status vlm_sized_take(void *ours, size_t bytes, const void *theirs, const char *what, vlm_error *err);
/* The other way: as much as they know; theirs->size stays. */
vlm_status vlm_sized_give(void *theirs, const void *ours, size_t bytes, const char *what, vlm_error *err);

/* The same with the type's own name and size, and the check of a pointer. `ours` is a variable. */
#define VLM_TAKE(type, ours, theirs, err) vlm_sized_take(&(ours), sizeof(type), (theirs), #type, (err))
#define VLM_GIVE(type, theirs, ours, err) vlm_sized_give((theirs), &(ours), sizeof(type), #type, (err))
#define VLM_GIVEN(pointer) VLM_CHECK((pointer) != NULL, err, VLM_USAGE, "%s: %s is NULL", __func__, #pointer)

#endif
