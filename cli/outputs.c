#include "cli/outputs.h"

#include <string.h>
#include <sys/stat.h>

#include "calib/folder.h"
#include "runtime/base/file.h"
#include "runtime/bundle/bundle.h"

static const vlm_option_id outputs[] = {VLM_OPT_OUTPUT, VLM_OPT_JSON, VLM_OPT_SAVE_PLAN, VLM_OPT_REPORT, VLM_OPT_DOT};
static const vlm_option_id inputs[] = {VLM_OPT_CALIB,  VLM_OPT_MERGE, VLM_OPT_PLAN,  VLM_OPT_REFS,         VLM_OPT_TEACHER, VLM_OPT_INPUTS,
                                       VLM_OPT_IMAGES, VLM_OPT_INPUT, VLM_OPT_CHECK, VLM_OPT_METRICS_ONLY, VLM_OPT_DIFF};
enum { N_OUTPUTS = sizeof outputs / sizeof outputs[0], N_INPUTS = sizeof inputs / sizeof inputs[0] };

/* Of the files in a folder given to read: results of earlier runs lie beside models and samples, and are not read. */
static bool is_read(const char *path) {
  static const char *const results[] = {".h5", ".vlmq", ".json", ".dot", ".txt"};
  for (int t = 0; t < VLM_TEXT_COUNT; t++)
    if (strcmp(vlm_path_base(path), vlm_text_file((vlm_bundle_text)t)) == 0) return true;
  for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
    if (vlm_path_has_suffix(path, results[i])) return false;
  return true;
}

static bool same_file(const char *path, const struct stat *file) {
  struct stat info;
  return stat(path, &info) == 0 && info.st_dev == file->st_dev && info.st_ino == file->st_ino;
}

/* path is the file, or a folder that holds it among what is read. A folder that cannot be listed is told when it is read. */
static bool holds(const char *path, const struct stat *file) {
  vlm_arena *arena = NULL;
  vlm_folder list = {0};
  const char *name = NULL;
  bool found = same_file(path, file);
  if (found || !vlm_file_is_folder(path)) return found;
  if (vlm_arena_create(&arena, NULL) == VLM_OK && vlm_folder_list(&list, arena, path, NULL, NULL) == VLM_OK)
    for (size_t i = 0; i < list.count && !found; i++)
      found = is_read(list.names[i]) && vlm_path_join_in(&name, arena, path, list.names[i], NULL) == VLM_OK && same_file(name, file);
  vlm_folder_free(&list);
  vlm_arena_free(arena);
  return found;
}

/* Of NAME=FILE the file. */
static const char *path_of(vlm_option_id id, const char *value) {
  const char *equals = id == VLM_OPT_INPUT ? strchr(value, '=') : NULL;
  return equals ? equals + 1 : value;
}

static vlm_status check_reads(vlm_option_id id, const vlm_option_values *values, const char *output, const struct stat *file,
                              vlm_error *err) {
  for (int i = 0; i < values->count; i++) {
    const char *path = path_of(id, values->items[i]);
    if (holds(path, file))
      return vlm_fail(err, VLM_USAGE, "the output %s is read by this command (%s); give it another name", output, path);
  }
  return VLM_OK;
}

static vlm_status check_others(const vlm_args *args, int at, const char *output, vlm_error *err) {
  for (int k = 0; k < at; k++) {
    const char *other = vlm_args_text(args, outputs[k], NULL);
    if (other && strcmp(other, output) == 0)
      return vlm_fail(err, VLM_USAGE, "%s and %s write the same file, %s", vlm_option_name(outputs[k]), vlm_option_name(outputs[at]), output);
  }
  return VLM_OK;
}

vlm_status vlm_output_check(const vlm_args *args, const char *output, vlm_error *err) {
  vlm_status st = VLM_OK;
  struct stat file;
  if (stat(output, &file) != 0 || !S_ISREG(file.st_mode)) return VLM_OK;
  VLM_TRY(check_reads(VLM_OPT_COUNT, &args->positional, output, &file, err));
  for (int i = 0; i < N_INPUTS; i++) VLM_TRY(check_reads(inputs[i], &args->options[inputs[i]], output, &file, err));
out:
  return st;
}

vlm_status vlm_outputs_check(const vlm_args *args, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int k = 0; k < N_OUTPUTS; k++) {
    const char *output = vlm_args_text(args, outputs[k], NULL);
    if (!output) continue;
    VLM_TRY(check_others(args, k, output, err));
    VLM_TRY(vlm_output_check(args, output, err));
  }
out:
  return st;
}
