/* Two models on the same samples, in one process, turn by turn: what changed and what it gained. */
#ifndef VLM_EVAL_EVALUATE_H
#define VLM_EVAL_EVALUATE_H

#include "calib/dataset.h"
#include "eval/agreement.h"
#include "eval/scores.h"
#include "eval/stats.h"
#include "runtime/decode/answer.h"

typedef struct vlm_memory_use {
  double private_dirty_mib, private_clean_mib; /* grown while this side was loaded and first run */
} vlm_memory_use;

typedef struct vlm_eval_side {
  vlm_samples stage_ms[VLM_STAGE_COUNT]; /* per image; STEP: per token */
  vlm_samples first_token_ms, total_ms;
  int64_t tokens;   /* generated, all images */
  double decode_ms; /* spent on them after the encoder */
  vlm_memory_use memory;
} vlm_eval_side;

struct vlm_eval_item;

typedef struct vlm_eval_opts {
  const char *const *prompts;
  int32_t n_prompts;
  int64_t max_new_tokens, beams; /* 0 = the model's */
  vlm_bootstrap_opts bootstrap;
  bool owns_constants; /* of both models: nobody else reads their graphs */
  /* Called between samples; its error ends the run. NULL = not. */
  vlm_status (*between)(void *user, int64_t done, int64_t total, vlm_error *err);
  /* Called with each image when it is done, still without scores. NULL = not. */
  vlm_status (*on_item)(void *user, const struct vlm_eval_item *item, vlm_error *err);
  void *user;
  bool skip_bad; /* an image that cannot be loaded is told and left out; else it ends the run */
  void (*skipped)(void *user, const char *path, const char *reason); /* NULL = not told */
  void *skipped_user;
} vlm_eval_opts;

/* One image with one prompt. Of what was not measured: NaN. */
typedef struct vlm_eval_item {
  size_t sample; /* index in the set */
  const char *key, *prompt;
  const char *captions[2]; /* reference, candidate; NULL without */
  int64_t tokens[2];       /* generated */
  double total_ms[2];
  double cider_d[2];        /* in its prompt's score */
  double kl_mean;           /* per token, on the common prefix */
  int64_t first_divergence; /* of the tokens; -1 when they are equal */
  bool exact;
  int32_t group; /* index into vlm_evaluation.prompts */
} vlm_eval_item;

/* Captions to one prompt, scored against the references. */
typedef struct vlm_prompt_scores {
  const char *prompt; /* NULL = those of the manifest, one per image */
  int64_t images;
  vlm_scores scores[2]; /* reference, candidate */
  vlm_drop drop;        /* of CIDEr-D */
} vlm_prompt_scores;

typedef struct vlm_evaluation {
  vlm_arena *arena;
  int64_t images;
  bool compared, scored; /* there was a candidate; there were reference captions */
  vlm_eval_side reference, candidate;
  vlm_prompt_scores *prompts; /* answers to different prompts are not averaged: each has its scores */
  int32_t n_prompts;
  vlm_agreement agreement;
  vlm_sqnr sqnr[VLM_ROLE_COUNT]; /* vision and encoder outputs; decoder_step: logits on the common prefix */
  vlm_samples kl;                /* per token, on the common prefix: the same context in both */
  double kl_mean;
  int64_t top1_rows, top1_equal;
  vlm_eval_item *items; /* [images] */
} vlm_evaluation;

/* candidate NULL = only the reference. Captions are scored when every sample has references, prompt by prompt where an image is asked more
 * than one. Free with vlm_evaluation_free. */
vlm_status vlm_evaluate(vlm_evaluation *out, vlm_context *context, const vlm_bundle *reference,
                        const vlm_bundle *candidate, const vlm_dataset *set, const vlm_eval_opts *opts,
                        vlm_error *err);
void vlm_evaluation_free(vlm_evaluation *evaluation);

/* What this process has now, from /proc/self/smaps_rollup; zeros where that does not exist. */
vlm_memory_use vlm_memory_now(void);

#endif
