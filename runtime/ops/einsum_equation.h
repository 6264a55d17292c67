/* Parsed einsum equation: every operand and the output as a list of label numbers, ellipses expanded to labels of their own. */
#ifndef VLM_OPS_EINSUM_EQUATION_H
#define VLM_OPS_EINSUM_EQUATION_H

#include "runtime/ops/op.h"

enum { VLM_EINSUM_LABELS = 52 + VLM_MAX_RANK, VLM_EINSUM_OPERANDS = 8 };

typedef struct vlm_einsum {
  int operands, labels;
  int rank[VLM_EINSUM_OPERANDS + 1]; /* the last used entry ([operands]) is the output */
  int label[VLM_EINSUM_OPERANDS + 1][2 * VLM_MAX_RANK];
  int64_t size[VLM_EINSUM_LABELS];
  bool in_output[VLM_EINSUM_LABELS];
} vlm_einsum;

/* Equation of attribute 0 against the shapes of the node's inputs. Sizes 1 broadcast only inside an ellipsis. */
vlm_status vlm_einsum_parse(vlm_op_call *c, vlm_einsum *e);

#endif
