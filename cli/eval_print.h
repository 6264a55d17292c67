/* Results of vlm-eval as JSON and as a table for people. */
#ifndef VLM_CLI_EVAL_PRINT_H
#define VLM_CLI_EVAL_PRINT_H

#include "flow/costs.h"
#include "cli/program.h"
#include "eval/evaluate.h"
#include "eval/graph_eval.h"

/* X(NAME, text, exit status) */
#define VLM_VERDICTS(X) X(PASS, "pass", OK) X(DROP, "drop", QUALITY) X(AGREEMENT, "agreement", QUALITY) X(SLOWER, "slower", SLOWER)
typedef enum vlm_verdict {
#define X(name, text, status) VLM_VERDICT_##name,
  VLM_VERDICTS(X)
#undef X
} vlm_verdict;
const char *vlm_verdict_text(vlm_verdict verdict);
vlm_status vlm_verdict_status(vlm_verdict verdict);

/* Speedup of the medians of the total time; 0 when nothing was compared. Sorts the samples. */
double vlm_eval_speedup(vlm_evaluation *e);

void vlm_put_scores(vlm_json_writer *w, const char *key, const vlm_scores *s);
/* macs: of the candidate. */
vlm_status vlm_eval_json(const vlm_cli *cli, vlm_evaluation *e, const vlm_coverage_share *macs, vlm_verdict verdict,
                         vlm_error *err);
void vlm_eval_table(vlm_evaluation *e, bool verbose);
vlm_status vlm_graph_eval_json(const vlm_cli *cli, vlm_graph_eval *e, const size_t size_bytes[2],
                               const vlm_coverage_share *macs, vlm_verdict verdict, vlm_error *err);
void vlm_graph_eval_table(vlm_graph_eval *e);
/* A line with the share of the MACs in 8 bits; nothing when it is not known. */
void vlm_macs_line(const vlm_coverage_share *macs);

#endif
