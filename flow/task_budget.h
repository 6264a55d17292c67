/* A plan of a pipeline kept within a budget of its task: captions against references, or against those of the float model. */
#ifndef VLM_FLOW_TASK_BUDGET_H
#define VLM_FLOW_TASK_BUDGET_H

#include "eval/evaluate.h"
#include "flow/lowered.h"
#include "flow/plan_search.h"

typedef struct vlm_task_budget {
  vlm_context *context;
  const vlm_bundle *bundle;
  const vlm_dataset *samples;
  const vlm_eval_opts *run;
  const vlm_stats *stats;
  const vlm_quant_opts *quant;
  /* One of the two: percent of CIDEr-D, or without references of answers that change; of every stage. */
  double max_drop; /* negative = not asked for */
  double target_db;
} vlm_task_budget;

/* Decisions of the plan change. */
vlm_status vlm_task_search(vlm_plan_search_result *out, const vlm_task_budget *task, vlm_quant_plan *plan,
                           const vlm_quant_graph *graphs, int32_t n_graphs, vlm_error *err);

/* The stage of an evaluation that lost most; infinite when none lost anything. */
double vlm_task_worst_db(const vlm_evaluation *answers);

#endif
