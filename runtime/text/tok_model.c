#include <string.h>

#include "runtime/text/tok.h"

static const struct model_row {
  const char *name;
  vlm_tok_model_create *create;
} models[] = {
    {"BPE", vlm_tok_bpe_create},
    {"WordPiece", vlm_tok_wordpiece_create},
    {"WordLevel", vlm_tok_wordlevel_create},
    {"Unigram", vlm_tok_unigram_create},
};

/* Files of early versions do not name the type: it shows in the members. */
static vlm_tok_model_create *guess(vlm_json json) {
  if (!vlm_json_is_null(vlm_json_member(json, "merges"))) return vlm_tok_bpe_create;
  if (vlm_json_type(vlm_json_member(json, "vocab")) == VLM_JSON_ARRAY) return vlm_tok_unigram_create;
  if (!vlm_json_is_null(vlm_json_member(json, "max_input_chars_per_word"))) return vlm_tok_wordpiece_create;
  return vlm_tok_wordlevel_create;
}

vlm_status vlm_tok_model_make(vlm_tok_model **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t row = 0;
  if (vlm_json_is_null(vlm_json_member(source->json, "type"))) return guess(source->json)(out, source, err);
  VLM_TRY(vlm_tok_type(&row, source->json, VLM_TOK_TABLE("model", models), err));
  VLM_TRY(models[row].create(out, source, err));
out:
  return st;
}

/* ---- WordLevel: a word is a token or unknown ---- */

typedef struct wordlevel {
  vlm_tok_model base;
  int32_t unknown;
} wordlevel;

static vlm_status wordlevel_run(const vlm_tok_model *base, vlm_arena *arena, vlm_slice word, vlm_ids *ids,
                                vlm_error *err) {
  (void)arena;
  const wordlevel *self = (const wordlevel *)base;
  vlm_status st = VLM_OK;
  int32_t id = vlm_tok_vocab_find(base->vocab, word);
  if (id < 0) id = self->unknown;
  VLM_CHECK(id >= 0, err, VLM_INPUT, "word \"%.*s\" is not in the vocabulary, which has no unk_token either",
            (int)(word.bytes < 64 ? word.bytes : 64), word.data);
  VLM_TRY(vlm_ids_append(ids, &id, 1, err));
out:
  return st;
}

vlm_status vlm_tok_wordlevel_create(vlm_tok_model **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_json vocab = {0};
  vlm_slice unknown = vlm_slice_of("<unk>");
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(wordlevel), err));
  wordlevel *self = memory;
  self->base.run = wordlevel_run;
  VLM_TRY(vlm_json_get_object(&vocab, source->json, "vocab", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_tok_vocab_read(&self->base.vocab, source->arena, vocab, err));
  VLM_TRY(vlm_slice_get(source->arena, &unknown, source->json, "unk_token", VLM_JSON_OPTIONAL, err));
  self->unknown = vlm_tok_vocab_find(self->base.vocab, unknown);
  *out = &self->base;
out:
  return st;
}
