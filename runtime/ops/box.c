#include "runtime/ops/box.h"

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

typedef struct {
  vlm_nd_plan plan;
  int64_t to, from;
  bool zeroed;
  vlm_bytes in, out;
} box_state;

vlm_tensor vlm_whole(const vlm_tensor *t) {
  vlm_tensor whole = *t;
  whole.data = NULL;
  if (vlm_dtype_bits(t->dtype) < 8) whole.dtype = VLM_U8;
  return whole;
}

vlm_status vlm_box_prepare(vlm_op_call *c, const vlm_nd *nd, int64_t to, int64_t from, bool zeroed) {
  vlm_status st = VLM_OK;
  box_state *s;
  const vlm_tensor whole = vlm_whole(c->in[0]);
  VLM_TRY(vlm_op_state_new(c, &s));
  vlm_nd_plan_make(&s->plan, nd, vlm_item_size(&whole));
  s->to = to;
  s->from = from;
  s->zeroed = zeroed;
  VLM_TRY(vlm_bytes_prepare(c, &s->in, c->in[0]));
  VLM_TRY(vlm_bytes_prepare(c, &s->out, c->out[0]));
out:
  return st;
}

vlm_status vlm_run_box(vlm_op_call *c) {
  const box_state *s = c->state;
  const char *in = vlm_bytes_read(c, &s->in, c->in[0]);
  char *out = vlm_bytes_place(c, &s->out, c->out[0]);
  if (s->zeroed) vlm_zero_some(out, (size_t)vlm_tensor_count(c->out[0]) * s->plan.item);
  vlm_nd_plan_run(&s->plan, c->threads, out + s->to, in + s->from);
  vlm_bytes_store(&s->out, c->out[0], out);
  return VLM_OK;
}
