/* Private to vlm-quantize: one run, and its parts by concept. */
#ifndef VLM_CLI_QUANTIZE_H
#define VLM_CLI_QUANTIZE_H

#include "flow/lowered.h"
#include "cli/program.h"
#include "pack/pack.h"
#include "quant/compare.h"
#include "quant/coverage.h"
#include "quant/report.h"
#include "runtime/base/buffer.h"

typedef struct vlm_quantize_job {
  const vlm_cli *cli;
  const char *model, *output;
  char **keep;                      /* globs of --keep without their type */
  double min_int8;                  /* percent of the weights; below 0 = not asked for */
  bool weights_float;
  vlm_quant_opts opts;
  vlm_pack_opts pack;
  vlm_bundle *bundle;
  vlm_stats *stats;
  vlm_context *context;
  vlm_quant_graph graphs[VLM_ROLE_COUNT];
  int32_t n_graphs;
  vlm_quant_plan *plan;
  vlm_coverage *coverage;
  vlm_lowered_copy lowered;         /* of the quantized graphs */
  vlm_difference_list differences;
  /* dims that the multiplications are counted with, and that nobody stated */
  vlm_text assumed;
  size_t bytes_in;                  /* vlm_bundle_float_bytes */
  size_t bytes_out;                 /* 0 = nothing was written */
  double start;
} vlm_quantize_job;

/* ---- quantize_options.c ---- */

vlm_status vlm_quantize_options(vlm_quantize_job *j, vlm_error *err);
void vlm_quantize_options_free(vlm_quantize_job *j);

/* ---- quantize_report.c ---- */

/* What was decided, in a line; -v: node by node. */
void vlm_quantize_print_plan(const vlm_quantize_job *j);
/* How much is in 8 bits, what is not, and what does not run as planned. */
void vlm_quantize_print_coverage(const vlm_quantize_job *j);
/* --save-plan and --report. */
vlm_status vlm_quantize_save_plans(const vlm_quantize_job *j, vlm_error *err);
/* The plan alone, an object; the text lives in the writer. */
vlm_status vlm_quantize_plan_text(const vlm_quantize_job *j, vlm_json_writer *w, const char **text,
                                  vlm_error *err);
/* --json. */
vlm_status vlm_quantize_print_json(const vlm_quantize_job *j, vlm_error *err);

#endif
