/* Operands that are read in place of a Transpose, Squeeze, Split or Gather of them: dims and distances. */
#ifndef VLM_OPS_VIEW_H
#define VLM_OPS_VIEW_H

#include "runtime/ops/op.h"

typedef struct vlm_view {
  int rank;
  int64_t dims[VLM_MAX_RANK], strides[VLM_MAX_RANK]; /* in elements */
  int64_t offset;
} vlm_view;

/* `how`: ints {axis, part, parts, axes of the tensor in the order of the view …}, or absent: the tensor itself. axis >= 0: part number
 * `part` of `parts` equal ones along it, or the one element `part` when parts is 0. Axes that are not named are 1 long. */
vlm_status vlm_view_read(vlm_op_call *c, const vlm_tensor *t, const vlm_attr *how, vlm_view *out);
enum { VLM_VIEW_AXIS, VLM_VIEW_PART, VLM_VIEW_PARTS, VLM_VIEW_AXES };

#endif
