/* Private to vlm-quantize: one run, and its parts by concept. */
#ifndef VLM_CLI_QUANTIZE_H
#define VLM_CLI_QUANTIZE_H

#include "cli/program.h"
#include "cli/skipped.h"
#include "flow/export.h"
#include "flow/quantize.h"

typedef struct vlm_quantize_job {
  const vlm_cli *cli;
  const char *model, *output;
  const char *onnx_file, *onnx_folder; /* what is written as ONNX; NULL = nothing */
  char **keep;                         /* globs of --keep without their type */
  double min_int8;                     /* percent of the weights */
  bool weights_float;
  vlm_text options; /* as typed, for the file */
  vlm_quant_opts opts;
  vlm_pack_opts pack;
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_skipped skipped; /* of --inputs */
  vlm_caption_set captions;
  vlm_dataset *samples; /* to measure on; NULL = what the statistics keep */
  vlm_quantization *work;
  const vlm_flow_quantize_result *result;
  vlm_flow_export_result exported;
  double start;
} vlm_quantize_job;

/* ---- quantize_options.c ---- */

vlm_status vlm_quantize_options(vlm_quantize_job *j, vlm_error *err);
void vlm_quantize_options_free(vlm_quantize_job *j);

/* ---- quantize_onnx.c ---- */

/* Where ONNX files go, and what their target needs of the plan. */
vlm_status vlm_quantize_onnx_options(vlm_quantize_job *j, vlm_error *err);
/* Writes them, and says what is in them. */
vlm_status vlm_quantize_onnx(vlm_quantize_job *j, vlm_error *err);
/* "onnx" of --json. */
void vlm_quantize_put_onnx(const vlm_quantize_job *j, vlm_json_writer *w);

/* ---- quantize_search.c ---- */

/* What was tried to keep a budget: accuracy, time and size of each plan. */
void vlm_quantize_print_search(const vlm_quantize_job *j);
/* "budget" of --json. */
void vlm_quantize_put_search(const vlm_quantize_job *j, vlm_json_writer *w);

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
