/* Prepared weights for operators: packed once per context when the input is a constant, else packed into scratch at every call. */
#ifndef VLM_OPS_WEIGHTS_H
#define VLM_OPS_WEIGHTS_H

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/prepared.h"
#include "runtime/ops/op.h"

/* Writes the packed form of `bytes` bytes into a 64-byte aligned block. */
typedef vlm_status vlm_weight_fill(void *block, void *user, vlm_error *err);

/* The packed form of input k. `shape` (5 numbers or fewer, zero-terminated by the array size) is whatever else the form depends on. */
vlm_status vlm_op_weight(vlm_op_call *c, int k, vlm_prepared_kind kind, const int64_t shape[5], size_t bytes, vlm_weight_fill *fill,
                         void *user, const void **out);

/* n floats from a tensor of 1 or n floats (n repeated); *out is NULL when t is NULL. VLM_INPUT names `what` otherwise. */
vlm_status vlm_op_floats(vlm_op_call *c, const vlm_tensor *t, int64_t n, const char *what, const float **out);
/* One float / integer of a one-element tensor. */
vlm_status vlm_op_scalar(vlm_op_call *c, const vlm_tensor *t, const char *what, float *out);
vlm_status vlm_op_zero_point(vlm_op_call *c, const vlm_tensor *t, int32_t *out); /* NULL = 0 */

#endif
