/* Added tokens: found in the text before anything else cuts it. The leftmost match counts, of several the longest. */
#include "runtime/text/tok_prefix.h"
#include "runtime/text/tok_regex.h"
#include "runtime/text/tok_unicode.h"

enum {
  FREE_BYTES = 64 << 20,
  TOKEN_BYTES = 1024
}; /* memory for added tokens, whatever a normalizer makes of them */

typedef struct token {
  vlm_slice content; /* as written in the file */
  vlm_slice pattern; /* what is looked for: content, normalized when `normalized` */
  int32_t id;
  bool single_word, lstrip, rstrip, normalized, special;
} token;

struct vlm_tok_added {
  vlm_arena *arena;
  token *tokens;
  size_t count;
  vlm_tok_vocab *ids;           /* content -> id */
  vlm_tok_vocab *specials;      /* content -> 0 */
  vlm_tok_prefixes patterns[2]; /* [normalized]; value = index of the token */
  vlm_regex *word;              /* one word character */
};

/* ---- reading ---- */

static vlm_status read_token(token *t, vlm_arena *arena, vlm_json json, vlm_error *err) {
  vlm_status st = VLM_OK;
  *t = (token){.normalized = true};
  VLM_TRY(vlm_slice_get(arena, &t->content, json, "content", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_get_bool(&t->special, json, "special", VLM_JSON_OPTIONAL, err));
  t->normalized = !t->special;
  VLM_TRY(vlm_json_get_bool(&t->single_word, json, "single_word", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&t->lstrip, json, "lstrip", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&t->rstrip, json, "rstrip", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&t->normalized, json, "normalized", VLM_JSON_OPTIONAL, err));
out:
  return st;
}

/* The id of a new content: the model's, or the next one above everything so far. */
static int64_t id_for(const vlm_tok_added *added, const vlm_tok_vocab *vocab, vlm_slice content) {
  const int32_t known = vlm_tok_vocab_find(vocab, content);
  const int64_t model_size = (int64_t)vlm_tok_vocab_count(vocab), limit = vlm_tok_vocab_limit(added->ids);
  if (known >= 0) return known;
  return limit > model_size ? limit : model_size;
}

static vlm_status read_tokens(vlm_tok_added *added, vlm_json array, const vlm_tok_vocab *vocab,
                              const vlm_tok_normalizer *normalizer, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_arena_limit(added->arena,
                  vlm_arena_used(added->arena) + vlm_json_size(array) * TOKEN_BYTES + FREE_BYTES);
  for (size_t i = 0; i < vlm_json_size(array); i++) {
    token t;
    VLM_TRY(read_token(&t, added->arena, vlm_json_at(array, i), err));
    if (t.content.bytes == 0 || vlm_tok_vocab_find(added->ids, t.content) >= 0) continue;
    VLM_TRY(vlm_tok_vocab_add(added->ids, t.content, id_for(added, vocab, t.content), err));
    t.id = vlm_tok_vocab_find(added->ids, t.content);
    if (t.special) VLM_TRY(vlm_tok_vocab_add(added->specials, t.content, 0, err));
    t.pattern = t.content;
    if (t.normalized) VLM_TRY(vlm_tok_normalize(normalizer, added->arena, &t.pattern, err));
    added->tokens[added->count++] = t;
  }
out:
  vlm_arena_limit(added->arena, 0);
  return st;
}

/* Of tokens that look the same once normalized, special ones come first, then file order. */
static vlm_status collect(vlm_tok_added *added, bool normalized, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int special = 1; special >= 0; special--) {
    for (size_t i = 0; i < added->count; i++) {
      const token *t = &added->tokens[i];
      if (t->normalized != normalized || t->special != special) continue;
      VLM_TRY(vlm_tok_prefixes_add(&added->patterns[normalized], added->arena, t->pattern, (int32_t)i, err));
    }
  }
  vlm_tok_prefixes_sort(&added->patterns[normalized]);
out:
  return st;
}

vlm_status vlm_tok_added_create(vlm_tok_added **out, vlm_arena *arena, vlm_json array,
                                const vlm_tok_vocab *vocab, const vlm_tok_normalizer *normalizer,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  const size_t count = vlm_json_size(array);
  VLM_TRY(vlm_arena_alloc(arena, &memory, 1, sizeof **out, err));
  vlm_tok_added *added = memory;
  added->arena = arena;
  VLM_TRY(vlm_arena_alloc(arena, &memory, count, sizeof *added->tokens, err));
  added->tokens = memory;
  VLM_TRY(vlm_tok_vocab_create(&added->ids, arena, count, err));
  VLM_TRY(vlm_tok_vocab_create(&added->specials, arena, count, err));
  VLM_TRY(vlm_regex_create(&added->word, arena, vlm_slice_of("\\A[" VLM_REGEX_WORD "]\\z"), err));
  VLM_TRY(read_tokens(added, array, vocab, normalizer, err));
  VLM_TRY(collect(added, false, err));
  VLM_TRY(collect(added, true, err));
  *out = added;
out:
  return st;
}

/* ---- matching ---- */

/* The longest token that starts `rest`, or NULL. */
static const token *match_here(const vlm_tok_added *added, bool normalized, vlm_slice rest) {
  const vlm_tok_prefixes *patterns = &added->patterns[normalized];
  vlm_tok_walk walk = vlm_tok_walk_start(patterns);
  const token *best = NULL;
  int32_t index;
  for (size_t at = 0;
       at < rest.bytes && vlm_tok_walk_step(patterns, &walk, (unsigned char)rest.data[at], &index); at++) {
    if (index >= 0) best = &added->tokens[index];
  }
  return best;
}

/* Whether the character at an edge of a match belongs to a word. `before`: the last one of the text, else the first one. */
static vlm_status touches_word(const vlm_tok_added *added, vlm_arena *arena, vlm_slice text, bool before,
                               bool *word, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text_range *ranges;
  size_t count = 0;
  uint32_t code;
  if (text.bytes) {
    const size_t used = before ? vlm_slice_last_code(text, &code) : vlm_slice_code(text, &code);
    text = before ? vlm_slice_part(text, text.bytes - used, text.bytes) : vlm_slice_part(text, 0, used);
    VLM_TRY(vlm_regex_find_all(added->word, arena, text, &ranges, &count, err));
  }
  *word = count > 0;
out:
  return st;
}

static vlm_status stands_alone(const vlm_tok_added *added, vlm_arena *arena, vlm_slice text,
                               vlm_text_range match, bool *alone, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool left, right;
  VLM_TRY(touches_word(added, arena, vlm_slice_part(text, 0, match.from), true, &left, err));
  VLM_TRY(touches_word(added, arena, vlm_slice_part(text, match.to, text.bytes), false, &right, err));
  *alone = !left && !right;
out:
  return st;
}

/* Blanks beside a match that lstrip and rstrip take along. */
static size_t blanks_before(vlm_slice text, size_t at) {
  uint32_t code;
  while (at > 0) {
    const size_t used = vlm_slice_last_code(vlm_slice_part(text, 0, at), &code);
    if (!vlm_unicode_is_space(code)) break;
    at -= used;
  }
  return at;
}

static size_t blanks_after(vlm_slice text, size_t at) {
  uint32_t code;
  while (at < text.bytes) {
    const size_t used = vlm_slice_code(vlm_slice_part(text, at, text.bytes), &code);
    if (!vlm_unicode_is_space(code)) break;
    at += used;
  }
  return at;
}

static vlm_status put(vlm_tok_pieces *out, vlm_tok_piece piece, size_t from, size_t to, int32_t id,
                      vlm_error *err) {
  const vlm_tok_piece part = {vlm_slice_part(piece.text, from, to), piece.at_start && from == 0, id};
  return vlm_tok_pieces_add(out, part, err);
}

vlm_status vlm_tok_added_split(const vlm_tok_added *added, bool normalized, vlm_tok_piece piece,
                               vlm_tok_pieces *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_slice text = piece.text;
  size_t done = 0; /* everything before is in `out` */
  for (size_t at = 0; at < text.bytes;) {
    const token *t = match_here(added, normalized, vlm_slice_part(text, at, text.bytes));
    if (!t) {
      at++;
      continue;
    }
    size_t from = at, to = at + t->pattern.bytes;
    bool alone = true;
    if (t->single_word)
      VLM_TRY(stands_alone(added, out->arena, text, (vlm_text_range){from, to}, &alone, err));
    at = to;
    if (!alone) continue;
    if (t->lstrip) from = blanks_before(text, from);
    if (from < done) from = done;
    if (t->rstrip) to = blanks_after(text, to);
    if (done < from) VLM_TRY(put(out, piece, done, from, -1, err));
    VLM_TRY(put(out, piece, from, to > from ? to : from, t->id, err));
    done = to;
  }
  if (done < text.bytes) VLM_TRY(put(out, piece, done, text.bytes, -1, err));
out:
  return st;
}

/* ---- looking up ---- */

int32_t vlm_tok_added_find(const vlm_tok_added *added, vlm_slice text) {
  return vlm_tok_vocab_find(added->ids, text);
}
vlm_slice vlm_tok_added_text(const vlm_tok_added *added, int32_t id) {
  return vlm_tok_vocab_text(added->ids, id);
}
int32_t vlm_tok_added_limit(const vlm_tok_added *added) { return vlm_tok_vocab_limit(added->ids); }
bool vlm_tok_added_is_special(const vlm_tok_added *added, vlm_slice text) {
  return vlm_tok_vocab_find(added->specials, text) >= 0;
}
vlm_status vlm_tok_added_mark_special(vlm_tok_added *added, vlm_slice text, vlm_error *err) {
  return vlm_tok_vocab_add(added->specials, text, 0, err);
}
