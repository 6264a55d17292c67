/* Growable byte text and id lists, owned by the caller. Zero-initialise, append, free. */
#ifndef VLM_PIPELINE_BUFFER_H
#define VLM_PIPELINE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* A view of bytes that somebody else owns; not zero-terminated. */
typedef struct vlm_slice {
  const char *data;
  size_t bytes;
} vlm_slice;

/* data is zero-terminated once something was appended (NULL before). */
typedef struct vlm_text {
  char *data;
  size_t bytes, room;
} vlm_text;

vlm_status vlm_text_append(vlm_text *text, const char *data, size_t bytes, vlm_error *err);
/* Appends like printf; at most 1000 bytes per call. */
vlm_status vlm_text_print(vlm_text *text, vlm_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Forgets the content, keeps the memory. */
void vlm_text_clear(vlm_text *text);
void vlm_text_free(vlm_text *text);
/* The content as C text, "" when nothing was appended. */
const char *vlm_text_get(const vlm_text *text);

typedef struct vlm_ids {
  int32_t *data;
  size_t count, room;
} vlm_ids;

vlm_status vlm_ids_append(vlm_ids *ids, const int32_t *data, size_t count, vlm_error *err);
void vlm_ids_free(vlm_ids *ids);

#endif
