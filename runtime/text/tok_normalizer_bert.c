/* The cleaning of BERT: controls go, blanks become blanks, CJK characters get blanks around them, accents and case go. */
#include "runtime/text/tok_unicode.h"

typedef struct bert {
  vlm_tok_normalizer base;
  bool clean, chinese, accents, lower;
} bert;

static bool in(uint32_t code, uint32_t first, uint32_t last) { return code >= first && code <= last; }

static bool is_chinese(uint32_t c) {
  return in(c, 0x4E00, 0x9FFF) || in(c, 0x3400, 0x4DBF) || in(c, 0x20000, 0x2A6DF) ||
         in(c, 0x2A700, 0x2B73F) || in(c, 0x2B740, 0x2B81F) || in(c, 0x2B920, 0x2CEAF) ||
         in(c, 0xF900, 0xFAFF) || in(c, 0x2F800, 0x2FA1F);
}

static bool is_dropped(uint32_t code) {
  return code == 0 || code == 0xFFFD ||
         (code != '\t' && code != '\n' && code != '\r' && vlm_unicode_is_other(code));
}

/* Cleaning and CJK spacing in one pass. */
static vlm_status clean(const bert *self, vlm_arena *arena, vlm_tok_piece *piece, vlm_error *err) {
  vlm_builder b = vlm_builder_start(arena, err);
  for (size_t at = 0, used = 0; at < piece->text.bytes; at += used) {
    uint32_t code;
    used = vlm_slice_code(vlm_slice_part(piece->text, at, piece->text.bytes), &code);
    if (self->clean && is_dropped(code)) {
      if (at == 0) piece->at_start = false;
      continue;
    }
    if (self->clean && vlm_unicode_is_space(code)) code = ' ';
    const bool spaced = self->chinese && is_chinese(code);
    if (spaced) vlm_builder_code(&b, ' ');
    vlm_builder_code(&b, code);
    if (spaced) vlm_builder_code(&b, ' ');
  }
  return vlm_builder_done(&b, &piece->text);
}

/* Accent stripping (after decomposition) and lower-casing in one pass. */
static vlm_status fold(const bert *self, vlm_arena *arena, vlm_tok_piece *piece, vlm_error *err) {
  vlm_builder b = vlm_builder_start(arena, err);
  for (size_t at = 0, used = 0; at < piece->text.bytes; at += used) {
    uint32_t code, second = 0;
    used = vlm_slice_code(vlm_slice_part(piece->text, at, piece->text.bytes), &code);
    if (self->accents && vlm_unicode_is_nonspacing(code)) {
      if (at == 0) piece->at_start = false;
      continue;
    }
    vlm_builder_code(&b, self->lower ? vlm_unicode_lower(code, &second) : code);
    if (second) vlm_builder_code(&b, second);
  }
  return vlm_builder_done(&b, &piece->text);
}

static vlm_status bert_run(const vlm_tok_normalizer *base, vlm_arena *arena, vlm_tok_piece *piece,
                           vlm_error *err) {
  const bert *self = (const bert *)base;
  vlm_status st = VLM_OK;
  VLM_TRY(clean(self, arena, piece, err));
  if (self->accents) VLM_TRY(vlm_unicode_normalize(arena, &piece->text, VLM_NFD, err));
  VLM_TRY(fold(self, arena, piece, err));
out:
  return st;
}

vlm_status vlm_tok_bert_normalizer_create(vlm_tok_normalizer **out, const vlm_tok_source *source,
                                          vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(bert), err));
  bert *self = memory;
  *self = (bert){{bert_run}, true, true, false, true};
  VLM_TRY(vlm_json_get_bool(&self->clean, source->json, "clean_text", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&self->chinese, source->json, "handle_chinese_chars", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&self->lower, source->json, "lowercase", VLM_JSON_OPTIONAL, err));
  self->accents = self->lower; /* null means: as lowercase */
  VLM_TRY(vlm_json_get_bool(&self->accents, source->json, "strip_accents", VLM_JSON_OPTIONAL, err));
  *out = &self->base;
out:
  return st;
}
