/* Byte-pair encoding: a word becomes one symbol per character, then merge rules join neighbours.
 * Covers the byte-level form (the pre-tokenizer maps bytes to printable characters) and the SentencePiece form (byte_fallback). */
#include <string.h>

#include "runtime/text/tok.h"
#include "runtime/text/tok_merges.h"

enum { MAX_AFFIX = 64 };

typedef struct bpe {
  vlm_tok_model base;
  vlm_tok_merges *merges;
  vlm_slice prefix, suffix; /* of continuing characters and of the last one; empty = none */
  int32_t unknown;
  bool
      wants_unknown; /* unk_token is set; `unknown` may be -1 all the same, which matters only when it is needed */
  bool fuse_unknown, byte_fallback, ignore_merges;
  int32_t bytes[256];
} bpe;

/* Symbols of one word so far; an unknown one is held back, since its successors may fuse with it. */
typedef struct bpe_symbols {
  int32_t *ids;
  size_t count;
  bool pending, failed;
} bpe_symbols;

static void flush_unknown(const bpe *self, bpe_symbols *s) {
  if (s->pending) s->ids[s->count++] = self->unknown;
  s->pending = false;
}

/* True when every byte of the text has a token of its own; their ids are appended. */
static bool put_bytes(const bpe *self, bpe_symbols *s, vlm_slice text) {
  for (size_t i = 0; i < text.bytes; i++) {
    if (self->bytes[(unsigned char)text.data[i]] < 0) return false;
  }
  for (size_t i = 0; i < text.bytes; i++) s->ids[s->count++] = self->bytes[(unsigned char)text.data[i]];
  return true;
}

static void put_char(const bpe *self, bpe_symbols *s, vlm_slice text) {
  const int32_t id = vlm_tok_vocab_find(self->base.vocab, text);
  if (id >= 0) {
    flush_unknown(self, s);
    s->ids[s->count++] = id;
  } else if (!(self->byte_fallback && put_bytes(self, s, text)) && self->wants_unknown) {
    if (!self->fuse_unknown) flush_unknown(self, s);
    s->pending = true;
    s->failed = self->unknown < 0;
  }
}

static vlm_status decorate(const bpe *self, vlm_arena *arena, vlm_slice *text, bool first, bool last,
                           vlm_error *err) {
  vlm_builder b = vlm_builder_start(arena, err);
  if ((first || !self->prefix.bytes) && (!last || !self->suffix.bytes)) return VLM_OK;
  if (!first) vlm_builder_add(&b, self->prefix);
  vlm_builder_add(&b, *text);
  if (last) vlm_builder_add(&b, self->suffix);
  return vlm_builder_done(&b, text);
}

static vlm_status bpe_run(const vlm_tok_model *base, vlm_arena *arena, vlm_slice word, vlm_ids *ids,
                          vlm_error *err) {
  const bpe *self = (const bpe *)base;
  vlm_status st = VLM_OK;
  void *memory;
  bpe_symbols s = {0};
  if (self->ignore_merges) {
    const int32_t id = vlm_tok_vocab_find(base->vocab, word);
    if (id >= 0) return vlm_ids_append(ids, &id, 1, err);
  }
  /* At most one symbol per byte, plus those of prefixes and suffix when they fall back to bytes. */
  VLM_TRY(vlm_arena_alloc(arena, &memory, word.bytes * (1 + self->prefix.bytes) + self->suffix.bytes + 1,
                          sizeof *s.ids, err));
  s.ids = memory;
  for (size_t at = 0, used = 0; at < word.bytes; at += used) {
    uint32_t code;
    used = vlm_slice_code(vlm_slice_part(word, at, word.bytes), &code);
    vlm_slice text = vlm_slice_part(word, at, at + used);
    VLM_TRY(decorate(self, arena, &text, at == 0, at + used == word.bytes, err));
    put_char(self, &s, text);
  }
  VLM_CHECK(!s.failed, err, VLM_INPUT,
            "a character is not in the vocabulary, and neither is the tokenizer's unk_token");
  flush_unknown(self, &s);
  VLM_TRY(vlm_tok_merges_apply(self->merges, arena, s.ids, &s.count, err));
  VLM_TRY(vlm_ids_append(ids, s.ids, s.count, err));
out:
  return st;
}

static vlm_status read_options(bpe *self, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  double dropout = 0;
  const vlm_json j = source->json;
  VLM_TRY(
      vlm_slice_get(source->arena, &self->prefix, j, "continuing_subword_prefix", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_slice_get(source->arena, &self->suffix, j, "end_of_word_suffix", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&self->fuse_unknown, j, "fuse_unk", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&self->byte_fallback, j, "byte_fallback", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&self->ignore_merges, j, "ignore_merges", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_double(&dropout, j, "dropout", VLM_JSON_OPTIONAL, err));
  VLM_CHECK(self->prefix.bytes <= MAX_AFFIX && self->suffix.bytes <= MAX_AFFIX, err, VLM_LIMIT,
            "a prefix or suffix has more than %d bytes", MAX_AFFIX);
  if (dropout != 0)
    st = vlm_json_fail(j, err, VLM_UNSUPPORTED,
                       "got dropout %g: random merges are for training; set it to null", dropout);
out:
  return st;
}

vlm_status vlm_tok_bpe_create(vlm_tok_model **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_json vocab = {0}, merges = {0};
  vlm_slice unknown = {NULL, 0};
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(bpe), err));
  bpe *self = memory;
  self->base.run = bpe_run;
  VLM_TRY(read_options(self, source, err));
  VLM_TRY(vlm_json_get_object(&vocab, source->json, "vocab", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_get_array(&merges, source->json, "merges", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_tok_vocab_read(&self->base.vocab, source->arena, vocab, err));
  VLM_TRY(vlm_tok_merges_read(&self->merges, source->arena, merges, self->base.vocab, self->prefix, err));
  VLM_TRY(vlm_slice_get(source->arena, &unknown, source->json, "unk_token", VLM_JSON_OPTIONAL, err));
  self->wants_unknown = unknown.data != NULL;
  self->unknown = self->wants_unknown ? vlm_tok_vocab_find(self->base.vocab, unknown) : -1;
  vlm_tok_byte_ids(self->base.vocab, self->bytes);
  *out = &self->base;
out:
  return st;
}
