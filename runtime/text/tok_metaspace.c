/* Metaspace: blanks become a visible character (U+2581), words are cut in front of it; the decoder turns it back. */
#include <string.h>

#include "runtime/text/tok_split.h"
#include "runtime/base/utf8.h"

typedef enum scheme { ALWAYS, NEVER, FIRST } scheme;

/* Settings that the pre-tokenizer and the decoder share. */
typedef struct settings {
  uint32_t mark;
  vlm_slice text; /* the mark in UTF-8 */
  scheme prepend;
  bool split;
} settings;

static vlm_status read_scheme(settings *s, vlm_json json, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *name = "always";
  bool prefix = true; /* the member of older files */
  VLM_TRY(vlm_json_get_text(&name, json, "prepend_scheme", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&prefix, json, "add_prefix_space", VLM_JSON_OPTIONAL, err));
  if (!prefix) name = "never";
  if (strcmp(name, "always") == 0) s->prepend = ALWAYS;
  else if (strcmp(name, "never") == 0) s->prepend = NEVER;
  else if (strcmp(name, "first") == 0) s->prepend = FIRST;
  else
    return vlm_json_fail(json, err, VLM_INPUT, "got prepend_scheme \"%s\", wanted always, never or first",
                         name);
out:
  return st;
}

static vlm_status read_settings(settings *s, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  *s = (settings){.text = vlm_slice_of("\xE2\x96\x81"), .split = true};
  VLM_TRY(vlm_slice_get(source->arena, &s->text, source->json, "replacement", VLM_JSON_OPTIONAL, err));
  if (s->text.bytes == 0 || vlm_slice_code(s->text, &s->mark) != s->text.bytes) {
    return vlm_json_fail(source->json, err, VLM_INPUT, "replacement must be one character");
  }
  VLM_TRY(vlm_json_get_bool(&s->split, source->json, "split", VLM_JSON_OPTIONAL, err));
  VLM_TRY(read_scheme(s, source->json, err));
out:
  return st;
}

/* ---- pre-tokenizer ---- */

typedef struct metaspace {
  vlm_tok_pretokenizer base;
  settings s;
} metaspace;

static bool is_mark(uint32_t code, uint32_t mark) { return code == mark; }

static vlm_status metaspace_run(const vlm_tok_pretokenizer *base, vlm_tok_piece piece, vlm_tok_pieces *out,
                                vlm_error *err) {
  const settings *s = &((const metaspace *)base)->s;
  vlm_status st = VLM_OK;
  vlm_builder b = vlm_builder_start(out->arena, err);
  VLM_TRY(vlm_slice_replace(out->arena, &piece.text, piece.text, vlm_slice_of(" "), s->text, err));
  if ((s->prepend == ALWAYS || (s->prepend == FIRST && piece.at_start)) &&
      !vlm_slice_starts(piece.text, s->text)) {
    vlm_builder_add(&b, s->text);
    vlm_builder_add(&b, piece.text);
    VLM_TRY(vlm_builder_done(&b, &piece.text));
  }
  if (!s->split) return vlm_tok_pieces_add(out, piece, err);
  VLM_TRY(vlm_tok_split_chars(piece, is_mark, s->mark, VLM_SPLIT_WITH_NEXT, out, err));
out:
  return st;
}

vlm_status vlm_tok_metaspace_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source,
                                    vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(metaspace), err));
  metaspace *self = memory;
  self->base.run = metaspace_run;
  VLM_TRY(read_settings(&self->s, source, err));
  *out = &self->base;
out:
  return st;
}

/* ---- decoder: the mark is a blank, except in the first token when one was put in front ---- */

typedef struct decoder {
  vlm_tok_decoder base;
  settings s;
} decoder;

static vlm_status decoder_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  const settings *s = &((const decoder *)base)->s;
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < list->count; i++) {
    const vlm_slice with = i == 0 && s->prepend != NEVER ? (vlm_slice){"", 0} : (vlm_slice){" ", 1};
    VLM_TRY(vlm_slice_replace(list->arena, &list->items[i], list->items[i], s->text, with, err));
  }
out:
  return st;
}

vlm_status vlm_tok_metaspace_decoder_create(vlm_tok_decoder **out, const vlm_tok_source *source,
                                            vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(decoder), err));
  decoder *self = memory;
  self->base.run = decoder_run;
  VLM_TRY(read_settings(&self->s, source, err));
  *out = &self->base;
out:
  return st;
}
