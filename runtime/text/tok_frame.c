/* Post-processors, as far as they add ids to one text. */
#include <string.h>

#include "runtime/text/tok.h"

enum { MAX_FRAME = 4096 };

static vlm_status add(vlm_arena *arena, int32_t **ids, size_t *count, int64_t id, vlm_json where,
                      vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  if (id < 0 || id > VLM_TOK_MAX_ID || *count >= MAX_FRAME)
    return vlm_json_fail(where, err, VLM_INPUT, "got special id %lld", (long long)id);
  VLM_TRY(vlm_arena_alloc(arena, &memory, *count + 1, sizeof **ids, err));
  if (*count) memcpy(memory, *ids, *count * sizeof **ids);
  *ids = memory;
  (*ids)[(*count)++] = (int32_t)id;
out:
  return st;
}

/* ---- BERT and RoBERTa: [text, id] pairs "cls" in front and "sep" behind ---- */

static vlm_status add_pair(vlm_arena *arena, int32_t **ids, size_t *count, vlm_json json, const char *key,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json pair = {0};
  int64_t id = 0;
  VLM_TRY(vlm_json_get_array(&pair, json, key, VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_as_int(&id, vlm_json_at(pair, 1), err));
  VLM_TRY(add(arena, ids, count, id, pair, err));
out:
  return st;
}

static vlm_status pair_make(vlm_tok_frame *out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(add_pair(source->arena, &out->before, &out->n_before, source->json, "cls", err));
  VLM_TRY(add_pair(source->arena, &out->after, &out->n_after, source->json, "sep", err));
out:
  return st;
}

/* ---- TemplateProcessing: "single" is a row of {"SpecialToken": {"id"}} and {"Sequence": {"id"}} ---- */

static vlm_status add_special(vlm_tok_frame *out, const vlm_tok_source *source, const char *name, bool after,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json tokens = {0}, token = {0}, ids = {0};
  VLM_TRY(vlm_json_get_object(&tokens, source->json, "special_tokens", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_get_object(&token, tokens, name, VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_get_array(&ids, token, "ids", VLM_JSON_REQUIRED, err));
  for (size_t i = 0; i < vlm_json_size(ids); i++) {
    int64_t id = 0;
    VLM_TRY(vlm_json_as_int(&id, vlm_json_at(ids, i), err));
    if (after) VLM_TRY(add(source->arena, &out->after, &out->n_after, id, ids, err));
    else VLM_TRY(add(source->arena, &out->before, &out->n_before, id, ids, err));
  }
out:
  return st;
}

static vlm_status template_make(vlm_tok_frame *out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json single = {0};
  int texts = 0;
  VLM_TRY(vlm_json_get_array(&single, source->json, "single", VLM_JSON_REQUIRED, err));
  for (size_t i = 0; i < vlm_json_size(single); i++) {
    const vlm_json piece = vlm_json_at(single, i), special = vlm_json_member(piece, "SpecialToken");
    const char *name = NULL;
    if (vlm_json_is_null(special)) {
      VLM_TRY(vlm_json_get_text(&name, vlm_json_member(piece, "Sequence"), "id", VLM_JSON_REQUIRED, err));
      texts += strcmp(name, "A") == 0;
    } else {
      VLM_TRY(vlm_json_get_text(&name, special, "id", VLM_JSON_REQUIRED, err));
      VLM_TRY(add_special(out, source, name, texts > 0, err));
    }
  }
  if (texts != 1)
    st = vlm_json_fail(single, err, VLM_UNSUPPORTED, "the template has sequence A %d times, wanted once",
                       texts);
out:
  return st;
}

/* ---- ByteLevel (offsets only) and Sequence ---- */

static vlm_status nothing_make(vlm_tok_frame *out, const vlm_tok_source *source, vlm_error *err) {
  return (void)out, (void)source, (void)err, VLM_OK;
}

/* Puts `inner` within `outer`. */
static vlm_status wrap(vlm_tok_frame *inner, const vlm_tok_frame *outer, const vlm_tok_source *source,
                       vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tok_frame all = {0};
  for (size_t i = 0; i < outer->n_before; i++)
    VLM_TRY(add(source->arena, &all.before, &all.n_before, outer->before[i], source->json, err));
  for (size_t i = 0; i < inner->n_before; i++)
    VLM_TRY(add(source->arena, &all.before, &all.n_before, inner->before[i], source->json, err));
  for (size_t i = 0; i < inner->n_after; i++)
    VLM_TRY(add(source->arena, &all.after, &all.n_after, inner->after[i], source->json, err));
  for (size_t i = 0; i < outer->n_after; i++)
    VLM_TRY(add(source->arena, &all.after, &all.n_after, outer->after[i], source->json, err));
  *inner = all;
out:
  return st;
}

static vlm_status sequence_make(vlm_tok_frame *out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json array = {0};
  VLM_TRY(vlm_tok_children(source, "processors", &array, err));
  for (size_t i = 0; i < vlm_json_size(array); i++) {
    const vlm_tok_source child = vlm_tok_child(source, array, i);
    vlm_tok_frame frame = {0};
    VLM_TRY(vlm_tok_frame_make(&frame, &child, err));
    VLM_TRY(wrap(out, &frame, source, err));
  }
out:
  return st;
}

/* ---- dispatch ---- */

static const struct frame_row {
  const char *name;
  vlm_status (*make)(vlm_tok_frame *out, const vlm_tok_source *source, vlm_error *err);
} processors[] = {
    {"Sequence", sequence_make},      {"BertProcessing", pair_make},         {"ByteLevel", nothing_make},
    {"RobertaProcessing", pair_make}, {"TemplateProcessing", template_make},
};

vlm_status vlm_tok_frame_make(vlm_tok_frame *out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t row = 0;
  *out = (vlm_tok_frame){0};
  if (vlm_json_is_null(source->json)) return VLM_OK;
  VLM_TRY(vlm_tok_type(&row, source->json, VLM_TOK_TABLE("post-processor", processors), err));
  VLM_TRY(processors[row].make(out, source, err));
out:
  return st;
}
