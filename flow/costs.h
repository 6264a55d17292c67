/* What the graphs of a model cost at the shapes that the tools assume. */
#ifndef VLM_FLOW_COSTS_H
#define VLM_FLOW_COSTS_H

#include "quant/coverage.h"
#include "runtime/base/buffer.h"
#include "runtime/decode/bundle_profile.h"

/* A pipeline at the shapes that it gives its graphs; a single graph at those that it states, where dims that
 * are open are those of the largest calibrated run (stats, may be NULL), or else 1 (told in `assumed`: "height = 1, width = 1"). A graph that cannot be profiled has an error
 * of its own. Free with vlm_bundle_profile_free and vlm_text_free. */
vlm_status vlm_costs_make(vlm_bundle_profile *out, vlm_text *assumed, vlm_context *context,
                          const vlm_bundle *bundle, const vlm_stats *stats, vlm_error *err);

/* The multiplications of a lowered bundle. Not measured when a graph cannot be profiled or has dims that
 * nobody stated. */
vlm_status vlm_costs_share(vlm_coverage_share *out, vlm_context *context, const vlm_bundle *lowered,
                           vlm_error *err);

#endif
