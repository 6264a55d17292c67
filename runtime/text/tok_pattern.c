#define _GNU_SOURCE /* memmem */
#include "runtime/text/tok_pattern.h"

#include <string.h>

vlm_status vlm_tok_pattern_read(vlm_tok_pattern *out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json pattern = {0};
  vlm_slice regex = {NULL, 0};
  *out = (vlm_tok_pattern){0};
  VLM_TRY(vlm_json_get_object(&pattern, source->json, "pattern", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_slice_get(source->arena, &regex, pattern, "Regex", VLM_JSON_OPTIONAL, err));
  if (regex.data) {
    VLM_TRY(vlm_regex_create(&out->regex, source->arena, regex, err));
  } else {
    VLM_TRY(vlm_slice_get(source->arena, &out->text, pattern, "String", VLM_JSON_REQUIRED, err));
  }
out:
  return st;
}

static vlm_status find_text(vlm_slice what, vlm_arena *arena, vlm_slice text, vlm_text_range **ranges,
                            size_t *count, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  size_t room = 0, at = 0;
  const char *hit;
  while (what.bytes && at < text.bytes &&
         (hit = memmem(text.data + at, text.bytes - at, what.data, what.bytes)) != NULL) {
    const size_t from = (size_t)(hit - text.data);
    VLM_TRY(vlm_tok_grow(arena, &memory, *count, &room, *count + 1, sizeof **ranges, err));
    *ranges = memory;
    (*ranges)[(*count)++] = (vlm_text_range){from, from + what.bytes};
    at = from + what.bytes;
  }
out:
  return st;
}

vlm_status vlm_tok_pattern_find(const vlm_tok_pattern *pattern, vlm_arena *arena, vlm_slice text,
                                vlm_text_range **ranges, size_t *count, vlm_error *err) {
  *ranges = NULL;
  *count = 0;
  if (pattern->regex) return vlm_regex_find_all(pattern->regex, arena, text, ranges, count, err);
  return find_text(pattern->text, arena, text, ranges, count, err);
}

vlm_status vlm_tok_replace_read(vlm_tok_replace *out, const vlm_tok_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_tok_pattern_read(&out->pattern, source, err));
  VLM_TRY(vlm_slice_get(source->arena, &out->with, source->json, "content", VLM_JSON_REQUIRED, err));
out:
  return st;
}

vlm_status vlm_tok_replace_run(const vlm_tok_replace *rule, vlm_arena *arena, vlm_slice *text, bool *at_start,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text_range *ranges;
  size_t count, at = 0;
  vlm_builder b = vlm_builder_start(arena, err);
  VLM_TRY(vlm_tok_pattern_find(&rule->pattern, arena, *text, &ranges, &count, err));
  if (count == 0) return VLM_OK;
  for (size_t i = 0; i < count; i++) {
    vlm_builder_add(&b, vlm_slice_part(*text, at, ranges[i].from));
    vlm_builder_add(&b, rule->with);
    at = ranges[i].to;
  }
  if (at_start && ranges[0].from == 0 && ranges[0].to > 0 && rule->with.bytes == 0) *at_start = false;
  vlm_builder_add(&b, vlm_slice_part(*text, at, text->bytes));
  VLM_TRY(vlm_builder_done(&b, text));
out:
  return st;
}
