/* The inside of the tokenizer: text views, pieces, and the interface of each kind of component.
 *
 * Encoding is a chain: added tokens cut the text, the normalizer rewrites what is left, the pre-tokenizer cuts it into words,
 * the model turns words into ids, the processor adds special ids. Decoding maps ids to token texts and runs the decoder over them.
 * Everything made while a tokenizer is built lives in its arena; everything made during one call lives in an arena of that call,
 * so no component frees anything. All texts are valid UTF-8 slices. Each kind of component has one table of {type name, create}. */
#ifndef VLM_TEXT_TOK_H
#define VLM_TEXT_TOK_H

#include <stdbool.h>

#include "runtime/base/memory.h"
#include "runtime/base/buffer.h"
#include "runtime/base/json.h"

enum {
  VLM_TOK_MAX_ID = (1 << 22) - 1, /* largest token id that is accepted */
  VLM_TOK_MAX_NESTING = 16        /* Sequence within Sequence */
};
#define VLM_TOK_MAX_TEXT ((size_t)64 << 20) /* bytes of one text to encode */

/* ---- slices (tok_text.c) ---- */

bool vlm_slice_equal(vlm_slice a, vlm_slice b);
bool vlm_slice_starts(vlm_slice text, vlm_slice prefix);
vlm_slice vlm_slice_part(vlm_slice text, size_t from, size_t to);
vlm_slice vlm_slice_of(const char *text);
/* First code point and its length in bytes; text.bytes > 0. */
size_t vlm_slice_code(vlm_slice text, uint32_t *code);
/* Last code point and its length in bytes; text.bytes > 0. */
size_t vlm_slice_last_code(vlm_slice text, uint32_t *code);
vlm_status vlm_slice_copy(vlm_arena *arena, vlm_slice *out, vlm_slice text, vlm_error *err);
/* Well-formed UTF-8: ill-formed parts become U+FFFD, one per maximal subpart. The same slice when nothing changes. */
vlm_status vlm_slice_repair(vlm_arena *arena, vlm_slice *out, vlm_slice text, vlm_error *err);
/* Text member of a JSON object as a slice in the arena; absent leaves *out alone. */
vlm_status vlm_slice_get(vlm_arena *arena, vlm_slice *out, vlm_json object, const char *key,
                         vlm_json_need need, vlm_error *err);

/* Builds text in an arena. The first failure sticks: check vlm_builder_done. */
typedef struct vlm_builder {
  vlm_arena *arena;
  char *data;
  size_t bytes, room;
  vlm_status status;
  vlm_error *err;
} vlm_builder;
vlm_builder vlm_builder_start(vlm_arena *arena, vlm_error *err);
void vlm_builder_code(vlm_builder *builder, uint32_t code);
void vlm_builder_add(vlm_builder *builder, vlm_slice text);
vlm_status vlm_builder_done(vlm_builder *builder, vlm_slice *out);

/* Every occurrence of `what` (not empty) replaced by `with`; the same slice when there is none. */
vlm_status vlm_slice_replace(vlm_arena *arena, vlm_slice *out, vlm_slice text, vlm_slice what, vlm_slice with,
                             vlm_error *err);

/* Grows an arena array to hold `need` elements; *room in elements. */
vlm_status vlm_tok_grow(vlm_arena *arena, void **data, size_t count, size_t *room, size_t need, size_t size,
                        vlm_error *err);

/* ---- pieces: the text on its way to ids ---- */

typedef struct vlm_tok_piece {
  vlm_slice text;
  bool at_start; /* its first character stems from the first character of the input */
  int32_t id;    /* an added token; -1 = text still to be encoded */
} vlm_tok_piece;

typedef struct vlm_tok_pieces {
  vlm_arena *arena;
  vlm_tok_piece *items;
  size_t count, room;
} vlm_tok_pieces;
vlm_status vlm_tok_pieces_add(vlm_tok_pieces *pieces, vlm_tok_piece piece, vlm_error *err);

/* ---- vocabulary (tok_vocab.c) ---- */

typedef struct vlm_tok_vocab vlm_tok_vocab;
/* `expected` tokens; texts are copied into the arena. */
vlm_status vlm_tok_vocab_create(vlm_tok_vocab **out, vlm_arena *arena, size_t expected, vlm_error *err);
/* A text that is there already gets the new id. */
vlm_status vlm_tok_vocab_add(vlm_tok_vocab *vocab, vlm_slice text, int64_t id, vlm_error *err);
/* Id of a text, or -1. */
int32_t vlm_tok_vocab_find(const vlm_tok_vocab *vocab, vlm_slice text);
/* Text of an id; data NULL when the id is not used. */
vlm_slice vlm_tok_vocab_text(const vlm_tok_vocab *vocab, int32_t id);
/* Number of different texts, and largest id + 1. */
size_t vlm_tok_vocab_count(const vlm_tok_vocab *vocab);
int32_t vlm_tok_vocab_limit(const vlm_tok_vocab *vocab);
/* From a JSON object {text: id}. */
vlm_status vlm_tok_vocab_read(vlm_tok_vocab **out, vlm_arena *arena, vlm_json object, vlm_error *err);

/* Ids of `<0x00>` … `<0xFF>`; -1 where the vocabulary has none. */
void vlm_tok_byte_ids(const vlm_tok_vocab *vocab, int32_t ids[256]);

/* ---- components ---- */

typedef struct vlm_tok_model vlm_tok_model;
struct vlm_tok_model {
  vlm_tok_vocab *vocab;
  /* Appends the ids of one word (text.bytes > 0). */
  vlm_status (*run)(const vlm_tok_model *self, vlm_arena *arena, vlm_slice word, vlm_ids *ids,
                    vlm_error *err);
};

typedef struct vlm_tok_normalizer vlm_tok_normalizer;
struct vlm_tok_normalizer {
  /* Rewrites piece->text and, when the first character goes away, piece->at_start. */
  vlm_status (*run)(const vlm_tok_normalizer *self, vlm_arena *arena, vlm_tok_piece *piece, vlm_error *err);
};

typedef struct vlm_tok_pretokenizer vlm_tok_pretokenizer;
struct vlm_tok_pretokenizer {
  /* Appends the words of one piece (id -1, text.bytes > 0) to `out`. Empty words are dropped by vlm_tok_pretokenize. */
  vlm_status (*run)(const vlm_tok_pretokenizer *self, vlm_tok_piece piece, vlm_tok_pieces *out,
                    vlm_error *err);
};

typedef struct vlm_tok_list { /* token texts being decoded */
  vlm_arena *arena;
  vlm_slice *items;
  size_t count; /* decoders may shrink the list, never grow it in place */
} vlm_tok_list;
/* Replaces the whole list by one text. */
vlm_status vlm_tok_list_single(vlm_tok_list *list, vlm_slice text, vlm_error *err);
typedef struct vlm_tok_decoder vlm_tok_decoder;
struct vlm_tok_decoder {
  vlm_status (*run)(const vlm_tok_decoder *self, vlm_tok_list *list, vlm_error *err);
};

/* Special ids around a text: prefix ids, text, suffix ids. */
typedef struct vlm_tok_frame {
  int32_t *before, *after;
  size_t n_before, n_after;
} vlm_tok_frame;

/* What a component is made from. */
typedef struct vlm_tok_source {
  vlm_arena *arena;
  vlm_json json; /* the component's object */
  int depth;     /* of Sequence nesting */
} vlm_tok_source;

typedef vlm_status vlm_tok_model_create(vlm_tok_model **out, const vlm_tok_source *source, vlm_error *err);
typedef vlm_status vlm_tok_normalizer_create(vlm_tok_normalizer **out, const vlm_tok_source *source,
                                             vlm_error *err);
typedef vlm_status vlm_tok_pretokenizer_create(vlm_tok_pretokenizer **out, const vlm_tok_source *source,
                                               vlm_error *err);
typedef vlm_status vlm_tok_decoder_create(vlm_tok_decoder **out, const vlm_tok_source *source,
                                          vlm_error *err);

/* The dispatchers: look up json.type in the table of the kind. A null or absent component gives NULL. */
vlm_tok_model_create vlm_tok_model_make;
vlm_tok_normalizer_create vlm_tok_normalizer_make;
vlm_tok_pretokenizer_create vlm_tok_pretokenizer_make;
vlm_tok_decoder_create vlm_tok_decoder_make;
vlm_status vlm_tok_frame_make(vlm_tok_frame *out, const vlm_tok_source *source, vlm_error *err);

/* A table whose rows begin with `const char *name`. */
typedef struct vlm_tok_table {
  const char *what; /* a row is, for messages */
  const void *rows;
  size_t count, row_size;
} vlm_tok_table;
#define VLM_TOK_TABLE(what, rows) \
  (vlm_tok_table) { (what), (rows), sizeof(rows) / sizeof *(rows), sizeof *(rows) }
/* Index of json.type in it; VLM_UNSUPPORTED names it and lists what there is. */
vlm_status vlm_tok_type(size_t *row, vlm_json json, vlm_tok_table table, vlm_error *err);
/* The children of a Sequence. */
vlm_status vlm_tok_children(const vlm_tok_source *source, const char *key, vlm_json *array, vlm_error *err);
/* Source of child i. */
vlm_tok_source vlm_tok_child(const vlm_tok_source *source, vlm_json array, size_t index);

/* Models. */
vlm_tok_model_create vlm_tok_bpe_create, vlm_tok_wordpiece_create, vlm_tok_wordlevel_create,
    vlm_tok_unigram_create;
/* Normalizers that have a file of their own. */
vlm_tok_normalizer_create vlm_tok_bert_normalizer_create, vlm_tok_precompiled_create,
    vlm_tok_byte_normalizer_create;
/* Pre-tokenizers that have a file of their own. */
vlm_tok_pretokenizer_create vlm_tok_byte_level_create, vlm_tok_metaspace_create;
/* Decoders that have a file of their own. */
vlm_tok_decoder_create vlm_tok_byte_decoder_create, vlm_tok_metaspace_decoder_create;

/* Runs a pre-tokenizer (NULL = none) over a list: pieces with an id pass, empty words are dropped. */
vlm_status vlm_tok_pretokenize(const vlm_tok_pretokenizer *self, vlm_tok_pieces *pieces, vlm_error *err);
/* Runs a normalizer (NULL = none) on a text of its own. */
vlm_status vlm_tok_normalize(const vlm_tok_normalizer *self, vlm_arena *arena, vlm_slice *text,
                             vlm_error *err);

/* ---- added tokens (tok_added.c) ---- */

typedef struct vlm_tok_added vlm_tok_added;
/* `array` is "added_tokens". Tokens that the model's vocabulary lacks get the next free ids, in file order. */
vlm_status vlm_tok_added_create(vlm_tok_added **out, vlm_arena *arena, vlm_json array,
                                const vlm_tok_vocab *vocab, const vlm_tok_normalizer *normalizer,
                                vlm_error *err);
/* Cuts the text of `piece` at tokens that match raw (normalized false) or normalized text (true), appending to `out`. */
vlm_status vlm_tok_added_split(const vlm_tok_added *added, bool normalized, vlm_tok_piece piece,
                               vlm_tok_pieces *out, vlm_error *err);
int32_t vlm_tok_added_find(const vlm_tok_added *added, vlm_slice text);
/* Text of an added id; data NULL when it is none. */
vlm_slice vlm_tok_added_text(const vlm_tok_added *added, int32_t id);
int32_t vlm_tok_added_limit(const vlm_tok_added *added);
bool vlm_tok_added_is_special(const vlm_tok_added *added, vlm_slice text);
/* Declares a text special (tokens named in tokenizer_config.json). */
vlm_status vlm_tok_added_mark_special(vlm_tok_added *added, vlm_slice text, vlm_error *err);

#endif
