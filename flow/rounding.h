/* Whether rounding that knows its inputs (quant/weight_round.h) is worth it at the outputs of a single graph: errors that are independent of one
 * another may cancel there, others may not, so that a gain at each product is no promise. */
#ifndef VLM_FLOW_ROUNDING_H
#define VLM_FLOW_ROUNDING_H

#include "calib/covariance.h"
#include "flow/samples.h"
#include "flow/trials.h"

typedef struct vlm_rounding {
  vlm_context *context;
  const vlm_bundle *bundle;
  const vlm_quant_graph *graph;
  const vlm_stats *stats;     /* may be NULL */
  const vlm_dataset *samples; /* NULL = those that the statistics keep */
  const vlm_quant_opts *quant;
} vlm_rounding;

/* What the inputs of the graph's products are like, from samples that were calibrated with; NULL when there are too few. Free with
 * vlm_covariances_free. */
vlm_status vlm_rounding_inputs(vlm_covariances **out, const vlm_rounding *how, vlm_error *err);

/* The plan was made with these inputs; it becomes one that rounds to nearest unless the worst output gains on samples that were not rounded
 * with. gain_db: NaN when there was nothing to measure on. */
vlm_status vlm_rounding_judge(vlm_quant_plan **plan, double *gain_db, const vlm_rounding *how,
                              vlm_error *err);

/* What an output must gain, in dB. */
extern const double vlm_rounding_least_db;

#endif
