/* Folders, archives and arrays as samples of a single graph. */
#include <stdlib.h>
#include <string.h>

#include "calib/dataset_paths.h"
#include "runtime/base/file.h"

/* ---- the sample axis ---- */

/* Elements along the first axis, the same for all arrays. */
static vlm_status axis_length(size_t *out, const vlm_sample_arrays *a, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < a->count; i++) {
    const vlm_tensor *t = &a->tensors[i];
    VLM_CHECK(t->rank > 0, err, VLM_INPUT, "%s: array \"%s\" is a scalar and has no sample axis", path,
              a->names[i]);
    VLM_CHECK(t->dims[0] == a->tensors[0].dims[0], err, VLM_INPUT,
              "%s: array \"%s\" has %lld samples, \"%s\" has %lld", path, a->names[i], (long long)t->dims[0],
              a->names[0], (long long)a->tensors[0].dims[0]);
  }
  *out = (size_t)a->tensors[0].dims[0];
out:
  return st;
}

static vlm_status add_rows(vlm_dataset *set, const char *path, const char *key, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_arrays whole = {0};
  size_t rows = 0;
  VLM_TRY(vlm_dataset_read_source(&whole, set, path, err));
  VLM_TRY(axis_length(&rows, &whole, path, err));
  VLM_TRY(vlm_more(&set->whole, set->whole_count, set->whole_count + 1, err));
  set->whole[set->whole_count++] = whole;
  whole = (vlm_sample_arrays){0};
  for (size_t row = 0; row < rows; row++) {
    vlm_sample sample = {.path = path, .source = set->whole_count - 1, .row = row};
    VLM_TRY(vlm_arena_format(set->arena, &sample.key, err, "%s#%zu", key, row));
    VLM_TRY(vlm_dataset_add(set, sample, err));
  }
out:
  vlm_sample_arrays_free(&whole);
  return st;
}

/* ---- sources ---- */

typedef struct input_source {
  const char *key, *path;
} input_source;

static vlm_status add_source(vlm_dataset *set, const char *path, const char *key, vlm_error *err) {
  vlm_sample sample = {0};
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_arena_strdup(set->arena, &sample.path, path, err));
  VLM_TRY(vlm_arena_strdup(set->arena, &sample.key, key, err));
  VLM_TRY(set->opts.sample_axis ? add_rows(set, sample.path, sample.key, err)
                                : vlm_dataset_add(set, sample, err));
out:
  return st;
}

static bool is_array_file(const char *path) {
  return vlm_path_has_suffix(path, ".npy") || vlm_path_has_suffix(path, ".npz");
}

/* `name` below `folder` ("." = the root), or NULL when it is not directly inside. */
static const char *directly_in(const char *folder, const char *name) {
  size_t n = strcmp(folder, ".") == 0 ? 0 : strlen(folder);
  if (n && (strncmp(name, folder, n) != 0 || name[n] != '/')) return NULL;
  const char *base = name + n + (n > 0);
  return strchr(base, '/') ? NULL : base;
}

/* With one input, several .npy files of other names in one folder are samples of their own. */
static bool files_are_samples(const vlm_dataset *set, const vlm_folder *list, const char *folder) {
  size_t files = 0;
  if (set->opts.input_count != 1) return false;
  const char *input = set->opts.inputs[0].name;
  for (size_t i = 0; i < list->count; i++) {
    const char *base = directly_in(folder, list->names[i]);
    if (!base || !vlm_path_has_suffix(base, ".npy")) continue;
    size_t stem = (size_t)(vlm_path_suffix(base) - base);
    if (strlen(input) == stem && memcmp(input, base, stem) == 0) return false;
    files++;
  }
  return files > 1;
}

typedef struct grouping {
  vlm_dataset *set;
  const vlm_folder *list;
  const char *root, *folder; /* folder: the one that `split` is the answer for */
  bool split;
} grouping;

/* The source that a file belongs to: itself, or its folder. */
static vlm_status source_of(input_source *out, grouping *g, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *folder = NULL;
  VLM_TRY(vlm_path_folder(&folder, g->set->arena, name, err));
  if (!g->folder || strcmp(g->folder, folder) != 0) {
    g->folder = folder;
    g->split = files_are_samples(g->set, g->list, folder);
  }
  bool alone = g->split || vlm_path_has_suffix(name, ".npz"), top = !alone && strcmp(folder, ".") == 0;
  out->key = alone ? name : top ? vlm_path_base(g->root) : folder;
  out->path = g->root;
  if (!top) VLM_TRY(vlm_path_join_in(&out->path, g->set->arena, g->root, out->key, err));
out:
  return st;
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const input_source *)a)->path, ((const input_source *)b)->path);
}

static vlm_status add_folder(vlm_dataset *set, const char *path, vlm_error *err) {
  vlm_folder list = {0};
  input_source *sources = NULL;
  grouping g = {.set = set, .list = &list, .root = path};
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_folder_list(&list, set->arena, path, is_array_file, err));
  VLM_CHECK(list.count > 0, err, VLM_INPUT, "%s: no .npy or .npz file in this folder", path);
  VLM_TRY(vlm_new(&sources, list.count, err));
  for (size_t i = 0; i < list.count; i++) VLM_TRY(source_of(&sources[i], &g, list.names[i], err));
  qsort(sources, list.count, sizeof *sources, by_path);
  for (size_t i = 0; i < list.count; i++)
    if (i == 0 || by_path(&sources[i], &sources[i - 1]) != 0)
      VLM_TRY(add_source(set, sources[i].path, sources[i].key, err));
out:
  vlm_free(sources);
  vlm_folder_free(&list);
  return st;
}

vlm_status vlm_dataset_add_input_path(vlm_dataset *set, const char *path, vlm_error *err) {
  if (!vlm_file_exists(path))
    return vlm_fail(err, VLM_INPUT, "%s: does not exist; a folder, an .npz or an .npy file is wanted", path);
  if (vlm_file_is_folder(path)) return add_folder(set, path, err);
  if (is_array_file(path)) return add_source(set, path, vlm_path_base(path), err);
  return vlm_fail(err, VLM_INPUT, "%s: is neither a folder nor an .npy or .npz file", path);
}
