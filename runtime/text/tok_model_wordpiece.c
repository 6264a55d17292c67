/* WordPiece: greedy longest match from the left; continuing pieces carry a prefix. */
#include <string.h>

#include "runtime/text/tok.h"

typedef struct wordpiece {
  vlm_tok_model base;
  vlm_slice prefix;
  int64_t max_chars;
  int32_t unknown;
  size_t longest; /* bytes of the longest token: no match is longer */
} wordpiece;

/* The longest token that starts the rest of a word; *bytes of the rest it covers. -1 = none. `key` begins with the prefix. */
static int32_t longest_match(const wordpiece *self, vlm_slice rest, bool first, char *key, size_t *bytes) {
  const size_t lead = first ? 0 : self->prefix.bytes;
  if (lead > self->longest) return -1;
  size_t end = rest.bytes < self->longest - lead ? rest.bytes : self->longest - lead;
  while (end < rest.bytes && ((unsigned char)rest.data[end] & 0xC0) == 0x80) end--;
  memcpy(key + self->prefix.bytes, rest.data, end);
  while (end > 0) {
    uint32_t code;
    const vlm_slice text = {key + self->prefix.bytes - lead, lead + end};
    const int32_t id = vlm_tok_vocab_find(self->base.vocab, text);
    if (id >= 0) {
      *bytes = end;
      return id;
    }
    end -= vlm_slice_last_code((vlm_slice){rest.data, end}, &code);
  }
  return -1;
}

static int64_t count_chars(vlm_slice text) {
  int64_t count = 0;
  for (size_t i = 0; i < text.bytes; i++) count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
  return count;
}

static vlm_status wordpiece_run(const vlm_tok_model *base, vlm_arena *arena, vlm_slice word, vlm_ids *ids,
                                vlm_error *err) {
  const wordpiece *self = (const wordpiece *)base;
  vlm_status st = VLM_OK;
  void *key;
  const size_t before = ids->count;
  bool unknown = count_chars(word) > self->max_chars;
  VLM_TRY(vlm_arena_alloc(arena, &key, self->prefix.bytes + self->longest + 1, 1, err));
  if (self->prefix.bytes) memcpy(key, self->prefix.data, self->prefix.bytes);
  for (size_t at = 0, used = 0; at < word.bytes && !unknown; at += used) {
    const int32_t id = longest_match(self, vlm_slice_part(word, at, word.bytes), at == 0, key, &used);
    if (id < 0) unknown = true;
    else VLM_TRY(vlm_ids_append(ids, &id, 1, err));
  }
  if (!unknown) goto out;
  VLM_CHECK(self->unknown >= 0, err, VLM_INPUT,
            "word \"%.*s\" is not covered by the vocabulary, which has no unk_token either",
            (int)(word.bytes < 64 ? word.bytes : 64), word.data);
  ids->count = before;
  VLM_TRY(vlm_ids_append(ids, &self->unknown, 1, err));
out:
  return st;
}

vlm_status vlm_tok_wordpiece_create(vlm_tok_model **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_json vocab = {0};
  vlm_slice unknown = vlm_slice_of("[UNK]");
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(wordpiece), err));
  wordpiece *self = memory;
  self->base.run = wordpiece_run;
  self->prefix = vlm_slice_of("##");
  self->max_chars = 100;
  VLM_TRY(vlm_json_get_object(&vocab, source->json, "vocab", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_tok_vocab_read(&self->base.vocab, source->arena, vocab, err));
  VLM_TRY(vlm_slice_get(source->arena, &unknown, source->json, "unk_token", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_slice_get(source->arena, &self->prefix, source->json, "continuing_subword_prefix",
                        VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_int_in(&self->max_chars, source->json, "max_input_chars_per_word",
                              (vlm_json_range){0, INT32_MAX}, VLM_JSON_OPTIONAL, err));
  self->unknown = vlm_tok_vocab_find(self->base.vocab, unknown);
  for (int32_t id = 0; id < vlm_tok_vocab_limit(self->base.vocab); id++) {
    const size_t bytes = vlm_tok_vocab_text(self->base.vocab, id).bytes;
    if (bytes > self->longest) self->longest = bytes;
  }
  *out = &self->base;
out:
  return st;
}
