/* What one run of a graph costs: multiply-accumulates per node, activation memory, the shapes that come out.
 *
 * Shapes are planned without computing; a graph with shapes that depend on data (NonZero, If, Loop) is run once instead. */
#ifndef VLM_EXEC_PROFILE_H
#define VLM_EXEC_PROFILE_H

#include "runtime/exec/session.h"

typedef struct vlm_profile_node {
  const vlm_graph *graph; /* the graph, or the body of one of its control-flow nodes */
  int32_t node;
  int64_t runs; /* above 1 in loops */
  int64_t macs; /* of all runs */
} vlm_profile_node;

typedef struct vlm_profile {
  vlm_profile_node *nodes; /* those that multiply, in order of their first run */
  int32_t n_nodes;
  int64_t macs; /* multiply-accumulates; INT64_MAX = more than that */
  size_t
      activation_bytes; /* high-water mark of values between nodes and of outputs; inputs and constants are outside */
  bool executed;                /* a run was needed: then work space of operators is in activation_bytes */
  vlm_tensor *inputs, *outputs; /* types and shapes, data NULL; graph order */
  vlm_tensor *values;           /* likewise, per value of the graph; rank -1 = never made */
  int32_t n_inputs, n_outputs;
} vlm_profile;

/* inputs[i] belongs to graph->inputs[i]: type and shape; data may be NULL (zeros, when a run is needed).
 * What counts as multiply-accumulate: runtime/ops/macs.h. Free with vlm_profile_free. */
vlm_status vlm_graph_profile(vlm_profile *out, vlm_context *context, const vlm_graph *graph,
                             const vlm_tensor *inputs, vlm_error *err);
void vlm_profile_free(vlm_profile *profile);

#endif
