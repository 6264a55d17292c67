#define _DEFAULT_SOURCE /* strsep */
/* Folders, lists and manifests of images. */
#include <stdio.h>
#include <string.h>

#include "calib/dataset_paths.h"
#include "calib/image.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"

#define MAX_LIST_BYTES ((size_t)1 << 30)

static vlm_status add_file(vlm_dataset *set, const char *path, const char *key, vlm_error *err) {
  vlm_sample sample = {0};
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_arena_strdup(set->arena, &sample.path, path, err));
  VLM_TRY(vlm_arena_strdup(set->arena, &sample.key, key, err));
  VLM_TRY(vlm_dataset_add(set, sample, err));
out:
  return st;
}

/* ---- folders ---- */

static vlm_status add_folder(vlm_dataset *set, const char *path, vlm_error *err) {
  vlm_folder list = {0};
  vlm_status st = VLM_OK;
  size_t before = set->count;
  VLM_TRY(vlm_folder_list(&list, set->arena, path, NULL, err));
  for (size_t i = 0; i < list.count; i++) {
    const char *file = NULL;
    VLM_TRY(vlm_path_join_in(&file, set->arena, path, list.names[i], err));
    if (vlm_image_looks_like(file)) VLM_TRY(add_file(set, file, list.names[i], err));
    else set->skipped++;
  }
  VLM_CHECK(set->count > before, err, VLM_INPUT, "%s: no image in this folder (%s are read; %zu other files)", path,
            vlm_image_formats(), list.count);
out:
  vlm_folder_free(&list);
  return st;
}

/* ---- lists ---- */

typedef vlm_status take_line(vlm_dataset *set, const char *line, const char *folder, const char *where, vlm_error *err);

static vlm_status check_file(const char *path, const char *where, vlm_error *err) {
  if (vlm_file_exists(path)) return VLM_OK;
  return vlm_fail(err, VLM_INPUT, "%s: image \"%s\" does not exist", where, path);
}

static vlm_status take_path(vlm_dataset *set, const char *line, const char *folder, const char *where, vlm_error *err) {
  const char *path = NULL;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_path_join_in(&path, set->arena, folder, line, err));
  VLM_TRY(check_file(path, where, err));
  VLM_TRY(add_file(set, path, line, err));
out:
  return st;
}

static vlm_status take_refs(vlm_sample *sample, vlm_dataset *set, vlm_json refs, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char **texts = NULL;
  bool one = vlm_json_type(refs) == VLM_JSON_TEXT;
  if (vlm_json_is_null(refs)) return VLM_OK;
  if (!one && vlm_json_type(refs) != VLM_JSON_ARRAY) return vlm_json_fail(refs, err, VLM_INPUT, "a text or a list of texts is wanted");
  size_t count = one ? 1 : vlm_json_size(refs);
  VLM_TRY(vlm_arena_new(set->arena, &texts, count, err));
  for (size_t i = 0; i < count; i++) {
    const char *text = NULL;
    VLM_TRY(vlm_json_as_text(&text, one ? refs : vlm_json_at(refs, i), err));
    VLM_TRY(vlm_arena_strdup(set->arena, &texts[i], text, err));
  }
  sample->refs = texts;
  sample->ref_count = count;
out:
  return st;
}

static vlm_status take_object(vlm_dataset *set, const char *line, const char *folder, const char *where, vlm_error *err) {
  vlm_json_doc *doc = NULL;
  vlm_sample sample = {0};
  const char *image = NULL, *prompt = NULL;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_parse(&doc, line, strlen(line), where, err));
  vlm_json root = vlm_json_root(doc);
  if (vlm_json_type(root) != VLM_JSON_OBJECT) {
    st = vlm_json_fail(root, err, VLM_INPUT, "an object with \"image\" is wanted on every line");
    goto out;
  }
  VLM_TRY(vlm_json_get_text(&image, root, "image", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_get_text(&prompt, root, "prompt", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_arena_strdup(set->arena, &sample.key, image, err));
  VLM_TRY(vlm_path_join_in(&sample.path, set->arena, folder, image, err));
  VLM_TRY(check_file(sample.path, where, err));
  if (prompt) VLM_TRY(vlm_arena_strdup(set->arena, &sample.prompt, prompt, err));
  VLM_TRY(take_refs(&sample, set, vlm_json_member(root, "refs"), err));
  VLM_TRY(vlm_dataset_add(set, sample, err));
out:
  vlm_json_free(doc);
  return st;
}

/* Cuts white space at both ends; the result points into the line. */
static char *trim(char *line) {
  size_t n = strlen(line);
  while (n && strchr(" \t\r", line[n - 1])) line[--n] = 0;
  while (*line == ' ' || *line == '\t') line++;
  return line;
}

/* Empty lines are skipped; messages name the line. */
static vlm_status add_lines(vlm_dataset *set, const char *path, take_line *take, vlm_error *err) {
  char *text = NULL, *rest = NULL, where[512];
  const char *folder = NULL;
  size_t number = 0, before = set->count;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_path_folder(&folder, set->arena, path, err));
  VLM_TRY(vlm_file_read_text(&text, path, err));
  VLM_CHECK(strlen(text) < MAX_LIST_BYTES, err, VLM_LIMIT, "%s: the list is larger than %zu bytes", path, MAX_LIST_BYTES);
  rest = strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text;
  for (char *line; (line = strsep(&rest, "\n")) != NULL; ) {
    number++;
    line = trim(line);
    snprintf(where, sizeof where, "%s: line %zu", path, number);
    if (*line) VLM_TRY(take(set, line, folder, where, err));
  }
  VLM_CHECK(set->count > before, err, VLM_INPUT, "%s: the list has no images", path);
out:
  vlm_free(text);
  return st;
}

vlm_status vlm_dataset_add_image_path(vlm_dataset *set, const char *path, vlm_error *err) {
  if (!vlm_file_exists(path)) return vlm_fail(err, VLM_INPUT,
                                              "%s: does not exist; a folder, an image, a .txt list or a .jsonl manifest is wanted", path);
  if (vlm_file_is_folder(path)) return add_folder(set, path, err);
  if (vlm_path_has_suffix(path, ".jsonl")) return add_lines(set, path, take_object, err);
  if (vlm_path_has_suffix(path, ".txt")) return add_lines(set, path, take_path, err);
  return add_file(set, path, vlm_path_base(path), err);
}
