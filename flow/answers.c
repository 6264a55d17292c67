#include "flow/answers.h"

#include "calib/image.h"

typedef struct {
  const vlm_flow_answers_opts *opts;
  vlm_watch watch;
  vlm_model *model;
  vlm_token_stream *stream; /* of the answer that is being made */
  int64_t done, total;
} answering;

static vlm_status on_token(void *user, int32_t id, vlm_error *err) {
  answering *t = user;
  vlm_status st = VLM_OK;
  vlm_text piece = {0};
  VLM_TRY(vlm_watch_go_on(&t->watch, err));
  if (!t->stream) goto out;
  VLM_TRY(vlm_token_stream_push(t->stream, id, &piece, err));
  VLM_TRY(t->opts->on_text(t->opts->user, vlm_text_get(&piece), err));
out:
  vlm_text_free(&piece);
  return st;
}

static vlm_status find_objects(const answering *t, const vlm_image *image, const char *prompt,
                               const vlm_answer *a, vlm_objects *out, vlm_error *err) {
  const vlm_task *task = vlm_task_find(prompt);
  vlm_answer_kind kind = task ? task->kind : VLM_ANSWER_TEXT;
  return vlm_task_parse_ids(out, kind, vlm_model_tokenizer(t->model), a->ids.data, a->ids.count, image->width,
                            image->height, err);
}

static vlm_status draw(const answering *t, const vlm_flow_answer *a, vlm_image *image, vlm_error *err) {
  const vlm_flow_answers_opts *o = t->opts;
  const char *path = o->pictures ? vlm_pictures_path(o->pictures, a->image, a->prompt) : NULL;
  if (!path) return VLM_OK;
  vlm_status st = vlm_picture_write(path, image, a->objects, err);
  if (st == VLM_OK && o->on_picture) o->on_picture(o->user, path, a->objects->count);
  return st;
}

static vlm_status answer_one(answering *t, int32_t i, int32_t p, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_flow_answers_opts *o = t->opts;
  vlm_image image = {0};
  vlm_answer answer = {0};
  vlm_objects objects = {0};
  const vlm_answer_opts run = {
      .max_new_tokens = o->max_new_tokens, .beams = o->beams, .on_token = on_token, .user = t};
  VLM_TRY(vlm_image_read(&image, o->images[i], NULL, err));
  if (o->on_text) VLM_TRY(vlm_token_stream_create(&t->stream, vlm_model_tokenizer(t->model), true, err));
  VLM_TRY(vlm_model_answer(t->model, &image, o->prompts[p], &run, &answer, err));
  VLM_TRY(find_objects(t, &image, o->prompts[p], &answer, &objects, err));
  const vlm_flow_answer told = {.image = i, .prompt = p, .answer = &answer, .objects = &objects};
  if (o->on_answer) VLM_TRY(o->on_answer(o->user, &told, err));
  VLM_TRY(draw(t, &told, &image, err));
out:
  vlm_token_stream_free(t->stream);
  t->stream = NULL;
  vlm_objects_free(&objects);
  vlm_answer_free(&answer);
  vlm_image_free(&image);
  return st;
}

vlm_status vlm_flow_answers(vlm_context *context, const vlm_bundle *bundle, const vlm_flow_answers_opts *opts,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  answering t = {.opts = opts, .watch = opts->watch, .total = (int64_t)opts->n_images * opts->n_prompts};
  const bool own = opts->owns_constants;
  const vlm_model_opts model = {.session = {.owns_constants = own, .gives_memory_back = own},
                                .stages_rest = own && t.total == 1};
  VLM_TRY(vlm_model_create(&t.model, context, bundle, &model, err));
  for (int32_t i = 0; i < opts->n_images; i++)
    for (int32_t p = 0; p < opts->n_prompts; p++) {
      VLM_TRY(answer_one(&t, i, p, err));
      VLM_TRY(vlm_watch_step(&t.watch, ++t.done, t.total, err));
    }
out:
  vlm_model_free(t.model);
  return st;
}
