/* One answer: options, the token callback, cancelling and the deadline around the model's own loop. */
#include "face/reply.h"
#include "face/runner.h"
#include "face/sized.h"
#include "runtime/base/clock.h"

enum { MOST_BEAMS = 64, MOST_TOKENS = 1 << 16 };

typedef struct vlm_talk {
  vlm_runner *runner;
  const vlm_generate_opts *opts;
  vlm_token_stream *stream; /* NULL = no callback */
  double deadline;          /* on the clock; 0 = none */
  vlm_finish finish;        /* why it was stopped */
  size_t shown;             /* tokens that the callback has seen */
} vlm_talk;

static vlm_status check(const vlm_generate_opts *o, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(o->beams >= 0 && o->beams <= MOST_BEAMS, err, VLM_USAGE,
            "beams %lld: wanted 0 (the model's) to %d", (long long)o->beams, MOST_BEAMS);
  VLM_CHECK(o->max_new_tokens >= 0 && o->max_new_tokens <= MOST_TOKENS, err, VLM_USAGE,
            "max_new_tokens %lld: wanted 0 (the model's) to %d", (long long)o->max_new_tokens, MOST_TOKENS);
  VLM_CHECK(o->deadline_ms >= 0, err, VLM_USAGE, "deadline_ms %g: wanted 0 (none) or more", o->deadline_ms);
out:
  return st;
}

static bool told_to_stop(void *user) {
  vlm_talk *t = user;
  if (atomic_load(&t->runner->cancelled)) t->finish = VLM_FINISH_CANCELLED;
  else if (t->deadline > 0 && vlm_clock_ms() >= t->deadline) t->finish = VLM_FINISH_DEADLINE;
  return t->finish != VLM_FINISH_NONE;
}

static void call_back(vlm_talk *t, int32_t id, const vlm_text *piece) {
  if (t->opts->on_token(t->opts->user, id, vlm_text_get(piece), piece->bytes) != 0)
    atomic_store(&t->runner->cancelled, true);
}

static vlm_status show_token(void *user, int32_t id, vlm_error *err) {
  vlm_talk *t = user;
  vlm_text piece = {0};
  const vlm_status st = vlm_token_stream_push(t->stream, id, &piece, err);
  if (st == VLM_OK) call_back(t, id, &piece);
  t->shown++;
  vlm_text_free(&piece);
  return st;
}

/* What waited for the rest of a character that never came. */
static vlm_status show_rest(vlm_talk *t, vlm_error *err) {
  vlm_text piece = {0};
  const vlm_status st = vlm_token_stream_finish(t->stream, &piece, err);
  if (st == VLM_OK && piece.bytes) call_back(t, -1, &piece);
  vlm_text_free(&piece);
  return st;
}

/* Beams know their tokens at the end. */
static vlm_status show_late(vlm_talk *t, const vlm_answer *a, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 1 + t->shown; i < a->ids.count && !atomic_load(&t->runner->cancelled); i++)
    VLM_TRY(show_token(t, a->ids.data[i], err));
  VLM_TRY(show_rest(t, err));
out:
  return st;
}

static vlm_finish finish_of(const vlm_talk *t, const vlm_answer *a) {
  if (a->stopped) return t->finish;
  return a->ended ? VLM_FINISH_END : VLM_FINISH_LENGTH;
}

/* Boxes, quadrilaterals and polygons, in pixels of the picture. */
static vlm_status find_objects(vlm_reply *reply, const vlm_runner *runner, const vlm_prepared *picture,
                               const char *prompt, vlm_error *err) {
  const vlm_task *task = vlm_task_find(prompt);
  const vlm_answer *a = &reply->answer;
  if (!task) return VLM_OK;
  return vlm_task_parse_ids(&reply->objects, task->kind, vlm_model_tokenizer(runner->model), a->ids.data,
                            a->ids.count, picture->width, picture->height, err);
}

/* On the engine, which was entered. */
static vlm_status answer(vlm_reply *reply, vlm_talk *t, const vlm_prepared *picture, const char *prompt,
                         vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_generate_opts *o = t->opts;
  const bool streams = o->on_token != NULL;
  vlm_model *model = t->runner->model;
  vlm_answer_opts opts = {
      .max_new_tokens = o->max_new_tokens, .beams = o->beams, .stop = told_to_stop, .user = t};
  if (streams) VLM_TRY(vlm_token_stream_create(&t->stream, vlm_model_tokenizer(model), true, err));
  opts.on_token = streams ? show_token : NULL;
  VLM_TRY(vlm_model_answer_prepared(model, &picture->pixels, prompt, &opts, &reply->answer, err));
  if (streams) VLM_TRY(show_late(t, &reply->answer, err));
  VLM_TRY(find_objects(reply, t->runner, picture, prompt, err));
  reply->finish = finish_of(t, &reply->answer);
out:
  vlm_token_stream_free(t->stream);
  return st;
}

vlm_status vlm_runner_generate(vlm_reply **out, vlm_runner *runner, const vlm_prepared *picture,
                               const char *prompt, const vlm_generate_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_generate_opts own = vlm_generate_opts_init();
  vlm_reply *reply = NULL;
  vlm_talk talk = {.runner = runner, .opts = &own};
  VLM_GIVEN(out);
  *out = NULL;
  VLM_GIVEN(runner);
  VLM_GIVEN(picture);
  if (opts) VLM_TRY(VLM_TAKE(vlm_generate_opts, own, opts, err));
  VLM_TRY(check(&own, err));
  VLM_CHECK(runner->model, err, VLM_INPUT,
            "%s: is a single graph, which answers no prompts; use vlm_runner_run", runner->bundle->source);
  VLM_CHECK(picture->runner == runner, err, VLM_USAGE, "%s: the picture was prepared by another runner",
            runner->bundle->source);
  VLM_TRY(vlm_new(&reply, 1, err));
  VLM_TRY(vlm_engine_enter(runner->engine, err));
  atomic_store(&runner->cancelled, false);
  if (own.deadline_ms > 0) talk.deadline = vlm_clock_ms() + own.deadline_ms;
  st = answer(reply, &talk, picture, prompt ? prompt : vlm_model_default_prompt(runner->model), err);
  vlm_engine_leave(runner->engine);
  VLM_TRY(st);
  *out = reply;
  reply = NULL;
out:
  vlm_reply_free(reply);
  return st;
}

vlm_status vlm_runner_cancel(vlm_runner *runner) {
  if (!runner) return VLM_USAGE;
  atomic_store(&runner->cancelled, true);
  return VLM_OK;
}
