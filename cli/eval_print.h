/* Results of vlm-eval as JSON and as a table for people. */
#ifndef VLM_CLI_EVAL_PRINT_H
#define VLM_CLI_EVAL_PRINT_H

#include "cli/program.h"
#include "flow/evaluate.h"

void vlm_put_scores(vlm_json_writer *w, const char *key, const vlm_scores *s);
vlm_status vlm_eval_json(const vlm_cli *cli, vlm_flow_evaluation *e, vlm_error *err);
/* verbose: with captions that changed. */
void vlm_eval_table(vlm_flow_evaluation *e, bool verbose);

#endif
