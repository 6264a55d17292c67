/* What the operators that gather along one axis share. */
#ifndef VLM_OPS_GATHER_H
#define VLM_OPS_GATHER_H

#include "runtime/ops/op.h"

/* Indices as int64, negative ones wrapped; refuses what lies outside [-size, size). */
vlm_status vlm_gather_indices(vlm_op_call *c, const vlm_tensor *t, int64_t size, int64_t *index);
/* Dims of input 0 with dim `axis` replaced by those of input 1. */
vlm_status vlm_gather_shape(vlm_op_call *c, int axis, int64_t *dims, int *rank);

#endif
