/* Rows of image lists: what their keys mean, and the sample that a row becomes. */
#include <stdio.h>
#include <string.h>

#include "calib/dataset_paths.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/near.h"

static const struct {
  const char *name;
  vlm_row_key key;
} keys[] = {
    {"image", VLM_ROW_IMAGE},   {"file_name", VLM_ROW_IMAGE}, {"prompt", VLM_ROW_PROMPT},
    {"refs", VLM_ROW_REFS},     {"text", VLM_ROW_REFS},       {"caption", VLM_ROW_REFS},
    {"captions", VLM_ROW_REFS}, {"id", VLM_ROW_ID},           {"image_id", VLM_ROW_ID},
};
enum { KEYS = sizeof keys / sizeof keys[0] };

vlm_status vlm_row_key_of(vlm_row_key *out, const char *name, const char *where, vlm_error *err) {
  const char *names[KEYS];
  char known[160] = "";
  for (size_t i = 0; i < KEYS; i++) {
    names[i] = keys[i].name;
    snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", keys[i].name);
    if (strcmp(keys[i].name, name) != 0) continue;
    *out = keys[i].key;
    return VLM_OK;
  }
  const char *near = vlm_name_near(name, names, KEYS);
  return vlm_fail(err, VLM_INPUT, "%s: \"%.60s\" is not known%s%s%s; known are %s", where, name,
                  near ? "; did you mean \"" : "", near ? near : "", near ? "\"" : "", known);
}

vlm_status vlm_dataset_add_row(vlm_dataset *set, const vlm_dataset_row *row, const char *folder,
                               const char *where, vlm_error *err) {
  vlm_sample sample = {.refs = row->refs, .ref_count = row->ref_count};
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_arena_strdup(set->arena, &sample.key, row->image, err));
  VLM_TRY(vlm_path_join_in(&sample.path, set->arena, folder, row->image, err));
  VLM_CHECK(vlm_file_exists(sample.path), err, VLM_INPUT, "%s: image \"%s\" does not exist", where,
            sample.path);
  if (row->prompt && *row->prompt) VLM_TRY(vlm_arena_strdup(set->arena, &sample.prompt, row->prompt, err));
  VLM_TRY(vlm_dataset_add(set, sample, err));
out:
  return st;
}

/* ---- objects ---- */

static vlm_status take_refs(vlm_dataset_row *row, vlm_dataset *set, vlm_json refs, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char **texts = NULL;
  bool one = vlm_json_type(refs) == VLM_JSON_TEXT;
  if (vlm_json_is_null(refs)) return VLM_OK;
  if (!one && vlm_json_type(refs) != VLM_JSON_ARRAY)
    return vlm_json_fail(refs, err, VLM_INPUT, "a text or a list of texts is wanted");
  size_t count = one ? 1 : vlm_json_size(refs);
  VLM_TRY(vlm_arena_new(set->arena, &texts, count, err));
  for (size_t i = 0; i < count; i++) {
    const char *text = NULL;
    VLM_TRY(vlm_json_as_text(&text, one ? refs : vlm_json_at(refs, i), err));
    VLM_TRY(vlm_arena_strdup(set->arena, &texts[i], text, err));
  }
  row->refs = texts;
  row->ref_count = count;
out:
  return st;
}

/* A key that we do not know is a typing error, or something that its writer takes to be used. */
static vlm_status take_member(vlm_dataset_row *row, unsigned *seen, vlm_dataset *set, const vlm_json_iter *it,
                              const char *where, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_row_key key = VLM_ROW_ID;
  VLM_TRY(vlm_row_key_of(&key, it->key, where, err));
  VLM_CHECK(key == VLM_ROW_ID || !(*seen & 1u << key), err, VLM_INPUT,
            "%s: \"%s\" says again what another key has said", where, it->key);
  *seen |= 1u << key;
  if (key == VLM_ROW_IMAGE) VLM_TRY(vlm_json_as_text(&row->image, it->value, err));
  if (key == VLM_ROW_PROMPT && !vlm_json_is_null(it->value))
    VLM_TRY(vlm_json_as_text(&row->prompt, it->value, err));
  if (key == VLM_ROW_REFS) VLM_TRY(take_refs(row, set, it->value, err));
out:
  return st;
}

vlm_status vlm_dataset_take_object(vlm_dataset *set, const char *line, const char *folder, const char *where,
                                   vlm_error *err) {
  vlm_json_doc *doc = NULL;
  vlm_dataset_row row = {0};
  vlm_json_iter it = {0};
  unsigned seen = 0;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_parse(&doc, line, strlen(line), where, err));
  vlm_json root = vlm_json_root(doc);
  if (vlm_json_type(root) != VLM_JSON_OBJECT) {
    st = vlm_json_fail(root, err, VLM_INPUT, "an object with \"image\" is wanted on every line");
    goto out;
  }
  while (vlm_json_next(root, &it)) VLM_TRY(take_member(&row, &seen, set, &it, where, err));
  VLM_CHECK(row.image, err, VLM_INPUT, "%s: \"image\" is missing", where);
  VLM_TRY(vlm_dataset_add_row(set, &row, folder, where, err));
out:
  vlm_json_free(doc);
  return st;
}
