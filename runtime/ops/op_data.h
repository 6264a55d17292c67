/* How operators get at their bytes: tensors of 2 and 4 bits unpacked to bytes, and any float type as float32 or float64.
 * All scratch lives until run returns. */
#ifndef VLM_OPS_OP_DATA_H
#define VLM_OPS_OP_DATA_H

#include <string.h>

#include "runtime/ops/op.h"

/* Input k (present) as a tensor with whole-byte elements: itself, or for types of 2 and 4 bits one byte per element in scratch. */
vlm_status vlm_unpacked_in(vlm_op_call *c, int k, vlm_tensor *t);
/* Output k likewise; call vlm_pack_out with it when it is filled. */
vlm_status vlm_unpacked_out(vlm_op_call *c, int k, vlm_tensor *t);
void vlm_pack_out(vlm_op_call *c, int k, const vlm_tensor *t);

/* Refuses input k when its elements share bytes: for operators that have no form for that. */
vlm_status vlm_check_whole_bytes(vlm_op_call *c, int k);

/* The values of a tensor as float32 / float64 / int64: the tensor's own memory when it has that type, else a converted copy. NULL stays
 * NULL. */
vlm_status vlm_as_f32(vlm_op_call *c, const vlm_tensor *t, const float **out);
vlm_status vlm_as_f64(vlm_op_call *c, const vlm_tensor *t, const double **out);
vlm_status vlm_as_s64(vlm_op_call *c, const vlm_tensor *t, const int64_t **out);
/* Where to compute output k in float32 / float64 (its own memory, or scratch), and the conversion afterwards. NULL when not wanted. */
vlm_status vlm_out_f32(vlm_op_call *c, int k, float **out);
void vlm_store_f32(vlm_op_call *c, int k, const float *values);
vlm_status vlm_out_f64(vlm_op_call *c, int k, double **out);
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
/* Scratch of count * size bytes with the product checked. */
vlm_status vlm_scratch_array(vlm_op_call *c, void **out, int64_t count, size_t size);
/* The same for the type that `out`, the address of a pointer, points to. */
#define vlm_scratch_new(c, out, count) VLM_TYPED(out, vlm_scratch_array((c), &vlm_block_, (count), sizeof **vlm_out_))

#endif
