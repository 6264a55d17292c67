/* Where a value goes: what tells the rows of an embedding from the rows of anchors, grids and other
 * coordinates. */
#ifndef VLM_QUANT_FLOW_H
#define VLM_QUANT_FLOW_H

#include "runtime/graph/bodies.h"

typedef struct vlm_flow vlm_flow;

/* For a resolved graph and its bodies, which must stay as they are. Free with vlm_flow_free. */
vlm_status vlm_flow_create(vlm_flow **out, const vlm_body_list *bodies, vlm_error *err);
void vlm_flow_free(vlm_flow *flow);

/* Does a value of a body, on its way through element-wise operators, normalisations and operators that only
 * arrange values, enter an operator that multiplies (traits: macs)? Bodies are entered and left. */
bool vlm_flow_meets_product(vlm_flow *flow, const vlm_body *body, vlm_value_id id);

#endif
