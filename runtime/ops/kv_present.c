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

vlm_status vlm_kv_prepare(vlm_op_call *c, vlm_kv *kv, int past, int present) {
  vlm_status st = VLM_OK;
  const vlm_tensor *old = vlm_in(c, past);
  kv->before = old ? old->dims[2] : 0;
  kv->joined = old || vlm_out(c, present);
  VLM_TRY(vlm_floats_prepare(c, &kv->past, past));
  VLM_TRY(vlm_result_prepare(c, &kv->present, present));
  if (kv->joined && !vlm_out(c, present))
    VLM_TRY(
        vlm_op_reserve(c, &kv->at, kv->batch * kv->heads * (kv->before + kv->n) * kv->size, sizeof(float)));
out:
  return st;
}

vlm_heads vlm_kv_layout(const vlm_kv *kv, vlm_heads fresh) {
  int64_t head = (kv->before + kv->n) * kv->size;
  return kv->joined ? (vlm_heads){NULL, kv->heads * head, head, kv->size} : fresh;
}

vlm_heads vlm_kv_join(vlm_op_call *c, const vlm_kv *kv, vlm_heads fresh) {
  vlm_heads whole = vlm_kv_layout(kv, fresh);
  if (!kv->joined) return fresh;
  float *all = vlm_result_get(c, &kv->present);
  if (!all) all = vlm_op_work(c, kv->at);
  vlm_kv_rows rows = {.to = all,
                      .batch = kv->batch,
                      .heads = kv->heads,
                      .room = kv->before + kv->n,
                      .size = kv->size,
                      .n = kv->before};
  const vlm_heads old = {vlm_values_get(c, &kv->past), kv->heads * kv->before * kv->size,
                         kv->before * kv->size, kv->size};
  if (old.data) vlm_kv_copy(c, &rows, &old);
  rows.at = kv->before;
  rows.n = kv->n;
  vlm_kv_copy(c, &rows, &fresh);
  if (kv->present.output >= 0) vlm_store_f32(c, kv->present.output, all);
  whole.data = all;
  return whole;
}
