#include "runtime/text/tok_bytes.h"

#include <string.h>

#include "runtime/text/tok_private.h"
#include "runtime/text/tok_split.h"

/* Bytes without a printable Latin-1 character come in three runs: 0-32, 127-160, 173. */
uint32_t vlm_tok_byte_to_code(unsigned char byte) {
  if (byte <= 32) return 256u + byte;
  if (byte >= 127 && byte <= 160) return 256u + 33 + (byte - 127u);
  return byte == 173 ? 256u + 67 : byte;
}

int vlm_tok_code_to_byte(uint32_t code) {
  if (code >= 256 + 68) return -1;
  if (code == 256 + 67) return 173;
  if (code >= 256 + 33) return (int)(code - 256 - 33 + 127);
  if (code >= 256) return (int)(code - 256);
  return vlm_tok_byte_to_code((unsigned char)code) == code ? (int)code : -1;
}

static vlm_status to_byte_text(vlm_arena *arena, vlm_slice *text, vlm_error *err) {
  vlm_builder b = vlm_builder_start(arena, err);
  for (size_t i = 0; i < text->bytes; i++)
    vlm_builder_code(&b, vlm_tok_byte_to_code((unsigned char)text->data[i]));
  return vlm_builder_done(&b, text);
}

/* ---- pre-tokenizer ---- */

typedef struct byte_level {
  vlm_tok_pretokenizer base;
  bool add_prefix_space;
  vlm_regex *regex; /* NULL = words were cut before */
} byte_level;

static vlm_status byte_level_run(const vlm_tok_pretokenizer *base, vlm_tok_piece piece, vlm_tok_pieces *out,
                                 vlm_error *err) {
  const byte_level *self = (const byte_level *)base;
  vlm_status st = VLM_OK;
  vlm_text_range *ranges = NULL;
  size_t count = 0;
  const size_t first = out->count;
  vlm_builder b = vlm_builder_start(out->arena, err);
  if (self->add_prefix_space && piece.text.data[0] != ' ') {
    vlm_builder_code(&b, ' ');
    vlm_builder_add(&b, piece.text);
    VLM_TRY(vlm_builder_done(&b, &piece.text));
  }
  if (self->regex) VLM_TRY(vlm_regex_find_all(self->regex, out->arena, piece.text, &ranges, &count, err));
  VLM_TRY(vlm_tok_split(piece, &(vlm_tok_cuts){ranges, count, VLM_SPLIT_ISOLATED, false}, out, err));
  for (size_t i = first; i < out->count; i++) VLM_TRY(to_byte_text(out->arena, &out->items[i].text, err));
out:
  return st;
}

vlm_status vlm_tok_byte_level_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source,
                                     vlm_error *err) {
  static const char pattern[] =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
  vlm_status st = VLM_OK;
  void *memory;
  bool use_regex = true;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(byte_level), err));
  byte_level *self = memory;
  self->base.run = byte_level_run;
  self->add_prefix_space = true;
  VLM_TRY(
      vlm_json_get_bool(&self->add_prefix_space, source->json, "add_prefix_space", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&use_regex, source->json, "use_regex", VLM_JSON_OPTIONAL, err));
  if (use_regex) VLM_TRY(vlm_regex_create(&self->regex, source->arena, vlm_slice_of(pattern), err));
  *out = &self->base;
out:
  return st;
}

void vlm_tok_byte_level_set_prefix(vlm_tok_pretokenizer *pretokenizer, bool add_prefix_space) {
  if (pretokenizer && pretokenizer->run == byte_level_run)
    ((byte_level *)pretokenizer)->add_prefix_space = add_prefix_space;
}

/* ---- normalizer ---- */

static vlm_status byte_normalizer_run(const vlm_tok_normalizer *base, vlm_arena *arena, vlm_tok_piece *piece,
                                      vlm_error *err) {
  (void)base;
  return to_byte_text(arena, &piece->text, err);
}

vlm_status vlm_tok_byte_normalizer_create(vlm_tok_normalizer **out, const vlm_tok_source *source,
                                          vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof **out, err));
  *out = memory;
  (*out)->run = byte_normalizer_run;
out:
  return st;
}

/* ---- decoder ---- */

/* A token with any character outside the alphabet is taken as it is. */
static void put_token(vlm_builder *b, vlm_slice token) {
  bool bytes = true;
  uint32_t code;
  for (size_t at = 0; at < token.bytes && bytes;) {
    at += vlm_slice_code(vlm_slice_part(token, at, token.bytes), &code);
    bytes = vlm_tok_code_to_byte(code) >= 0;
  }
  if (!bytes) {
    vlm_builder_add(b, token);
    return;
  }
  for (size_t at = 0; at < token.bytes;) {
    at += vlm_slice_code(vlm_slice_part(token, at, token.bytes), &code);
    const char byte = (char)vlm_tok_code_to_byte(code);
    vlm_builder_add(b, (vlm_slice){&byte, 1});
  }
}

static vlm_status byte_decoder_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  (void)base;
  vlm_status st = VLM_OK;
  vlm_slice text;
  vlm_builder b = vlm_builder_start(list->arena, err);
  for (size_t i = 0; i < list->count; i++) put_token(&b, list->items[i]);
  VLM_TRY(vlm_builder_done(&b, &text));
  VLM_TRY(vlm_slice_repair(list->arena, &text, text, err));
  VLM_TRY(vlm_tok_list_single(list, text, err));
out:
  return st;
}

vlm_status vlm_tok_byte_decoder_create(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof **out, err));
  *out = memory;
  (*out)->run = byte_decoder_run;
out:
  return st;
}
