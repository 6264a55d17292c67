#include "flow/run_graph.h"

#include "calib/array_fit.h"
#include "calib/graph_inputs.h"
#include "calib/npy.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

/* ---- inputs ---- */

static vlm_status read_files(vlm_sample_arrays *out, const vlm_input_file *files, int32_t n, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *name = NULL;
  VLM_TRY(vlm_new(&out->names, n, err));
  VLM_TRY(vlm_new(&out->tensors, n, err));
  for (int32_t i = 0; i < n; i++) {
    VLM_TRY(vlm_strdup(&name, files[i].name, err));
    VLM_TRY(vlm_npy_read(&out->tensors[out->count], files[i].path, err));
    out->names[out->count++] = name;
    name = NULL;
  }
out:
  vlm_free(name);
  return st;
}

/* A misspelt name or a name given twice would be ignored silently. */
static vlm_status check_used(const vlm_graph_run *run, const vlm_input_file *files, vlm_error *err) {
  const vlm_graph *graph = run->graph;
  for (size_t k = 0; k < run->arrays.count; k++) {
    int32_t i = 0;
    while (i < graph->n_inputs && run->inputs[i].data != run->arrays.tensors[k].data) i++;
    if (i == graph->n_inputs)
      return vlm_fail(err, VLM_USAGE, "--input %s=%s: %s has no such input, or it is given twice",
                      files[k].name, files[k].path, graph->source);
  }
  return VLM_OK;
}

/* Each array in the type of the input that it is for. */
static vlm_status fit_types(vlm_graph_run *run, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t k = 0; k < run->arrays.count; k++) {
    vlm_tensor *t = &run->arrays.tensors[k];
    const void *before = t->data;
    for (int32_t i = 0; i < run->graph->n_inputs; i++) {
      const vlm_value *v = &run->graph->values[run->graph->inputs[i]];
      if (run->inputs[i].data != before) continue;
      if (t->data == before) VLM_TRY(vlm_array_fit(t, v->tensor.dtype, v->name, err));
      run->inputs[i] = *t;
    }
  }
out:
  return st;
}

vlm_status vlm_graph_run_read(vlm_graph_run *out, const vlm_graph *graph, const vlm_input_file *files,
                              int32_t n_files, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_arrays *a = &out->arrays;
  out->graph = graph;
  VLM_TRY(read_files(a, files, n_files, err));
  VLM_TRY(vlm_new(&out->inputs, graph->n_inputs, err));
  VLM_TRY(vlm_match_inputs(out->inputs, graph, a->names, a->tensors, a->count, err));
  VLM_TRY(check_used(out, files, err));
  VLM_TRY(fit_types(out, err));
out:
  return st;
}

/* ---- running ---- */

vlm_status vlm_graph_run_start(vlm_graph_run *run, vlm_context *context, bool owns_constants,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_session_opts opts = {.owns_constants = owns_constants};
  VLM_TRY(vlm_session_create(&run->session, context, run->graph, &opts, err));
  VLM_TRY(vlm_session_run(run->session, run->inputs, run->graph->n_inputs, err));
out:
  return st;
}

const vlm_tensor *vlm_graph_run_output(const vlm_graph_run *run, int32_t i) {
  return vlm_session_output(run->session, i);
}

void vlm_graph_run_free(vlm_graph_run *run) {
  vlm_sample_arrays_free(&run->arrays);
  vlm_free(run->inputs);
  vlm_session_free(run->session);
  *run = (vlm_graph_run){.graph = NULL};
}

/* ---- outputs ---- */

vlm_status vlm_output_names(vlm_file_names *out, const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char **names = NULL;
  VLM_CHECK(graph->n_outputs <= VLM_MOST_OUTPUT_FILES, err, VLM_LIMIT,
            "the graph has %d outputs, a file each; at most %d are written", graph->n_outputs,
            VLM_MOST_OUTPUT_FILES);
  VLM_TRY(vlm_new(&names, graph->n_outputs, err));
  for (int32_t i = 0; i < graph->n_outputs; i++) names[i] = graph->values[graph->outputs[i]].name;
  VLM_TRY(vlm_file_names_make(out, names, graph->n_outputs, err));
out:
  vlm_free(names);
  return st;
}

vlm_status vlm_graph_run_write(const vlm_graph_run *run, const char *folder, const vlm_file_names *names,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  char *path = NULL;
  VLM_TRY(vlm_folder_make(folder, err));
  for (int32_t i = 0; i < names->count; i++) {
    VLM_TRY(vlm_path_join(&path, folder, names->items[i], err));
    VLM_TRY(vlm_npy_write(vlm_graph_run_output(run, i), path, err));
    vlm_free(path);
    path = NULL;
  }
out:
  vlm_free(path);
  return st;
}
