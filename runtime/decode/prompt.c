#include "runtime/decode/prompt.h"

#include <string.h>

#include "runtime/bundle/bundle_texts.h"

/* ---- rules ---- */

static vlm_json root_of(const vlm_json_doc *doc) { return doc ? vlm_json_root(doc) : (vlm_json){0}; }

/* An id, or the text of a token. Negative ids are placeholders that no tokenizer knows. */
static vlm_status token_id(int32_t *out, vlm_json value, const vlm_tokenizer *tokenizer, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *text;
  int64_t id;
  if (vlm_json_type(value) == VLM_JSON_TEXT) {
    VLM_TRY(vlm_json_as_text(&text, value, err));
    *out = vlm_tokenizer_id(tokenizer, text);
    return *out >= 0 ? VLM_OK
                     : vlm_json_fail(value, err, VLM_INPUT, "the tokenizer has no token \"%s\"", text);
  }
  VLM_TRY(vlm_json_as_int(&id, value, err));
  *out = id >= 0 && id <= INT32_MAX ? (int32_t)id : -1;
out:
  return st;
}

static vlm_status read_image_token(vlm_prompt_rules *r, vlm_json config, vlm_json prompt, vlm_error *err) {
  const vlm_json stated[] = {vlm_json_member(prompt, "image_token"),
                             vlm_json_member(config, "image_token_index"),
                             vlm_json_member(config, "image_token_id")};
  for (size_t i = 0; i < sizeof stated / sizeof stated[0]; i++)
    if (!vlm_json_is_null(stated[i])) return token_id(&r->image_token, stated[i], r->tokenizer, err);
  r->image_token = vlm_tokenizer_id(r->tokenizer, "<image>");
  return VLM_OK;
}

static vlm_status read_position(vlm_prompt_rules *r, vlm_json prompt, vlm_error *err) {
  const char *position = "before";
  vlm_status st = vlm_json_get_text(&position, prompt, "image_position", VLM_JSON_OPTIONAL, err);
  if (st != VLM_OK) return st;
  r->image_after = !strcmp(position, "after");
  if (r->image_after || !strcmp(position, "before")) return VLM_OK;
  return vlm_json_fail(vlm_json_member(prompt, "image_position"), err, VLM_INPUT,
                       "got \"%s\", wanted before or after", position);
}

vlm_status vlm_prompt_rules_read(vlm_prompt_rules *out, const vlm_bundle *bundle,
                                 const vlm_tokenizer *tokenizer, int32_t bos, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *config = NULL, *manifest = NULL;
  const char *type = "", *encoder = "";
  *out = (vlm_prompt_rules){.tokenizer = tokenizer, .image_token = -1, .bos = bos};
  VLM_TRY(vlm_bundle_json(&config, bundle, VLM_TEXT_CONFIG, err));
  VLM_TRY(vlm_bundle_json(&manifest, bundle, VLM_TEXT_MANIFEST, err));
  vlm_json top = root_of(config), prompt = vlm_json_member(root_of(manifest), "prompt");
  VLM_TRY(read_image_token(out, top, prompt, err));
  VLM_TRY(read_position(out, prompt, err));
  VLM_TRY(vlm_json_get_text(&type, top, "model_type", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_text(&encoder, vlm_json_member(top, "encoder"), "model_type", VLM_JSON_OPTIONAL, err));
  out->image_first = !strcmp(type, "paligemma");
  out->start_in_prompt = !strcmp(encoder, "donut-swin");
  VLM_TRY(vlm_bundle_default_prompt(&out->fallback, bundle, err));
  VLM_TRY(vlm_bundle_json(&out->chat, bundle, VLM_TEXT_CHAT, err));
out:
  vlm_json_free(config);
  vlm_json_free(manifest);
  return st;
}

void vlm_prompt_rules_free(vlm_prompt_rules *rules) {
  vlm_free(rules->fallback);
  rules->fallback = NULL;
  vlm_json_free(rules->chat);
  rules->chat = NULL;
}

/* ---- text with image places ---- */

/* The next place in the text that stands for the image; *bytes = its length. NULL when there is none. */
static const char *next_place(const char *text, size_t *bytes) {
  static const char *const PLACES[] = {"{image}", "<image>"};
  const char *first = NULL;
  for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
    const char *at = strstr(text, PLACES[i]);
    if (!at || (first && first < at)) continue;
    first = at;
    *bytes = strlen(PLACES[i]);
  }
  return first;
}

static bool has_place(const vlm_prompt_rules *r, const char *text) {
  const char *token = r->image_token >= 0 ? vlm_tokenizer_token(r->tokenizer, r->image_token) : NULL;
  size_t bytes;
  return next_place(text, &bytes) || (token && *token && strstr(text, token));
}

static vlm_status read_sides(const char *sides[2], vlm_json chat, const char *key, vlm_error *err) {
  vlm_json pair = {0};
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_get_array(&pair, chat, key, VLM_JSON_REQUIRED, err));
  for (size_t i = 0; i < 2; i++) VLM_TRY(vlm_json_as_text(&sides[i], vlm_json_at(pair, i), err));
out:
  return st;
}

/* With the whole first line of a template: somebody has applied it already. */
static bool begins_alike(const char *prompt, const char *before) {
  const size_t line = strcspn(before, "\n");
  return line && !strncmp(prompt, before, before[line] ? line + 1 : line);
}

vlm_status vlm_prompt_chat(const vlm_prompt_rules *r, const char *prompt, vlm_text *text, vlm_error *err) {
  static const char BLANK[] = " \t\n\r\f\v";
  vlm_status st = VLM_OK;
  const vlm_json chat = root_of(r->chat);
  const char *sides[2] = {"", ""}, *error = NULL;
  bool trim = false;
  size_t bytes = strlen(prompt);
  VLM_TRY(vlm_json_get_text(&error, chat, "error", VLM_JSON_OPTIONAL, err));
  VLM_CHECK(!error, err, VLM_UNSUPPORTED, "%s", error);
  if (r->chat) VLM_TRY(read_sides(sides, chat, has_place(r, prompt) ? "without_image" : "with_image", err));
  if (r->chat) VLM_TRY(vlm_json_get_bool(&trim, chat, "trim", VLM_JSON_OPTIONAL, err));
  if (begins_alike(prompt, sides[0])) {
    sides[0] = sides[1] = "";
    trim = false;
  }
  for (; trim && *prompt && strchr(BLANK, *prompt); bytes--) prompt++;
  while (trim && bytes && strchr(BLANK, prompt[bytes - 1])) bytes--;
  VLM_TRY(vlm_text_append(text, sides[0], strlen(sides[0]), err));
  VLM_TRY(vlm_text_append(text, prompt, bytes, err));
  VLM_TRY(vlm_text_append(text, sides[1], strlen(sides[1]), err));
out:
  return st;
}

/* A token of the vocabulary stands for the image: it goes through the tokenizer with the text around it. */
static vlm_status encode_with_token(const vlm_prompt_rules *r, const char *token, const char *text,
                                    vlm_ids *ids, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text whole = {0};
  const char *at;
  size_t bytes;
  while ((at = next_place(text, &bytes))) {
    VLM_TRY(vlm_text_append(&whole, text, (size_t)(at - text), err));
    VLM_TRY(vlm_text_append(&whole, token, strlen(token), err));
    text = at + bytes;
  }
  VLM_TRY(vlm_text_append(&whole, text, strlen(text), err));
  VLM_TRY(vlm_tokenizer_encode(r->tokenizer, vlm_text_get(&whole), whole.bytes, true, ids, err));
  /* Chat templates bring the start token that the tokenizer adds as well. */
  if (ids->count > 1 && r->bos >= 0 && ids->data[0] == r->bos && ids->data[1] == r->bos)
    memmove(ids->data, ids->data + 1, --ids->count * sizeof *ids->data);
  for (size_t i = 0; i < ids->count; i++)
    if (ids->data[i] == r->image_token) ids->data[i] = VLM_IMAGE_SLOT;
out:
  vlm_text_free(&whole);
  return st;
}

/* No token does: the pieces of text are encoded one by one. */
static vlm_status encode_pieces(const vlm_prompt_rules *r, const char *text, vlm_ids *ids, vlm_error *err) {
  static const int32_t slot = VLM_IMAGE_SLOT;
  vlm_status st = VLM_OK;
  bool first = true;
  for (;;) {
    size_t bytes = 0;
    const char *at = next_place(text, &bytes);
    size_t length = at ? (size_t)(at - text) : strlen(text);
    if (first || length) VLM_TRY(vlm_tokenizer_encode(r->tokenizer, text, length, first, ids, err));
    if (!at) break;
    VLM_TRY(vlm_ids_append(ids, &slot, 1, err));
    text = at + bytes;
    first = false;
  }
out:
  return st;
}

/* ---- sequences ---- */

static vlm_status append_slots(vlm_ids *ids, int64_t count, vlm_error *err) {
  static const int32_t slot = VLM_IMAGE_SLOT;
  vlm_status st = VLM_OK;
  for (int64_t i = 0; st == VLM_OK && i < count; i++) st = vlm_ids_append(ids, &slot, 1, err);
  return st;
}

static size_t count_slots(const vlm_ids *ids) {
  size_t count = 0;
  for (size_t i = 0; i < ids->count; i++) count += ids->data[i] == VLM_IMAGE_SLOT;
  return count;
}

/* Where the image goes when the prompt does not say. */
static size_t image_place(const vlm_prompt_rules *r, const vlm_ids *ids) {
  if (r->image_after) return ids->count;
  bool start = ids->count && r->bos >= 0 && ids->data[0] == r->bos;
  return start && !r->image_first ? 1 : 0;
}

static vlm_status expand(const vlm_prompt_rules *r, const vlm_ids *from, int64_t rows, vlm_ids *to,
                         vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t places = count_slots(from), place = image_place(r, from);
  int64_t each = places ? rows / (int64_t)places : rows;
  VLM_CHECK(!places || rows % (int64_t)places == 0, err, VLM_INPUT,
            "the prompt has %zu places for the image, which do not share %lld rows of features", places,
            (long long)rows);
  for (size_t i = 0; i <= from->count; i++) {
    if (!places && i == place) VLM_TRY(append_slots(to, rows, err));
    if (i == from->count) break;
    if (from->data[i] == VLM_IMAGE_SLOT) VLM_TRY(append_slots(to, each, err));
    else VLM_TRY(vlm_ids_append(to, &from->data[i], 1, err));
  }
out:
  return st;
}

vlm_status vlm_prompt_sequence(const vlm_prompt_rules *r, const char *text, int64_t rows, vlm_ids *ids,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_ids written = {0};
  const char *token = r->image_token >= 0 ? vlm_tokenizer_token(r->tokenizer, r->image_token) : NULL;
  VLM_TRY(token ? encode_with_token(r, token, text, &written, err) : encode_pieces(r, text, &written, err));
  VLM_TRY(expand(r, &written, rows, ids, err));
out:
  vlm_ids_free(&written);
  return st;
}

vlm_status vlm_prompt_start(const vlm_prompt_rules *r, const char *text, int32_t start, vlm_ids *ids,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_ids written = {0};
  if (*text) VLM_TRY(vlm_tokenizer_encode(r->tokenizer, text, strlen(text), false, &written, err));
  bool own = written.count && (r->start_in_prompt || written.data[0] == start);
  if (start >= 0 && !own) VLM_TRY(vlm_ids_append(ids, &start, 1, err));
  if (written.count) VLM_TRY(vlm_ids_append(ids, written.data, written.count, err));
out:
  vlm_ids_free(&written);
  return st;
}
