#define _DEFAULT_SOURCE /* strsep */
/* Folders, lists and manifests of images. */
#include <stdio.h>
#include <string.h>

#include "calib/dataset_paths.h"
#include "calib/image.h"
#include "runtime/base/file.h"

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
    else VLM_TRY(vlm_dataset_skip(set, file, vlm_image_why_not(file), err));
  }
  VLM_CHECK(set->count > before, err, VLM_INPUT, "%s: no image in this folder (%s are read; %zu other files)",
            path, vlm_image_formats(), list.count);
out:
  vlm_folder_free(&list);
  return st;
}

/* ---- lists ---- */

static vlm_status take_path(vlm_dataset *set, const char *line, const char *folder, const char *where,
                            vlm_error *err) {
  return vlm_dataset_add_row(set, &(vlm_dataset_row){.image = line}, folder, where, err);
}

/* Cuts white space at both ends; the result points into the line. */
static char *trim(char *line) {
  size_t n = strlen(line);
  while (n && strchr(" \t\r", line[n - 1])) line[--n] = 0;
  while (*line == ' ' || *line == '\t') line++;
  return line;
}

/* Empty lines are skipped; messages name the line. */
static vlm_status add_lines(vlm_dataset *set, const char *path, vlm_dataset_take *take, vlm_error *err) {
  char *text = NULL, *rest = NULL, where[512];
  const char *folder = NULL;
  size_t number = 0, before = set->count;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_path_folder(&folder, set->arena, path, err));
  VLM_TRY(vlm_file_read_text(&text, path, err));
  VLM_CHECK(strlen(text) < MAX_LIST_BYTES, err, VLM_LIMIT, "%s: the list is larger than %zu bytes", path,
            MAX_LIST_BYTES);
  rest = strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text;
  for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
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
  if (!vlm_file_exists(path))
    return vlm_fail(
        err, VLM_INPUT,
        "%s: does not exist; a folder, an image, a .txt list, a .jsonl manifest or a .csv table is wanted",
        path);
  if (vlm_file_is_folder(path)) return add_folder(set, path, err);
  if (vlm_path_has_suffix(path, ".jsonl")) return add_lines(set, path, vlm_dataset_take_object, err);
  if (vlm_path_has_suffix(path, ".csv")) return vlm_dataset_add_csv(set, path, err);
  if (vlm_path_has_suffix(path, ".txt")) return add_lines(set, path, take_path, err);
  return add_file(set, path, vlm_path_base(path), err);
}
