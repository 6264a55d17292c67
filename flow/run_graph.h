/* Running a single graph: arrays in, arrays out. */
#ifndef VLM_FLOW_RUN_GRAPH_H
#define VLM_FLOW_RUN_GRAPH_H

#include "calib/dataset.h"
#include "flow/file_names.h"
#include "runtime/exec/session.h"

/* The .npy file of one input. */
typedef struct vlm_input_file {
  const char *name, *path;
} vlm_input_file;

/* Inputs in the order of the graph. */
typedef struct vlm_graph_run {
  const vlm_graph *graph;
  vlm_sample_arrays arrays; /* as read */
  vlm_tensor *inputs;       /* [graph->n_inputs], into the arrays */
  vlm_session *session;     /* has the outputs once it ran */
} vlm_graph_run;

/* Reads the files and puts them into the order of the graph, which must outlive the run. VLM_INPUT names what is
 * missing, VLM_USAGE what is not asked for or given twice. `out` must be zeroed; free with vlm_graph_run_free in any
 * case. */
vlm_status vlm_graph_run_read(vlm_graph_run *out, const vlm_graph *graph, const vlm_input_file *files,
                              int32_t n_files, vlm_error *err);
/* Runs it once. owns_constants: nobody else reads the graph, what was packed goes back to the system. */
vlm_status vlm_graph_run_start(vlm_graph_run *run, vlm_context *context, bool owns_constants, vlm_error *err);
/* Output i, once it ran; owned by the run. */
const vlm_tensor *vlm_graph_run_output(const vlm_graph_run *run, int32_t i);
void vlm_graph_run_free(vlm_graph_run *run);

enum { VLM_MOST_OUTPUT_FILES = 4096 };
/* A file name for each output; known before the graph runs. Free with vlm_file_names_free. */
vlm_status vlm_output_names(vlm_file_names *out, const vlm_graph *graph, vlm_error *err);
/* Writes every output under its name; the folder is made when it is not there. */
vlm_status vlm_graph_run_write(const vlm_graph_run *run, const char *folder, const vlm_file_names *names,
                               vlm_error *err);

#endif
