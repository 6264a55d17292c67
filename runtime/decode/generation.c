#include "runtime/decode/generation.h"

#include <string.h>

/* ---- token ids ---- */

static vlm_status as_id(int32_t *out, vlm_json value, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t id = 0;
  VLM_TRY(vlm_json_as_int(&id, value, err));
  if (id > INT32_MAX)
    return vlm_json_fail(value, err, VLM_INPUT, "got %lld, wanted a token id", (long long)id);
  *out = id < 0 ? -1 : (int32_t)id; /* files say -1 for none */
out:
  return st;
}

static vlm_status get_id(int32_t *out, vlm_json object, const char *key, vlm_error *err) {
  const vlm_json value = vlm_json_member(object, key);
  return vlm_json_is_null(value) ? VLM_OK : as_id(out, value, err);
}

/* Appends what is an id. */
static vlm_status add_id(int32_t *out, int32_t *count, vlm_json value, vlm_error *err) {
  const vlm_status st = as_id(&out[*count], value, err);
  if (st == VLM_OK && out[*count] >= 0) (*count)++;
  return st;
}

/* A list of ids, or one id. A member that is there replaces the whole list. */
static vlm_status get_ids(int32_t *out, int32_t *count, int32_t max, vlm_json object, const char *key,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_json value = vlm_json_member(object, key);
  if (vlm_json_is_null(value)) return VLM_OK;
  *count = 0;
  if (vlm_json_type(value) != VLM_JSON_ARRAY) {
    VLM_TRY(add_id(out, count, value, err));
    return VLM_OK;
  }
  if (vlm_json_size(value) > (size_t)max)
    return vlm_json_fail(value, err, VLM_LIMIT, "%zu ids, at most %d are accepted", vlm_json_size(value),
                         max);
  for (size_t i = 0; i < vlm_json_size(value); i++) VLM_TRY(add_id(out, count, vlm_json_at(value, i), err));
out:
  return st;
}

static vlm_status get_bad_words(vlm_generation *g, vlm_json object, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json words = {0};
  VLM_TRY(vlm_json_get_array(&words, object, "bad_words_ids", VLM_JSON_OPTIONAL, err));
  if (vlm_json_is_null(words)) return VLM_OK;
  g->n_bad_words = 0;
  for (size_t i = 0; i < vlm_json_size(words); i++) {
    const vlm_json word = vlm_json_at(words, i);
    if (vlm_json_size(word) != 1 || g->n_bad_words == VLM_MAX_SUPPRESSED) {
      return vlm_json_fail(word, err, VLM_UNSUPPORTED, "bad words of one id each are supported, at most %d",
                           VLM_MAX_SUPPRESSED);
    }
    VLM_TRY(as_id(&g->bad_words[g->n_bad_words++], vlm_json_at(word, 0), err));
  }
out:
  return st;
}

/* ---- settings ---- */

static vlm_status get_early_stopping(vlm_early_stopping *out, vlm_json object, vlm_error *err) {
  const vlm_json value = vlm_json_member(object, "early_stopping");
  const char *text = NULL;
  bool flag = false;
  if (vlm_json_is_null(value)) return VLM_OK;
  if (vlm_json_type(value) == VLM_JSON_TEXT && vlm_json_as_text(&text, value, err) == VLM_OK &&
      strcmp(text, "never") == 0) {
    *out = VLM_EARLY_NEVER;
    return VLM_OK;
  }
  const vlm_status st = vlm_json_as_bool(&flag, value, err);
  if (st == VLM_OK) *out = flag ? VLM_EARLY_TRUE : VLM_EARLY_FALSE;
  return st;
}

/* Numbers by key, in the names of the library and of vlm.json (NULL = the same). */
static const struct number_row {
  const char *key, *manifest;
  size_t offset;
  int64_t min, max;
} numbers[] = {
    {"max_length", NULL, offsetof(vlm_generation, max_length), 1, INT32_MAX},
    {"max_new_tokens", NULL, offsetof(vlm_generation, max_new_tokens), 1, INT32_MAX},
    {"min_length", NULL, offsetof(vlm_generation, min_length), 0, INT32_MAX},
    {"min_new_tokens", NULL, offsetof(vlm_generation, min_new_tokens), 0, INT32_MAX},
    {"num_beams", "beams", offsetof(vlm_generation, beams), 1, VLM_MAX_BEAMS},
    {"no_repeat_ngram_size", "no_repeat_ngram", offsetof(vlm_generation, no_repeat_ngram), 0, INT32_MAX},
};

static vlm_status get_numbers(vlm_generation *g, vlm_json object, bool manifest, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    const struct number_row *n = &numbers[i];
    int64_t *out = (int64_t *)(void *)((char *)g + n->offset);
    const char *key = manifest && n->manifest ? n->manifest : n->key;
    VLM_TRY(vlm_json_get_int_in(out, object, key, (vlm_json_range){n->min, n->max}, VLM_JSON_OPTIONAL, err));
  }
  VLM_TRY(vlm_json_get_double(&g->length_penalty, object, "length_penalty", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_double(&g->repetition_penalty, object, "repetition_penalty", VLM_JSON_OPTIONAL, err));
  if (!(g->repetition_penalty > 0))
    st = vlm_json_fail(object, err, VLM_INPUT, "got repetition_penalty %g, wanted more than 0",
                       g->repetition_penalty);
  if (st == VLM_OK) st = get_early_stopping(&g->early_stopping, object, err);
out:
  return st;
}

/* Several forced end tokens are equally likely, and the first of equals is taken. */
static vlm_status get_forced_eos(vlm_generation *g, vlm_json object, vlm_error *err) {
  int32_t ids[VLM_MAX_EOS], count = 0;
  const vlm_status st = get_ids(ids, &count, VLM_MAX_EOS, object, "forced_eos_token_id", err);
  for (int32_t i = 0; st == VLM_OK && i < count; i++)
    if (i == 0 || ids[i] < g->forced_eos) g->forced_eos = ids[i];
  return st;
}

/* Settings are those of the search; ids are read in any case. */
static vlm_status read_object(vlm_generation *g, vlm_json object, bool settings, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (vlm_json_type(object) != VLM_JSON_OBJECT) return VLM_OK;
  VLM_TRY(get_id(&g->start, object, "decoder_start_token_id", err));
  VLM_TRY(get_id(&g->bos, object, "bos_token_id", err));
  VLM_TRY(get_id(&g->pad, object, "pad_token_id", err));
  VLM_TRY(get_ids(g->eos, &g->n_eos, VLM_MAX_EOS, object, "eos_token_id", err));
  if (!settings) goto out;
  VLM_TRY(get_id(&g->forced_bos, object, "forced_bos_token_id", err));
  VLM_TRY(get_forced_eos(g, object, err));
  VLM_TRY(get_ids(g->suppressed, &g->n_suppressed, VLM_MAX_SUPPRESSED, object, "suppress_tokens", err));
  VLM_TRY(get_bad_words(g, object, err));
  VLM_TRY(get_numbers(g, object, false, err));
out:
  return st;
}

vlm_status vlm_generation_read(vlm_generation *out, const vlm_json_doc *config,
                               const vlm_json_doc *generation, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_json top = config ? vlm_json_root(config) : (vlm_json){0};
  *out = (vlm_generation){.start = -1,
                          .bos = -1,
                          .pad = -1,
                          .forced_bos = -1,
                          .forced_eos = -1,
                          .beams = 1,
                          .length_penalty = 1,
                          .repetition_penalty = 1};
  const vlm_json own = generation ? vlm_json_root(generation) : (vlm_json){0};
  bool of_model = !generation;
  VLM_TRY(vlm_json_get_bool(&of_model, own, "_from_model_config", VLM_JSON_OPTIONAL, err));
  VLM_TRY(read_object(out, vlm_json_member(top, "text_config"), of_model, err));
  VLM_TRY(read_object(out, vlm_json_member(top, "decoder"), of_model, err));
  VLM_TRY(read_object(out, top, of_model, err));
  VLM_TRY(read_object(out, own, true, err));
  if (out->start < 0) out->start = out->bos;
out:
  return st;
}

/* ---- manifest ---- */

static vlm_status overlay_id(int32_t *out, vlm_json object, const char *key, vlm_error *err) {
  if (vlm_json_type(vlm_json_member(object, key)) == VLM_JSON_NULL) *out = -1;
  return get_id(out, object, key, err);
}

vlm_status vlm_generation_overlay(vlm_generation *generation, vlm_json object, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (vlm_json_type(object) != VLM_JSON_OBJECT) return VLM_OK;
  VLM_TRY(overlay_id(&generation->start, object, "start", err));
  VLM_TRY(overlay_id(&generation->bos, object, "bos", err));
  VLM_TRY(overlay_id(&generation->pad, object, "pad", err));
  VLM_TRY(overlay_id(&generation->forced_bos, object, "forced_bos", err));
  VLM_TRY(overlay_id(&generation->forced_eos, object, "forced_eos", err));
  VLM_TRY(get_ids(generation->eos, &generation->n_eos, VLM_MAX_EOS, object, "eos", err));
  VLM_TRY(get_numbers(generation, object, true, err));
out:
  return st;
}

/* ---- questions ---- */

int64_t vlm_generation_max_length(const vlm_generation *generation, int64_t prompt, int64_t positions) {
  int64_t length = prompt + VLM_DEFAULT_NEW_TOKENS;
  if (generation->max_length > 0) length = generation->max_length;
  if (generation->max_new_tokens > 0) length = prompt + generation->max_new_tokens;
  return positions > 0 && length > positions ? positions : length;
}

bool vlm_generation_is_eos(const vlm_generation *generation, int32_t id) {
  for (int32_t i = 0; i < generation->n_eos; i++) {
    if (generation->eos[i] == id) return true;
  }
  return false;
}
