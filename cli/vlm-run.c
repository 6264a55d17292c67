/* vlm-run: answers for images, outputs of a single graph, or the conformance check. */
#include <string.h>

#include "calib/graph_inputs.h"
#include "calib/image.h"
#include "calib/npy.h"
#include "cli/check_report.h"
#include "cli/data.h"
#include "cli/outputs.h"
#include "flow/file_names.h"
#include "flow/pictures.h"
#include "cli/program.h"
#include "runtime/base/file.h"
#include "runtime/decode/answer.h"

static const char USAGE[] =
    "  vlm-run MODEL IMAGE... [--prompt TEXT] [--beams N] [--max-new-tokens N] [--draw DIR]\n"
    "  vlm-run MODEL --input NAME=FILE.npy ... --output-dir DIR\n"
    "  vlm-run --check DIR...\n"
    "\n"
    "  --draw writes DIR/NAME.png for each image, NAME without its suffix; names that are taken go on with NAME-2.png, in the order of the\n"
    "  command line (images of the same name, several prompts). Tasks that answer with text alone give no picture.\n";
static const char EXAMPLES[] =
    "  vlm-run florence2.vlmq photo.png --prompt \"<CAPTION>\"\n"
    "  vlm-run florence2/ *.jpg --prompt \"<DETAILED_CAPTION>\" --json=answers.jsonl\n"
    "  vlm-run florence2/ street.jpg --prompt \"<OD>\" --draw boxes/\n"
    "  vlm-run detector.onnx --input image=street.npy --output-dir out/\n"
    "  vlm-run --check backend-tests/ --json\n";

/* ---- --check ---- */

static vlm_status run_check(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t threads;
  vlm_check_opts opts = {.cpu = vlm_args_text(cli->args, VLM_OPT_CPU, NULL)};
  const vlm_check_output output = {.json = vlm_args_has(cli->args, VLM_OPT_JSON),
                                   .json_path = vlm_args_text(cli->args, VLM_OPT_JSON, NULL),
                                   .verbose = cli->verbose,
                                   .quiet = cli->quiet};
  const vlm_option_values *folders = &cli->args->options[VLM_OPT_CHECK];
  VLM_CHECK(cli->args->positional.count == 0, err, VLM_USAGE, "--check takes folders only, got %s too", cli->args->positional.items[0]);
  VLM_TRY(vlm_args_int(&threads, cli->args, VLM_OPT_THREADS, 0, 1, 256, err));
  VLM_TRY(vlm_args_number(&opts.rtol, cli->args, VLM_OPT_RTOL, -1, err));
  VLM_TRY(vlm_args_number(&opts.atol, cli->args, VLM_OPT_ATOL, -1, err));
  VLM_CHECK(!vlm_args_has(cli->args, VLM_OPT_RTOL) || opts.rtol >= 0, err, VLM_USAGE, "--rtol %g: wanted 0 or more", opts.rtol);
  VLM_CHECK(!vlm_args_has(cli->args, VLM_OPT_ATOL) || opts.atol >= 0, err, VLM_USAGE, "--atol %g: wanted 0 or more", opts.atol);
  opts.threads = (int)threads;
  VLM_TRY(vlm_check_report(folders->items, folders->count, &opts, &output, err));
out:
  return st;
}

/* ---- a single graph ---- */

static vlm_status name_outputs(vlm_file_names *files, const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char **names = NULL;
  VLM_TRY(vlm_new(&names, graph->n_outputs, err));
  for (int32_t i = 0; i < graph->n_outputs; i++) names[i] = graph->values[graph->outputs[i]].name;
  VLM_TRY(vlm_file_names_make(files, names, graph->n_outputs, err));
out:
  vlm_free(names);
  return st;
}

/* Told only where a reader could not guess. */
static void tell_file(const vlm_cli *cli, const char *name, const char *file) {
  size_t n = strlen(name);
  if (strncmp(name, file, n) != 0 || strcmp(file + n, ".npy") != 0) vlm_say(cli, "output %s: %s", name, file);
}

static vlm_status write_outputs(const vlm_cli *cli, const vlm_graph *graph, const vlm_session *session, const char *folder, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_file_names files = {0};
  char *path = NULL;
  VLM_TRY(vlm_folder_make(folder, err));
  VLM_TRY(name_outputs(&files, graph, err));
  for (int32_t i = 0; i < graph->n_outputs; i++) {
    VLM_TRY(vlm_path_join(&path, folder, files.items[i], err));
    VLM_TRY(vlm_output_check(cli->args, path, err));
    VLM_TRY(vlm_npy_write(vlm_session_output(session, i), path, err));
    tell_file(cli, graph->values[graph->outputs[i]].name, files.items[i]);
    vlm_free(path);
    path = NULL;
  }
out:
  vlm_file_names_free(&files);
  vlm_free(path);
  return st;
}

/* Appends what "NAME=FILE.npy" says. */
static vlm_status read_array(vlm_sample_arrays *out, const char *spec, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *name = NULL;
  const char *equals = strchr(spec, '=');
  VLM_CHECK(equals, err, VLM_USAGE, "--input %s: wanted NAME=FILE.npy", spec);
  VLM_TRY(vlm_strdup(&name, spec, err));
  name[equals - spec] = 0;
  VLM_TRY(vlm_npy_read(&out->tensors[out->count], equals + 1, err));
  out->names[out->count++] = name;
  name = NULL;
out:
  vlm_free(name);
  return st;
}

static vlm_status read_arrays(vlm_sample_arrays *out, const vlm_option_values *given, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_new(&out->names, given->count, err));
  VLM_TRY(vlm_new(&out->tensors, given->count, err));
  for (int i = 0; i < given->count; i++) VLM_TRY(read_array(out, given->items[i], err));
out:
  return st;
}

/* A misspelt name or a name given twice would be ignored silently. */
static vlm_status check_arrays(const vlm_graph *graph, const vlm_tensor *arrays, const vlm_tensor *inputs, const vlm_option_values *given, vlm_error *err) {
  for (int k = 0; k < given->count; k++) {
    int32_t i = 0;
    while (i < graph->n_inputs && inputs[i].data != arrays[k].data) i++;
    if (i == graph->n_inputs) return vlm_fail(err, VLM_USAGE, "--input %s: %s has no such input, or it is given twice", given->items[k], graph->source);
  }
  return VLM_OK;
}

static vlm_status run_graph(const vlm_cli *cli, vlm_context *context, const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_session *session = NULL;
  vlm_sample_arrays arrays = {0};
  vlm_tensor *inputs = NULL;
  const vlm_option_values *given = &cli->args->options[VLM_OPT_INPUT];
  const char *folder = vlm_args_text(cli->args, VLM_OPT_OUTPUT_DIR, NULL);
  VLM_CHECK(folder, err, VLM_USAGE, "--output-dir DIR is missing: where should the outputs go?");
  VLM_TRY(read_arrays(&arrays, given, err));
  VLM_TRY(vlm_new(&inputs, graph->n_inputs, err));
  VLM_TRY(vlm_match_inputs(inputs, graph, arrays.names, arrays.tensors, arrays.count, err));
  VLM_TRY(check_arrays(graph, arrays.tensors, inputs, given, err));
  if (vlm_args_has(cli->args, VLM_OPT_DRY_RUN)) {
    vlm_say(cli, "plan: %d inputs, %d outputs into %s", graph->n_inputs, graph->n_outputs, folder);
    goto out;
  }
  VLM_TRY(vlm_session_create(&session, context, graph, &(vlm_session_opts){.owns_constants = true}, err));
  VLM_TRY(vlm_session_run(session, inputs, graph->n_inputs, err));
  VLM_TRY(write_outputs(cli, graph, session, folder, err));
out:
  vlm_sample_arrays_free(&arrays);
  vlm_free(inputs);
  vlm_session_free(session);
  return st;
}

/* ---- answers ---- */

typedef struct {
  const vlm_cli *cli;
  vlm_model *model;
  vlm_answer_opts opts;
  vlm_token_stream *stream;
  vlm_json_writer *json;
  vlm_writer *lines; /* the file of --json=FILE: one line per answer */
  vlm_prompts prompts;
  vlm_pictures pictures; /* of --draw */
} talk;

static vlm_status print_piece(void *user, int32_t id, vlm_error *err) {
  talk *t = user;
  vlm_text piece = {0};
  vlm_status st = vlm_token_stream_push(t->stream, id, &piece, err);
  fputs(vlm_text_get(&piece), stdout);
  fflush(stdout);
  vlm_text_free(&piece);
  return st;
}

static vlm_status put_line(talk *t, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *path = vlm_args_text(t->cli->args, VLM_OPT_JSON, NULL);
  if (!path) return vlm_write_json(t->cli, text, err);
  if (!t->lines) VLM_TRY(vlm_writer_open(&t->lines, path, err));
  VLM_TRY(vlm_writer_write(t->lines, text, strlen(text), err));
  VLM_TRY(vlm_writer_write(t->lines, "\n", 1, err));
out:
  return st;
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
  vlm_objects_put_json(w, objects);
  vlm_json_open_object(w, "timing_ms");
  for (int s = 0; s < VLM_STAGE_COUNT; s++) vlm_json_put_double(w, vlm_stage_name((vlm_stage)s), a->stage_ms[s]);
  vlm_json_put_double(w, "first_token", a->first_token_ms);
  vlm_json_put_double(w, "total", a->total_ms);
  vlm_json_close_object(w);
  vlm_json_close_object(w);
  vlm_status st = vlm_json_writer_text(w, &text, NULL, err);
  return st == VLM_OK ? put_line(t, text, err) : st;
}

/* Boxes, quadrilaterals and polygons of the answer, in pixels of the image as read. */
static vlm_status find_objects(const talk *t, const vlm_image *image, const char *prompt, const vlm_answer *a, vlm_objects *out, vlm_error *err) {
  const vlm_task *task = vlm_task_find(prompt);
  vlm_answer_kind kind = task ? task->kind : VLM_ANSWER_TEXT;
  return vlm_task_parse_ids(out, kind, vlm_model_tokenizer(t->model), a->ids.data, a->ids.count, image->width, image->height, err);
}

static vlm_status print_answer(talk *t, const char *path, const char *prompt, const vlm_answer *a, const vlm_objects *objects, vlm_error *err) {
  bool several = t->cli->args->positional.count > 2;
  if (t->cli->verbose) vlm_say(t->cli, "%s: %.1f ms, %zu tokens", path, a->total_ms, a->ids.count);
  if (vlm_args_has(t->cli->args, VLM_OPT_JSON)) return put_json(t, path, prompt, a, objects, err);
  if (!vlm_args_has(t->cli->args, VLM_OPT_STREAM)) printf("%s%s%s\n", several ? path : "", several ? ": " : "", vlm_text_get(&a->text));
  return VLM_OK;
}

static vlm_status answer_one(talk *t, int image_index, int prompt_index, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_image image = {0};
  vlm_answer answer = {0};
  vlm_objects objects = {0};
  const char *path = t->cli->args->positional.items[1 + image_index], *prompt = t->prompts.items[prompt_index];
  bool streaming = vlm_args_has(t->cli->args, VLM_OPT_STREAM);
  VLM_TRY(vlm_image_read(&image, path, NULL, err));
  if (streaming) VLM_TRY(vlm_token_stream_create(&t->stream, vlm_model_tokenizer(t->model), true, err));
  t->opts.user = t;
  t->opts.on_token = streaming ? print_piece : NULL;
  VLM_TRY(vlm_model_answer(t->model, &image, prompt, &t->opts, &answer, err));
  if (streaming) puts("");
  VLM_TRY(find_objects(t, &image, prompt, &answer, &objects, err));
  VLM_TRY(print_answer(t, path, prompt, &answer, &objects, err));
  VLM_TRY(vlm_pictures_write(&t->pictures, t->cli, image_index, prompt_index, &image, &objects, err));
out:
  vlm_token_stream_free(t->stream);
  t->stream = NULL;
  vlm_objects_free(&objects);
  vlm_answer_free(&answer);
  vlm_image_free(&image);
  return st;
}

static vlm_status plan_pictures(talk *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = t->cli->args;
  const char *folder = vlm_args_text(args, VLM_OPT_DRAW, NULL);
  int n_images = args->positional.count - 1;
  if (!folder) return VLM_OK;
  VLM_TRY(vlm_pictures_plan(&t->pictures, folder, args->positional.items + 1, n_images, &t->prompts, err));
  for (int p = 0; p < t->prompts.count; p++)
    if (!t->pictures.paths[p]) vlm_say(t->cli, "--draw: %s answers with text alone: no picture", t->prompts.items[p]);
  if (!vlm_args_has(args, VLM_OPT_DRY_RUN)) VLM_TRY(vlm_folder_make(folder, err));
out:
  return st;
}

static vlm_status print_plan(const talk *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = t->cli->args;
  for (int i = 0; i + 1 < args->positional.count; i++) {
    const char *image = args->positional.items[i + 1];
    VLM_CHECK(vlm_file_exists(image), err, VLM_INPUT, "%s: no such file", image);
    for (int p = 0; p < t->prompts.count; p++) {
      const char *picture = t->pictures.paths ? t->pictures.paths[i * t->prompts.count + p] : NULL;
      vlm_say(t->cli, "plan: %s, prompt \"%s\"%s%s", image, t->prompts.items[p], picture ? ", picture " : "", picture ? picture : "");
    }
  }
out:
  return st;
}

static vlm_status answer_all(talk *t, vlm_context *context, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_writer_create(&t->json, 0, err));
  const bool one = t->cli->args->positional.count == 2 && t->prompts.count == 1;
  const vlm_model_opts opts = {.session = {.owns_constants = true, .gives_memory_back = true}, .stages_rest = one};
  VLM_TRY(vlm_model_create(&t->model, context, bundle, &opts, err));
  for (int i = 0; i + 1 < t->cli->args->positional.count; i++)
    for (int p = 0; p < t->prompts.count; p++) VLM_TRY(answer_one(t, i, p, err));
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
  VLM_TRY(vlm_args_int(&t.opts.max_new_tokens, args, VLM_OPT_MAX_NEW_TOKENS, 0, 1, 4096, err));
  VLM_TRY(vlm_args_int(&t.opts.beams, args, VLM_OPT_BEAMS, 0, 1, 64, err));
  VLM_TRY(plan_pictures(&t, err));
  if (vlm_args_has(args, VLM_OPT_DRY_RUN)) VLM_TRY(print_plan(&t, err));
  else VLM_TRY(answer_all(&t, context, bundle, err));
out:
  vlm_writer_free(t.lines);
  vlm_pictures_free(&t.pictures);
  vlm_free(t.prompts.own);
  vlm_model_free(t.model);
  vlm_json_writer_free(t.json);
  return st;
}

/* An option of another use would be ignored silently. */
static vlm_status check_options(const vlm_cli *cli, const vlm_bundle *bundle, vlm_error *err) {
#define OF_ANSWERS VLM_OPT_PROMPT, VLM_OPT_BEAMS, VLM_OPT_MAX_NEW_TOKENS, VLM_OPT_STREAM, VLM_OPT_DECODER, VLM_OPT_DRAW
#define OF_GRAPHS VLM_OPT_INPUT, VLM_OPT_OUTPUT_DIR
#define OF_CHECK VLM_OPT_RTOL, VLM_OPT_ATOL
  static const vlm_option_id NOT_CHECK[] = {OF_ANSWERS, OF_GRAPHS, VLM_OPT_SHAPE, VLM_OPT_DRY_RUN, VLM_OPT_COUNT};
  static const vlm_option_id NOT_GRAPH[] = {OF_ANSWERS, OF_CHECK, VLM_OPT_JSON, VLM_OPT_COUNT};
  static const vlm_option_id NOT_PIPELINE[] = {OF_GRAPHS, OF_CHECK, VLM_OPT_COUNT};
  static const vlm_option_id NOT_STREAM[] = {VLM_OPT_JSON, VLM_OPT_COUNT};
  if (!bundle) return vlm_args_refuse(cli->args, NOT_CHECK, "--check", err);
  if (bundle->family != VLM_FAMILY_GRAPH) {
    bool both = vlm_args_has(cli->args, VLM_OPT_STREAM) && vlm_args_has(cli->args, VLM_OPT_JSON) && !vlm_args_text(cli->args, VLM_OPT_JSON, NULL);
    if (vlm_args_has(cli->args, VLM_OPT_DECODER) && vlm_is_packed(cli->args->positional.items[0]))
      return vlm_fail(err, VLM_USAGE, "--decoder chooses between files of a folder; %s is packed and has one form", cli->args->positional.items[0]);
    if (both) return vlm_args_refuse(cli->args, NOT_STREAM, "--stream on one output; use --json=FILE", err);
    return vlm_args_refuse(cli->args, NOT_PIPELINE, "a pipeline", err);
  }
  const vlm_option_values *given = &cli->args->positional;
  if (given->count > 1) return vlm_fail(err, VLM_USAGE, "%s is a single graph and takes --input NAME=FILE.npy, got %s", given->items[0], given->items[1]);
  return vlm_args_refuse(cli->args, NOT_GRAPH, "a single graph", err);
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_context *context = NULL;
  vlm_bundle *bundle = NULL;
  if (vlm_args_has(cli->args, VLM_OPT_CHECK)) {
    VLM_TRY(check_options(cli, NULL, err));
    VLM_TRY(run_check(cli, err));
    goto out;
  }
  VLM_CHECK(cli->args->positional.count > 0, err, VLM_USAGE, "wanted a model; see vlm-run --help");
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

int main(int argc, char **argv) {
  static const vlm_program program = {.name = "vlm-run",
                                      .summary = "answers for images, outputs of a graph, conformance check",
                                      .usage = USAGE,
                                      .examples = EXAMPLES,
                                      .letter = 'r',
                                      .run = run};
  return vlm_program_main(&program, argc, argv);
}
