#include "flow/answers.h"

#include "runtime/base/clock.h"

typedef struct {
  const vlm_flow_answers_opts *opts;
  vlm_watch watch;
  vlm_model *model;
  vlm_token_stream *stream; /* of the answer that is being made */
  int64_t done, total;
  double deadline; /* of that answer, on the clock */
} answering;

static vlm_status on_token(void *user, int32_t id, vlm_error *err) {
  answering *t = user;
  vlm_status st = VLM_OK;
  vlm_text piece = {0};
  if (!t->opts->finish_answers) VLM_TRY(vlm_watch_go_on(&t->watch, err));
  if (!t->stream) goto out;
  VLM_TRY(vlm_token_stream_push(t->stream, id, &piece, err));
  VLM_TRY(t->opts->on_text(t->opts->user, vlm_text_get(&piece), err));
out:
  vlm_text_free(&piece);
  return st;
}

static bool too_late(void *user) {
  const answering *t = user;
  return t->opts->deadline_ms > 0 && vlm_clock_ms() >= t->deadline;
}

/* In pixels of the image, of a float array in its elements. */
static vlm_status find_objects(const answering *t, const vlm_sample_pixels *p, const char *prompt,
                               const vlm_answer *a, vlm_objects *out, vlm_error *err) {
  const vlm_task *task = vlm_task_find(prompt);
  vlm_answer_kind kind = task ? task->kind : VLM_ANSWER_TEXT;
  const bool values = p->values.data != NULL;
  const int width = values ? (int)p->values.dims[3] : p->image.width,
            height = values ? (int)p->values.dims[2] : p->image.height;
  return vlm_task_parse_ids(out, kind, vlm_model_tokenizer(t->model), a->ids.data, a->ids.count, width,
                            height, err);
}

static vlm_status draw(const answering *t, const vlm_flow_answer *a, vlm_image *image, vlm_error *err) {
  const vlm_flow_answers_opts *o = t->opts;
  const char *path =
      o->pictures && !a->values ? vlm_pictures_path(o->pictures, (int)a->image, a->prompt) : NULL;
  if (!path) return VLM_OK;
  vlm_status st = vlm_picture_write(path, image, a->objects, err);
  if (st == VLM_OK && o->on_picture) o->on_picture(o->user, path, a->objects->count);
  return st;
}

static vlm_status answer_one(answering *t, vlm_sample_pixels *pixels, size_t i, int32_t p, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_flow_answers_opts *o = t->opts;
  const vlm_sample *s = vlm_dataset_get(o->set, i);
  const char *prompt = vlm_sample_prompt(s, o->prompts, p);
  vlm_answer answer = {0};
  vlm_objects objects = {0};
  const bool values = pixels->values.data != NULL;
  const vlm_answer_opts run = {.max_new_tokens = o->max_new_tokens,
                               .beams = o->beams,
                               .on_token = on_token,
                               .stop = too_late,
                               .user = t};
  t->deadline = vlm_clock_ms() + o->deadline_ms;
  if (o->on_text) VLM_TRY(vlm_token_stream_create(&t->stream, vlm_model_tokenizer(t->model), true, err));
  VLM_TRY(vlm_sample_answer(t->model, pixels, prompt, &run, &answer, err));
  VLM_TRY(find_objects(t, pixels, prompt, &answer, &objects, err));
  const vlm_flow_answer told = {.image = i,
                                .prompt = p,
                                .path = s->path,
                                .asked = prompt,
                                .values = values,
                                .answer = &answer,
                                .objects = &objects};
  if (o->on_answer) VLM_TRY(o->on_answer(o->user, &told, err));
  VLM_TRY(draw(t, &told, &pixels->image, err));
out:
  vlm_token_stream_free(t->stream);
  t->stream = NULL;
  vlm_objects_free(&objects);
  vlm_answer_free(&answer);
  return st;
}

/* Drawing changes the image, so each prompt has its own. */
static vlm_status answer_next(answering *t, size_t i, int32_t p, vlm_error *err) {
  const vlm_flow_answers_opts *o = t->opts;
  vlm_sample_pixels pixels;
  vlm_status st = vlm_dataset_load_pixels(&pixels, o->set, i, err);
  if (st != VLM_OK && st != VLM_MEMORY && o->skip_bad) {
    if (o->skipped && p == 0) o->skipped(o->user, vlm_dataset_get(o->set, i)->path, err->text);
    *err = (vlm_error){0};
    return VLM_OK;
  }
  if (st == VLM_OK) st = answer_one(t, &pixels, i, p, err);
  vlm_sample_pixels_free(&pixels);
  return st;
}

vlm_status vlm_flow_answers(vlm_context *context, const vlm_bundle *bundle, const vlm_flow_answers_opts *opts,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  answering t = {
      .opts = opts, .watch = opts->watch, .total = (int64_t)vlm_dataset_count(opts->set) * opts->n_prompts};
  const bool own = opts->owns_constants;
  const vlm_model_opts model = {.session = {.owns_constants = own, .gives_memory_back = own},
                                .stages_rest = own && (opts->low_memory || t.total == 1)};
  VLM_TRY(vlm_model_create(&t.model, context, bundle, &model, err));
  for (size_t i = 0; i < vlm_dataset_count(opts->set); i++)
    for (int32_t p = 0; p < opts->n_prompts; p++) {
      VLM_TRY(answer_next(&t, i, p, err));
      VLM_TRY(vlm_watch_step(&t.watch, ++t.done, t.total, err));
    }
out:
  vlm_model_free(t.model);
  return st;
}
