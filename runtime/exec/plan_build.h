/* Private to the plan: what its stages hand on.
 *
 * 1. shapes: walk the nodes in order, infer, fold what shapes alone decide (Shape -> Gather -> Concat chains vanish here);
 * 2. need: walk back from the outputs, drop what nothing needs;
 * 3. steps: one per remaining node, prepared, with lifetimes;
 * 4. memory: offsets for everything whose size is known, values and work space. */
#ifndef VLM_EXEC_PLAN_BUILD_H
#define VLM_EXEC_PLAN_BUILD_H

#include "runtime/exec/plan.h"

typedef struct vlm_plan_order vlm_plan_order;
typedef struct vlm_plan_builder {
  const vlm_plan_request *request;
  vlm_plan *plan;
  bool *needed;            /* per value */
  vlm_step_kind *kinds;    /* per node */
  bool *folded;            /* per node: no step */
  vlm_op_call *calls;      /* per node: in and out are plan->values */
  vlm_plan_order **orders; /* per value: NULL = none of its own */
  vlm_value_id *instead;   /* per node: what it is a view of, in place of its input; VLM_NO_VALUE = of that */
  bool tapped;             /* any value is */
  vlm_error *err;
} vlm_plan_builder;

/* plan_shapes.c */
vlm_status vlm_plan_shapes(vlm_plan_builder *b);
/* plan_orders.c: a view, of what was seen to be moved; a node whose call says how it moves dims. *view_of: the value in whose order its
 * output lies, or VLM_NO_VALUE. */
vlm_status vlm_plan_see_view(vlm_plan_builder *b, const vlm_node *node);
vlm_status vlm_plan_see_move(vlm_plan_builder *b, const vlm_node *node, const vlm_op_call *call,
                             vlm_value_id *view_of);
/* plan_steps.c */
vlm_status vlm_plan_steps(vlm_plan_builder *b);
/* plan_memory.c */
vlm_status vlm_plan_memory(vlm_plan_builder *b);

#endif
