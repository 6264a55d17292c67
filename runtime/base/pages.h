/* Memory in whole pages that can be given back piece by piece: large buffers that are touched only where they are used. */
#ifndef VLM_BASE_PAGES_H
#define VLM_BASE_PAGES_H

#include <stddef.h>

#include "runtime/base/status.h"

/* `bytes` zero bytes, page-aligned; pages are taken from the system when they are first written. Free with vlm_pages_free, same size. */
vlm_status vlm_pages_take(void **out, size_t bytes, vlm_error *err);
void vlm_pages_free(void *data, size_t bytes);
/* Memory of vlm_pages_take that will be touched whole: the system may back it with large pages, one fault instead of hundreds. */
void vlm_pages_all_used(void *data, size_t bytes);
/* Addresses alone: touching them ends the process until vlm_pages_open gives whole pages of them memory; vlm_pages_close takes it away again.
 * Free with vlm_pages_free. */
vlm_status vlm_pages_reserve(void **out, size_t bytes, vlm_error *err);
vlm_status vlm_pages_open(void *data, size_t bytes, vlm_error *err);
void vlm_pages_close(void *data, size_t bytes);
size_t vlm_page_bytes(void);
/* Gives the whole pages inside [data, data + bytes) back. Memory of a process reads as zeros afterwards, a mapped file as the file again. */
void vlm_pages_drop(const void *data, size_t bytes);

#endif
