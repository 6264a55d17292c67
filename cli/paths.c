#include "cli/paths.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calib/folder.h"
#include "cli/option_row.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/bundle/bundle.h"

/* Of NAME=FILE the file. */
static const char *path_of(const vlm_option_row *row, const char *value) {
  const char *equals = row && row->named ? strchr(value, '=') : NULL;
  return equals ? equals + 1 : value;
}

static bool is_input(const vlm_option_row *row) {
  return row->type == VLM_TYPE_file_in || row->type == VLM_TYPE_paths;
}
static bool is_output(const vlm_option_row *row) {
  return row->type == VLM_TYPE_file_out || row->type == VLM_TYPE_json_out;
}

/* ---- what is read ---- */

/* what: "file", "file or folder". */
static void check_read(vlm_mistakes *all, const char *path, const char *what) {
  if (access(path, R_OK) == 0) return;
  int cause = errno;
  if (cause != ENOENT) vlm_mistake(all, VLM_INPUT, "%s: cannot be read: %s", path, strerror(cause));
  else if (strcmp(path, "help") == 0 || strcmp(path, "version") == 0)
    vlm_mistake(all, VLM_INPUT, "%s: no such %s; type --%s", path, what, path);
  else vlm_mistake(all, VLM_INPUT, "%s: no such %s", path, what);
}

static void check_inputs(vlm_mistakes *all, const vlm_args *args) {
  const char *one;
  for (int k = 0; k < args->positional.count; k++)
    check_read(all, args->positional.items[k], "file or folder");
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    if (!args->given[i] || !is_input(row)) continue;
    vlm_option_values values = vlm_option_given_values(args, row, &one);
    for (int k = 0; k < values.count; k++)
      check_read(all, path_of(row, values.items[k]),
                 row->type == VLM_TYPE_file_in ? "file" : "file or folder");
  }
}

/* ---- what is written ---- */

/* The folder that the path lies in: "." for a name alone. Free with vlm_free. */
static vlm_status folder_of(char **out, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_strdup(out, path, err));
  char *end = *out + strlen(*out);
  while (end > *out + 1 && end[-1] == '/') *--end = 0;
  char *slash = strrchr(*out, '/');
  if (!slash) memcpy(*out, ".", end > *out ? 2 : 1);
  else slash[slash == *out] = 0;
out:
  return st;
}

/* What has to be made first, when it cannot be made: its folder is not there or is closed. what: of the
 * message. */
static vlm_status check_new(vlm_mistakes *all, const char *path, const char *what, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *folder = NULL;
  VLM_TRY(folder_of(&folder, path, err));
  struct stat info;
  bool there = stat(folder, &info) == 0;
  if (there && S_ISDIR(info.st_mode) && access(folder, W_OK | X_OK) == 0) goto out;
  int cause = there && !S_ISDIR(info.st_mode) ? ENOTDIR : errno;
  if (cause == ENOENT)
    vlm_mistake(all, VLM_IO, "%s: %s: %s; make the folder %s first", path, what, strerror(cause), folder);
  else vlm_mistake(all, VLM_IO, "%s: %s: %s: %s; give another folder", path, what, folder, strerror(cause));
out:
  vlm_free(folder);
  return st;
}

static vlm_status check_folder(vlm_mistakes *all, const char *path, vlm_error *err) {
  struct stat info;
  if (stat(path, &info) != 0) return check_new(all, path, "cannot be made a folder", err);
  if (!S_ISDIR(info.st_mode))
    vlm_mistake(all, VLM_IO, "%s: cannot be made a folder: it is a file; give another name", path);
  else if (access(path, W_OK | X_OK) != 0)
    vlm_mistake(all, VLM_IO, "%s: cannot be written: %s; give another folder", path, strerror(errno));
  return VLM_OK;
}

static vlm_status check_file(vlm_mistakes *all, const vlm_option_row *row, const char *path, vlm_error *err) {
  struct stat info;
  size_t length = strlen(path);
  bool there = stat(path, &info) == 0, slash = length && path[length - 1] == '/';
  if (slash || (there && S_ISDIR(info.st_mode))) {
    const char *equals = row->type == VLM_TYPE_json_out ? "=" : " ";
    vlm_mistake(all, VLM_IO, "%s: is a folder, a file name is wanted: %s%s%s%sNAME", path, row->name, equals,
                path, slash ? "" : "/");
  } else if (!there || S_ISREG(info.st_mode)) {
    return check_new(all, path, "cannot be written", err);
  } else if (access(path, W_OK) != 0) {
    vlm_mistake(all, VLM_IO, "%s: cannot be written: %s; give another name", path, strerror(errno));
  }
  return VLM_OK;
}

/* ---- what is written is not read ---- */

/* Of the files in a folder given to read: results of earlier runs lie beside models and samples, and are not
 * read. */
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

/* path is the file, or a folder that holds it among what is read. A folder that cannot be listed is told when
 * it is read. */
static bool holds_file(const char *path, const struct stat *file) {
  vlm_arena *arena = NULL;
  vlm_folder list = {0};
  const char *name = NULL;
  bool found = same_file(path, file);
  if (found || !vlm_file_is_folder(path)) return found;
  if (vlm_arena_create(&arena, NULL) == VLM_OK && vlm_folder_list(&list, arena, path, NULL, NULL) == VLM_OK)
    for (size_t i = 0; i < list.count && !found; i++)
      found = is_read(list.names[i]) && vlm_path_join_in(&name, arena, path, list.names[i], NULL) == VLM_OK &&
              same_file(name, file);
  vlm_folder_free(&list);
  vlm_arena_free(arena);
  return found;
}

static vlm_status check_reads(const vlm_option_row *row, vlm_option_values values, const char *output,
                              const struct stat *file, vlm_error *err) {
  for (int i = 0; i < values.count; i++) {
    const char *path = path_of(row, values.items[i]);
    if (holds_file(path, file))
      return vlm_fail(err, VLM_USAGE, "the output %s is read by this command (%s); give it another name",
                      output, path);
  }
  return VLM_OK;
}

vlm_status vlm_output_check(const vlm_args *args, const char *output, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *one;
  struct stat file;
  if (stat(output, &file) != 0 || !S_ISREG(file.st_mode)) return VLM_OK;
  VLM_TRY(check_reads(NULL, args->positional, output, &file, err));
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    if (args->given[i] && is_input(row))
      VLM_TRY(check_reads(row, vlm_option_given_values(args, row, &one), output, &file, err));
  }
out:
  return st;
}

/* Another output with the same name, or with another name of the same file. */
static vlm_status check_others(const vlm_args *args, int at, const char *output, vlm_error *err) {
  const char *other;
  struct stat file;
  bool there = stat(output, &file) == 0 && S_ISREG(file.st_mode);
  for (int k = 0; k < at; k++) {
    const vlm_option_row *row = &vlm_option_rows[k];
    if (!is_output(row) || !vlm_option_given_values(args, row, &other).count) continue;
    if (strcmp(other, output) == 0 || (there && same_file(other, &file)))
      return vlm_fail(err, VLM_USAGE, "%s and %s write the same file, %s; give one of them another name",
                      row->name, vlm_option_rows[at].name, output);
  }
  return VLM_OK;
}

vlm_status vlm_paths_check(const vlm_args *args, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_mistakes all = {.status = VLM_OK};
  const char *output;
  check_inputs(&all, args);
  for (int k = 0; k < VLM_OPT_COUNT; k++) {
    const vlm_option_row *row = &vlm_option_rows[k];
    if (!is_output(row) && row->type != VLM_TYPE_folder_out) continue;
    if (!vlm_option_given_values(args, row, &output).count) continue;
    VLM_TRY(is_output(row) ? check_file(&all, row, output, err) : check_folder(&all, output, err));
    if (!is_output(row)) continue;
    VLM_TRY(check_others(args, k, output, err));
    VLM_TRY(vlm_output_check(args, output, err));
  }
  VLM_TRY(vlm_mistakes_end(&all, NULL, err));
out:
  return st;
}
