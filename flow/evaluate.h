/* Evaluating: a reference alone, or against a candidate, on the same samples in one process, with a verdict. */
#ifndef VLM_FLOW_EVALUATE_H
#define VLM_FLOW_EVALUATE_H

#include "flow/verdict.h"
#include "flow/watch.h"
#include "quant/coverage.h"

typedef struct vlm_flow_evaluate_opts {
  const char *const
      *prompts; /* each image is run with each (vlm_prompts_choose); NULL = the model's default */
  int32_t n_prompts;
  int64_t max_new_tokens, beams; /* 0 = the model's */
  vlm_bootstrap_opts bootstrap;
  bool owns_constants; /* nobody else reads the graphs of both, which are two: what was packed goes back */
  vlm_budget budget;
  const vlm_labels *labels; /* of single graphs: the classes of the first output; NULL = none */
  /* Each sample when it is done: on_answer of pipelines, without scores, on_output of single graphs. NULL = not. */
  vlm_status (*on_answer)(void *user, const vlm_eval_item *item, vlm_error *err);
  vlm_status (*on_output)(void *user, const vlm_graph_item *item, vlm_error *err);
  void *user;
  bool skip_bad; /* an image whose pixels turn out to be broken is told and left out; else it ends the run */
  void (*skipped)(void *user, const char *path, const char *reason); /* NULL = not told */
  void *skipped_user;
  vlm_watch watch; /* unit: a sample with one prompt */
} vlm_flow_evaluate_opts;

typedef struct vlm_flow_evaluation {
  bool graph; /* single graphs: `outputs` is filled, else `answers` */
  vlm_evaluation answers;
  vlm_graph_eval outputs;
  bool compared;
  size_t size_bytes[2];    /* reference, candidate (vlm_flow_size_bytes) */
  vlm_coverage_share macs; /* of the candidate */
  vlm_verdict verdict;
  vlm_checks checks; /* what it comes from: a figure and its limit each */
} vlm_flow_evaluation;

/* Bundles are opened to run (vlm_flow_open_opts.lower); candidate may be NULL. VLM_INPUT when the two are not the same
 * kind of model, or when some images have reference captions and some have none. A verdict is no failure. opts may
 * be NULL. Free with vlm_flow_evaluation_free. */
vlm_status vlm_flow_evaluate(vlm_flow_evaluation *out, vlm_context *context, const vlm_bundle *reference,
                             const vlm_bundle *candidate, const vlm_dataset *set,
                             const vlm_flow_evaluate_opts *opts, vlm_error *err);
void vlm_flow_evaluation_free(vlm_flow_evaluation *evaluation);

/* Of the checks of vlm_flow_evaluate those that need no data. */
vlm_status vlm_flow_evaluate_check(const vlm_bundle *reference, const vlm_bundle *candidate, vlm_error *err);

#endif
