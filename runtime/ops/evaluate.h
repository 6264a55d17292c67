/* Runs one node on values that are there: constant folding, of the importer, of a graph and of a plan. */
#ifndef VLM_OPS_EVALUATE_H
#define VLM_OPS_EVALUATE_H

#include "runtime/ops/op.h"

typedef struct vlm_evaluate_opts {
  vlm_threads *threads; /* may be NULL */
  const struct vlm_kernels *kernels;
  size_t max_bytes; /* of all results together */
  /* Memory for a result of `bytes` bytes, 1 at least. */
  vlm_status (*take)(void *user, void **out, size_t bytes, vlm_error *err);
  void *user;
} vlm_evaluate_opts;

/* in[k] NULL = absent, else with data; out[k] NULL = not wanted. Each result gets memory from `take`, but for the first of an operator that only
 * gives its input another shape: that is in[0]'s memory. VLM_LIMIT when the results are above max_bytes; nodes with subgraphs are refused
 * (VLM_UNSUPPORTED). */
vlm_status vlm_node_evaluate(const vlm_evaluate_opts *e, const vlm_node *node, const vlm_tensor *const *in,
                             vlm_tensor *const *out, vlm_error *err);

#endif
