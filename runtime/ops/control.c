/* If and Loop. Bodies run through the executor; their results live only as long as the call. */
#include "runtime/ops/control.h"

#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/tensor_stack.h"

/* Output k becomes a copy of t. */
static vlm_status give(vlm_op_call *c, int32_t k, const vlm_tensor *t) {
  if (!vlm_out(c, k)) return VLM_OK;
  vlm_out_shape(c, k, t->dtype, t->rank, t->dims);
  vlm_status st = c->allocate(c, k);
  size_t bytes = vlm_tensor_bytes(t);
  if (st == VLM_OK && bytes > 0) memcpy(c->out[k]->data, t->data, bytes);
  return st;
}

/* ---- If: the executor runs the branch itself (VLM_OP_BRANCH), so that its results stay where they are ---- */

vlm_status vlm_prepare_If(vlm_op_call *c) {
  vlm_branches *b;
  vlm_status st = vlm_op_state_new(c, &b);
  if (st == VLM_OK) *b = (vlm_branches){.then_branch = vlm_arg(c, 0)->u.g, .else_branch = vlm_arg(c, 1)->u.g};
  return st;
}

vlm_status vlm_run_If(vlm_op_call *c) {
  return vlm_fail(c->err, VLM_INTERNAL, "a branch is run by the executor");
}

/* ---- Loop ---- */

/* A one-element tensor as the body declares that input: scalar, or [1]. */
static vlm_tensor one_element(const vlm_graph *body, int32_t input, vlm_dtype dtype, void *data) {
  static const int64_t one = 1;
  return vlm_tensor_make(dtype, body->values[body->inputs[input]].tensor.rank == 1 ? 1 : 0, &one, data);
}

typedef struct {
  vlm_graph *body;
  int32_t carried, scans;
  size_t inputs, outputs, stacks;
} loop_state;

vlm_status vlm_prepare_Loop(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  loop_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  s->body = vlm_arg(c, 0)->u.g;
  s->carried = c->n_in > 2 ? c->n_in - 2 : 0;
  s->scans = c->n_out - s->carried;
  VLM_CHECK(s->scans >= 0 && s->body->n_inputs == 2 + s->carried && s->body->n_outputs == 1 + c->n_out,
            c->err, VLM_INPUT, "the body has %d inputs and %d outputs, wanted %d and %d", s->body->n_inputs,
            s->body->n_outputs, 2 + s->carried, 1 + c->n_out);
  for (int32_t i = 0; i < s->carried; i++)
    VLM_CHECK(c->in[2 + i], c->err, VLM_INPUT, "input %d (a carried value) is missing", 2 + i);
  VLM_TRY(vlm_op_reserve(c, &s->inputs, 2 + s->carried, sizeof(vlm_tensor)));
  VLM_TRY(vlm_op_reserve(c, &s->outputs, 1 + c->n_out, sizeof(vlm_tensor)));
  VLM_TRY(vlm_op_reserve(c, &s->stacks, s->scans, sizeof(vlm_stack)));
out:
  return st;
}

typedef struct loop_run {
  vlm_graph *body;
  int32_t carried, scans;
  vlm_tensor *inputs, *outputs; /* of the body: counter, condition, carried… / condition, carried…, scans… */
  vlm_stack *stacks;            /* one per scan output */
  int64_t counter;
  uint8_t condition;
} loop_run;

static void loop_start(const vlm_op_call *c, loop_run *l) {
  const loop_state *s = c->state;
  *l = (loop_run){.body = s->body,
                  .carried = s->carried,
                  .scans = s->scans,
                  .inputs = vlm_op_work(c, s->inputs),
                  .outputs = vlm_op_work(c, s->outputs),
                  .stacks = vlm_op_work(c, s->stacks),
                  .condition = 1};
  for (int32_t i = 0; i < l->scans; i++) l->stacks[i] = (vlm_stack){0};
  l->inputs[0] = one_element(l->body, 0, VLM_S64, &l->counter);
  l->inputs[1] = one_element(l->body, 1, VLM_BOOL, &l->condition);
  for (int32_t i = 0; i < l->carried; i++) l->inputs[2 + i] = *c->in[2 + i];
}

static vlm_status loop_step(vlm_op_call *c, loop_run *l) {
  vlm_status st = VLM_OK;
  VLM_TRY(c->run_body(c, l->body, l->inputs, 2 + l->carried, l->outputs, 1 + c->n_out));
  l->condition = vlm_tensor_count(&l->outputs[0]) > 0 && vlm_tensor_get(&l->outputs[0], 0) != 0;
  for (int32_t i = 0; i < l->carried; i++) l->inputs[2 + i] = l->outputs[1 + i];
  for (int32_t i = 0; i < l->scans; i++)
    VLM_TRY(vlm_stack_push(&l->stacks[i], &l->outputs[1 + l->carried + i], c->err));
out:
  return st;
}

/* The stack as one tensor [steps, …]; without any step the shape comes from the body's declaration. */
static vlm_status give_stack(vlm_op_call *c, int32_t k, const vlm_stack *s, const vlm_value *declared) {
  vlm_tensor all = {
      .dtype = s->count > 0 ? s->item.dtype : declared->tensor.dtype, .dims = {s->count}, .data = s->data};
  const vlm_tensor *item = s->count > 0 ? &s->item : &declared->tensor;
  int rank = item->rank < 0 ? 0 : item->rank;
  if (rank >= VLM_MAX_RANK)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "scan output %d of %d dims is not supported", k, rank + 1);
  for (int i = 0; i < rank; i++) all.dims[1 + i] = item->dims[i] < 0 ? 0 : item->dims[i];
  all.rank = rank + 1;
  if (all.dtype == VLM_NONE) all.dtype = VLM_F32;
  if (vlm_dtype_bits(all.dtype) < 8)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "scan output %d of %s is not supported", k,
                    vlm_dtype_name(all.dtype));
  return give(c, k, &all);
}

vlm_status vlm_run_Loop(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  loop_run l;
  const vlm_tensor *most = vlm_in(c, 0), *condition = vlm_in(c, 1);
  loop_start(c, &l);
  int64_t trips = most && vlm_tensor_count(most) > 0 ? vlm_tensor_get_int(most, 0) : INT64_MAX;
  if (condition && vlm_tensor_count(condition) > 0) l.condition = vlm_tensor_get(condition, 0) != 0;
  for (; l.counter < trips && l.condition; l.counter++) VLM_TRY(loop_step(c, &l));
  for (int32_t i = 0; i < l.carried; i++) VLM_TRY(give(c, i, &l.inputs[2 + i]));
  for (int32_t i = 0; i < l.scans; i++) {
    int32_t k = l.carried + i;
    VLM_TRY(give_stack(c, k, &l.stacks[i], &l.body->values[l.body->outputs[1 + k]]));
  }
out:
  for (int32_t i = 0; i < l.scans; i++) vlm_stack_free(&l.stacks[i]);
  return st;
}
