/* Keys or values of an attention node: the past followed by the new ones, as [batch, heads, length, size]. */
#ifndef VLM_OPS_KV_PRESENT_H
#define VLM_OPS_KV_PRESENT_H

#include "runtime/ops/sdpa.h"

/* New rows from input `fresh` ([B, H, S, D] or [B, S, H * D]), old ones from input `past` (may be absent). Output `present`, when
 * wanted, gets the whole;
 * *out points to it in float32, or to the fresh rows in place when there is nothing to join. */
vlm_status vlm_kv_present(vlm_op_call *c, vlm_heads *out, int fresh, int past, int present, int64_t heads);
/* dst [batch, heads, room, size] rows [at, at + n) = rows of `from`. */
void vlm_kv_copy(vlm_op_call *c, float *dst, int64_t room, int64_t at, const vlm_heads *from, int64_t batch, int64_t heads, int64_t n,
                 int64_t size);

#endif
