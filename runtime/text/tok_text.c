#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "runtime/text/tok.h"
#include "runtime/base/utf8.h"

bool vlm_slice_equal(vlm_slice a, vlm_slice b) {
  return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

bool vlm_slice_starts(vlm_slice text, vlm_slice prefix) {
  return text.bytes >= prefix.bytes &&
         (prefix.bytes == 0 || memcmp(text.data, prefix.data, prefix.bytes) == 0);
}

vlm_slice vlm_slice_part(vlm_slice text, size_t from, size_t to) {
  return (vlm_slice){text.data + from, to - from};
}
vlm_slice vlm_slice_of(const char *text) { return (vlm_slice){text, strlen(text)}; }

size_t vlm_slice_code(vlm_slice text, uint32_t *code) { return vlm_utf8_next(text.data, text.bytes, code); }

size_t vlm_slice_last_code(vlm_slice text, uint32_t *code) {
  size_t from = text.bytes - 1;
  while (from > 0 && ((unsigned char)text.data[from] & 0xC0) == 0x80) from--;
  vlm_utf8_next(text.data + from, text.bytes - from, code);
  return text.bytes - from;
}

vlm_status vlm_slice_copy(vlm_arena *arena, vlm_slice *out, vlm_slice text, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(arena, &memory, text.bytes + 1, 1, err));
  if (text.bytes) memcpy(memory, text.data, text.bytes);
  *out = (vlm_slice){memory, text.bytes};
out:
  return st;
}

vlm_status vlm_slice_repair(vlm_arena *arena, vlm_slice *out, vlm_slice text, vlm_error *err) {
  vlm_builder b = vlm_builder_start(arena, err);
  bool changed = false;
  size_t clean = 0; /* everything before is copied */
  for (size_t i = 0; i < text.bytes;) {
    uint32_t code;
    const size_t used = vlm_utf8_next(text.data + i, text.bytes - i, &code);
    if (code == VLM_UTF8_BAD) {
      vlm_builder_add(&b, vlm_slice_part(text, clean, i));
      vlm_builder_code(&b, 0xFFFD);
      clean = i + used;
      changed = true;
    }
    i += used;
  }
  *out = text;
  if (!changed) return VLM_OK;
  vlm_builder_add(&b, vlm_slice_part(text, clean, text.bytes));
  return vlm_builder_done(&b, out);
}

vlm_status vlm_slice_get(vlm_arena *arena, vlm_slice *out, vlm_json object, const char *key,
                         vlm_json_need need, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_slice text;
  const vlm_json value = vlm_json_member(object, key);
  if (vlm_json_is_null(value)) {
    if (need == VLM_JSON_REQUIRED)
      st = vlm_json_fail(object, err, VLM_INPUT, "member \"%s\" is missing", key);
    return st;
  }
  VLM_TRY(vlm_json_as_bytes(&text.data, &text.bytes, value, err));
  VLM_TRY(vlm_slice_copy(arena, out, text, err));
out:
  return st;
}

/* ---- builder ---- */

vlm_builder vlm_builder_start(vlm_arena *arena, vlm_error *err) {
  return (vlm_builder){.arena = arena, .err = err, .status = VLM_OK};
}

void vlm_builder_add(vlm_builder *builder, vlm_slice text) {
  void *memory = builder->data;
  if (builder->status != VLM_OK || text.bytes == 0) return;
  builder->status = vlm_tok_grow(builder->arena, &memory, builder->bytes, &builder->room,
                                 builder->bytes + text.bytes, 1, builder->err);
  if (builder->status != VLM_OK) return;
  builder->data = memory;
  memcpy(builder->data + builder->bytes, text.data, text.bytes);
  builder->bytes += text.bytes;
}

void vlm_builder_code(vlm_builder *builder, uint32_t code) {
  char text[4];
  vlm_builder_add(builder, (vlm_slice){text, vlm_utf8_put(text, code)});
}

vlm_status vlm_builder_done(vlm_builder *builder, vlm_slice *out) {
  *out = (vlm_slice){builder->data ? builder->data : "", builder->bytes};
  return builder->status;
}

vlm_status vlm_slice_replace(vlm_arena *arena, vlm_slice *out, vlm_slice text, vlm_slice what, vlm_slice with,
                             vlm_error *err) {
  vlm_builder b = vlm_builder_start(arena, err);
  const char *at = text.data, *const end = text.data + text.bytes, *hit;
  bool changed = false;
  *out = text;
  while ((hit = memmem(at, (size_t)(end - at), what.data, what.bytes)) != NULL) {
    vlm_builder_add(&b, (vlm_slice){at, (size_t)(hit - at)});
    vlm_builder_add(&b, with);
    at = hit + what.bytes;
    changed = true;
  }
  if (!changed) return VLM_OK;
  vlm_builder_add(&b, (vlm_slice){at, (size_t)(end - at)});
  return vlm_builder_done(&b, out);
}

vlm_status vlm_tok_grow(vlm_arena *arena, void **data, size_t count, size_t *room, size_t need, size_t size,
                        vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  if (need <= *room) return VLM_OK;
  const size_t grown = need < 16 ? 32 : need * 2;
  VLM_TRY(vlm_arena_alloc(arena, &memory, grown, size, err));
  if (count) memcpy(memory, *data, count * size);
  *data = memory;
  *room = grown;
out:
  return st;
}

vlm_status vlm_tok_pieces_add(vlm_tok_pieces *pieces, vlm_tok_piece piece, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = pieces->items;
  VLM_TRY(vlm_tok_grow(pieces->arena, &memory, pieces->count, &pieces->room, pieces->count + 1, sizeof piece,
                       err));
  pieces->items = memory;
  pieces->items[pieces->count++] = piece;
out:
  return st;
}
