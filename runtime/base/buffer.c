#include "runtime/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"

/* Makes room for `more` further elements. */
static vlm_status reserve(void **data, size_t count, size_t *room, size_t more, size_t size, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t need;
  VLM_CHECK(vlm_size_add(count, more, &need) && vlm_size_mul(need, 2, &need), err, VLM_LIMIT,
            "a buffer of %zu elements cannot grow by %zu", count, more);
  if (count + more <= *room) return VLM_OK;
  if (need < 32) need = 32;
  VLM_TRY(vlm_grow(data, *room, need, size, err));
  *room = need;
out:
  return st;
}

vlm_status vlm_text_append(vlm_text *text, const char *data, size_t bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = text->data;
  VLM_TRY(reserve(&memory, text->bytes + 1, &text->room, bytes, 1, err));
  text->data = memory;
  if (bytes) memcpy(text->data + text->bytes, data, bytes);
  text->bytes += bytes;
  text->data[text->bytes] = 0;
out:
  return st;
}

vlm_status vlm_text_print(vlm_text *text, vlm_error *err, const char *format, ...) {
  char piece[1000];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(piece, sizeof piece, format, list);
  va_end(list);
  if (n < 0) return vlm_fail(err, VLM_INTERNAL, "a text could not be formatted");
  return vlm_text_append(text, piece, (size_t)n < sizeof piece ? (size_t)n : sizeof piece - 1, err);
}

void vlm_text_clear(vlm_text *text) {
  text->bytes = 0;
  if (text->data) text->data[0] = 0;
}

void vlm_text_free(vlm_text *text) {
  vlm_free(text->data);
  *text = (vlm_text){0};
}

const char *vlm_text_get(const vlm_text *text) { return text->data ? text->data : ""; }

vlm_status vlm_ids_append(vlm_ids *ids, const int32_t *data, size_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = ids->data;
  VLM_TRY(reserve(&memory, ids->count, &ids->room, count, sizeof *data, err));
  ids->data = memory;
  if (count) memcpy(ids->data + ids->count, data, count * sizeof *data);
  ids->count += count;
out:
  return st;
}

void vlm_ids_free(vlm_ids *ids) {
  vlm_free(ids->data);
  *ids = (vlm_ids){0};
}
