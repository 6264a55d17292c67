/* Texts as integers: each different text gets the next id, from 0. */
#ifndef VLM_CALIB_TEXT_INDEX_H
#define VLM_CALIB_TEXT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/memory.h"

/* Zeroed = empty. Texts are copied. */
typedef struct vlm_text_index {
  vlm_arena *arena;
  const char **texts; /* by id */
  int32_t count, capacity;
  int32_t *slots; /* open addressing: id + 1; twice the capacity */
} vlm_text_index;

void vlm_text_index_free(vlm_text_index *index);
/* The id of text[0 .. bytes), new when *added (may be NULL) is set. */
vlm_status vlm_text_index_add(vlm_text_index *index, int32_t *id, bool *added, const char *text, size_t bytes,
                              vlm_error *err);
/* The id, or -1. */
int32_t vlm_text_index_find(const vlm_text_index *index, const char *text, size_t bytes);

#endif
