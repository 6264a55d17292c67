/* Runs one node on constants, outside a session: what constant folding needs. */
#ifndef VLM_ONNX_EVALUATE_H
#define VLM_ONNX_EVALUATE_H

#include "runtime/graph/graph.h"

typedef struct vlm_evaluator vlm_evaluator;
vlm_status vlm_evaluator_create(vlm_evaluator **out, vlm_error *err);
void vlm_evaluator_free(vlm_evaluator *evaluator);

/* in[k] NULL = absent; out has n_outputs entries, data NULL where the node has no output. Each data is a block of vlm_alloc that the caller
 * frees, except that *shared tells that out[0] is in[0]'s memory. VLM_LIMIT when a result is above max_bytes; any other failure is that of
 * the operator. Nodes with subgraphs are refused (VLM_UNSUPPORTED). On failure nothing is left allocated. */
vlm_status vlm_evaluate_node(vlm_evaluator *evaluator, const vlm_node *node, const vlm_tensor *const *in,
                             vlm_tensor *out, bool *shared, size_t max_bytes, vlm_error *err);

#endif
