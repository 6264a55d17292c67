/* vlm-run: answers for images, outputs of a single graph, or the conformance check. */
#include <string.h>

#include "cli/check_report.h"
#include "cli/data.h"
#include "cli/paths.h"
#include "cli/profile.h"
#include "cli/run_answers.h"
#include "flow/run_graph.h"
#include "runtime/base/file.h"

/* ---- --check ---- */

static vlm_status run_check(const vlm_cli *cli, vlm_error *err) {
  const vlm_args *args = cli->args;
  const vlm_check_opts opts = {
      .cpu = args->cpu, .threads = (int)args->threads, .rtol = args->rtol, .atol = args->atol};
  const vlm_check_output output = {.json = VLM_OPTION_GIVEN(args, json),
                                   .json_path = args->json,
                                   .verbose = cli->verbose,
                                   .quiet = cli->quiet};
  return vlm_check_report(args->check.items, args->check.count, &opts, &output, err);
}

/* ---- a single graph ---- */

/* NAME=FILE.npy; the name is a copy. */
static vlm_status read_input(vlm_input_file *out, const char *spec, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *name;
  const char *equals = strchr(spec, '=');
  VLM_TRY(vlm_strdup(&name, spec, err));
  name[equals - spec] = 0;
  *out = (vlm_input_file){.name = name, .path = equals + 1};
out:
  return st;
}

static vlm_status read_inputs(vlm_graph_run *out, const vlm_cli *cli, const vlm_graph *graph,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_option_values *given = &cli->args->input;
  vlm_input_file *files = NULL;
  VLM_TRY(vlm_new(&files, given->count, err));
  for (int i = 0; i < given->count; i++) VLM_TRY(read_input(&files[i], given->items[i], err));
  VLM_TRY(vlm_graph_run_read(out, graph, files, given->count, err));
out:
  for (int i = 0; files && i < given->count; i++) vlm_free((void *)(uintptr_t)files[i].name);
  vlm_free(files);
  return st;
}

static vlm_status check_outputs(const vlm_cli *cli, const vlm_file_names *names, const char *folder,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  char *path = NULL;
  for (int i = 0; i < names->count; i++) {
    VLM_TRY(vlm_path_join(&path, folder, names->items[i], err));
    VLM_TRY(vlm_output_check(cli->args, path, err));
    vlm_free(path);
    path = NULL;
  }
out:
  vlm_free(path);
  return st;
}

/* Told only where a reader could not guess. */
static void tell_files(const vlm_cli *cli, const vlm_graph *graph, const vlm_file_names *files) {
  for (int32_t i = 0; i < graph->n_outputs; i++) {
    const char *name = graph->values[graph->outputs[i]].name, *file = files->items[i];
    size_t n = strlen(name);
    if (strncmp(name, file, n) != 0 || strcmp(file + n, ".npy") != 0)
      vlm_say(cli, "output %s: %s", name, file);
  }
}

/* {"outputs": [{"name", "file", "type", "shape"}]}. */
static vlm_status put_outputs(const vlm_cli *cli, const vlm_graph_run *work, const vlm_file_names *files,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  vlm_json_open_array(w, "outputs");
  for (int32_t i = 0; i < work->graph->n_outputs; i++) {
    const vlm_tensor *t = vlm_graph_run_output(work, i);
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "name", work->graph->values[work->graph->outputs[i]].name);
    vlm_json_put_text(w, "file", files->items[i]);
    vlm_json_put_text(w, "type", vlm_dtype_name(t->dtype));
    vlm_json_open_array(w, "shape");
    for (int d = 0; d < t->rank; d++) vlm_json_put_int(w, NULL, t->dims[d]);
    vlm_json_close_array(w);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

static vlm_status run_graph(const vlm_cli *cli, vlm_context *context, const vlm_graph *graph,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_graph_run work = {0};
  vlm_file_names names = {0};
  const char *folder = cli->args->output_dir;
  VLM_CHECK(folder, err, VLM_USAGE, "--output-dir DIR is missing: where should the outputs go?");
  VLM_TRY(read_inputs(&work, cli, graph, err));
  VLM_TRY(vlm_output_names(&names, graph, err));
  VLM_TRY(check_outputs(cli, &names, folder, err));
  if (cli->args->dry_run) {
    vlm_say(cli, "plan: %d inputs, %d outputs into %s", graph->n_inputs, graph->n_outputs, folder);
    goto out;
  }
  VLM_TRY(vlm_graph_run_start(&work, context, true, err));
  VLM_TRY(vlm_graph_run_write(&work, folder, &names, err));
  tell_files(cli, graph, &names);
  if (VLM_OPTION_GIVEN(cli->args, json)) VLM_TRY(put_outputs(cli, &work, &names, err));
out:
  vlm_file_names_free(&names);
  vlm_graph_run_free(&work);
  return st;
}

/* An option of another use would be ignored silently. */
static vlm_status check_options(const vlm_cli *cli, const vlm_bundle *bundle, vlm_error *err) {
  const vlm_option_values *given = &cli->args->positional;
  vlm_status st = VLM_OK;
  bool graph = bundle->family == VLM_FAMILY_GRAPH;
  VLM_CHECK(!VLM_OPTION_GIVEN(cli->args, decoder) || graph || !vlm_is_packed(given->items[0]), err, VLM_USAGE,
            "--decoder chooses between files of a folder; %s is packed and has one form", given->items[0]);
  VLM_CHECK(!graph || given->count == 1, err, VLM_USAGE,
            "%s is a single graph and takes --input NAME=FILE.npy, got %s", given->items[0], given->items[1]);
  VLM_CHECK(!graph || !VLM_OPTION_GIVEN(cli->args, on_bad), err, VLM_USAGE,
            "--on-bad goes with images; a single graph is run once");
  VLM_TRY(vlm_cli_fit(cli, bundle, err));
out:
  return st;
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_context *context = NULL;
  vlm_bundle *bundle = NULL;
  vlm_step_profile *profile = NULL;
  if (VLM_OPTION_GIVEN(cli->args, check)) return run_check(cli, err);
  VLM_TRY(vlm_cli_context(&context, cli, err));
  VLM_TRY(vlm_cli_open(&bundle, cli, cli->args->positional.items[0], VLM_OPEN_TO_RUN, err));
  VLM_TRY(check_options(cli, bundle, err));
  VLM_TRY(vlm_cli_profile_start(&profile, cli, context, err));
  if (profile) VLM_TRY(vlm_step_profile_name(profile, NULL, bundle, err));
  if (bundle->family == VLM_FAMILY_GRAPH)
    VLM_TRY(run_graph(cli, context, bundle->graphs[VLM_ROLE_MODEL], err));
  else if (cli->args->yuv.count) VLM_TRY(vlm_run_frames(cli, context, bundle, err));
  else VLM_TRY(vlm_run_answers(cli, context, bundle, err));
  VLM_TRY(vlm_cli_profile_show(profile, cli, err));
out:
  vlm_step_profile_free(profile);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
  return st;
}

int main(int argc, char **argv) { return vlm_program_main('r', run, argc, argv); }
