#include <string.h>

#include "runtime/text/tok_cleanup.h"
#include "runtime/text/tok_pattern.h"
#include "runtime/base/utf8.h"

vlm_status vlm_tok_list_single(vlm_tok_list *list, vlm_slice text, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(list->arena, &memory, 1, sizeof text, err));
  list->items = memory;
  list->items[0] = text;
  list->count = 1;
out:
  return st;
}

static vlm_status make(void **out, const vlm_tok_source *source, size_t size,
                       vlm_status (*run)(const vlm_tok_decoder *, vlm_tok_list *, vlm_error *),
                       vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_arena_alloc(source->arena, out, 1, size, err));
  ((vlm_tok_decoder *)*out)->run = run;
out:
  return st;
}

/* ---- Sequence ---- */

typedef struct decode_sequence {
  vlm_tok_decoder base;
  vlm_tok_decoder **children;
  size_t count;
} decode_sequence;

static vlm_status sequence_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  const decode_sequence *self = (const decode_sequence *)base;
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < self->count; i++) {
    if (self->children[i]) VLM_TRY(self->children[i]->run(self->children[i], list, err));
  }
out:
  return st;
}

static vlm_status sequence_create(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_json array = {0};
  VLM_TRY(vlm_tok_children(source, "decoders", &array, err));
  VLM_TRY(make(&memory, source, sizeof(decode_sequence), sequence_run, err));
  decode_sequence *self = memory;
  self->count = vlm_json_size(array);
  VLM_TRY(vlm_arena_alloc(source->arena, &memory, self->count, sizeof *self->children, err));
  self->children = memory;
  for (size_t i = 0; i < self->count; i++) {
    const vlm_tok_source child = vlm_tok_child(source, array, i);
    VLM_TRY(vlm_tok_decoder_make(&self->children[i], &child, err));
  }
  *out = &self->base;
out:
  return st;
}

/* ---- Fuse: all tokens become one ---- */

static vlm_status fuse_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  (void)base;
  vlm_status st = VLM_OK;
  vlm_slice text;
  vlm_builder b = vlm_builder_start(list->arena, err);
  for (size_t i = 0; i < list->count; i++) vlm_builder_add(&b, list->items[i]);
  VLM_TRY(vlm_builder_done(&b, &text));
  VLM_TRY(vlm_tok_list_single(list, text, err));
out:
  return st;
}

static vlm_status fuse_create(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  void *memory;
  const vlm_status st = make(&memory, source, sizeof **out, fuse_run, err);
  *out = memory;
  return st;
}

/* ---- ByteFallback: runs of <0xNN> become the text they spell, or one U+FFFD per byte ---- */

/* The value of a token of the form <0xNN>, or -1. */
static int byte_value(vlm_slice token) {
  static const char digits[] = "0123456789ABCDEFabcdef";
  int value = 0;
  if (token.bytes != 6 || memcmp(token.data, "<0x", 3) != 0 || token.data[5] != '>') return -1;
  for (int i = 3; i < 5; i++) {
    const char *at = memchr(digits, token.data[i], sizeof digits - 1);
    if (!at) return -1;
    value = value * 16 + (int)(at - digits) - (at - digits >= 16 ? 6 : 0);
  }
  return value;
}

static vlm_status flush_bytes(vlm_tok_list *list, size_t *kept, char *bytes, size_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_slice text, repaired;
  if (count == 0) return VLM_OK;
  VLM_TRY(vlm_slice_copy(list->arena, &text, (vlm_slice){bytes, count}, err));
  VLM_TRY(vlm_slice_repair(list->arena, &repaired, text, err));
  if (repaired.data == text.data) { /* well-formed */
    list->items[(*kept)++] = text;
  } else {
    for (size_t i = 0; i < count; i++) list->items[(*kept)++] = (vlm_slice){"\xEF\xBF\xBD", 3};
  }
out:
  return st;
}

static vlm_status fallback_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  (void)base;
  vlm_status st = VLM_OK;
  void *bytes;
  size_t kept = 0, n_bytes = 0;
  VLM_TRY(vlm_arena_alloc(list->arena, &bytes, list->count, 1, err));
  for (size_t i = 0; i < list->count; i++) {
    const vlm_slice token = list->items[i];
    const int value = byte_value(token);
    if (value >= 0) {
      ((char *)bytes)[n_bytes++] = (char)value;
      continue;
    }
    VLM_TRY(flush_bytes(list, &kept, bytes, n_bytes, err));
    n_bytes = 0;
    list->items[kept++] = token;
  }
  VLM_TRY(flush_bytes(list, &kept, bytes, n_bytes, err));
  list->count = kept;
out:
  return st;
}

static vlm_status fallback_create(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  void *memory;
  const vlm_status st = make(&memory, source, sizeof **out, fallback_run, err);
  *out = memory;
  return st;
}

/* ---- Strip: up to `start` leading and `stop` trailing copies of a character go from each token ---- */

typedef struct decode_strip {
  vlm_tok_decoder base;
  vlm_slice content;
  int64_t start, stop;
} decode_strip;

static vlm_status strip_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  (void)err;
  const decode_strip *self = (const decode_strip *)base;
  const size_t n = self->content.bytes;
  for (size_t i = 0; i < list->count; i++) {
    vlm_slice *token = &list->items[i];
    for (int64_t k = 0; k < self->start && vlm_slice_starts(*token, self->content); k++)
      *token = vlm_slice_part(*token, n, token->bytes);
    for (int64_t k = 0; k < self->stop && token->bytes >= n; k++) {
      if (memcmp(token->data + token->bytes - n, self->content.data, n) != 0) break;
      token->bytes -= n;
    }
  }
  return VLM_OK;
}

static vlm_status strip_create(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  uint32_t code;
  VLM_TRY(make(&memory, source, sizeof(decode_strip), strip_run, err));
  decode_strip *self = memory;
  VLM_TRY(vlm_slice_get(source->arena, &self->content, source->json, "content", VLM_JSON_REQUIRED, err));
  if (self->content.bytes == 0 || vlm_slice_code(self->content, &code) != self->content.bytes) {
    return vlm_json_fail(source->json, err, VLM_INPUT, "content must be one character");
  }
  VLM_TRY(vlm_json_get_int_in(&self->start, source->json, "start", (vlm_json_range){0, INT32_MAX},
                              VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_int_in(&self->stop, source->json, "stop", (vlm_json_range){0, INT32_MAX},
                              VLM_JSON_OPTIONAL, err));
  *out = &self->base;
out:
  return st;
}

/* ---- Replace ---- */

typedef struct decode_replace {
  vlm_tok_decoder base;
  vlm_tok_replace rule;
} decode_replace;

static vlm_status replace_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < list->count; i++) {
    VLM_TRY(
        vlm_tok_replace_run(&((const decode_replace *)base)->rule, list->arena, &list->items[i], NULL, err));
  }
out:
  return st;
}

static vlm_status replace_create(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(make(&memory, source, sizeof(decode_replace), replace_run, err));
  VLM_TRY(vlm_tok_replace_read(&((decode_replace *)memory)->rule, source, err));
  *out = memory;
out:
  return st;
}

/* ---- WordPiece, BPEDecoder, CTC ---- */

typedef struct words {
  vlm_tok_decoder base;
  vlm_slice mark;      /* continuing prefix, end-of-word suffix, or padding token */
  vlm_slice delimiter; /* CTC: the token between words */
  bool cleanup;
} words;

static vlm_status wordpiece_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  const words *self = (const words *)base;
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < list->count; i++) {
    vlm_slice *token = &list->items[i];
    vlm_builder b = vlm_builder_start(list->arena, err);
    if (i > 0 && vlm_slice_starts(*token, self->mark)) {
      *token = vlm_slice_part(*token, self->mark.bytes, token->bytes);
    } else if (i > 0) {
      vlm_builder_code(&b, ' ');
      vlm_builder_add(&b, *token);
      VLM_TRY(vlm_builder_done(&b, token));
    }
    if (self->cleanup) VLM_TRY(vlm_tok_cleanup_token(list->arena, token, err));
  }
out:
  return st;
}

static vlm_status bpe_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  const words *self = (const words *)base;
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < list->count && self->mark.bytes; i++) {
    const vlm_slice with = vlm_slice_of(i + 1 == list->count ? "" : " ");
    VLM_TRY(vlm_slice_replace(list->arena, &list->items[i], list->items[i], self->mark, with, err));
  }
out:
  return st;
}

static vlm_status ctc_run(const vlm_tok_decoder *base, vlm_tok_list *list, vlm_error *err) {
  const words *self = (const words *)base;
  vlm_status st = VLM_OK;
  size_t kept = 0;
  vlm_slice previous = {NULL, 0};
  for (size_t i = 0; i < list->count; i++) {
    vlm_slice token = list->items[i];
    const bool repeated = i > 0 && vlm_slice_equal(token, previous);
    previous = token;
    if (repeated) continue;
    if (self->mark.bytes)
      VLM_TRY(vlm_slice_replace(list->arena, &token, token, self->mark, (vlm_slice){"", 0}, err));
    if (self->cleanup) VLM_TRY(vlm_tok_cleanup_token(list->arena, &token, err));
    if (self->cleanup && self->delimiter.bytes) {
      VLM_TRY(vlm_slice_replace(list->arena, &token, token, self->delimiter, vlm_slice_of(" "), err));
    }
    if (token.bytes) list->items[kept++] = token;
  }
  list->count = kept;
out:
  return st;
}

static vlm_status make_words(vlm_tok_decoder **out, const vlm_tok_source *source,
                             vlm_status (*run)(const vlm_tok_decoder *, vlm_tok_list *, vlm_error *),
                             const char *mark_key, const char *mark, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(make(&memory, source, sizeof(words), run, err));
  words *self = memory;
  self->mark = vlm_slice_of(mark);
  self->delimiter = vlm_slice_of("|");
  self->cleanup = true;
  VLM_TRY(vlm_slice_get(source->arena, &self->mark, source->json, mark_key, VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_slice_get(source->arena, &self->delimiter, source->json, "word_delimiter_token",
                        VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_bool(&self->cleanup, source->json, "cleanup", VLM_JSON_OPTIONAL, err));
  *out = &self->base;
out:
  return st;
}

static vlm_status wordpiece_create(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  return make_words(out, source, wordpiece_run, "prefix", "##", err);
}
static vlm_status bpe_create(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  return make_words(out, source, bpe_run, "suffix", "</w>", err);
}
static vlm_status ctc_create(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  return make_words(out, source, ctc_run, "pad_token", "<pad>", err);
}

/* ---- dispatch ---- */

static const struct decoder_row {
  const char *name;
  vlm_tok_decoder_create *create;
} decoders[] = {
    {"Sequence", sequence_create},
    {"BPEDecoder", bpe_create},
    {"ByteFallback", fallback_create},
    {"ByteLevel", vlm_tok_byte_decoder_create},
    {"CTC", ctc_create},
    {"Fuse", fuse_create},
    {"Metaspace", vlm_tok_metaspace_decoder_create},
    {"Replace", replace_create},
    {"Strip", strip_create},
    {"WordPiece", wordpiece_create},
};

vlm_status vlm_tok_decoder_make(vlm_tok_decoder **out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t row = 0;
  *out = NULL;
  if (vlm_json_is_null(source->json)) return VLM_OK;
  VLM_TRY(vlm_tok_type(&row, source->json, VLM_TOK_TABLE("decoder", decoders), err));
  VLM_TRY(decoders[row].create(out, source, err));
out:
  return st;
}
