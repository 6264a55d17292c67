/* Precompiled: the character map of SentencePiece models. The file holds, in base64: u32 size of a trie in bytes, the trie (u32 units,
 * little-endian), and zero-terminated replacement texts. The trie is a Darts-clone double array over UTF-8 bytes
 * (github.com/s-yata/darts-clone, include/darts.h); its values are offsets into the texts.
 *
 * A grapheme cluster of fewer than 6 bytes is replaced as a whole when a prefix of it is in the map, otherwise each character is; the
 * shortest prefix in the map counts. This is what the Rust tokenizers do, which differs from SentencePiece's longest match. */
#include <string.h>

#include "runtime/text/tok_unicode.h"
#include "runtime/base/utf8.h"

typedef struct precompiled {
  vlm_tok_normalizer base;
  uint32_t *units;
  size_t n_units;
  vlm_slice texts;
} precompiled;

/* ---- the double array ---- */

static bool has_leaf(uint32_t unit) { return (unit >> 8) & 1; }
static uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFFu; }
static uint32_t label_of(uint32_t unit) { return unit & 0x800000FFu; }
static size_t offset_of(uint32_t unit) { return (size_t)(unit >> 10) << ((unit & (1u << 9)) >> 6); }

/* Value of the shortest prefix of `key` that is in the trie. */
static bool shortest_prefix(const precompiled *self, vlm_slice key, uint32_t *value) {
  size_t at = 0;
  if (self->n_units == 0) return false;
  at ^= offset_of(self->units[0]);
  for (size_t i = 0; i < key.bytes; i++) {
    const unsigned char byte = (unsigned char)key.data[i];
    at ^= byte;
    if (byte == 0 || at >= self->n_units || label_of(self->units[at]) != byte) return false;
    const uint32_t unit = self->units[at];
    at ^= offset_of(unit);
    if (at >= self->n_units) return false;
    if (has_leaf(unit)) {
      *value = value_of(self->units[at]);
      return true;
    }
  }
  return false;
}

static bool lookup(const precompiled *self, vlm_slice key, vlm_slice *with) {
  uint32_t value = 0;
  if (!shortest_prefix(self, key, &value) || value > self->texts.bytes) return false;
  with->data = self->texts.data + value;
  if (value < self->texts.bytes && ((unsigned char)*with->data & 0xC0) == 0x80)
    return false; /* within a character */
  with->bytes = strnlen(with->data, self->texts.bytes - value);
  return true;
}

/* ---- normalizing ---- */

static vlm_status precompiled_run(const vlm_tok_normalizer *base, vlm_arena *arena, vlm_tok_piece *piece,
                                  vlm_error *err) {
  const precompiled *self = (const precompiled *)base;
  vlm_builder b = vlm_builder_start(arena, err);
  const vlm_slice text = piece->text;
  size_t cluster = 0; /* end of the current grapheme cluster */
  for (size_t at = 0, used = 0; at < text.bytes; at += used) {
    uint32_t code;
    vlm_slice with;
    bool mapped = false;
    used = vlm_slice_code(vlm_slice_part(text, at, text.bytes), &code);
    if (at >= cluster) {
      cluster = at + vlm_unicode_grapheme(vlm_slice_part(text, at, text.bytes));
      mapped = cluster - at < 6 && lookup(self, vlm_slice_part(text, at, cluster), &with);
      if (mapped) used = cluster - at;
    }
    if (!mapped) mapped = lookup(self, vlm_slice_part(text, at, at + used), &with);
    if (!mapped) with = vlm_slice_part(text, at, at + used);
    vlm_builder_add(&b, with);
    if (b.bytes == 0) piece->at_start = false;
  }
  return vlm_builder_done(&b, &piece->text);
}

/* ---- reading ---- */

static int base64_digit(char c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = c ? strchr(digits, c) : NULL;
  return at ? (int)(at - digits) : -1;
}

static vlm_status decode_base64(vlm_arena *arena, vlm_slice *out, vlm_slice text, vlm_json where,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  uint32_t bits = 0;
  int n_bits = 0;
  VLM_TRY(vlm_arena_alloc(arena, &memory, text.bytes / 4 * 3 + 4, 1, err));
  char *data = memory;
  while (text.bytes > 0 && text.data[text.bytes - 1] == '=') text.bytes--;
  *out = (vlm_slice){data, 0};
  for (size_t i = 0; i < text.bytes; i++) {
    const int digit = base64_digit(text.data[i]);
    if (digit < 0) return vlm_json_fail(where, err, VLM_INPUT, "byte %zu is not base64", i);
    bits = (bits << 6) | (uint32_t)digit;
    n_bits += 6;
    if (n_bits < 8) continue;
    n_bits -= 8;
    data[out->bytes++] = (char)(bits >> n_bits);
  }
out:
  return st;
}

static uint32_t little_endian(const char *data) {
  const unsigned char *b = (const unsigned char *)data;
  return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static vlm_status read_map(precompiled *self, const vlm_tok_source *source, vlm_slice map, vlm_json where,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  const size_t trie = map.bytes >= 4 ? little_endian(map.data) : 0;
  if (map.bytes < 4 || trie > map.bytes - 4)
    return vlm_json_fail(where, err, VLM_INPUT, "a map of %zu bytes cannot hold its trie of %zu", map.bytes,
                         trie);
  self->n_units = trie / 4;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, self->n_units + 1, sizeof *self->units, err));
  self->units = memory;
  for (size_t i = 0; i < self->n_units; i++) self->units[i] = little_endian(map.data + 4 + 4 * i);
  VLM_TRY(vlm_slice_repair(source->arena, &self->texts, vlm_slice_part(map, 4 + trie, map.bytes), err));
out:
  return st;
}

vlm_status vlm_tok_precompiled_create(vlm_tok_normalizer **out, const vlm_tok_source *source,
                                      vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_slice text = {"", 0}, map;
  const vlm_json where = vlm_json_member(source->json, "precompiled_charsmap");
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(precompiled), err));
  precompiled *self = memory;
  self->base.run = precompiled_run;
  *out = &self->base;
  VLM_TRY(vlm_slice_get(source->arena, &text, source->json, "precompiled_charsmap", VLM_JSON_OPTIONAL, err));
  if (text.bytes == 0) return VLM_OK; /* an identity map */
  VLM_TRY(decode_base64(source->arena, &map, text, where, err));
  VLM_TRY(read_map(self, source, map, where, err));
out:
  return st;
}
