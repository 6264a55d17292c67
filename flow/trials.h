/* Plans tried in memory: the quantized graph against the float one on samples at hand. What comes out is measured
 * at the outputs; nothing is written. */
#ifndef VLM_FLOW_TRIALS_H
#define VLM_FLOW_TRIALS_H

#include "calib/kept.h"
#include "quant/plan.h"
#include "runtime/exec/session.h"

typedef struct vlm_trial_output {
  const char *name;     /* in the graph's arena */
  double signal, noise; /* sums of squares; noise is infinite when a value that is finite became none */
  double row_db;        /* all rows but the worst 5 % are above; NaN = not known */
} vlm_trial_output;

typedef struct vlm_trials vlm_trials;

/* Runs the graph on the samples and remembers its outputs. Graph, context and samples must outlive the trials;
 * the graph must stay as it is. Free with vlm_trials_free. */
vlm_status vlm_trials_open(vlm_trials **out, vlm_context *context, const vlm_graph *graph,
                           vlm_kept_sample *const *samples, int32_t count, vlm_error *err);
void vlm_trials_free(vlm_trials *trials);

/* Float outputs; one of another type has no signal. */
int32_t vlm_trials_outputs(const vlm_trials *trials);
/* out: [vlm_trials_outputs]. The plan is applied to a copy, which is run on the first `samples` samples (0 = all). */
vlm_status vlm_trials_run(const vlm_trials *trials, vlm_trial_output *out, const vlm_quant_plan *plan,
                          const vlm_stats *stats, const vlm_quant_opts *opts, int32_t samples,
                          vlm_error *err);

/* The same for any other change of the copy, which is lowered afterwards. */
typedef vlm_status vlm_trial_change(void *user, vlm_graph *graph, vlm_error *err);
vlm_status vlm_trials_run_changed(const vlm_trials *trials, vlm_trial_output *out, vlm_trial_change *change,
                                  void *user, int32_t samples, vlm_error *err);

/* Infinite without noise. */
double vlm_trial_db(const vlm_trial_output *output);
/* Of the outputs that have a signal the one with the least SQNR; -1 = none has. */
int32_t vlm_trial_worst(const vlm_trial_output *outputs, int32_t count);

#endif
