/* What a comparison of two models says: within the budget or not, and what was exceeded. */
#ifndef VLM_FLOW_VERDICT_H
#define VLM_FLOW_VERDICT_H

#include "eval/evaluate.h"
#include "eval/graph_eval.h"

/* X(NAME, text, exit status) */
#define VLM_VERDICTS(X) \
  X(PASS, "pass", OK) X(DROP, "drop", QUALITY) X(AGREEMENT, "agreement", QUALITY) X(SLOWER, "slower", SLOWER)
typedef enum vlm_verdict {
#define X(name, text, status) VLM_VERDICT_##name,
  VLM_VERDICTS(X)
#undef X
} vlm_verdict;
const char *vlm_verdict_text(vlm_verdict verdict);
vlm_status vlm_verdict_status(vlm_verdict verdict);

/* Zeroed = nothing is asked for. */
typedef struct vlm_limit {
  bool set;
  double value;
} vlm_limit;
typedef struct vlm_budget {
  vlm_limit max_drop_percent;      /* of CIDEr-D, pipelines */
  vlm_limit min_sqnr_db;           /* of every output, single graphs */
  vlm_limit min_agreement_percent; /* of unchanged captions, or of rows with the same top-1 */
  vlm_limit min_speedup;           /* of the median total time */
} vlm_budget;

/* Speedup of the medians; 0 when nothing was compared. Sorts the samples. */
double vlm_speedup_of_answers(vlm_evaluation *e);
double vlm_speedup_of_outputs(vlm_graph_eval *e);
/* Percent of rows with the same top-1; 100 when there are none. */
double vlm_agreement_of_outputs(const vlm_graph_eval *e);

/* PASS when nothing was compared. The first of drop, agreement and speed that is over. */
vlm_verdict vlm_judge_answers(vlm_evaluation *e, const vlm_budget *budget);
vlm_verdict vlm_judge_outputs(vlm_graph_eval *e, const vlm_budget *budget);

#endif
