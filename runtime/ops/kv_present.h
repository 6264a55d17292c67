/* Keys or values of an attention node: the past followed by the new ones, as [batch, heads, length, size]. */
#ifndef VLM_OPS_KV_PRESENT_H
#define VLM_OPS_KV_PRESENT_H

#include "runtime/ops/sdpa.h"

/* New rows from input `fresh` ([B, H, S, D] or [B, S, H * D]), old ones from input `past` (may be absent). Output `present`, when
 * wanted, gets the whole;
 * *out points to it in float32, or to the fresh rows in place when there is nothing to join. */
vlm_status vlm_kv_present(vlm_op_call *c, vlm_heads *out, int fresh, int past, int present, int64_t heads);
/* Rows [at, at + n) of to [batch, heads, room, size]. */
typedef struct vlm_kv_rows {
  float *to;
  int64_t batch, heads, room, size;
  int64_t at, n;
} vlm_kv_rows;
/* They become the rows of `from`. */
void vlm_kv_copy(vlm_op_call *c, const vlm_kv_rows *rows, const vlm_heads *from);

#endif
