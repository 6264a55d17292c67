/* Answering: images and prompts in, text, tokens and objects out, and pictures with the objects drawn. */
#ifndef VLM_FLOW_ANSWERS_H
#define VLM_FLOW_ANSWERS_H

#include "flow/pictures.h"
#include "flow/watch.h"
#include "runtime/decode/answer.h"

typedef struct vlm_flow_answer {
  int32_t image, prompt; /* indices of the options' lists */
  const vlm_answer *answer;
  const vlm_objects *objects; /* in pixels of the image as read; none for a prompt that names no task */
} vlm_flow_answer;

typedef struct vlm_flow_answers_opts {
  const char *const *images; /* files */
  int32_t n_images;
  const char *const *prompts; /* each image is asked each; at least one (vlm_prompts_choose) */
  int32_t n_prompts;
  int64_t max_new_tokens, beams; /* 0 = the model's */
  bool
      owns_constants; /* nobody else reads the bundle's graphs: what was packed, and memory of a run, go back */
  const vlm_pictures *pictures; /* names of the pictures to draw, or NULL */
  /* Text as it comes (greedy runs), valid during the call; NULL = not wanted. */
  vlm_status (*on_text)(void *user, const char *text, vlm_error *err);
  /* Each answer, valid during the call. An error ends the run. NULL = not wanted. */
  vlm_status (*on_answer)(void *user, const vlm_flow_answer *answer, vlm_error *err);
  /* A picture was written. NULL = not wanted. */
  void (*on_picture)(void *user, const char *path, size_t objects);
  void *user;
  vlm_watch watch; /* unit: an answer; cancelling is asked after each token too (greedy runs) */
} vlm_flow_answers_opts;

/* Image by image, prompt by prompt. The bundle is opened to run (vlm_flow_open_opts.lower or lazy). */
vlm_status vlm_flow_answers(vlm_context *context, const vlm_bundle *bundle, const vlm_flow_answers_opts *opts,
                            vlm_error *err);

#endif
