/* Quantizing: from a model and its statistics to one packed file. Three steps, so that a caller can show what was
 * decided before it is done, and what became of it before it is written:
 *
 *   plan    decides; the graphs stay as they are
 *   apply   rewrites the bundle's graphs, compares what runs with the plan, counts what is in 8 bits
 *   write   asks the packed model for its golden answer and writes the file
 */
#ifndef VLM_FLOW_QUANTIZE_H
#define VLM_FLOW_QUANTIZE_H

#include "calib/dataset.h"
#include "eval/evaluate.h"
#include "flow/plan_search.h"
#include "flow/trials.h"
#include "flow/verdict.h"
#include "flow/watch.h"
#include "pack/pack.h"
#include "quant/compare.h"
#include "quant/coverage.h"
#include "runtime/base/json_writer.h"
#include "runtime/exec/session.h"

typedef struct vlm_flow_quantize_opts {
  vlm_quant_opts quant; /* threads, go_on, user: the use case's */
  vlm_pack_opts pack;   /* threads, go_on, user: the use case's */
  bool weights_float;   /* pack as it is */
  const char *calib;    /* statistics file of this model; NULL = nothing is static */
  bool partial;         /* statistics of a run that was not finished will do; else they are VLM_INPUT */
  const char *plan;     /* file whose decisions win, or NULL */
  bool strict;          /* a node that does not run as planned is VLM_INTERNAL */
  double min_int8;      /* percent of the weights; fewer in 8 bits are VLM_QUALITY, and no file; 0 = any */
  /* Samples that the plan is measured on: those that the statistics hold out, else those they do not know, else
   * all; NULL = what the statistics keep. */
  vlm_dataset *samples; /* of a pipeline: is left with those */
  bool
      round_nearest; /* each weight for itself; else, of a pipeline with samples, as quant/weight_round.h says */
  /* Of every output of a single graph; 0 = 30, as far as integers remain. Of every stage of a pipeline; 0 = it stays as planned. What cannot
   * be reached is VLM_QUALITY. */
  double target_db;
  /* Of a pipeline, on all samples that no range knows: percent of CIDEr-D, without references of answers that change (flow/plan_search.h). What
   * cannot be kept is VLM_QUALITY. */
  vlm_limit max_drop;
  const char *const
      *prompts; /* of the golden answer: the first one (vlm_prompts_choose); NULL = the default */
  int32_t n_prompts;
  const char *options; /* the recipe as its user wrote it, told in the file; NULL or "" = nothing to tell */
  vlm_watch watch;     /* unit: a stage, VLM_QUANTIZE_STAGES in all; cancelling is asked inside too */
} vlm_flow_quantize_opts;

enum {
  VLM_MEASURED_TOKENS = 32
}; /* of each answer of a pipeline, taken greedily, to round with and to measure */
enum { VLM_QUANTIZE_STAGES = 5 }; /* planned, applied, measured, golden answer, written */

typedef struct vlm_flow_quantize_result {
  const vlm_bundle *bundle;
  const vlm_quant_plan *plan;
  const vlm_quant_opts *quant;            /* that it was made with */
  const vlm_stats *stats;                 /* NULL = none */
  const vlm_dataset *samples;             /* to measure on; NULL = what the statistics keep */
  const vlm_coverage *coverage;           /* what was multiplied is counted when `measured` */
  const vlm_difference_list *differences; /* nodes that do not run as planned */
  /* What the packed model gives against the float one; no outputs = it was not measured. */
  const vlm_trial_output *outputs;
  int32_t n_outputs, n_samples;
  bool held_out;                        /* no range knows the samples */
  const vlm_evaluation *answers;        /* of a pipeline: captions and distributions; NULL = not measured */
  const vlm_plan_search_result *search; /* for a budget of a pipeline; NULL = none was asked for */
  int64_t search_samples;
  double
      rounding_gain_db; /* of the worst output of a single graph by GPTQ, which is taken from vlm_rounding_least_db on; NaN = not measured */
  int32_t changed;      /* nodes that are another form than statistics chose, for the outputs' sake */
  const char *macs_assumed; /* "height = 1": dims nobody stated that MACs are counted with; "" = none */
  bool measured;            /* apply came as far as to coverage, also where it then failed min_int8 */
  vlm_error no_golden;      /* why the file has no golden answer; VLM_OK: it has one, or is a single graph */
  size_t float_bytes;       /* of the weights as floats (vlm_bundle_float_bytes) */
  size_t bytes;             /* of the file; 0 = nothing was written */
} vlm_flow_quantize_result;

typedef struct vlm_quantization vlm_quantization;

/* The bundle is rewritten by apply; it, the context and what opts point at must outlive the quantization. Free with
 * vlm_quantization_free, on failure there is nothing to free. */
vlm_status vlm_flow_quantize_plan(vlm_quantization **out, vlm_context *context, vlm_bundle *bundle,
                                  const vlm_flow_quantize_opts *opts, vlm_error *err);
vlm_status vlm_flow_quantize_apply(vlm_quantization *q, vlm_error *err);
vlm_status vlm_flow_quantize_write(vlm_quantization *q, const char *path, vlm_error *err);
/* The decisions as JSON, as --plan reads them; the text lives in the writer. */
vlm_status vlm_quantization_plan_text(const vlm_quantization *q, vlm_json_writer *w, const char **text,
                                      vlm_error *err);
/* What is known so far. */
const vlm_flow_quantize_result *vlm_quantization_result(const vlm_quantization *q);
void vlm_quantization_free(vlm_quantization *q);

#endif
