/* What the files of vlm-eval share: the run, and its results in several forms. */
#ifndef VLM_CLI_EVAL_H
#define VLM_CLI_EVAL_H

#include "cli/profile.h"
#include "cli/program.h"
#include "cli/skipped.h"
#include "flow/data.h"
#include "flow/evaluate.h"
#include "flow/regressions.h"

typedef enum vlm_eval_model {
  VLM_EVAL_REFERENCE,
  VLM_EVAL_CANDIDATE,
  VLM_EVAL_BASELINE,
  VLM_EVAL_MODELS
} vlm_eval_model;

typedef struct vlm_eval_records vlm_eval_records;

typedef struct vlm_eval_job {
  const vlm_cli *cli;
  const char *paths[VLM_EVAL_MODELS]; /* NULL = not given; a baseline without a candidate is the reference */
  vlm_context *context;
  vlm_step_profile *profile; /* of --profile, or NULL */
  vlm_bundle *bundles[VLM_EVAL_MODELS];
  vlm_caption_set captions;
  vlm_labels *labels;
  vlm_dataset *set;
  vlm_skipped skipped;
  vlm_prompts prompts;
  vlm_progress progress;
  vlm_flow_evaluate_opts opts;
  vlm_eval_records *records;
  vlm_flow_evaluation result;
  vlm_flow_evaluation shadow; /* of the baseline against the reference */
  vlm_regressions regressions;
  bool watched; /* there is a baseline */
} vlm_eval_job;

/* ---- eval_print.c ---- */

/* Figures for people, on standard output. */
void vlm_eval_table(vlm_eval_job *job);
vlm_status vlm_eval_verdict(const vlm_eval_job *job, vlm_error *err);

/* ---- eval_json.c ---- */

vlm_status vlm_eval_json(vlm_eval_job *job, vlm_error *err);
/* The plan of --dry-run. */
vlm_status vlm_eval_plan_json(vlm_eval_job *job, vlm_error *err);
/* {"bleu": [...], ...}, for --metrics-only. */
void vlm_put_scores(vlm_json_writer *writer, const char *key, const vlm_scores *scores);

/* ---- eval_records.c: --records ---- */

/* Nothing is opened without --records. Records are on disk when an image is done; close writes them anew with
 * the scores. What is there stays when the run ends early. */
vlm_status vlm_eval_records_open(vlm_eval_records **out, const vlm_eval_job *job, vlm_error *err);
vlm_status vlm_eval_records_answer(void *records, const vlm_eval_item *item, vlm_error *err);
vlm_status vlm_eval_records_output(void *records, const vlm_graph_item *item, vlm_error *err);
vlm_status vlm_eval_records_close(vlm_eval_records *records, const vlm_flow_evaluation *result,
                                  vlm_error *err);
void vlm_eval_records_free(vlm_eval_records *records);

/* ---- eval_reports.c: --junit, --markdown ---- */

vlm_status vlm_eval_reports(const vlm_eval_job *job, vlm_error *err);

#endif
