#include "runtime/text/tokenizer.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/json.h"
#include "runtime/text/tok.h"
#include "runtime/text/tok_cleanup.h"
#include "runtime/text/tok_private.h"

struct vlm_tokenizer {
  vlm_arena *arena;
  vlm_tok_model *model;
  vlm_tok_normalizer *normalizer;     /* NULL = none */
  vlm_tok_pretokenizer *pretokenizer; /* NULL = none */
  vlm_tok_decoder *decoder;           /* NULL = tokens joined by blanks */
  vlm_tok_frame frame;
  vlm_tok_added *added;
  bool clean_up;
};

/* ---- creation ---- */

static vlm_tok_source part(const vlm_tokenizer *t, vlm_json root, const char *key) {
  return (vlm_tok_source){.arena = t->arena, .json = vlm_json_member(root, key), .depth = 0};
}

static vlm_status read_parts(vlm_tokenizer *t, vlm_json root, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json model = {0}, added = {0};
  VLM_TRY(vlm_json_get_object(&model, root, "model", VLM_JSON_REQUIRED, err));
  vlm_tok_source source = part(t, root, "model");
  VLM_TRY(vlm_tok_model_make(&t->model, &source, err));
  source = part(t, root, "normalizer");
  VLM_TRY(vlm_tok_normalizer_make(&t->normalizer, &source, err));
  source = part(t, root, "pre_tokenizer");
  VLM_TRY(vlm_tok_pretokenizer_make(&t->pretokenizer, &source, err));
  source = part(t, root, "decoder");
  VLM_TRY(vlm_tok_decoder_make(&t->decoder, &source, err));
  source = part(t, root, "post_processor");
  VLM_TRY(vlm_tok_frame_make(&t->frame, &source, err));
  VLM_TRY(vlm_json_get_array(&added, root, "added_tokens", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_tok_added_create(&t->added, t->arena, added, t->model->vocab, t->normalizer, err));
out:
  return st;
}

/* A named token is a text or an object with "content". */
static vlm_status mark_special(vlm_tokenizer *t, vlm_json config, const char *name, vlm_error *err) {
  vlm_json value = vlm_json_member(config, name);
  vlm_slice text;
  if (vlm_json_type(value) == VLM_JSON_OBJECT) value = vlm_json_member(value, "content");
  if (vlm_json_type(value) != VLM_JSON_TEXT) return VLM_OK;
  vlm_status st = vlm_json_as_bytes(&text.data, &text.bytes, value, err);
  return st == VLM_OK && text.bytes ? vlm_tok_added_mark_special(t->added, text, err) : st;
}

static vlm_status read_config(vlm_tokenizer *t, vlm_json config, vlm_error *err) {
  static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                      "pad_token", "cls_token", "mask_token"};
  vlm_status st = VLM_OK;
  bool add_prefix_space = false;
  VLM_TRY(vlm_json_get_bool(&t->clean_up, config, "clean_up_tokenization_spaces", VLM_JSON_OPTIONAL, err));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) VLM_TRY(mark_special(t, config, names[i], err));
  if (vlm_json_type(vlm_json_member(config, "add_prefix_space")) == VLM_JSON_BOOL) {
    VLM_TRY(vlm_json_get_bool(&add_prefix_space, config, "add_prefix_space", VLM_JSON_OPTIONAL, err));
    vlm_tok_byte_level_set_prefix(t->pretokenizer, add_prefix_space);
  }
out:
  return st;
}

static vlm_status make(vlm_tokenizer **out, const vlm_json_doc *json, const vlm_json_doc *config,
                       vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_tokenizer *t = NULL;
  VLM_TRY(vlm_alloc(&memory, 1, sizeof *t, err));
  t = memory;
  VLM_TRY(vlm_arena_create(&t->arena, err));
  VLM_TRY(read_parts(t, vlm_json_root(json), err));
  if (config) VLM_TRY(read_config(t, vlm_json_root(config), err));
  *out = t;
  t = NULL;
out:
  vlm_tokenizer_free(t);
  return st;
}

vlm_status vlm_tokenizer_create(vlm_tokenizer **out, vlm_slice json, vlm_slice config, const char *source,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *json_doc = NULL, *config_doc = NULL;
  *out = NULL;
  VLM_TRY(vlm_json_parse(&json_doc, json.data, json.bytes, source, err));
  if (config.data) VLM_TRY(vlm_json_parse(&config_doc, config.data, config.bytes, source, err));
  VLM_TRY(make(out, json_doc, config_doc, err));
out:
  vlm_json_free(json_doc);
  vlm_json_free(config_doc);
  return st;
}

vlm_status vlm_tokenizer_load(vlm_tokenizer **out, const char *path, const char *config_path,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *json = NULL, *config = NULL;
  *out = NULL;
  VLM_TRY(vlm_json_load(&json, path, 0, err));
  if (config_path) VLM_TRY(vlm_json_load(&config, config_path, 0, err));
  VLM_TRY(make(out, json, config, err));
out:
  vlm_json_free(json);
  vlm_json_free(config);
  return st;
}

void vlm_tokenizer_free(vlm_tokenizer *tokenizer) {
  if (!tokenizer) return;
  vlm_arena_free(tokenizer->arena);
  vlm_free(tokenizer);
}

/* ---- encoding ---- */

/* Cuts at raw added tokens, normalizes the rest, cuts at normalized ones. */
static vlm_status cut(const vlm_tokenizer *t, vlm_tok_piece text, vlm_tok_pieces *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tok_pieces raw = {.arena = out->arena};
  VLM_TRY(vlm_tok_added_split(t->added, false, text, &raw, err));
  for (size_t i = 0; i < raw.count; i++) {
    vlm_tok_piece piece = raw.items[i];
    if (piece.id >= 0) {
      VLM_TRY(vlm_tok_pieces_add(out, piece, err));
      continue;
    }
    if (t->normalizer) VLM_TRY(t->normalizer->run(t->normalizer, out->arena, &piece, err));
    VLM_TRY(vlm_tok_added_split(t->added, true, piece, out, err));
  }
out:
  return st;
}

static vlm_status encode_pieces(const vlm_tokenizer *t, const vlm_tok_pieces *pieces, vlm_ids *ids,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < pieces->count; i++) {
    const vlm_tok_piece *piece = &pieces->items[i];
    if (piece->id >= 0) VLM_TRY(vlm_ids_append(ids, &piece->id, 1, err));
    else if (piece->text.bytes) VLM_TRY(t->model->run(t->model, pieces->arena, piece->text, ids, err));
  }
out:
  return st;
}

/* Rules of a file that make text longer and longer must not fill the memory. */
static size_t work_limit(size_t bytes) { return ((size_t)32 << 20) + 1024 * bytes; }

vlm_status vlm_tokenizer_encode(const vlm_tokenizer *tokenizer, const char *text, size_t bytes,
                                bool add_special, vlm_ids *ids, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_arena *arena = NULL;
  const size_t count = ids->count;
  const vlm_tok_frame *frame = &tokenizer->frame;
  vlm_tok_piece whole = {{text, bytes}, true, -1};
  VLM_CHECK(bytes <= VLM_TOK_MAX_TEXT, err, VLM_LIMIT, "text of %zu bytes, at most %zu are encoded at once",
            bytes, VLM_TOK_MAX_TEXT);
  VLM_TRY(vlm_arena_create(&arena, err));
  vlm_arena_limit(arena, work_limit(bytes));
  vlm_tok_pieces pieces = {.arena = arena};
  VLM_TRY(vlm_slice_repair(arena, &whole.text, whole.text, err));
  VLM_TRY(cut(tokenizer, whole, &pieces, err));
  VLM_TRY(vlm_tok_pretokenize(tokenizer->pretokenizer, &pieces, err));
  if (add_special) VLM_TRY(vlm_ids_append(ids, frame->before, frame->n_before, err));
  VLM_TRY(encode_pieces(tokenizer, &pieces, ids, err));
  if (add_special) VLM_TRY(vlm_ids_append(ids, frame->after, frame->n_after, err));
out:
  if (st == VLM_LIMIT) vlm_error_context(err, "tokenizer.json: a text of %zu bytes", bytes);
  if (st != VLM_OK) ids->count = count;
  vlm_arena_free(arena);
  return st;
}

/* ---- decoding ---- */

static vlm_slice token_text(const vlm_tokenizer *t, int32_t id) {
  const vlm_slice text = vlm_tok_added_text(t->added, id);
  return text.data ? text : vlm_tok_vocab_text(t->model->vocab, id);
}

static vlm_status list_tokens(const vlm_tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                              vlm_tok_list *list, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(list->arena, &memory, n, sizeof *list->items, err));
  list->items = memory;
  for (size_t i = 0; i < n; i++) {
    const vlm_slice text = token_text(t, ids[i]);
    if (text.data && !(skip_special && vlm_tok_added_is_special(t->added, text)))
      list->items[list->count++] = text;
  }
out:
  return st;
}

static vlm_status join(const vlm_tok_list *list, vlm_slice between, vlm_slice *out, vlm_error *err) {
  vlm_builder b = vlm_builder_start(list->arena, err);
  for (size_t i = 0; i < list->count; i++) {
    if (i > 0) vlm_builder_add(&b, between);
    vlm_builder_add(&b, list->items[i]);
  }
  return vlm_builder_done(&b, out);
}

vlm_status vlm_tok_decode(const vlm_tokenizer *t, const int32_t *ids, size_t n,
                          const vlm_tok_decode_opts *opts, vlm_text *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tok_list list = {0};
  vlm_slice joined;
  VLM_TRY(vlm_arena_create(&list.arena, err));
  vlm_arena_limit(list.arena, work_limit(n * sizeof *ids));
  VLM_TRY(list_tokens(t, ids, n, opts->skip_special, &list, err));
  if (t->decoder) VLM_TRY(t->decoder->run(t->decoder, &list, err));
  VLM_TRY(join(&list, vlm_slice_of(t->decoder ? "" : " "), &joined, err));
  if (t->clean_up && !opts->raw) VLM_TRY(vlm_tok_cleanup_text(list.arena, &joined, err));
  VLM_TRY(vlm_text_append(text, joined.data, joined.bytes, err));
out:
  vlm_arena_free(list.arena);
  return st;
}

vlm_status vlm_tokenizer_decode(const vlm_tokenizer *tokenizer, const int32_t *ids, size_t n,
                                bool skip_special, vlm_text *text, vlm_error *err) {
  const vlm_tok_decode_opts opts = {.skip_special = skip_special};
  return vlm_tok_decode(tokenizer, ids, n, &opts, text, err);
}

/* ---- looking up ---- */

int32_t vlm_tokenizer_id(const vlm_tokenizer *tokenizer, const char *token) {
  const vlm_slice text = vlm_slice_of(token);
  const int32_t id = vlm_tok_added_find(tokenizer->added, text);
  return id >= 0 ? id : vlm_tok_vocab_find(tokenizer->model->vocab, text);
}

const char *vlm_tokenizer_token(const vlm_tokenizer *tokenizer, int32_t id) {
  return token_text(tokenizer, id).data;
}

bool vlm_tokenizer_is_special(const vlm_tokenizer *tokenizer, int32_t id) {
  const vlm_slice text = token_text(tokenizer, id);
  return text.data && vlm_tok_added_is_special(tokenizer->added, text);
}

int32_t vlm_tokenizer_size(const vlm_tokenizer *tokenizer) {
  const int32_t model = vlm_tok_vocab_limit(tokenizer->model->vocab),
                added = vlm_tok_added_limit(tokenizer->added);
  return model > added ? model : added;
}
