/* What a step of If holds when it is prepared (vlm_op_call.state). */
#ifndef VLM_OPS_CONTROL_H
#define VLM_OPS_CONTROL_H

#include "runtime/graph/graph.h"

typedef struct vlm_branches {
  vlm_graph *then_branch, *else_branch;
} vlm_branches;

#endif
