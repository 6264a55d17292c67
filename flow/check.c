#include "flow/check.h"

#include <string.h>

#include "flow/check_case.h"
#include "runtime/base/file.h"

typedef struct check_walk {
  vlm_context *context;
  double rtol, atol;
  void (*report)(void *user, const vlm_check_case *result);
  void *user;
  vlm_check_counts *counts;
  size_t skip; /* characters of the given folder and the slash in front of a case's name */
} check_walk;

const char *vlm_check_result_name(vlm_check_result result) {
  static const char *const names[] = {"passed", "failed", "unsupported"};
  return names[result];
}

/* Messages name an operator as `operator X` or, with a node, as `node "n" (X)`. */
static vlm_check_result classify(vlm_status st, const vlm_error *err) {
  if (st == VLM_OK) return VLM_CHECK_PASSED;
  bool named = strstr(err->text, "operator ") != NULL || strstr(err->text, "node \"") != NULL;
  return st == VLM_UNSUPPORTED && named ? VLM_CHECK_UNSUPPORTED : VLM_CHECK_FAILED;
}

static const char *last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

static void run_one(const check_walk *w, const char *folder) {
  vlm_error detail = {0};
  vlm_status st = vlm_check_run_case(folder, w->context, w->rtol, w->atol, &detail);
  vlm_check_case result = {.result = classify(st, &detail), .detail = st != VLM_OK ? detail.text : ""};
  result.name = strlen(folder) > w->skip ? folder + w->skip : last_part(folder);
  int64_t *count[] = {&w->counts->passed, &w->counts->failed, &w->counts->unsupported};
  ++*count[result.result];
  if (w->report != NULL) w->report(w->user, &result);
}

enum { MAX_DEPTH = 32 };

static vlm_status walk_folder(const check_walk *w, const char *folder, int depth, vlm_error *err) {
  vlm_status st = VLM_OK;
  char **names = NULL, *path = NULL;
  int32_t count = 0;
  VLM_CHECK(depth <= MAX_DEPTH, err, VLM_LIMIT, "%s: folders are nested deeper than %d", folder, MAX_DEPTH);
  VLM_TRY(vlm_check_list(folder, &names, &count, err));
  for (int32_t k = 0; k < count; k++) {
    if (strcmp(names[k], "model.onnx") == 0) {
      run_one(w, folder);
      goto out;
    }
  }
  for (int32_t k = 0; k < count; k++) {
    VLM_TRY(vlm_path_join(&path, folder, names[k], err));
    if (vlm_file_is_folder(path)) VLM_TRY(walk_folder(w, path, depth + 1, err));
    vlm_free(path);
    path = NULL;
  }
out:
  vlm_free(path);
  vlm_check_free_names(names, count);
  return st;
}

static vlm_status walk_root(check_walk *w, const char *given, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *folder = NULL;
  vlm_check_counts before = *w->counts;
  VLM_TRY(vlm_strdup(&folder, given, err));
  for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--) folder[n - 1] = '\0';
  w->skip = strlen(folder) + 1;
  VLM_TRY(walk_folder(w, folder, 0, err));
  VLM_CHECK(memcmp(&before, w->counts, sizeof before) != 0, err, VLM_INPUT,
            "%s: holds no folder with a model.onnx", given);
out:
  vlm_free(folder);
  return st;
}

vlm_status vlm_check_folders(const char *const *folders, int32_t n_folders, const vlm_check_opts *opts,
                             void (*report)(void *user, const vlm_check_case *result), void *user,
                             vlm_check_counts *counts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_context_opts context = {.threads = opts->threads, .cpu_level = opts->cpu};
  check_walk w = {.report = report,
                  .user = user,
                  .counts = counts,
                  .rtol = opts->rtol < 0 ? 1e-3 : opts->rtol,
                  .atol = opts->atol < 0 ? 1e-7 : opts->atol};
  *counts = (vlm_check_counts){0};
  VLM_TRY(vlm_context_create(&w.context, &context, err));
  for (int32_t k = 0; k < n_folders; k++) VLM_TRY(walk_root(&w, folders[k], err));
out:
  vlm_context_free(w.context);
  return st;
}
