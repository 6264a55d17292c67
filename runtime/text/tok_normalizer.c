#include <string.h>

#include "runtime/text/tok_pattern.h"
#include "runtime/text/tok_unicode.h"

/* ---- Sequence ---- */

typedef struct normalize_sequence {
  vlm_tok_normalizer base;
  vlm_tok_normalizer **children;
  size_t count;
} normalize_sequence;

static vlm_status sequence_run(const vlm_tok_normalizer *base, vlm_arena *arena, vlm_tok_piece *piece,
                               vlm_error *err) {
  const normalize_sequence *self = (const normalize_sequence *)base;
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < self->count; i++) {
    if (self->children[i]) VLM_TRY(self->children[i]->run(self->children[i], arena, piece, err));
  }
out:
  return st;
}

static vlm_status sequence_create(vlm_tok_normalizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_json array = {0};
  VLM_TRY(vlm_tok_children(source, "normalizers", &array, err));
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(normalize_sequence), err));
  normalize_sequence *self = memory;
  self->base.run = sequence_run;
  self->count = vlm_json_size(array);
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, self->count, sizeof *self->children, err));
  self->children = memory;
  for (size_t i = 0; i < self->count; i++) {
    const vlm_tok_source child = vlm_tok_child(source, array, i);
    VLM_TRY(vlm_tok_normalizer_make(&self->children[i], &child, err));
  }
  *out = &self->base;
out:
  return st;
}

/* ---- Unicode forms ---- */

typedef struct unicode_form {
  vlm_tok_normalizer base;
  vlm_unicode_form form;
} unicode_form;

static vlm_status form_run(const vlm_tok_normalizer *base, vlm_arena *arena, vlm_tok_piece *piece,
                           vlm_error *err) {
  return vlm_unicode_normalize(arena, &piece->text, ((const unicode_form *)base)->form, err);
}

static vlm_status form_create(vlm_tok_normalizer **out, const vlm_tok_source *source, vlm_unicode_form which,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(unicode_form), err));
  *out = memory;
  *(unicode_form *)memory = (unicode_form){{form_run}, which};
out:
  return st;
}

static vlm_status nfc_create(vlm_tok_normalizer **out, const vlm_tok_source *s, vlm_error *err) {
  return form_create(out, s, VLM_NFC, err);
}
static vlm_status nfd_create(vlm_tok_normalizer **out, const vlm_tok_source *s, vlm_error *err) {
  return form_create(out, s, VLM_NFD, err);
}
static vlm_status nfkc_create(vlm_tok_normalizer **out, const vlm_tok_source *s, vlm_error *err) {
  return form_create(out, s, VLM_NFKC, err);
}
static vlm_status nfkd_create(vlm_tok_normalizer **out, const vlm_tok_source *s, vlm_error *err) {
  return form_create(out, s, VLM_NFKD, err);
}

/* ---- character by character ---- */

enum { DROP = 0x110000 };

/* What one character becomes; DROP = nothing. */
typedef uint32_t map_char(uint32_t code, uint32_t *second);

typedef struct mapper {
  vlm_tok_normalizer base;
  map_char *map;
} mapper;

static vlm_status mapper_run(const vlm_tok_normalizer *base, vlm_arena *arena, vlm_tok_piece *piece,
                             vlm_error *err) {
  const mapper *self = (const mapper *)base;
  vlm_builder b = vlm_builder_start(arena, err);
  for (size_t at = 0, used = 0; at < piece->text.bytes; at += used) {
    uint32_t code, second = 0;
    used = vlm_slice_code(vlm_slice_part(piece->text, at, piece->text.bytes), &code);
    code = self->map(code, &second);
    if (code == DROP) {
      if (at == 0) piece->at_start = false;
      continue;
    }
    vlm_builder_code(&b, code);
    if (second) vlm_builder_code(&b, second);
  }
  return vlm_builder_done(&b, &piece->text);
}

static uint32_t without_mark(uint32_t code, uint32_t *second) {
  (void)second;
  return vlm_unicode_is_mark(code) ? DROP : code;
}

static bool in(uint32_t code, uint32_t first, uint32_t last) { return code >= first && code <= last; }

/* The rules of the "nmt" preprocessing: ASCII controls go, odd blanks become blanks. */
static uint32_t nmt(uint32_t code, uint32_t *second) {
  (void)second;
  if (in(code, 1, 8) || code == 0xB || in(code, 0xE, 0x1F) || code == 0x7F || code == 0x8F || code == 0x9F)
    return DROP;
  if (code == 9 || code == 0xA || code == 0xC || code == 0xD || code == 0x1680 || in(code, 0x200B, 0x200F) ||
      in(code, 0x2028, 0x2029) || code == 0x2581 || code == 0xFEFF || code == 0xFFFD) {
    return ' ';
  }
  return code;
}

static vlm_status mapper_create(vlm_tok_normalizer **out, const vlm_tok_source *source, map_char *map,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(mapper), err));
  *out = memory;
  *(mapper *)memory = (mapper){{mapper_run}, map};
out:
  return st;
}

static vlm_status lowercase_create(vlm_tok_normalizer **out, const vlm_tok_source *s, vlm_error *err) {
  return mapper_create(out, s, vlm_unicode_lower, err);
}
static vlm_status accents_create(vlm_tok_normalizer **out, const vlm_tok_source *s, vlm_error *err) {
  return mapper_create(out, s, without_mark, err);
}
static vlm_status nmt_create(vlm_tok_normalizer **out, const vlm_tok_source *s, vlm_error *err) {
  return mapper_create(out, s, nmt, err);
}

/* ---- Strip ---- */

typedef struct normalize_strip {
  vlm_tok_normalizer base;
  bool left, right;
} normalize_strip;

static vlm_status strip_run(const vlm_tok_normalizer *base, vlm_arena *arena, vlm_tok_piece *piece,
                            vlm_error *err) {
  const normalize_strip *self = (const normalize_strip *)base;
  (void)arena;
  (void)err;
  vlm_slice *text = &piece->text;
  uint32_t code;
  size_t used;
  while (self->left && text->bytes && (used = vlm_slice_code(*text, &code), vlm_unicode_is_space(code))) {
    *text = vlm_slice_part(*text, used, text->bytes);
    piece->at_start = false;
  }
  while (self->right && text->bytes && (used = vlm_slice_last_code(*text, &code), vlm_unicode_is_space(code)))
    text->bytes -= used;
  return VLM_OK;
}

static vlm_status strip_create(vlm_tok_normalizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(normalize_strip), err));
  normalize_strip *self = memory;
  *self = (normalize_strip){{strip_run}, true, true};
  VLM_TRY(vlm_json_get_bool(&self->left, source->json, "strip_left", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&self->right, source->json, "strip_right", VLM_JSON_OPTIONAL, err));
  *out = &self->base;
out:
  return st;
}

/* ---- Prepend, Replace ---- */

typedef struct prepend {
  vlm_tok_normalizer base;
  vlm_slice text;
} prepend;

static vlm_status prepend_run(const vlm_tok_normalizer *base, vlm_arena *arena, vlm_tok_piece *piece,
                              vlm_error *err) {
  vlm_builder b = vlm_builder_start(arena, err);
  if (piece->text.bytes == 0) return VLM_OK;
  vlm_builder_add(&b, ((const prepend *)base)->text);
  vlm_builder_add(&b, piece->text);
  return vlm_builder_done(&b, &piece->text);
}

static vlm_status prepend_create(vlm_tok_normalizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(prepend), err));
  prepend *self = memory;
  self->base.run = prepend_run;
  VLM_TRY(vlm_slice_get(source->arena, &self->text, source->json, "prepend", VLM_JSON_REQUIRED, err));
  *out = &self->base;
out:
  return st;
}

typedef struct normalize_replace {
  vlm_tok_normalizer base;
  vlm_tok_replace rule;
} normalize_replace;

static vlm_status replace_run(const vlm_tok_normalizer *base, vlm_arena *arena, vlm_tok_piece *piece,
                              vlm_error *err) {
  return vlm_tok_replace_run(&((const normalize_replace *)base)->rule, arena, &piece->text, &piece->at_start,
                             err);
}

static vlm_status replace_create(vlm_tok_normalizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(normalize_replace), err));
  normalize_replace *self = memory;
  self->base.run = replace_run;
  VLM_TRY(vlm_tok_replace_read(&self->rule, source, err));
  *out = &self->base;
out:
  return st;
}

/* ---- dispatch ---- */

static const struct normalizer_row {
  const char *name;
  vlm_tok_normalizer_create *create;
} normalizers[] = {
    {"Sequence", sequence_create},
    {"BertNormalizer", vlm_tok_bert_normalizer_create},
    {"ByteLevel", vlm_tok_byte_normalizer_create},
    {"Lowercase", lowercase_create},
    {"NFC", nfc_create},
    {"NFD", nfd_create},
    {"NFKC", nfkc_create},
    {"NFKD", nfkd_create},
    {"Nmt", nmt_create},
    {"Precompiled", vlm_tok_precompiled_create},
    {"Prepend", prepend_create},
    {"Replace", replace_create},
    {"Strip", strip_create},
    {"StripAccents", accents_create},
};

vlm_status vlm_tok_normalizer_make(vlm_tok_normalizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t row = 0;
  *out = NULL;
  if (vlm_json_is_null(source->json)) return VLM_OK;
  VLM_TRY(vlm_tok_type(&row, source->json, VLM_TOK_TABLE("normalizer", normalizers), err));
  VLM_TRY(normalizers[row].create(out, source, err));
out:
  return st;
}

vlm_status vlm_tok_normalize(const vlm_tok_normalizer *self, vlm_arena *arena, vlm_slice *text,
                             vlm_error *err) {
  vlm_tok_piece piece = {*text, true, -1};
  const vlm_status st = self ? self->run(self, arena, &piece, err) : VLM_OK;
  *text = piece.text;
  return st;
}
