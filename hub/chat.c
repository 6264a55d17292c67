#include "hub/chat.h"

#include <string.h>

#include "hub/jinja.h"
#include "runtime/base/buffer.h"
#include "runtime/base/json_writer.h"
#include "runtime/bundle/bundle_texts.h"

#define MARK "VLMQ-PROMPT-0"

/* What the Python processor of a model makes of the image's place in the text. */
static const struct place {
  const char *model_type, *from, *to;
} places[] = {
    {"gemma3", "<start_of_image>", "\n\n<start_of_image><image_soft_token><end_of_image>\n\n"},
    {"internvl", "<IMG_CONTEXT>", "<img><IMG_CONTEXT></img>"},
    {"phi3_v", "<|image_1|>", "{image}"},
};

typedef struct chat {
  vlm_json_doc *config, *processor, *tokenizer, *wrapped;
  const char *source, *name, *model_type;
  vlm_arena *arena;
  vlm_error *err;
} chat;

/* ---- the template ---- */

static vlm_json root_of(const vlm_json_doc *doc) { return doc ? vlm_json_root(doc) : (vlm_json){0}; }

/* A text, or a list of named ones, of which "default" is meant. */
static vlm_status read_source(chat *c, vlm_json holder, const char *name) {
  vlm_status st = VLM_OK;
  vlm_json value = vlm_json_member(holder, "chat_template");
  if (c->source || vlm_json_is_null(value)) return VLM_OK;
  c->name = name;
  for (size_t i = 0; vlm_json_type(value) == VLM_JSON_ARRAY && i < vlm_json_size(value); i++) {
    const char *title = "";
    vlm_json one = vlm_json_at(value, i);
    VLM_TRY(vlm_json_get_text(&title, one, "name", VLM_JSON_OPTIONAL, c->err));
    if (!strcmp(title, "default"))
      return vlm_json_get_text(&c->source, one, "template", VLM_JSON_REQUIRED, c->err);
  }
  st = vlm_json_as_text(&c->source, value, c->err);
out:
  return st;
}

static vlm_status find_source(chat *c, const vlm_bundle *bundle) {
  vlm_status st = VLM_OK;
  c->model_type = "";
  c->name = vlm_text_file(VLM_TEXT_CHAT_TEMPLATE);
  c->source = bundle->texts[VLM_TEXT_CHAT_TEMPLATE];
  VLM_TRY(vlm_bundle_json(&c->config, bundle, VLM_TEXT_CONFIG, c->err));
  VLM_TRY(vlm_bundle_json(&c->processor, bundle, VLM_TEXT_PROCESSOR, c->err));
  VLM_TRY(vlm_bundle_json(&c->tokenizer, bundle, VLM_TEXT_TOKENIZER_CONFIG, c->err));
  VLM_TRY(vlm_bundle_json(&c->wrapped, bundle, VLM_TEXT_CHAT_WRAPPED, c->err));
  VLM_TRY(vlm_json_get_text(&c->model_type, root_of(c->config), "model_type", VLM_JSON_OPTIONAL, c->err));
  VLM_TRY(read_source(c, root_of(c->wrapped), vlm_text_file(VLM_TEXT_CHAT_WRAPPED)));
  VLM_TRY(read_source(c, root_of(c->processor), vlm_text_file(VLM_TEXT_PROCESSOR)));
  VLM_TRY(read_source(c, root_of(c->tokenizer), vlm_text_file(VLM_TEXT_TOKENIZER_CONFIG)));
out:
  return st;
}

/* ---- applying it ---- */

/* Tokens are texts, or objects with the text in "content". */
static void put_tokens(vlm_json_writer *w, vlm_json config) {
  static const char *const names[] = {"bos_token", "eos_token", "pad_token", "unk_token", "image_token"};
  vlm_error ignored;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const char *text = NULL;
    vlm_json token = vlm_json_member(config, names[i]);
    if (vlm_json_type(token) == VLM_JSON_OBJECT) token = vlm_json_member(token, "content");
    if (vlm_json_type(token) != VLM_JSON_TEXT) continue;
    if (vlm_json_as_text(&text, token, &ignored) == VLM_OK) vlm_json_put_text(w, names[i], text);
  }
}

static void put_part(vlm_json_writer *w, const char *type, const char *text) {
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "type", type);
  if (text) vlm_json_put_text(w, "text", text);
  vlm_json_close_object(w);
}

/* One message of a user: parts, or for the templates that want it one text. */
typedef struct asked {
  const char *prompt;
  bool image, parts;
} asked;

static vlm_status put_content(vlm_json_writer *w, const chat *c, const asked *a) {
  vlm_text text = {0};
  vlm_status st = VLM_OK;
  const char *place = !strcmp(c->model_type, "phi3_v") ? "<|image_1|>\n" : "<image>\n";
  if (a->parts) {
    vlm_json_open_array(w, "content");
    if (a->image) put_part(w, "image", NULL);
    put_part(w, "text", a->prompt);
    vlm_json_close_array(w);
    return VLM_OK;
  }
  if (a->image) VLM_TRY(vlm_text_append(&text, place, strlen(place), c->err));
  VLM_TRY(vlm_text_append(&text, a->prompt, strlen(a->prompt), c->err));
  vlm_json_put_text(w, "content", vlm_text_get(&text));
out:
  vlm_text_free(&text);
  return st;
}

static vlm_status write_variables(vlm_json_writer *w, const chat *c, const asked *a) {
  vlm_status st = VLM_OK;
  vlm_json_open_object(w, NULL);
  put_tokens(w, root_of(c->tokenizer));
  vlm_json_put_bool(w, "add_generation_prompt", true);
  vlm_json_put_null(w, "tools");
  vlm_json_put_null(w, "documents");
  vlm_json_open_array(w, "messages");
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "role", "user");
  VLM_TRY(put_content(w, c, a));
  vlm_json_close_object(w);
  vlm_json_close_array(w);
  vlm_json_close_object(w);
out:
  return st;
}

static vlm_status render(char **out, const chat *c, const asked *a) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  vlm_json_doc *doc = NULL;
  const char *text = NULL;
  const vlm_jinja_value *variables = NULL;
  VLM_TRY(vlm_json_writer_create(&w, 0, c->err));
  VLM_TRY(write_variables(w, c, a));
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, c->err));
  VLM_TRY(vlm_json_parse(&doc, text, strlen(text), c->name, c->err));
  VLM_TRY(vlm_jinja_from_json(&variables, c->arena, vlm_json_root(doc), c->err));
  VLM_TRY(vlm_jinja_render(out, c->source, c->name, variables, c->arena, c->err));
out:
  vlm_json_free(doc);
  vlm_json_writer_free(w);
  return st;
}

/* ---- the two sides ---- */

/* The image's place as the Python processor leaves it. */
static vlm_status put_side(vlm_json_writer *w, const chat *c, const char *at, const char *end) {
  vlm_text side = {0};
  vlm_status st = VLM_OK;
  const struct place *place = NULL;
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
    if (!strcmp(places[i].model_type, c->model_type)) place = &places[i];
  while (at < end) {
    size_t n = place ? strlen(place->from) : 0;
    bool here = n && (size_t)(end - at) >= n && !memcmp(at, place->from, n);
    VLM_TRY(here ? vlm_text_append(&side, place->to, strlen(place->to), c->err)
                 : vlm_text_append(&side, at, 1, c->err));
    at += here ? n : 1;
  }
  vlm_json_put_text(w, NULL, vlm_text_get(&side));
out:
  vlm_text_free(&side);
  return st;
}

static vlm_status put_sides(vlm_json_writer *w, const char *key, const chat *c, const char *said) {
  vlm_status st = VLM_OK;
  const char *at = strstr(said, MARK);
  VLM_CHECK(at && !strstr(at + 1, MARK), c->err, VLM_UNSUPPORTED,
            "%s: says the prompt %s; --raw-prompt sends it as written", c->name, at ? "twice" : "nowhere");
  vlm_json_open_array(w, key);
  VLM_TRY(put_side(w, c, said, at));
  VLM_TRY(put_side(w, c, at + strlen(MARK), said + strlen(said)));
  vlm_json_close_array(w);
out:
  return st;
}

/* With parts where the template takes them, else with one text. */
static vlm_status render_any(char **out, const chat *c, asked *a) {
  vlm_error parts_error;
  chat trial = *c;
  trial.err = &parts_error;
  a->parts = true;
  if (render(out, &trial, a) == VLM_OK && strstr(*out, MARK)) return VLM_OK;
  vlm_free(*out);
  *out = NULL;
  a->parts = false;
  const vlm_status st = render(out, c, a);
  if (st != VLM_OK) *c->err = parts_error.text[0] ? parts_error : *c->err;
  return st;
}

static vlm_status write_sides(vlm_json_writer *w, const chat *c) {
  vlm_status st = VLM_OK;
  char *with = NULL, *without = NULL, *blank = NULL;
  asked a = {.prompt = MARK, .image = true};
  VLM_TRY(render_any(&with, c, &a));
  VLM_TRY(put_sides(w, "with_image", c, with));
  a.image = false;
  VLM_TRY(render(&without, c, &a));
  VLM_TRY(put_sides(w, "without_image", c, without));
  a.prompt = " " MARK "\n";
  VLM_TRY(render(&blank, c, &a));
  vlm_json_put_bool(w, "trim", !strcmp(blank, without));
out:
  vlm_free(with);
  vlm_free(without);
  vlm_free(blank);
  return st;
}

/* ---- the whole ---- */

static vlm_status finish(char **out, vlm_json_writer *w, vlm_error *err) {
  const char *text = NULL;
  vlm_json_close_object(w);
  const vlm_status st = vlm_json_writer_text(w, &text, NULL, err);
  return st == VLM_OK ? vlm_strdup(out, text, err) : st;
}

static vlm_status write_chat(char **out, const chat *c) {
  vlm_json_writer *w = NULL;
  vlm_status st = vlm_json_writer_create(&w, 0, c->err);
  if (st != VLM_OK) return st;
  vlm_json_open_object(w, NULL);
  st = write_sides(w, c);
  if (st == VLM_OK) st = finish(out, w, c->err);
  vlm_json_writer_free(w);
  return st;
}

static vlm_status write_reason(char **out, const char *reason, vlm_error *err) {
  vlm_json_writer *w = NULL;
  vlm_status st = vlm_json_writer_create(&w, 0, err);
  if (st != VLM_OK) return st;
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "error", reason);
  st = finish(out, w, err);
  vlm_json_writer_free(w);
  return st;
}

vlm_status vlm_hub_chat(char **out, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_error why;
  chat c = {.err = &why};
  *out = NULL;
  VLM_TRY(vlm_arena_create(&c.arena, err));
  st = find_source(&c, bundle);
  if (st == VLM_OK && c.source) st = write_chat(out, &c);
  if (st == VLM_MEMORY) st = vlm_fail(err, st, "%s", why.text);
  else if (st != VLM_OK) st = write_reason(out, why.text, err);
out:
  vlm_arena_free(c.arena);
  vlm_json_free(c.config);
  vlm_json_free(c.processor);
  vlm_json_free(c.tokenizer);
  vlm_json_free(c.wrapped);
  return st;
}
