#include "runtime/ops/kv_present.h"

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_data.h"

void vlm_kv_copy(vlm_op_call *c, float *dst, int64_t room, int64_t at, const vlm_heads *from, int64_t batch, int64_t heads, int64_t n,
                 int64_t size) {
  int64_t item = (int64_t)sizeof(float);
  vlm_nd nd = {0};
  vlm_nd_push(&nd, batch, heads * room * size * item, from->batch * item);
  vlm_nd_push(&nd, heads, room * size * item, from->head * item);
  vlm_nd_push(&nd, n, size * item, from->row * item);
  vlm_nd_push(&nd, size, item, item);
  vlm_nd_copy(c->threads, &nd, sizeof(float), dst + at * size, from->data);
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
  if (old) {
    vlm_heads from = vlm_heads_of(old_data, old, heads);
    vlm_kv_copy(c, all, before + n, 0, &from, x->dims[0], heads, before, size);
  }
  vlm_kv_copy(c, all, before + n, before, out, x->dims[0], heads, n, size);
  *out = (vlm_heads){all, heads * (before + n) * size, (before + n) * size, size};
  if (vlm_out(c, present)) vlm_store_f32(c, present, all);
out:
  return st;
}
