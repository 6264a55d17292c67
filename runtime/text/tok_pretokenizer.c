#include <string.h>

#include "runtime/text/tok_split.h"
#include "runtime/text/tok_unicode.h"

/* ---- Sequence ---- */

typedef struct split_sequence {
  vlm_tok_pretokenizer base;
  vlm_tok_pretokenizer **children;
  size_t count;
} split_sequence;

static vlm_status sequence_run(const vlm_tok_pretokenizer *base, vlm_tok_piece piece, vlm_tok_pieces *out,
                               vlm_error *err) {
  const split_sequence *self = (const split_sequence *)base;
  vlm_status st = VLM_OK;
  vlm_tok_pieces words = {.arena = out->arena};
  VLM_TRY(vlm_tok_pieces_add(&words, piece, err));
  for (size_t i = 0; i < self->count; i++) VLM_TRY(vlm_tok_pretokenize(self->children[i], &words, err));
  for (size_t i = 0; i < words.count; i++) VLM_TRY(vlm_tok_pieces_add(out, words.items[i], err));
out:
  return st;
}

static vlm_status sequence_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_json array = {0};
  VLM_TRY(vlm_tok_children(source, "pretokenizers", &array, err));
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof(split_sequence), err));
  split_sequence *self = memory;
  self->base.run = sequence_run;
  self->count = vlm_json_size(array);
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, self->count, sizeof *self->children, err));
  self->children = memory;
  for (size_t i = 0; i < self->count; i++) {
    const vlm_tok_source child = vlm_tok_child(source, array, i);
    VLM_TRY(vlm_tok_pretokenizer_make(&self->children[i], &child, err));
  }
  *out = &self->base;
out:
  return st;
}

/* ---- Split, Whitespace: by pattern ---- */

typedef struct split {
  vlm_tok_pretokenizer base;
  vlm_tok_pattern pattern;
  vlm_tok_behavior behavior;
  bool invert;
} split;

static vlm_status split_run(const vlm_tok_pretokenizer *base, vlm_tok_piece piece, vlm_tok_pieces *out,
                            vlm_error *err) {
  const split *self = (const split *)base;
  vlm_status st = VLM_OK;
  vlm_text_range *ranges;
  size_t count;
  VLM_TRY(vlm_tok_pattern_find(&self->pattern, out->arena, piece.text, &ranges, &count, err));
  VLM_TRY(vlm_tok_split(piece, &(vlm_tok_cuts){ranges, count, self->behavior, self->invert}, out, err));
out:
  return st;
}

static vlm_status make_split(split **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof **out, err));
  *out = memory;
  (*out)->base.run = split_run;
out:
  return st;
}

static vlm_status split_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  split *self;
  VLM_TRY(make_split(&self, source, err));
  VLM_TRY(vlm_tok_pattern_read(&self->pattern, source, err));
  VLM_TRY(vlm_json_get_bool(&self->invert, source->json, "invert", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_tok_behavior_read(&self->behavior, source->json, err));
  *out = &self->base;
out:
  return st;
}

/* Words and runs of symbols; what lies between is dropped. */
static vlm_status whitespace_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source,
                                    vlm_error *err) {
  static const char pattern[] = "[" VLM_REGEX_WORD "]+|[^" VLM_REGEX_WORD "\\s]+";
  vlm_status st = VLM_OK;
  split *self;
  VLM_TRY(make_split(&self, source, err));
  VLM_TRY(vlm_regex_create(&self->pattern.regex, source->arena, vlm_slice_of(pattern), err));
  self->behavior = VLM_SPLIT_REMOVED;
  self->invert = true;
  *out = &self->base;
out:
  return st;
}

/* ---- by character class ---- */

typedef struct chars {
  vlm_tok_pretokenizer base;
  vlm_tok_test *test;
  uint32_t argument;
  vlm_tok_behavior behavior;
} chars;

static bool is_space(uint32_t code, uint32_t argument) { return (void)argument, vlm_unicode_is_space(code); }
static bool is_punctuation(uint32_t code, uint32_t argument) {
  return (void)argument, vlm_unicode_is_punctuation(code);
}
static bool is_number(uint32_t code, uint32_t argument) {
  return (void)argument, vlm_unicode_is_number(code);
}
static bool is_equal(uint32_t code, uint32_t argument) { return code == argument; }

static vlm_status chars_run(const vlm_tok_pretokenizer *base, vlm_tok_piece piece, vlm_tok_pieces *out,
                            vlm_error *err) {
  const chars *self = (const chars *)base;
  return vlm_tok_split_chars(piece, self->test, self->argument, self->behavior, out, err);
}

static vlm_status make_chars(chars **out, const vlm_tok_source *source, vlm_tok_test *test,
                             vlm_tok_behavior behavior, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof **out, err));
  *out = memory;
  **out = (chars){{chars_run}, test, 0, behavior};
out:
  return st;
}

static vlm_status whitespace_split_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source,
                                          vlm_error *err) {
  return make_chars((chars **)out, source, is_space, VLM_SPLIT_REMOVED, err);
}

static vlm_status punctuation_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source,
                                     vlm_error *err) {
  vlm_status st = VLM_OK;
  chars *self;
  VLM_TRY(make_chars(&self, source, is_punctuation, VLM_SPLIT_ISOLATED, err));
  VLM_TRY(vlm_tok_behavior_read(&self->behavior, source->json, err));
  *out = &self->base;
out:
  return st;
}

static vlm_status digits_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  chars *self;
  bool individual = false;
  VLM_TRY(vlm_json_get_bool(&individual, source->json, "individual_digits", VLM_JSON_OPTIONAL, err));
  VLM_TRY(make_chars(&self, source, is_number, individual ? VLM_SPLIT_ISOLATED : VLM_SPLIT_CONTIGUOUS, err));
  *out = &self->base;
out:
  return st;
}

static vlm_status delimiter_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  chars *self;
  vlm_slice text = {"", 0};
  VLM_TRY(make_chars(&self, source, is_equal, VLM_SPLIT_REMOVED, err));
  VLM_TRY(vlm_slice_get(source->arena, &text, source->json, "delimiter", VLM_JSON_REQUIRED, err));
  if (text.bytes == 0 || vlm_slice_code(text, &self->argument) != text.bytes) {
    return vlm_json_fail(source->json, err, VLM_INPUT, "delimiter must be one character");
  }
  *out = &self->base;
out:
  return st;
}

/* ---- BERT: blanks go, punctuation stands alone ---- */

static vlm_status bert_run(const vlm_tok_pretokenizer *base, vlm_tok_piece piece, vlm_tok_pieces *out,
                           vlm_error *err) {
  (void)base;
  vlm_status st = VLM_OK;
  vlm_tok_pieces words = {.arena = out->arena};
  VLM_TRY(vlm_tok_split_chars(piece, is_space, 0, VLM_SPLIT_REMOVED, &words, err));
  for (size_t i = 0; i < words.count; i++)
    VLM_TRY(vlm_tok_split_chars(words.items[i], is_punctuation, 0, VLM_SPLIT_ISOLATED, out, err));
out:
  return st;
}

static vlm_status bert_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, 1, sizeof **out, err));
  *out = memory;
  (*out)->run = bert_run;
out:
  return st;
}

/* ---- dispatch ---- */

static const struct pretokenizer_row {
  const char *name;
  vlm_tok_pretokenizer_create *create;
} pretokenizers[] = {
    {"Sequence", sequence_create},
    {"BertPreTokenizer", bert_create},
    {"ByteLevel", vlm_tok_byte_level_create},
    {"CharDelimiterSplit", delimiter_create},
    {"Digits", digits_create},
    {"Metaspace", vlm_tok_metaspace_create},
    {"Punctuation", punctuation_create},
    {"Split", split_create},
    {"Whitespace", whitespace_create},
    {"WhitespaceSplit", whitespace_split_create},
};

vlm_status vlm_tok_pretokenizer_make(vlm_tok_pretokenizer **out, const vlm_tok_source *source,
                                     vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t row = 0;
  *out = NULL;
  if (vlm_json_is_null(source->json)) return VLM_OK;
  VLM_TRY(vlm_tok_type(&row, source->json, VLM_TOK_TABLE("pre-tokenizer", pretokenizers), err));
  VLM_TRY(pretokenizers[row].create(out, source, err));
out:
  return st;
}

vlm_status vlm_tok_pretokenize(const vlm_tok_pretokenizer *self, vlm_tok_pieces *pieces, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tok_pieces words = {.arena = pieces->arena};
  size_t kept = 0;
  if (!self) return VLM_OK;
  for (size_t i = 0; i < pieces->count; i++) {
    const vlm_tok_piece piece = pieces->items[i];
    if (piece.id >= 0) VLM_TRY(vlm_tok_pieces_add(&words, piece, err));
    else if (piece.text.bytes) VLM_TRY(self->run(self, piece, &words, err));
  }
  for (size_t i = 0; i < words.count; i++) {
    if (words.items[i].id >= 0 || words.items[i].text.bytes) words.items[kept++] = words.items[i];
  }
  words.count = kept;
  *pieces = words;
out:
  return st;
}
