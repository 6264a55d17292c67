#include "runtime/decode/answer.h"

#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/decode/model_private.h"

static const char *const STAGES[VLM_STAGE_COUNT] = {
#define X(name, text) text,
    VLM_STAGES(X)
#undef X
};

const char *vlm_stage_name(vlm_stage stage) {
  return (unsigned)stage < VLM_STAGE_COUNT ? STAGES[stage] : "?";
}

void vlm_answer_free(vlm_answer *a) {
  vlm_ids_free(&a->ids);
  vlm_text_free(&a->text);
  memset(a, 0, sizeof *a);
}

/* What the decoder packed goes before the next image's encoders pack theirs. */
static void rest(vlm_model *m) {
  for (int r = 0; m->stages_rest && r < VLM_ROLE_COUNT; r++)
    if (m->sessions[r]) vlm_session_rest(m->sessions[r]);
}

static vlm_status answer_from(vlm_model *m, const vlm_model_input *input, const vlm_answer_opts *opts,
                              vlm_answer *a, double start, vlm_error *err) {
  static const vlm_answer_opts defaults = {0};
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_model_encode(m, input, a, err));
  VLM_TRY(vlm_model_generate(m, opts ? opts : &defaults, a, start, err));
  a->total_ms = vlm_clock_ms() - start;
out:
  rest(m);
  return st;
}

vlm_status vlm_model_answer_pixels(vlm_model *m, const vlm_tensor *pixels, const char *prompt,
                                   const vlm_answer_opts *opts, vlm_answer *a, vlm_error *err) {
  const vlm_model_input input = {.pixels = pixels, .prompt = prompt};
  return answer_from(m, &input, opts, a, vlm_clock_ms(), err);
}

static vlm_status has_preprocess(const vlm_model *m, vlm_error *err) {
  if (m->has_preprocess) return VLM_OK;
  return vlm_fail(err, VLM_INPUT,
                  "%s: no preprocessor_config.json, processor_config.json or vlm.json says how images become "
                  "pixel_values; a packed file that lacks it has to be packed again",
                  m->bundle->source);
}

vlm_status vlm_model_prepare(vlm_pixels *out, const vlm_model *m, const vlm_image *image, vlm_error *err) {
  const vlm_status st = has_preprocess(m, err);
  return st == VLM_OK ? vlm_preprocess_run(out, &m->preprocess, image, vlm_context_threads(m->context), err)
                      : st;
}

vlm_status vlm_model_prepare_frame(vlm_pixels *out, const vlm_model *m, const vlm_yuv *frame,
                                   vlm_error *err) {
  const vlm_status st = has_preprocess(m, err);
  return st == VLM_OK ? vlm_yuv_run(out, &m->preprocess, frame, vlm_context_threads(m->context), err) : st;
}

static vlm_model_input prepared_input(const vlm_pixels *pixels, const char *prompt) {
  return (vlm_model_input){
      .pixels = &pixels->values, .mask = pixels->mask.data ? &pixels->mask : NULL, .prompt = prompt};
}

vlm_status vlm_model_answer_prepared(vlm_model *m, const vlm_pixels *pixels, const char *prompt,
                                     const vlm_answer_opts *opts, vlm_answer *a, vlm_error *err) {
  const vlm_model_input input = prepared_input(pixels, prompt);
  return answer_from(m, &input, opts, a, vlm_clock_ms(), err);
}

vlm_status vlm_model_answer(vlm_model *m, const vlm_image *image, const char *prompt,
                            const vlm_answer_opts *opts, vlm_answer *a, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pixels pixels = {0};
  double start = vlm_clock_ms();
  VLM_TRY(vlm_model_prepare(&pixels, m, image, err));
  a->stage_ms[VLM_STAGE_PREPROCESS] = vlm_clock_ms() - start;
  const vlm_model_input input = prepared_input(&pixels, prompt);
  VLM_TRY(answer_from(m, &input, opts, a, start, err));
out:
  vlm_pixels_free(&pixels);
  return st;
}
