/* What a comparison of two models says: within the budget or not, and what was exceeded, with the evidence for it. */
#ifndef VLM_FLOW_VERDICT_H
#define VLM_FLOW_VERDICT_H

#include "eval/evaluate.h"
#include "eval/graph_eval.h"

/* X(NAME, text, exit status). Of several results that do not pass the first in this order is the verdict. */
#define VLM_VERDICTS(X)             \
  X(PASS, "pass", OK)               \
  X(NO_BUDGET, "no budget set", OK) \
  X(DROP, "drop", QUALITY)          \
  X(ACCURACY, "accuracy", QUALITY)  \
  X(AGREEMENT, "agreement", QUALITY) X(INCONCLUSIVE, "inconclusive", QUALITY) X(SLOWER, "slower", SLOWER)
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

/* Drops are estimated from samples: judged by their 95 % interval, or by the estimate alone. */
typedef enum vlm_gate { VLM_GATE_CI, VLM_GATE_POINT } vlm_gate;

typedef struct vlm_budget {
  vlm_limit max_drop_percent;  /* of CIDEr-D, of every prompt, pipelines */
  vlm_limit max_accuracy_drop; /* of top-1, in percentage points, single graphs with labels */
  vlm_limit min_sqnr_db; /* of every float output, single graphs; of rows that data selects those found on
                                    * both sides, which 90 % have to be unless min_agreement_percent says otherwise */
  vlm_limit
      min_agreement_percent; /* of unchanged captions; of rows with the same top-1, selected rows and integers */
  vlm_limit min_speedup;     /* of the median total time */
  vlm_gate gate;
} vlm_budget;

/* One figure against its limit. */
typedef struct vlm_check {
  const char *key;    /* "cider_d_drop": the member of the JSON */
  const char *metric; /* "CIDEr-D drop" */
  const char *of;     /* the prompt or the output; NULL = there is one */
  const char *unit;   /* " %", " dB", "x" */
  bool at_most;       /* the limit is a largest value, else a least one */
  bool estimated;     /* low to high is its 95 % interval */
  double value, low, high, limit;
  vlm_verdict verdict;
  int64_t samples,
      needed; /* INCONCLUSIVE: how many there are, and about how many would decide; 0 = no number would */
  const char *why; /* INCONCLUSIVE for another reason than the interval */
} vlm_check;

typedef struct vlm_checks {
  vlm_check *items; /* in the order of the budget */
  int32_t count;
} vlm_checks;
void vlm_checks_free(vlm_checks *checks);

/* The check as a sentence: "CIDEr-D drop 2.10 % (95 % interval 1.20 to 3.00 %), wanted at most 1 %". */
vlm_status vlm_check_text(vlm_text *out, const vlm_check *check, vlm_error *err);
/* The check that the verdict comes from; NULL for PASS and NO_BUDGET. */
const vlm_check *vlm_checks_decisive(const vlm_checks *checks, vlm_verdict verdict);

/* Speedup of the medians; 0 when nothing was compared. Sorts the samples. */
double vlm_speedup_of_answers(vlm_evaluation *e);
double vlm_speedup_of_outputs(vlm_graph_eval *e);

/* NO_BUDGET when nothing was compared or asked for. */
vlm_status vlm_judge_answers(vlm_verdict *out, vlm_checks *checks, vlm_evaluation *e,
                             const vlm_budget *budget, vlm_error *err);
vlm_status vlm_judge_outputs(vlm_verdict *out, vlm_checks *checks, vlm_graph_eval *e,
                             const vlm_budget *budget, vlm_error *err);

#endif
