#include "runtime/ops/kv_present.h"

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_data.h"

void vlm_kv_copy(vlm_op_call *c, const vlm_kv_rows *r, const vlm_heads *from) {
  int64_t item = (int64_t)sizeof(float), head = r->room * r->size * item;
  vlm_nd nd = {0};
  vlm_nd_push(&nd, r->batch, r->heads * head, from->batch * item);
  vlm_nd_push(&nd, r->heads, head, from->head * item);
  vlm_nd_push(&nd, r->n, r->size * item, from->row * item);
  vlm_nd_push(&nd, r->size, item, item);
  vlm_nd_copy(c->threads, &nd, sizeof(float), r->to + r->at * r->size, from->data);
}

vlm_status vlm_kv_present(vlm_op_call *c, vlm_heads *out, int fresh, int past, int present, int64_t heads) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[fresh], *old = vlm_in(c, past);
  const float *data, *old_data;
  VLM_TRY(vlm_as_f32(c, x, &data));
  VLM_TRY(vlm_as_f32(c, old, &old_data));
  *out = vlm_heads_of(data, x, heads);
  if (!old && !vlm_out(c, present)) goto out;
  int64_t n = x->dims[x->rank - 2], size = x->rank == 4 ? x->dims[3] : x->dims[2] / heads, before = old ? old->dims[2] : 0;
  if (x->rank == 3) n = x->dims[1];
  float *all;
  VLM_TRY(vlm_out_f32(c, present, &all));
  if (!all) VLM_TRY(vlm_scratch_new(c, &all, x->dims[0] * heads * (before + n) * size));
  vlm_kv_rows rows = {.to = all, .batch = x->dims[0], .heads = heads, .room = before + n, .size = size, .n = before};
  if (old) {
    vlm_heads from = vlm_heads_of(old_data, old, heads);
    vlm_kv_copy(c, &rows, &from);
  }
  rows.at = before;
  rows.n = n;
  vlm_kv_copy(c, &rows, out);
  *out = (vlm_heads){all, heads * (before + n) * size, (before + n) * size, size};
  if (vlm_out(c, present)) vlm_store_f32(c, present, all);
out:
  return st;
}
