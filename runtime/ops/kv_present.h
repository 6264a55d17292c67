/* Keys or values of an attention node: the past followed by the new ones, as [batch, heads, length, size]. */
#ifndef VLM_OPS_KV_PRESENT_H
#define VLM_OPS_KV_PRESENT_H

#include "runtime/ops/sdpa.h"

typedef struct vlm_kv {
  int64_t batch, heads, n, size; /* new rows; the caller's to set */
  int64_t before;                /* past rows */
  bool joined; /* else there is no past and nobody wants the whole: new rows stay where they are */
  vlm_values past;
  vlm_result present;
  size_t at; /* where the whole is built when no output is */
} vlm_kv;
/* Input `past` [batch, heads, before, size] and output `present`; both may be absent. */
vlm_status vlm_kv_prepare(vlm_op_call *c, vlm_kv *kv, int past, int present);
/* Where the rows lie in the end, without the data; and those rows, past and new ones joined. */
vlm_heads vlm_kv_layout(const vlm_kv *kv, vlm_heads fresh);
vlm_heads vlm_kv_join(vlm_op_call *c, const vlm_kv *kv, vlm_heads fresh);

/* Rows [at, at + n) of to [batch, heads, room, size]. */
typedef struct vlm_kv_rows {
  float *to;
  int64_t batch, heads, room, size;
  int64_t at, n;
} vlm_kv_rows;
/* They become the rows of `from`. */
void vlm_kv_copy(vlm_op_call *c, const vlm_kv_rows *rows, const vlm_heads *from);

#endif
