/* What an operator wants of its inputs, said in one voice: "input 2 (position_ids) has shape [3, 1], wanted [4, ?]".
 * Absent inputs pass the vlm_require_ functions. */
#ifndef VLM_OPS_OP_CHECK_H
#define VLM_OPS_OP_CHECK_H

#include "runtime/ops/op.h"

vlm_status vlm_require_type(vlm_op_call *c, int k, const char *name, vlm_dtype wanted);
/* uint8 or int8. */
vlm_status vlm_require_byte(vlm_op_call *c, int k, const char *name);
/* A float type of at least 16 bits. */
vlm_status vlm_require_whole_floats(vlm_op_call *c, int k, const char *name);
/* Any integer type. */
vlm_status vlm_require_integers(vlm_op_call *c, int k, const char *name);
vlm_status vlm_require_rank(vlm_op_call *c, int k, const char *name, int wanted);
/* This many elements, whatever the shape. */
vlm_status vlm_require_count(vlm_op_call *c, int k, const char *name, int64_t wanted);
/* This shape; -1 takes any size. */
vlm_status vlm_require_dims(vlm_op_call *c, int k, const char *name, int rank, const int64_t *wanted);

/* The only element of input k; `fallback` when the input is absent. An empty tensor is refused. VLM_UNKNOWN when the value is not there yet. */
vlm_status vlm_scalar_int(vlm_op_call *c, int k, const char *name, int64_t fallback, int64_t *out);
vlm_status vlm_scalar_real(vlm_op_call *c, int k, const char *name, double fallback, double *out);

#endif
