/* The one user of utf8proc. */
#include "runtime/text/tok_unicode.h"

#include <utf8proc.h>

static utf8proc_category_t category(uint32_t code) { return utf8proc_category((utf8proc_int32_t)code); }
static bool between(uint32_t code, utf8proc_category_t first, utf8proc_category_t last) {
  return category(code) >= first && category(code) <= last;
}

bool vlm_unicode_is_space(uint32_t code) {
  if (code < 0x80) return code == ' ' || (code >= 9 && code <= 13);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool vlm_unicode_is_punctuation(uint32_t code) {
  if (code < 0x80)
    return (code > 32 && code < 48) || (code > 57 && code < 65) || (code > 90 && code < 97) ||
           (code > 122 && code < 127);
  return between(code, UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO);
}

bool vlm_unicode_is_mark(uint32_t code) { return between(code, UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME); }
bool vlm_unicode_is_nonspacing(uint32_t code) { return category(code) == UTF8PROC_CATEGORY_MN; }
bool vlm_unicode_is_other(uint32_t code) { return between(code, UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CO); }
bool vlm_unicode_is_number(uint32_t code) {
  return between(code, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO);
}

uint32_t vlm_unicode_lower(uint32_t code, uint32_t *second) {
  *second = code == 0x130 ? 0x307 : 0;
  return code == 0x130 ? 'i' : (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
}

static bool is_ascii(vlm_slice text) {
  for (size_t i = 0; i < text.bytes; i++) {
    if ((unsigned char)text.data[i] >= 0x80) return false;
  }
  return true;
}

vlm_status vlm_unicode_normalize(vlm_arena *arena, vlm_slice *text, vlm_unicode_form form, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_builder b = vlm_builder_start(arena, err);
  const utf8proc_option_t compat = form >= VLM_NFKC ? UTF8PROC_STABLE | UTF8PROC_COMPAT : UTF8PROC_STABLE;
  const utf8proc_uint8_t *data = (const utf8proc_uint8_t *)text->data;
  if (is_ascii(*text)) return VLM_OK;
  utf8proc_ssize_t count =
      utf8proc_decompose(data, (utf8proc_ssize_t)text->bytes, NULL, 0, compat | UTF8PROC_DECOMPOSE);
  VLM_CHECK(count >= 0, err, VLM_INTERNAL, "decomposing a text failed: %s", utf8proc_errmsg(count));
  VLM_TRY(vlm_arena_alloc(arena, &memory, (size_t)count + 1, sizeof(utf8proc_int32_t), err));
  utf8proc_int32_t *codes = memory;
  count = utf8proc_decompose(data, (utf8proc_ssize_t)text->bytes, codes, count, compat | UTF8PROC_DECOMPOSE);
  if (form == VLM_NFC || form == VLM_NFKC)
    count = utf8proc_normalize_utf32(codes, count, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  VLM_CHECK(count >= 0, err, VLM_INTERNAL, "normalizing a text failed: %s", utf8proc_errmsg(count));
  for (utf8proc_ssize_t i = 0; i < count; i++) vlm_builder_code(&b, (uint32_t)codes[i]);
  VLM_TRY(vlm_builder_done(&b, text));
out:
  return st;
}

size_t vlm_unicode_grapheme(vlm_slice text) {
  uint32_t before, code;
  utf8proc_int32_t state = 0;
  size_t at = vlm_slice_code(text, &before);
  while (at < text.bytes) {
    const size_t used = vlm_slice_code(vlm_slice_part(text, at, text.bytes), &code);
    if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)code, &state)) break;
    before = code;
    at += used;
  }
  return at;
}
