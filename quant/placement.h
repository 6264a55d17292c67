/* Which nodes can be quantized, and where they should be: the rules that decide before any range is looked at. */
#ifndef VLM_QUANT_PLACEMENT_H
#define VLM_QUANT_PLACEMENT_H

#include "quant/plan.h"

typedef struct vlm_candidate {
  const vlm_node *node;
  const vlm_tensor *weight;  /* f32 constant */
  int32_t weight_input;      /* index into node->inputs */
  int32_t axis;              /* output channels of the weight */
  vlm_value_id activation;   /* VLM_NO_VALUE for embeddings */
  bool by_row;               /* rows of the activation may have ranges of their own: x W + b, nothing more */
} vlm_candidate;

/* True when the node has constant float weights that some decision could quantize. */
bool vlm_candidate_of(vlm_candidate *out, const vlm_graph *graph, const vlm_node *node);

/* The decision by placement alone, with its reason (a constant string). */
vlm_decision vlm_placement(const vlm_candidate *candidate, const vlm_graph *graph, const char *role, const vlm_quant_opts *opts, const char **reason);

#endif
