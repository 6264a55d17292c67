/* Unigram: the segmentation with the highest sum of token scores (Viterbi). Ties go to the candidate found first:
 * from the left, shorter tokens first. Unknown characters cost the lowest score minus 10 and neighbours are fused. */
#include "runtime/text/tok_prefix.h"

static const double UNKNOWN_PENALTY = 10.0;

typedef struct unigram {
  vlm_tok_model base;
  double *scores; /* by id */
  vlm_tok_prefixes tokens;
  double unknown_score;
  int32_t unknown;
  bool byte_fallback;
  int32_t bytes[256];
} unigram;

typedef struct best {
  double score;
  size_t from; /* SIZE_MAX = not reached */
  int32_t id;
} best;

static void reach(best *target, double score, size_t from, int32_t id) {
  if (target->from != SIZE_MAX && !(score > target->score)) return;
  *target = (best){score, from, id};
}

/* Extends the best path that ends at `from` by every token that starts there; true when one of them is the single character. */
static bool extend(const unigram *self, vlm_slice text, size_t from, size_t char_bytes, best *ends) {
  vlm_tok_walk walk = vlm_tok_walk_start(&self->tokens);
  bool single = false;
  int32_t id;
  for (size_t at = from;
       at < text.bytes && vlm_tok_walk_step(&self->tokens, &walk, (unsigned char)text.data[at], &id); at++) {
    if (id < 0) continue;
    reach(&ends[at + 1], ends[from].score + self->scores[id], from, id);
    if (walk.depth == char_bytes) single = true;
  }
  return single;
}

/* ---- output ---- */

static vlm_status put_unknown(const unigram *self, vlm_slice part, vlm_ids *ids, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int32_t known = vlm_tok_vocab_find(self->base.vocab, part); /* a fused run may spell a token */
  bool bytes = self->byte_fallback && known < 0;
  for (size_t i = 0; i < part.bytes; i++) bytes = bytes && self->bytes[(unsigned char)part.data[i]] >= 0;
  if (bytes) {
    for (size_t i = 0; i < part.bytes; i++)
      VLM_TRY(vlm_ids_append(ids, &self->bytes[(unsigned char)part.data[i]], 1, err));
  } else {
    VLM_TRY(vlm_ids_append(ids, known >= 0 ? &known : &self->unknown, 1, err));
  }
out:
  return st;
}

/* The best path through `ends`, its nodes from the last to the first. */
typedef struct best_path {
  const best *ends;
  const size_t *nodes;
  size_t count;
} best_path;

/* Writes its ids; runs of unknown characters are one part. */
static vlm_status put_path(const unigram *self, vlm_slice text, const best_path *p, vlm_ids *ids,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  const best *ends = p->ends;
  const size_t *path = p->nodes;
  for (size_t i = p->count; i > 0; i--) {
    const best *node = &ends[path[i - 1]];
    size_t end = path[i - 1];
    if (node->id != self->unknown) {
      VLM_TRY(vlm_ids_append(ids, &node->id, 1, err));
      continue;
    }
    while (i > 1 && ends[path[i - 2]].id == self->unknown) end = path[--i - 1];
    VLM_TRY(put_unknown(self, vlm_slice_part(text, node->from, end), ids, err));
  }
out:
  return st;
}

static vlm_status unigram_run(const vlm_tok_model *base, vlm_arena *arena, vlm_slice word, vlm_ids *ids,
                              vlm_error *err) {
  const unigram *self = (const unigram *)base;
  vlm_status st = VLM_OK;
  void *memory;
  size_t count = 0;
  VLM_TRY(vlm_arena_alloc(arena, &memory, word.bytes + 1, sizeof(best), err));
  best *ends = memory;
  VLM_TRY(vlm_arena_alloc(arena, &memory, word.bytes + 1, sizeof(size_t), err));
  size_t *path = memory;
  for (size_t i = 1; i <= word.bytes; i++) ends[i].from = SIZE_MAX;
  for (size_t at = 0, used = 0; at < word.bytes; at += used) {
    uint32_t code;
    used = vlm_slice_code(vlm_slice_part(word, at, word.bytes), &code);
    if (extend(self, word, at, used, ends)) continue;
    VLM_CHECK(self->unknown >= 0, err, VLM_INPUT,
              "character U+%04X is not in the vocabulary, which has no unk_id either", (unsigned)code);
    reach(&ends[at + used], ends[at].score + self->unknown_score, at, self->unknown);
  }
  for (size_t end = word.bytes; end > 0; end = ends[end].from) path[count++] = end;
  VLM_TRY(put_path(self, word, &(best_path){ends, path, count}, ids, err));
out:
  return st;
}

/* ---- reading ---- */

static vlm_status read_scores(unigram *self, const vlm_tok_source *source, vlm_json vocab, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  const size_t count = vlm_json_size(vocab);
  double lowest = 0;
  VLM_TRY(vlm_tok_vocab_create(&self->base.vocab, source->arena, count, err));
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, count + 1, sizeof *self->scores, err));
  self->scores = memory;
  for (size_t i = 0; i < count; i++) {
    const vlm_json pair = vlm_json_at(vocab, i);
    vlm_slice text;
    VLM_TRY(vlm_json_as_bytes(&text.data, &text.bytes, vlm_json_at(pair, 0), err));
    VLM_TRY(vlm_json_as_double(&self->scores[i], vlm_json_at(pair, 1), err));
    VLM_TRY(vlm_tok_vocab_add(self->base.vocab, text, (int64_t)i, err));
    if (i == 0 || self->scores[i] < lowest) lowest = self->scores[i];
  }
  self->unknown_score = lowest - UNKNOWN_PENALTY;
out:
  return st;
}

static vlm_status sort_tokens(unigram *self, vlm_arena *arena, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t id = 0; id < vlm_tok_vocab_limit(self->base.vocab); id++) {
    const vlm_slice text = vlm_tok_vocab_text(self->base.vocab, id);
    /* Of texts that occur twice the last id counts, and only it. */
    if (vlm_tok_vocab_find(self->base.vocab, text) == id)
      VLM_TRY(vlm_tok_prefixes_add(&self->tokens, arena, text, id, err));
  }
  vlm_tok_prefixes_sort(&self->tokens);
out:
  return st;
}

vlm_status vlm_tok_unigram_create(vlm_tok_model **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_json vocab = {0};
  int64_t unknown = -1;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(unigram), err));
  unigram *self = memory;
  self->base.run = unigram_run;
  VLM_TRY(vlm_json_get_array(&vocab, source->json, "vocab", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_get_int_in(&unknown, source->json, "unk_id",
                              (vlm_json_range){0, (int64_t)vlm_json_size(vocab) - 1}, VLM_JSON_OPTIONAL,
                              err));
  VLM_TRY(vlm_json_get_bool(&self->byte_fallback, source->json, "byte_fallback", VLM_JSON_OPTIONAL, err));
  VLM_TRY(read_scores(self, source, vocab, err));
  VLM_TRY(sort_tokens(self, source->arena, err));
  self->unknown = (int32_t)unknown;
  vlm_tok_byte_ids(self->base.vocab, self->bytes);
  *out = &self->base;
out:
  return st;
}
