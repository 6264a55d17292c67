#include "calib/text_index.h"

#include <string.h>

#include "runtime/base/hash.h"

/* The slot where the text is or would be. */
static uint32_t slot_of(const vlm_text_index *index, const char *text, size_t bytes) {
  const uint32_t mask = (uint32_t)index->capacity * 2 - 1;
  uint32_t slot = (uint32_t)vlm_xxh64(text, bytes) & mask;
  for (; index->slots[slot]; slot = (slot + 1) & mask) {
    const char *known = index->texts[index->slots[slot] - 1];
    if (strncmp(known, text, bytes) == 0 && !known[bytes]) break;
  }
  return slot;
}

static vlm_status grow(vlm_text_index *index, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int32_t more = index->capacity ? index->capacity * 2 : 1024;
  VLM_CHECK(more < 1 << 29, err, VLM_LIMIT, "more than %d different words or names", index->capacity);
  VLM_TRY(vlm_more(&index->texts, index->capacity, more, err));
  vlm_free(index->slots);
  index->slots = NULL;
  index->capacity = 0;
  VLM_TRY(vlm_new(&index->slots, (size_t)more * 2, err));
  index->capacity = more;
  for (int32_t i = 0; i < index->count; i++)
    index->slots[slot_of(index, index->texts[i], strlen(index->texts[i]))] = i + 1;
out:
  return st;
}

vlm_status vlm_text_index_add(vlm_text_index *index, int32_t *id, bool *added, const char *text, size_t bytes,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  if (!index->arena) VLM_TRY(vlm_arena_create(&index->arena, err));
  if (index->count == index->capacity) VLM_TRY(grow(index, err));
  const uint32_t slot = slot_of(index, text, bytes);
  if (added) *added = !index->slots[slot];
  if (!index->slots[slot]) {
    char *copy = NULL;
    VLM_TRY(vlm_arena_new(index->arena, &copy, bytes + 1, err));
    memcpy(copy, text, bytes);
    index->texts[index->count++] = copy;
    index->slots[slot] = index->count;
  }
  *id = index->slots[slot] - 1;
out:
  return st;
}

int32_t vlm_text_index_find(const vlm_text_index *index, const char *text, size_t bytes) {
  return index->capacity ? index->slots[slot_of(index, text, bytes)] - 1 : -1;
}

void vlm_text_index_free(vlm_text_index *index) {
  if (index->arena) vlm_arena_free(index->arena);
  vlm_free(index->texts);
  vlm_free(index->slots);
  *index = (vlm_text_index){.count = 0};
}
