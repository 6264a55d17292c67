/* What every table of components shares. */
#include <stdio.h>
#include <string.h>

#include "runtime/text/tok.h"

static const char *row_name(const vlm_tok_table *table, size_t i) {
  return *(const char *const *)(const void *)((const char *)table->rows + i * table->row_size);
}

vlm_status vlm_tok_type(size_t *row, vlm_json json, vlm_tok_table table, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *type = NULL;
  char known[400] = "";
  VLM_TRY(vlm_json_get_text(&type, json, "type", VLM_JSON_REQUIRED, err));
  for (*row = 0; *row < table.count; ++*row) {
    if (strcmp(row_name(&table, *row), type) == 0) return VLM_OK;
  }
  for (size_t i = 0, used = 0; i < table.count && used < sizeof known; i++) {
    used += (size_t)snprintf(known + used, sizeof known - used, " %s", row_name(&table, i));
  }
  st = vlm_json_fail(json, err, VLM_UNSUPPORTED, "%s \"%s\" is not supported; supported are:%s", table.what,
                     type, known);
out:
  return st;
}

vlm_status vlm_tok_children(const vlm_tok_source *source, const char *key, vlm_json *array, vlm_error *err) {
  if (source->depth >= VLM_TOK_MAX_NESTING) {
    return vlm_json_fail(source->json, err, VLM_LIMIT, "nested more than %d levels deep",
                         VLM_TOK_MAX_NESTING);
  }
  return vlm_json_get_array(array, source->json, key, VLM_JSON_REQUIRED, err);
}

vlm_tok_source vlm_tok_child(const vlm_tok_source *source, vlm_json array, size_t index) {
  return (vlm_tok_source){
      .arena = source->arena, .json = vlm_json_at(array, index), .depth = source->depth + 1};
}
