/* Private to ops/: bounds of integer attributes (attr_bounds.def). */
#ifndef VLM_OPS_ATTR_BOUNDS_H
#define VLM_OPS_ATTR_BOUNDS_H

#include "runtime/graph/graph.h"

/* Refuses numbers that no node may have, naming the attribute. */
vlm_status vlm_attr_check_bounds(const vlm_attr *attr, vlm_error *err);

#endif
