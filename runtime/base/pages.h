/* Memory in whole pages that can be given back piece by piece: large buffers that are touched only where they are used. */
#ifndef VLM_BASE_PAGES_H
#define VLM_BASE_PAGES_H

#include <stddef.h>

#include "runtime/base/status.h"

/* `bytes` zero bytes, page-aligned; pages are taken from the system when they are first written. Free with vlm_pages_free, same size. */
vlm_status vlm_pages_take(void **out, size_t bytes, vlm_error *err);
void vlm_pages_free(void *data, size_t bytes);
/* Gives the whole pages inside [data, data + bytes) back. Memory of a process reads as zeros afterwards, a mapped file as the file again. */
void vlm_pages_drop(const void *data, size_t bytes);

#endif
