#include "flow/check_case.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/check_compare.h"
#include "onnx/import.h"
#include "runtime/base/file.h"

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

vlm_status vlm_check_list(const char *folder, char ***names, int32_t *count, vlm_error *err) {
  vlm_status st = VLM_OK;
  *names = NULL;
  *count = 0;
  int32_t room = 0;
  DIR *dir = opendir(folder);
  VLM_CHECK(dir != NULL, err, vlm_errno_status(VLM_INPUT), "%s: cannot be opened: %s", folder,
            strerror(errno));
  for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
    if (entry->d_name[0] == '.') continue;
    if (*count == room) {
      VLM_TRY(vlm_more(names, room, (size_t)room * 2 + 16, err));
      room = room * 2 + 16;
    }
    VLM_TRY(vlm_strdup(&(*names)[*count], entry->d_name, err));
    ++*count;
  }
  if (*count > 0) qsort(*names, (size_t)*count, sizeof **names, by_name);
out:
  if (dir != NULL) closedir(dir);
  return st;
}

void vlm_check_free_names(char **names, int32_t count) {
  for (int32_t k = 0; k < count; k++) vlm_free(names[k]);
  vlm_free(names);
}

/* The tensors of files PREFIX_0.pb, PREFIX_1.pb, ... and the names they carry. */
typedef struct tensor_set {
  vlm_tensor *tensors;
  void **storage;
  int32_t count;
} tensor_set;

static void free_set(tensor_set *set) {
  for (int32_t k = 0; k < set->count; k++) vlm_free(set->storage[k]);
  vlm_free(set->tensors);
  vlm_free(set->storage);
}

static vlm_status read_set(tensor_set *set, const char *folder, const char *prefix, int32_t most,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  char name[32];
  char *path = NULL;
  VLM_TRY(vlm_new(&set->tensors, most, err));
  VLM_TRY(vlm_new(&set->storage, most, err));
  for (; set->count < most; set->count++) {
    snprintf(name, sizeof name, "%s_%d.pb", prefix, set->count);
    VLM_TRY(vlm_path_join(&path, folder, name, err));
    if (!vlm_file_exists(path)) break;
    VLM_TRY(vlm_onnx_read_tensor(&set->tensors[set->count], &set->storage[set->count], path, err));
    vlm_free(path);
    path = NULL;
  }
out:
  vlm_free(path);
  return st;
}

/* Writers before onnx 1.13 stored bfloat16 as uint16. */
static void restore_bfloat16(tensor_set *set, int32_t k, vlm_dtype expected) {
  if (k < set->count && set->tensors[k].dtype == VLM_U16 && expected == VLM_BF16)
    set->tensors[k].dtype = VLM_BF16;
}

static vlm_status run_set(const vlm_graph *graph, vlm_session *session, const char *folder, double rtol,
                          double atol, vlm_error *err) {
  vlm_status st = VLM_OK;
  tensor_set in = {0}, out_set = {0};
  VLM_TRY(read_set(&in, folder, "input", graph->n_inputs, err));
  VLM_CHECK(in.count == graph->n_inputs, err, VLM_INPUT, "%s: holds %d inputs, the model has %d", folder,
            in.count, graph->n_inputs);
  for (int32_t k = 0; k < in.count; k++)
    restore_bfloat16(&in, k, graph->values[graph->inputs[k]].tensor.dtype);
  VLM_TRY(read_set(&out_set, folder, "output", graph->n_outputs, err));
  VLM_CHECK(out_set.count > 0, err, VLM_INPUT, "%s: holds no outputs to compare with", folder);
  VLM_TRY(vlm_session_run(session, in.tensors, in.count, err));
  for (int32_t k = 0; k < out_set.count; k++) {
    restore_bfloat16(&out_set, k, vlm_session_output(session, k)->dtype);
    VLM_TRY(vlm_check_compare(vlm_session_output(session, k), &out_set.tensors[k],
                              graph->values[graph->outputs[k]].name, rtol, atol, err));
  }
out:
  free_set(&in);
  free_set(&out_set);
  return st;
}

static vlm_status run_sets(const vlm_graph *graph, vlm_session *session, const char *folder, double rtol,
                           double atol, vlm_error *err) {
  vlm_status st = VLM_OK;
  char **names = NULL, *path = NULL;
  int32_t count = 0, sets = 0;
  VLM_TRY(vlm_check_list(folder, &names, &count, err));
  for (int32_t k = 0; k < count; k++) {
    if (strncmp(names[k], "test_data_set_", 14) != 0) continue;
    VLM_TRY(vlm_path_join(&path, folder, names[k], err));
    VLM_TRY(run_set(graph, session, path, rtol, atol, err));
    vlm_free(path);
    path = NULL;
    sets++;
  }
  VLM_CHECK(sets > 0, err, VLM_INPUT, "%s: holds no folder test_data_set_*", folder);
out:
  vlm_free(path);
  vlm_check_free_names(names, count);
  return st;
}

vlm_status vlm_check_run_case(const char *folder, vlm_context *context, double rtol, double atol,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  char *path = NULL;
  vlm_graph *graph = NULL;
  vlm_session *session = NULL;
  VLM_TRY(vlm_path_join(&path, folder, "model.onnx", err));
  VLM_TRY(vlm_onnx_import(&graph, path, NULL, err));
  VLM_TRY(vlm_session_create(&session, context, graph, NULL, err));
  VLM_TRY(run_sets(graph, session, folder, rtol, atol, err));
out:
  vlm_session_free(session);
  vlm_graph_free(graph);
  vlm_free(path);
  return st;
}
