/* Copies of a bundle's graphs, lowered: what a packed file of them will run. */
#ifndef VLM_FLOW_LOWERED_H
#define VLM_FLOW_LOWERED_H

#include "quant/plan.h"
#include "runtime/decode/bundle_lower.h"

typedef struct vlm_lowered_copy {
  vlm_bundle *bundle;
  vlm_lower_report reports[VLM_ROLE_COUNT]; /* of a graph of two roles at the first */
} vlm_lowered_copy;

/* What is applied to the copies before they are lowered (vlm_quant_apply). */
typedef struct vlm_lowered_plan {
  const vlm_quant_plan *plan;
  const vlm_stats *stats;
  const vlm_quant_opts *opts;
} vlm_lowered_plan;

/* plan NULL = the graphs as they are. The bundle stays as it is and must outlive the copy. Free with vlm_lowered_copy_free in any case. */
vlm_status vlm_lowered_copy_make(vlm_lowered_copy *out, const vlm_bundle *bundle,
                                 const vlm_lowered_plan *plan, vlm_error *err);
void vlm_lowered_copy_free(vlm_lowered_copy *copy);

#endif
