/* Private to evaluate.c: the captions of a run, scored. */
#ifndef VLM_EVAL_EVALUATE_SCORES_H
#define VLM_EVAL_EVALUATE_SCORES_H

#include "eval/evaluate.h"

/* Fills `prompts`, and the items' groups and scores. Nothing is scored when a sample has no references. */
vlm_status vlm_evaluation_score(vlm_evaluation *out, const vlm_dataset *set, const vlm_eval_opts *opts,
                                vlm_error *err);

#endif
