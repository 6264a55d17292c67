/* Packed weights of a step. */
#ifndef VLM_OPS_PACKED_H
#define VLM_OPS_PACKED_H

#include "runtime/ops/prepare.h"
#include "runtime/ops/weights.h"

/* Made when it is prepared if all inputs last. Weights that are computed are packed at every run, in its work space; the function that packs may take
 * memory for what it converts. */
typedef struct vlm_packed {
  vlm_weight_form form;
  const void *block;
  size_t at;
} vlm_packed;
vlm_status vlm_op_pack(vlm_op_call *c, vlm_packed *packed, const vlm_weight_form *form);
vlm_status vlm_op_packed(vlm_op_call *c, const vlm_packed *packed, const void **out);

/* Gives the weights back that the step holds. */
void vlm_op_binding_release(vlm_op_binding *binding);

#endif
