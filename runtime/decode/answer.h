/* One answer of a model: from an image and a prompt to tokens and text. */
#ifndef VLM_DECODE_ANSWER_H
#define VLM_DECODE_ANSWER_H

#include "runtime/decode/model.h"
#include "runtime/image/yuv.h"

/* Where time goes: X(NAME, key in JSON) */
#define VLM_STAGES(X)         \
  X(PREPROCESS, "preprocess") \
  X(VISION, "vision")         \
  X(EMBED, "embed") X(ENCODER, "encoder") X(FIRST, "decoder_first") X(STEP, "decoder_step")
typedef enum vlm_stage {
#define X(name, text) VLM_STAGE_##name,
  VLM_STAGES(X)
#undef X
      VLM_STAGE_COUNT
} vlm_stage;
const char *vlm_stage_name(vlm_stage stage);

typedef struct vlm_answer_opts {
  int64_t max_new_tokens; /* 0 = the model's */
  int64_t beams;          /* 0 = the model's */
  const int32_t *forced;  /* teacher forcing: these ids follow the prompt (start token); NULL = generate */
  size_t n_forced;
  /* Called with each row of logits before the token is chosen (greedy and forced runs). NULL = not. */
  vlm_status (*on_logits)(void *user, int64_t step, const float *logits, int64_t vocab, vlm_error *err);
  /* Called with each chosen token (greedy and forced runs). NULL = not. */
  vlm_status (*on_token)(void *user, int32_t id, vlm_error *err);
  /* Asked before the decoder starts and after each token: true ends the answer with what there is. NULL = never.
   * Teacher forcing does not ask. */
  bool (*stop)(void *user);
  void *user;
} vlm_answer_opts;

typedef struct vlm_answer {
  vlm_ids ids;   /* as generated: the last token of the prompt (start token) first, end token last */
  vlm_text text; /* special tokens left out, trimmed */
  double stage_ms[VLM_STAGE_COUNT];
  double total_ms, first_token_ms; /* image to end of answer; image to first token */
  int64_t steps;                   /* runs of decoder_step */
  int64_t image_tokens, prompt_tokens;
  bool stopped; /* opts.stop said so */
  bool ended;   /* by an end token, before the length made one */
} vlm_answer;
/* Empties an answer for the next use or frees it (the same thing). */
void vlm_answer_free(vlm_answer *answer);

/* opts may be NULL. The answer must be zeroed or freed before. */
vlm_status vlm_model_answer(vlm_model *model, const vlm_image *image, const char *prompt,
                            const vlm_answer_opts *opts, vlm_answer *answer, vlm_error *err);
/* The two halves of it: the model's preprocessing (free with vlm_pixels_free), and an answer from what it made. */
vlm_status vlm_model_prepare(vlm_pixels *out, const vlm_model *model, const vlm_image *image, vlm_error *err);
vlm_status vlm_model_prepare_frame(vlm_pixels *out, const vlm_model *model, const vlm_yuv *frame,
                                   vlm_error *err);
vlm_status vlm_model_answer_prepared(vlm_model *model, const vlm_pixels *pixels, const char *prompt,
                                     const vlm_answer_opts *opts, vlm_answer *answer, vlm_error *err);
/* The same from pixels that are ready (f32 [1,3,H,W]). */
vlm_status vlm_model_answer_pixels(vlm_model *model, const vlm_tensor *pixels, const char *prompt,
                                   const vlm_answer_opts *opts, vlm_answer *answer, vlm_error *err);

#endif
