/* Where a candidate should be: the rules that decide before any range is looked at. What a node can be at all
 * is lower/'s answer. */
#ifndef VLM_QUANT_PLACEMENT_H
#define VLM_QUANT_PLACEMENT_H

#include "quant/candidate.h"
#include "quant/flow.h"
#include "quant/plan.h"

typedef struct vlm_placed {
  vlm_decision decision;
  const char *reason;  /* a constant string */
  int32_t forms;       /* vlm_form bits: what the node can be */
  const char *why_not; /* why an integer form is missing, or NULL */
} vlm_placed;

/* Elements of a weight up to which it is not worth its error. */
typedef struct vlm_tiny_sizes {
  int64_t any, depthwise;
} vlm_tiny_sizes;

/* What a candidate stands in. */
typedef struct vlm_surroundings {
  const char *role; /* of the root graph */
  vlm_flow *flow;   /* of its bodies */
  vlm_tiny_sizes tiny;
  const vlm_quant_opts *opts;
} vlm_surroundings;

/* The decision by placement alone. */
vlm_placed vlm_placement(const vlm_candidate *candidate, const vlm_surroundings *around);

/* `tiny` of a graph whose constants have `weights` elements in all. */
vlm_tiny_sizes vlm_placement_tiny(const vlm_body_list *bodies, int64_t weights);

/* What is left for a node that cannot have its static range: a range per row, else float activations, else
 * nothing. */
vlm_decision vlm_placement_without_range(int32_t forms);

#endif
