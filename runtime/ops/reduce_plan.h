/* The geometry of a reduction, and the ten kinds. */
#ifndef VLM_OPS_REDUCE_PLAN_H
#define VLM_OPS_REDUCE_PLAN_H

#include "runtime/ops/op.h"

typedef enum vlm_reduce_kind {
  VLM_REDUCE_SUM,
  VLM_REDUCE_MEAN,
  VLM_REDUCE_MAX,
  VLM_REDUCE_MIN,
  VLM_REDUCE_PROD,
  VLM_REDUCE_L1,
  VLM_REDUCE_L2,
  VLM_REDUCE_LOG_SUM,
  VLM_REDUCE_LOG_SUM_EXP,
  VLM_REDUCE_SUM_SQUARE
} vlm_reduce_kind;

/* Kept and reduced dims of the input with their strides in elements, neighbours joined. */
typedef struct vlm_reduce_plan {
  int n_kept, n_reduced;
  int64_t kept_dim[VLM_MAX_RANK], kept_stride[VLM_MAX_RANK];
  int64_t reduced_dim[VLM_MAX_RANK], reduced_stride[VLM_MAX_RANK];
  int64_t outputs, count; /* number of results, elements in each */
} vlm_reduce_plan;

/* axes[i] tells whether dim i is reduced. */
vlm_status vlm_reduce_axes(vlm_op_call *c, bool axes[VLM_MAX_RANK]);
void vlm_reduce_plan_make(vlm_reduce_plan *p, const vlm_tensor *t, const bool *axes);
/* Offset of the first element of result i; offset of element j relative to it. */
int64_t vlm_reduce_base(const vlm_reduce_plan *p, int64_t i);
int64_t vlm_reduce_offset(const vlm_reduce_plan *p, int64_t j);

/* Floats of work space that vlm_reduce_f32 wants per thread; often 0. */
int64_t vlm_reduce_room(const vlm_reduce_plan *p);
/* float32: x and y hold the values as float32. */
void vlm_reduce_f32(vlm_op_call *c, const vlm_reduce_plan *p, vlm_reduce_kind kind, const float *x, float *y,
                    float *room);

#endif
