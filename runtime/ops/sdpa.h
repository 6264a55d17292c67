/* Scaled dot-product attention: y = softmax(softcap(scale * q k^T) + bias) v, per batch entry and head, in parallel.
 *
 * Every product is summed over its inner dim in order with fused multiply-add, every softmax row goes through the row kernels, so the
 * result depends neither on the CPU level nor on the number of threads. A row whose bias masks every key gives zeros. */
#ifndef VLM_OPS_SDPA_H
#define VLM_OPS_SDPA_H

#include "runtime/ops/values.h"

/* Rows of one matrix per (batch, head): element strides; the elements of a row are adjacent. */
typedef struct vlm_heads {
  const float *data;
  int64_t batch, head, row;
} vlm_heads;

enum { VLM_MAX_HEADS = 1 << 16 }; /* attributes above this are refused */
enum { VLM_SDPA_RAW, VLM_SDPA_SOFTCAPPED, VLM_SDPA_BIASED, VLM_SDPA_SOFTMAX }; /* what `scores` holds */

typedef struct vlm_sdpa {
  int64_t batch, heads,
      kv_heads; /* heads is a multiple of kv_heads; query head h reads key head h / (heads / kv_heads) */
  int64_t t, s, d, dv; /* queries, keys, head sizes */
  vlm_heads q, k, v;
  float *y;
  int64_t y_batch, y_head, y_row;
  float scale, softcap; /* softcap 0 = none */
  const float *mask;    /* added; NULL = none; strides 0 broadcast; vlm_sdpa_mask_get sets it */
  int64_t mask_batch, mask_head, mask_row, mask_column;
  int64_t mask_columns;   /* keys from here on are masked (with a mask only) */
  bool causal;            /* query i sees keys up to i + offset[b] */
  const int64_t *offset;  /* per batch entry; NULL = 0 */
  const int64_t *lengths; /* keys that exist per batch entry; NULL = s */
  int64_t left, right;    /* a query sees `left` keys up to its own, `right` from its own on; 0 = all */
  bool has_sink;          /* one more score of value sink takes part in the softmax and is dropped */
  const float *sink;      /* per head; NULL = 0 */
  float *scores;          /* [batch, heads, t, s] or NULL */
  int scores_mode;
  struct { /* what prepare decided; private */
    vlm_values values;
    float *kept;
    bool is_bool;
    size_t at, work, score_bytes, bytes;
  } own;
} vlm_sdpa;

/* For prepare functions: checks the sizes of `a`, whose strides are those of the run, and reserves what the run needs. */
vlm_status vlm_sdpa_prepare(vlm_op_call *c, vlm_sdpa *a);
void vlm_sdpa_run(vlm_op_call *c, const vlm_sdpa *a);

/* Input k (may be absent), seen with this shape, is the mask: of any type (bool: true = keep), with strides for [batch, heads, t, s]; the last dim
 * must be 1 or cover the keys. */
vlm_status vlm_sdpa_mask_prepare(vlm_op_call *c, vlm_sdpa *a, int k, const vlm_tensor *shape);
void vlm_sdpa_mask_get(const vlm_op_call *c, vlm_sdpa *a);

/* Strides of [B, H, S, D] (rank 4), [B, S, H * D] (rank 3 with H heads) or [N, S, D] as one head per batch entry. */
vlm_heads vlm_heads_of(const float *data, const vlm_tensor *t, int64_t heads);

#endif
