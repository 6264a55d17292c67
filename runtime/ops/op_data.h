/* Small things that operator files share: results stored in their own type, bytes of tensors that may be empty, absent inputs. */
#ifndef VLM_OPS_OP_DATA_H
#define VLM_OPS_OP_DATA_H

#include <string.h>

#include "runtime/ops/op.h"

/* Refuses input k when its elements share bytes: for operators that have no form for that. */
vlm_status vlm_check_whole_bytes(vlm_op_call *c, int k);

/* What was computed in float32 / float64 (values.h says where) goes into output k, when it has another type. */
void vlm_store_f32(vlm_op_call *c, int k, const float *values);
void vlm_store_f64(vlm_op_call *c, int k, const double *values);

/* Sizes, strides, pads given as numbers: bounded so that a few of them can be multiplied and added without overflow. */
static inline bool vlm_is_extent(int64_t n) { return n >= 0 && n < (INT64_C(1) << 30); }

/* Empty tensors may have no memory at all, which memcpy and memset do not take. */
static inline void vlm_copy_some(void *to, const void *from, size_t bytes) {
  if (bytes > 0) memcpy(to, from, bytes);
}
static inline void vlm_zero_some(void *to, size_t bytes) {
  if (bytes > 0) memset(to, 0, bytes);
}

/* Input k when it is there, else NULL. */
static inline const vlm_tensor *vlm_in(const vlm_op_call *c, int k) { return k < c->n_in ? c->in[k] : NULL; }
static inline vlm_tensor *vlm_out(const vlm_op_call *c, int k) { return k < c->n_out ? c->out[k] : NULL; }

/* Integers given as attribute k or (when present) as input j; *count = -1 when neither is given. */
vlm_status vlm_ints_arg(vlm_op_call *c, int k, int j, int64_t *values, int max, int *count);
/* Scratch of count * size bytes, for sizes that depend on values: everything else is reserved in prepare. */
vlm_status vlm_scratch_array(vlm_op_call *c, void **out, int64_t count, size_t size);
/* The same for the type that `out`, the address of a pointer, points to. */
#define vlm_scratch_new(c, out, count) \
  VLM_TYPED(out, vlm_scratch_array((c), &vlm_block_, (count), sizeof **vlm_out_))

#endif
