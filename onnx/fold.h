/* Private to the pass "fold": what is constant, what is wanted as one, and constants that several bodies share. */
#ifndef VLM_ONNX_FOLD_H
#define VLM_ONNX_FOLD_H

#include "onnx/evaluate.h"
#include "onnx/pass.h"

/* The quantized form of a model is what it is stored and lowered as, so DequantizeLinear of small integers stays; subgraphs and random
 * numbers stay, too. */
bool vlm_fold_stays(const vlm_graph *graph, const vlm_node *node);

/* Per value of a graph. Both arrays are freed by the caller. */
typedef struct vlm_fold_demand {
  bool *wanted;  /* a constant here is a weight or a table: it is folded whatever its size */
  int32_t *uses; /* readers that are still there */
  int32_t n_values;
} vlm_fold_demand;
vlm_status vlm_fold_demand_of(vlm_fold_demand *out, const vlm_graph *graph, vlm_error *err);
void vlm_fold_demand_free(vlm_fold_demand *demand);

/* A body that computes something large from the constants of an enclosing graph: its name there tells operator, attributes and operands,
 * so that the next body finds it. *name NULL = the result belongs to the body; else *owner is the graph for it. */
vlm_status vlm_fold_outer_name(vlm_graph *graph, const vlm_node *node, const vlm_tensor *const *in,
                               vlm_graph **owner, const char **name, vlm_error *err);

#endif
