/* What would be quantized of a model that nobody has calibrated yet. */
#ifndef VLM_FLOW_FORESEE_H
#define VLM_FLOW_FORESEE_H

#include "quant/coverage.h"
#include "runtime/decode/bundle_profile.h"

/* The plan by placement alone, as if every range were known and good enough, and the shares that it would
 * give. costs: of the bundle.
 * Both are the caller's, on failure too. */
vlm_status vlm_foresee(vlm_quant_plan **plan, vlm_coverage **coverage, const vlm_bundle *bundle,
                       const vlm_bundle_profile *costs, vlm_error *err);

#endif
