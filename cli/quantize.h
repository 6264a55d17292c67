/* Private to vlm-quantize: one run, and its parts by concept. */
#ifndef VLM_CLI_QUANTIZE_H
#define VLM_CLI_QUANTIZE_H

#include "cli/program.h"
#include "cli/skipped.h"
#include "flow/quantize.h"

typedef struct vlm_quantize_job {
  const vlm_cli *cli;
  const char *model, *output;
  char **keep;     /* globs of --keep without their type */
  double min_int8; /* percent of the weights */
  bool weights_float;
  vlm_text options; /* as typed, for the file */
  vlm_quant_opts opts;
  vlm_pack_opts pack;
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_skipped skipped;  /* of --inputs */
  vlm_dataset *samples; /* to measure on; NULL = what the statistics keep */
  vlm_quantization *work;
  const vlm_flow_quantize_result *result;
  double start;
} vlm_quantize_job;

/* ---- quantize_options.c ---- */

vlm_status vlm_quantize_options(vlm_quantize_job *j, vlm_error *err);
void vlm_quantize_options_free(vlm_quantize_job *j);

/* ---- quantize_report.c ---- */

/* What was decided, in a line; -v: node by node. */
void vlm_quantize_print_plan(const vlm_quantize_job *j);
/* What comes out, where it was measured. */
void vlm_quantize_print_outputs(const vlm_quantize_job *j);
/* How much is in 8 bits, what is not, and what does not run as planned. */
void vlm_quantize_print_coverage(const vlm_quantize_job *j);
/* --save-plan and --report. */
vlm_status vlm_quantize_save_plans(const vlm_quantize_job *j, vlm_error *err);
/* --json. */
vlm_status vlm_quantize_print_json(const vlm_quantize_job *j, vlm_error *err);

#endif
