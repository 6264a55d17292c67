/* Choosing at the output: nodes are quantized one at a time and ranked by the noise that reaches the outputs; those
 * that cost most go to a better form until the target holds. */
#ifndef VLM_FLOW_REPAIR_H
#define VLM_FLOW_REPAIR_H

#include "flow/trials.h"
#include "runtime/exec/profile.h"

typedef struct vlm_repair_opts {
  double target_db; /* of every output */
  double floor_db;  /* below, more may leave integers */
  /* Shares of the multiplications and of the weights that may leave 8 bits: for the target; below the floor. */
  double may_leave, may_leave_below;
  bool at_any_price;        /* the target counts alone */
  const vlm_profile *costs; /* of the float graph; NULL = not known, then they are not looked at */
  bool only_measure;        /* the plan stays as it is */
  bool may_free;            /* all fixed ranges may become ranges at run time */
  bool known_samples;       /* ranges were made with them: fixed ones look better than they are */
} vlm_repair_opts;

typedef struct vlm_repair_result {
  vlm_trial_output *outputs; /* of the plan as it is now, on all samples */
  int32_t n_outputs;
  bool ranked; /* nodes were measured one by one: output_db of the plan's nodes */
  int32_t changed, trials;
} vlm_repair_result;

/* Decisions of the plan change; the graphs do not. Free with vlm_repair_free. */
vlm_status vlm_repair(vlm_repair_result *out, const vlm_trials *trials, vlm_quant_plan *plan,
                      const vlm_quant_graph *graph, const vlm_stats *stats, const vlm_quant_opts *opts,
                      const vlm_repair_opts *how, vlm_error *err);
void vlm_repair_free(vlm_repair_result *result);

#endif
