/* vlm-run on images: answers as text or as lines of JSON, pictures with what was found. */
#include "cli/run_answers.h"

#include <errno.h>
#include <string.h>

#include "cli/data.h"
#include "cli/provenance.h"
#include "flow/answers.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

typedef struct {
  const vlm_cli *cli;
  vlm_flow_answers_opts opts;
  vlm_json_writer *json;
  FILE *lines; /* of --json=FILE: one line per answer, there as soon as it is known */
  vlm_dataset *set;
  vlm_skipped skipped;
  vlm_prompts prompts;
  int64_t answers;
  vlm_pictures pictures; /* of --draw */
} talk;

static vlm_status print_piece(void *user, const char *text, vlm_error *err) {
  (void)user;
  (void)err;
  fputs(text, stdout);
  fflush(stdout);
  return VLM_OK;
}

/* A run that ends early loses nothing that was answered: lines do not wait for a whole file. */
static vlm_status put_line(talk *t, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *path = t->cli->args->json;
  if (path && !t->lines) {
    t->lines = fopen(path, "w");
    VLM_CHECK(t->lines, err, vlm_errno_status(VLM_IO), "%s: cannot be written: %s", path, strerror(errno));
  }
  FILE *to = path ? t->lines : stdout;
  VLM_CHECK(fprintf(to, "%s\n", text) > 0 && fflush(to) == 0, err, VLM_IO, "%s: writing failed: %s",
            path ? path : "standard output", strerror(errno));
out:
  return st;
}

/* Polygons have the "instance" that they belong to. */
static void put_objects(vlm_json_writer *w, const vlm_objects *objects) {
  static const char *const KEYS[] = {
      [VLM_SHAPE_BOX] = "box", [VLM_SHAPE_QUAD] = "quad", [VLM_SHAPE_POLYGON] = "polygon"};
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

static vlm_status put_json(talk *t, const char *image, const char *prompt, const vlm_answer *a,
                           const vlm_objects *objects, vlm_error *err) {
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
  if (t->cli->args->deadline) vlm_json_put_bool(w, "stopped", a->stopped);
  put_objects(w, objects);
  vlm_json_open_object(w, "timing_ms");
  for (int s = 0; s < VLM_STAGE_COUNT; s++)
    vlm_json_put_double(w, vlm_stage_name((vlm_stage)s), a->stage_ms[s]);
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
  const char *path = told->path, *prompt = told->asked;
  bool several = vlm_dataset_count(t->set) > 1, streamed = args->stream;
  t->answers++;
  if (streamed) puts("");
  if (args->draw && told->values)
    vlm_say(t->cli, "%s: a float array has no pixels to draw on: no picture", path);
  if (a->stopped)
    vlm_say(t->cli, "%s: the deadline of %lld ms ended the answer after %zu tokens", path,
            (long long)args->deadline, a->ids.count - 1);
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

static void tell_skipped(void *user, const char *path, const char *reason) {
  vlm_skipped_add(&((talk *)user)->skipped, path, reason);
}

static vlm_status plan_pictures(talk *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = t->cli->args;
  const char *folder = args->draw;
  const vlm_flow_answers_opts *o = &t->opts;
  if (!folder) return VLM_OK;
  VLM_TRY(vlm_pictures_plan(&t->pictures, folder, t->set, o->prompts, o->n_prompts, err));
  for (int p = 0; p < o->n_prompts; p++)
    if (!vlm_pictures_path(&t->pictures, 0, p))
      vlm_say(t->cli, "--draw: %s answers with text alone: no picture", o->prompts[p]);
  if (!args->dry_run) VLM_TRY(vlm_folder_make(folder, err));
out:
  return st;
}

static void print_plan(const talk *t) {
  const vlm_flow_answers_opts *o = &t->opts;
  for (size_t i = 0; i < vlm_dataset_count(t->set); i++)
    for (int p = 0; p < o->n_prompts; p++) {
      const vlm_sample *s = vlm_dataset_get(t->set, i);
      const char *picture = vlm_pictures_path(&t->pictures, (int)i, p);
      vlm_say(t->cli, "plan: %s, prompt \"%s\"%s%s", s->path, vlm_sample_prompt(s, o->prompts, p),
              picture ? ", picture " : "", picture ? picture : "");
    }
}

static vlm_status plan_json(const talk *t, vlm_context *context, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  const int64_t images = (int64_t)vlm_dataset_count(t->set);
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  vlm_json_open_object(w, "plan");
  vlm_json_put_int(w, "images", images);
  vlm_json_open_array(w, "prompts");
  for (int p = 0; p < t->opts.n_prompts; p++) vlm_json_put_text(w, NULL, t->opts.prompts[p]);
  vlm_json_close_array(w);
  vlm_json_put_int(w, "runs", images * t->opts.n_prompts);
  vlm_json_close_object(w);
  vlm_put_skipped(w, &t->skipped);
  vlm_put_provenance(w, t->cli, context);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(t->cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

/* The last line of JSON, when there is something to tell. */
static vlm_status put_skipped(talk *t, vlm_error *err) {
  const char *text;
  vlm_json_writer *w = t->json;
  if (!VLM_OPTION_GIVEN(t->cli->args, json) || t->skipped.count == 0) return VLM_OK;
  vlm_json_writer_reset(w);
  vlm_json_open_object(w, NULL);
  vlm_put_skipped(w, &t->skipped);
  vlm_json_close_object(w);
  vlm_status st = vlm_json_writer_text(w, &text, NULL, err);
  return st == VLM_OK ? put_line(t, text, err) : st;
}

static vlm_status say_interrupted(const talk *t, vlm_error *err) {
  const char *path = t->cli->args->json;
  const long long all = (long long)vlm_dataset_count(t->set) * t->opts.n_prompts;
  return vlm_fail(
      err, VLM_INTERRUPTED, "interrupted; %lld of %lld answers are %s%s; give the other images to go on",
      (long long)t->answers, all, path && t->answers ? "in " : "written", path && t->answers ? path : "");
}

static vlm_status answer_all(talk *t, vlm_context *context, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_writer_create(&t->json, 0, err));
  t->opts.owns_constants = true;
  t->opts.pictures = &t->pictures;
  t->opts.on_text = t->cli->args->stream ? print_piece : NULL;
  t->opts.on_answer = print_answer;
  t->opts.on_picture = tell_picture;
  t->opts.skipped = tell_skipped;
  t->opts.finish_answers = true;
  t->opts.user = t;
  vlm_finish_when_asked(&t->opts.watch);
  st = vlm_flow_answers(context, bundle, &t->opts, err);
  vlm_skipped_say(&t->skipped);
  if (st == VLM_INTERRUPTED) st = say_interrupted(t, err);
  if (st == VLM_OK) st = put_skipped(t, err);
out:
  return st;
}

static vlm_status run(talk *t, vlm_context *context, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_cli *cli = t->cli;
  const vlm_args *args = cli->args;
  VLM_CHECK(args->positional.count > 1, err, VLM_USAGE, "wanted images after the model; see vlm-run --help");
  VLM_TRY(vlm_cli_images(&t->set, cli, bundle, args->positional.items + 1, args->positional.count - 1,
                         &t->skipped, err));
  VLM_TRY(vlm_cli_prompts(&t->prompts, cli, bundle, t->set, err));
  t->opts.set = t->set;
  t->opts.skip_bad = args->on_bad != 0;
  t->opts.prompts = t->prompts.items;
  t->opts.n_prompts = t->prompts.count;
  t->opts.max_new_tokens = args->max_new_tokens;
  t->opts.beams = args->beams;
  t->opts.low_memory = args->low_memory;
  t->opts.deadline_ms = (double)args->deadline;
  VLM_TRY(plan_pictures(t, err));
  if (args->dry_run) {
    print_plan(t);
    VLM_TRY(plan_json(t, context, err));
  } else VLM_TRY(answer_all(t, context, bundle, err));
out:
  return st;
}

vlm_status vlm_run_answers(const vlm_cli *cli, vlm_context *context, const vlm_bundle *bundle,
                           vlm_error *err) {
  talk t = {.cli = cli};
  vlm_status st = run(&t, context, bundle, err);
  if (t.lines && fclose(t.lines) != 0 && st == VLM_OK)
    st = vlm_fail(err, VLM_IO, "%s: cannot be written: %s", cli->args->json, strerror(errno));
  vlm_pictures_free(&t.pictures);
  vlm_dataset_free(t.set);
  vlm_skipped_free(&t.skipped);
  vlm_free(t.prompts.own);
  vlm_json_writer_free(t.json);
  return st;
}
