/* Reading the arrays of one source of an input set and naming them as the graph does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calib/array_fit.h"
#include "calib/dataset_set.h"
#include "calib/graph_inputs.h"
#include "runtime/base/file.h"
#include "runtime/base/unconst.h"

void vlm_sample_arrays_free(vlm_sample_arrays *a) {
  for (size_t i = 0; i < a->count; i++) {
    vlm_free(vlm_unconst(a->names[i]));
    vlm_free(a->tensors[i].data);
  }
  vlm_free(a->names);
  vlm_free(a->tensors);
  *a = (vlm_sample_arrays){0};
}

/* Arrays that a source holds: their names first, their values only when they are an input. */
typedef struct array_source {
  const vlm_dataset *set;
  const char *path;
  vlm_sample_arrays *out; /* without values */
  size_t *origins;        /* of each array: the entry of the archive, the file of the list */
  vlm_npz *npz;           /* or NULL: files */
  vlm_arena *arena;
  const char **files;
  size_t n_files;
} array_source;

static vlm_status add(array_source *s, const char *name, size_t bytes, size_t origin, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_arrays *a = s->out;
  char *copy = NULL;
  VLM_TRY(vlm_new(&copy, bytes + 1, err));
  memcpy(copy, name, bytes);
  VLM_TRY(vlm_more(&a->names, a->count, a->count + 1, err));
  VLM_TRY(vlm_more(&a->tensors, a->count, a->count + 1, err));
  VLM_TRY(vlm_more(&s->origins, a->count, a->count + 1, err));
  a->names[a->count] = copy;
  a->tensors[a->count] = (vlm_tensor){0};
  s->origins[a->count++] = origin;
  return VLM_OK;
out:
  vlm_free(copy);
  return st;
}

static vlm_status add_npy(array_source *s, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *base = vlm_path_base(path);
  VLM_TRY(vlm_more(&s->files, s->n_files, s->n_files + 1, err));
  s->files[s->n_files++] = path;
  VLM_TRY(add(s, base, (size_t)(vlm_path_suffix(base) - base), s->n_files - 1, err));
out:
  return st;
}

static vlm_status add_npz(array_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_npz_open(&s->npz, s->path, err));
  for (size_t i = 0; i < vlm_npz_count(s->npz); i++) {
    const char *name = vlm_npz_name(s->npz, i);
    if (vlm_npz_is_array(s->npz, i)) VLM_TRY(add(s, name, strlen(name), i, err));
  }
out:
  return st;
}

static bool is_npy(const char *path) { return vlm_path_has_suffix(path, ".npy"); }

/* The .npy files directly in the folder. */
static vlm_status add_folder(array_source *s, vlm_error *err) {
  vlm_folder list = {0};
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_folder_list(&list, s->arena, s->path, is_npy, err));
  for (size_t i = 0; i < list.count; i++) {
    const char *file = NULL;
    if (strchr(list.names[i], '/')) continue;
    VLM_TRY(vlm_path_join_in(&file, s->arena, s->path, list.names[i], err));
    VLM_TRY(add_npy(s, file, err));
  }
out:
  vlm_folder_free(&list);
  return st;
}

static vlm_dtype wanted_type(const vlm_dataset *set, const char *name) {
  for (size_t i = 0; i < set->opts.input_count; i++)
    if (strcmp(set->opts.inputs[i].name, name) == 0) return set->opts.inputs[i].dtype;
  return VLM_NONE;
}

static vlm_status read_values(array_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < s->out->count; i++) {
    vlm_tensor *t = &s->out->tensors[i];
    if (s->npz) VLM_TRY(vlm_npz_read(t, s->npz, s->origins[i], err));
    else VLM_TRY(vlm_npy_read(t, s->files[s->origins[i]], err));
    st = vlm_array_fit(t, wanted_type(s->set, s->out->names[i]), s->out->names[i], err);
    if (st != VLM_OK) vlm_error_context(err, "%s", s->path);
    if (st != VLM_OK) goto out;
  }
out:
  return st;
}

/* ---- names ---- */

static bool has_array(const vlm_sample_arrays *a, const char *name) {
  for (size_t k = 0; k < a->count; k++)
    if (strcmp(a->names[k], name) == 0) return true;
  return false;
}

/* The inputs that the array can be meant for, those with an array of their own left out; *first is one of them. */
static size_t meant_for(const vlm_dataset *set, const vlm_sample_arrays *a, const char *name,
                        const char **first) {
  const vlm_dataset_opts *o = &set->opts;
  size_t found = 0;
  for (size_t i = 0; i < o->input_count; i++)
    if (vlm_input_is_called(o->inputs[i].name, name) && !has_array(a, o->inputs[i].name)) {
      if (found++ == 0) *first = o->inputs[i].name;
    }
  return found;
}

/* *out: the input of exactly that name, else the only one that the array can be meant for, or NULL. */
static vlm_status graph_name(const char **out, const vlm_dataset *set, const vlm_sample_arrays *a,
                             const char *name, vlm_error *err) {
  const vlm_dataset_opts *o = &set->opts;
  for (size_t i = 0; i < o->input_count; i++)
    if (strcmp(o->inputs[i].name, name) == 0) {
      *out = o->inputs[i].name;
      return VLM_OK;
    }
  *out = o->input_count == 1 && a->count == 1 ? o->inputs[0].name : NULL;
  if (meant_for(set, a, name, out) < 2) return VLM_OK;
  return vlm_fail(err, VLM_INPUT,
                  "array \"%s\" can be meant for \"%s\" and other inputs; name arrays as the graph names its "
                  "inputs (in an .npz any name can be written)",
                  name, *out);
}

/* No input is called so: it stays unread, whatever it holds. */
static void drop(array_source *s, size_t i) {
  vlm_sample_arrays *a = s->out;
  size_t n = strlen(a->ignored);
  snprintf(a->ignored + n, sizeof a->ignored - n, "%s%s", n ? ", " : "", a->names[i]);
  vlm_free(vlm_unconst(a->names[i]));
  a->count--;
  memmove(a->names + i, a->names + i + 1, (a->count - i) * sizeof *a->names);
  memmove(s->origins + i, s->origins + i + 1, (a->count - i) * sizeof *s->origins);
}

/* Another input has the name that this one would have as a file. */
static bool has_own_like(const vlm_dataset *set, const char *name) {
  for (size_t i = 0; i < set->opts.input_count; i++) {
    const char *other = set->opts.inputs[i].name;
    if (strcmp(other, name) && vlm_input_is_called(name, other)) return true;
  }
  return false;
}

static vlm_status check_inputs(const vlm_dataset *set, const vlm_sample_arrays *a, const char *path,
                               const char *had, vlm_error *err) {
  for (size_t i = 0; i < set->opts.input_count; i++) {
    size_t found = 0;
    for (size_t k = 0; k < a->count; k++) found += strcmp(a->names[k], set->opts.inputs[i].name) == 0;
    if (found == 0)
      return vlm_fail(err, VLM_INPUT, "%s: no array for input \"%s\"; there are: %s%s", path,
                      set->opts.inputs[i].name, had,
                      has_own_like(set, set->opts.inputs[i].name)
                          ? " (each input needs an array of its own name; in an .npz any name can be written)"
                          : "");
    if (found > 1)
      return vlm_fail(err, VLM_INPUT, "%s: two arrays for input \"%s\"; there are: %s", path,
                      set->opts.inputs[i].name, had);
  }
  return VLM_OK;
}

static vlm_status rename_arrays(array_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_arrays *a = s->out;
  char had[256] = "none";
  for (size_t i = 0, n = 0; i < a->count && n < sizeof had; i++)
    n += (size_t)snprintf(had + n, sizeof had - n, "%s%s", i ? ", " : "", a->names[i]);
  for (size_t i = 0; s->set->opts.input_count && i < a->count;) {
    const char *name;
    char *copy = NULL;
    VLM_TRY(graph_name(&name, s->set, a, a->names[i], err));
    if (!name) {
      drop(s, i);
      continue;
    }
    VLM_TRY(vlm_strdup(&copy, name, err));
    if (strcmp(name, a->names[i]))
      snprintf(a->renamed, sizeof a->renamed, "%.80s is read as input %.80s", a->names[i], name);
    vlm_free(vlm_unconst(a->names[i]));
    a->names[i++] = copy;
  }
  VLM_TRY(check_inputs(s->set, a, s->path, had, err));
  VLM_CHECK(a->count > 0, err, VLM_INPUT, "%s: has no arrays", s->path);
out:
  return st;
}

/* Few arrays: insertion sort keeps names and tensors together. */
static void sort_arrays(vlm_sample_arrays *a) {
  for (size_t i = 1; i < a->count; i++)
    for (size_t k = i; k > 0 && strcmp(a->names[k - 1], a->names[k]) > 0; k--) {
      const char *name = a->names[k];
      vlm_tensor tensor = a->tensors[k];
      a->names[k] = a->names[k - 1];
      a->tensors[k] = a->tensors[k - 1];
      a->names[k - 1] = name;
      a->tensors[k - 1] = tensor;
    }
}

vlm_status vlm_dataset_read_source(vlm_sample_arrays *out, const vlm_dataset *set, const char *path,
                                   vlm_error *err) {
  vlm_status st = VLM_OK;
  array_source s = {.set = set, .path = path, .out = out};
  *out = (vlm_sample_arrays){0};
  VLM_TRY(vlm_arena_create(&s.arena, err));
  if (vlm_file_is_folder(path)) VLM_TRY(add_folder(&s, err));
  else if (vlm_path_has_suffix(path, ".npz")) VLM_TRY(add_npz(&s, err));
  else VLM_TRY(add_npy(&s, path, err));
  VLM_TRY(rename_arrays(&s, err));
  VLM_TRY(read_values(&s, err));
  sort_arrays(out);
out:
  vlm_npz_free(s.npz);
  vlm_free(s.files);
  vlm_free(s.origins);
  vlm_arena_free(s.arena);
  if (st != VLM_OK) vlm_sample_arrays_free(out);
  return st;
}
