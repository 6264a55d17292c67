#include "runtime/base/utf8.h"

/* Length of a sequence by its first byte and the bounds of its second byte (Unicode table 3-7). */
static size_t shape(unsigned char first, unsigned char *low, unsigned char *high) {
  *low = 0x80;
  *high = 0xBF;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) {
    if (first == 0xE0) *low = 0xA0;
    if (first == 0xED) *high = 0x9F;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (first == 0xF0) *low = 0x90;
    if (first == 0xF4) *high = 0x8F;
    return 4;
  }
  return 0;
}

size_t vlm_utf8_next_partial(const char *text, size_t bytes, uint32_t *code) {
  const unsigned char *s = (const unsigned char *)text;
  unsigned char low, high;
  const size_t length = shape(s[0], &low, &high);
  uint32_t value = length <= 1 ? s[0] : s[0] & (0x7Fu >> length);
  *code = VLM_UTF8_BAD;
  if (length == 0) return 1;
  for (size_t i = 1; i < length; i++) {
    if (i == bytes) {
      *code = VLM_UTF8_PARTIAL;
      return i;
    }
    if (s[i] < low || s[i] > high) return i;
    value = (value << 6) | (s[i] & 0x3Fu);
    low = 0x80;
    high = 0xBF;
  }
  *code = value;
  return length;
}

size_t vlm_utf8_next(const char *text, size_t bytes, uint32_t *code) {
  const size_t used = vlm_utf8_next_partial(text, bytes, code);
  if (*code == VLM_UTF8_PARTIAL) *code = VLM_UTF8_BAD;
  return used;
}

size_t vlm_utf8_put(char text[4], uint32_t code) {
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
  if (code < 0x80) {
    text[0] = (char)code;
    return 1;
  }
  const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = length - 1; i > 0; i--) {
    text[i] = (char)(0x80 | (code & 0x3F));
    code >>= 6;
  }
  text[0] = (char)((0xF00u >> length) | code);
  return length;
}
