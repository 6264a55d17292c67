/* vlm-run: answers for images, outputs of a single graph, or the conformance check. */
#include <string.h>

#include "cli/check_report.h"
#include "cli/data.h"
#include "cli/paths.h"
#include "flow/answers.h"
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

static vlm_status read_inputs(vlm_graph_run *out, const vlm_cli *cli, const vlm_graph *graph, vlm_error *err) {
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

static vlm_status check_outputs(const vlm_cli *cli, const vlm_file_names *names, const char *folder, vlm_error *err) {
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
    if (strncmp(name, file, n) != 0 || strcmp(file + n, ".npy") != 0) vlm_say(cli, "output %s: %s", name, file);
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

static vlm_status run_graph(const vlm_cli *cli, vlm_context *context, const vlm_graph *graph, vlm_error *err) {
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

/* ---- answers ---- */

typedef struct {
  const vlm_cli *cli;
  vlm_flow_answers_opts opts;
  vlm_json_writer *json;
  vlm_writer *lines; /* the file of --json=FILE: one line per answer */
  vlm_prompts prompts;
  vlm_pictures pictures; /* of --draw */
} talk;

static vlm_status print_piece(void *user, const char *text, vlm_error *err) {
  (void)user;
  (void)err;
  fputs(text, stdout);
  fflush(stdout);
  return VLM_OK;
}

static vlm_status put_line(talk *t, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *path = t->cli->args->json;
  if (!path) return vlm_write_json(t->cli, text, err);
  if (!t->lines) VLM_TRY(vlm_writer_open(&t->lines, path, err));
  VLM_TRY(vlm_writer_write(t->lines, text, strlen(text), err));
  VLM_TRY(vlm_writer_write(t->lines, "\n", 1, err));
out:
  return st;
}

/* Polygons have the "instance" that they belong to. */
static void put_objects(vlm_json_writer *w, const vlm_objects *objects) {
  static const char *const KEYS[] = {[VLM_SHAPE_BOX] = "box", [VLM_SHAPE_QUAD] = "quad", [VLM_SHAPE_POLYGON] = "polygon"};
  vlm_json_open_array(w, "objects");
  for (size_t i = 0; i < objects->count; i++) {
    const vlm_object *o = &objects->items[i];
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "label", o->label);
    vlm_json_open_array(w, KEYS[o->shape]);
    for (size_t k = 0; k < o->n_values; k++) vlm_json_put_double(w, NULL, o->values[k]);
    vlm_json_close_array(w);
    if (o->shape == VLM_SHAPE_POLYGON) vlm_json_put_int(w, "instance", o->instance);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

static vlm_status put_json(talk *t, const char *image, const char *prompt, const vlm_answer *a, const vlm_objects *objects, vlm_error *err) {
  const char *text;
  vlm_json_writer *w = t->json;
  vlm_json_writer_reset(w);
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "image", image);
  vlm_json_put_text(w, "prompt", prompt);
  vlm_json_put_text(w, "text", vlm_text_get(&a->text));
  vlm_json_open_array(w, "token_ids");
  for (size_t i = 0; i < a->ids.count; i++) vlm_json_put_int(w, NULL, a->ids.data[i]);
  vlm_json_close_array(w);
  put_objects(w, objects);
  vlm_json_open_object(w, "timing_ms");
  for (int s = 0; s < VLM_STAGE_COUNT; s++) vlm_json_put_double(w, vlm_stage_name((vlm_stage)s), a->stage_ms[s]);
  vlm_json_put_double(w, "first_token", a->first_token_ms);
  vlm_json_put_double(w, "total", a->total_ms);
  vlm_json_close_object(w);
  vlm_json_close_object(w);
  vlm_status st = vlm_json_writer_text(w, &text, NULL, err);
  return st == VLM_OK ? put_line(t, text, err) : st;
}

static vlm_status print_answer(void *user, const vlm_flow_answer *told, vlm_error *err) {
  talk *t = user;
  const vlm_args *args = t->cli->args;
  const vlm_answer *a = told->answer;
  const char *path = t->opts.images[told->image], *prompt = t->opts.prompts[told->prompt];
  bool several = t->opts.n_images > 1, streamed = args->stream;
  if (streamed) puts("");
  if (t->cli->verbose) vlm_say(t->cli, "%s: %.1f ms, %zu tokens", path, a->total_ms, a->ids.count);
  if (VLM_OPTION_GIVEN(args, json)) return put_json(t, path, prompt, a, told->objects, err);
  if (!streamed) printf("%s%s%s\n", several ? path : "", several ? ": " : "", vlm_text_get(&a->text));
  return VLM_OK;
}

static void tell_picture(void *user, const char *path, size_t objects) {
  const talk *t = user;
  if (objects == 0) vlm_say(t->cli, "%s: the answer has no objects, the picture is the plain image", path);
  else vlm_say(t->cli, "%s: %zu object%s", path, objects, objects == 1 ? "" : "s");
}

static vlm_status plan_pictures(talk *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = t->cli->args;
  const char *folder = args->draw;
  const vlm_flow_answers_opts *o = &t->opts;
  if (!folder) return VLM_OK;
  VLM_TRY(vlm_pictures_plan(&t->pictures, folder, o->images, o->n_images, o->prompts, o->n_prompts, err));
  for (int p = 0; p < o->n_prompts; p++)
    if (!vlm_pictures_path(&t->pictures, 0, p))
      vlm_say(t->cli, "--draw: %s answers with text alone: no picture", o->prompts[p]);
  if (!args->dry_run) VLM_TRY(vlm_folder_make(folder, err));
out:
  return st;
}

static vlm_status print_plan(const talk *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_flow_answers_opts *o = &t->opts;
  for (int i = 0; i < o->n_images; i++) {
    VLM_CHECK(vlm_file_exists(o->images[i]), err, VLM_INPUT, "%s: no such file", o->images[i]);
    for (int p = 0; p < o->n_prompts; p++) {
      const char *picture = vlm_pictures_path(&t->pictures, i, p);
      vlm_say(t->cli, "plan: %s, prompt \"%s\"%s%s", o->images[i], o->prompts[p], picture ? ", picture " : "", picture ? picture : "");
    }
  }
out:
  return st;
}

static vlm_status answer_all(talk *t, vlm_context *context, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_writer_create(&t->json, 0, err));
  t->opts.owns_constants = true;
  t->opts.pictures = &t->pictures;
  t->opts.on_text = t->cli->args->stream ? print_piece : NULL;
  t->opts.on_answer = print_answer;
  t->opts.on_picture = tell_picture;
  t->opts.user = t;
  VLM_TRY(vlm_flow_answers(context, bundle, &t->opts, err));
  if (t->lines) VLM_TRY(vlm_writer_commit(t->lines, err));
out:
  return st;
}

static vlm_status run_answers(const vlm_cli *cli, vlm_context *context, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  talk t = {.cli = cli};
  const vlm_args *args = cli->args;
  VLM_TRY(vlm_cli_prompts(&t.prompts, cli, bundle, NULL, err));
  VLM_CHECK(args->positional.count > 1, err, VLM_USAGE, "wanted images after the model; see vlm-run --help");
  t.opts.images = args->positional.items + 1;
  t.opts.n_images = args->positional.count - 1;
  t.opts.prompts = t.prompts.items;
  t.opts.n_prompts = t.prompts.count;
  t.opts.max_new_tokens = args->max_new_tokens;
  t.opts.beams = args->beams;
  VLM_TRY(plan_pictures(&t, err));
  if (args->dry_run) VLM_TRY(print_plan(&t, err));
  else VLM_TRY(answer_all(&t, context, bundle, err));
out:
  vlm_writer_free(t.lines);
  vlm_pictures_free(&t.pictures);
  vlm_free(t.prompts.own);
  vlm_json_writer_free(t.json);
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
  VLM_TRY(vlm_cli_fit(cli, bundle, err));
out:
  return st;
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_context *context = NULL;
  vlm_bundle *bundle = NULL;
  if (VLM_OPTION_GIVEN(cli->args, check)) return run_check(cli, err);
  VLM_TRY(vlm_cli_context(&context, cli, err));
  VLM_TRY(vlm_cli_open(&bundle, cli, cli->args->positional.items[0], VLM_OPEN_TO_RUN, err));
  VLM_TRY(check_options(cli, bundle, err));
  if (bundle->family == VLM_FAMILY_GRAPH) VLM_TRY(run_graph(cli, context, bundle->graphs[VLM_ROLE_MODEL], err));
  else VLM_TRY(run_answers(cli, context, bundle, err));
out:
  vlm_bundle_free(bundle);
  vlm_context_free(context);
  return st;
}

int main(int argc, char **argv) { return vlm_program_main('r', run, argc, argv); }
