/* Answering: images and prompts in, text, tokens and objects out, and pictures with the objects drawn. */
#ifndef VLM_FLOW_ANSWERS_H
#define VLM_FLOW_ANSWERS_H

#include "calib/dataset.h"
#include "flow/pictures.h"
#include "flow/watch.h"
#include "runtime/decode/answer.h"

typedef struct vlm_flow_answer {
  size_t image;             /* index in the set */
  int32_t prompt;           /* index of the options' list */
  const char *path, *asked; /* the image's file; the prompt, which may be the image's own */
  bool values;              /* a float array: there are no pixels to draw on */
  const vlm_answer *answer;
  const vlm_objects *objects; /* in pixels of the image as read; none for a prompt that names no task */
} vlm_flow_answer;

typedef struct vlm_flow_answers_opts {
  const vlm_dataset *set; /* images */
  bool skip_bad;          /* an image that cannot be loaded is told and left out; else it ends the run */
  void (*skipped)(void *user, const char *path, const char *reason); /* NULL = not told */
  const char *const *prompts; /* each image is asked each; at least one (vlm_prompts_choose) */
  int32_t n_prompts;
  int64_t max_new_tokens, beams; /* 0 = the model's */
  double
      deadline_ms; /* an answer that has taken so long ends with the tokens that there are, looked at between graphs and tokens; 0 = none */
  bool
      owns_constants; /* nobody else reads the bundle's graphs: what was packed, and memory of a run, go back */
  bool
      low_memory; /* with owns_constants: graphs give back what they packed once they have run, also when several answers are asked for */
  const vlm_pictures *pictures; /* names of the pictures to draw, or NULL */
  /* Text as it comes (greedy runs), valid during the call; NULL = not wanted. */
  vlm_status (*on_text)(void *user, const char *text, vlm_error *err);
  /* Each answer, valid during the call. An error ends the run. NULL = not wanted. */
  vlm_status (*on_answer)(void *user, const vlm_flow_answer *answer, vlm_error *err);
  /* A picture was written. NULL = not wanted. */
  void (*on_picture)(void *user, const char *path, size_t objects);
  void *user;
  vlm_watch watch;     /* unit: an answer; cancelling is asked after each token too (greedy runs) ... */
  bool finish_answers; /* ... unless an answer that was begun is to be finished */
} vlm_flow_answers_opts;

/* Image by image, prompt by prompt. The bundle is opened to run (vlm_flow_open_opts.lower or lazy). */
vlm_status vlm_flow_answers(vlm_context *context, const vlm_bundle *bundle, const vlm_flow_answers_opts *opts,
                            vlm_error *err);

#endif
