/* If and Loop. Bodies run through the executor; their results live only as long as the call. */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
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

/* ---- If ---- */

vlm_status vlm_run_If(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor *results = NULL;
  double condition;
  VLM_TRY(vlm_scalar_real(c, 0, "cond", 0, &condition));
  vlm_graph *body = vlm_arg(c, condition != 0 ? 0 : 1)->u.g;
  VLM_CHECK(body->n_outputs == c->n_out, c->err, VLM_INPUT, "the branch has %d outputs, the node %d", body->n_outputs, c->n_out);
  VLM_TRY(vlm_scratch_new(c, &results, c->n_out));
  VLM_TRY(c->run_body(c, body, NULL, 0, results, c->n_out));
  for (int32_t k = 0; k < c->n_out; k++) VLM_TRY(give(c, k, &results[k]));
out:
  return st;
}

/* ---- Loop ---- */

/* A one-element tensor as the body declares that input: scalar, or [1]. */
static vlm_tensor one_element(const vlm_graph *body, int32_t input, vlm_dtype dtype, void *data) {
  static const int64_t one = 1;
  return vlm_tensor_make(dtype, body->values[body->inputs[input]].tensor.rank == 1 ? 1 : 0, &one, data);
}

typedef struct loop_run {
  vlm_graph *body;
  int32_t carried, scans;
  vlm_tensor *inputs, *outputs;   /* of the body: counter, condition, carried… / condition, carried…, scans… */
  vlm_stack *stacks;              /* one per scan output */
  int64_t counter;
  uint8_t condition;
} loop_run;

static vlm_status loop_setup(vlm_op_call *c, loop_run *l) {
  vlm_status st = VLM_OK;
  l->body = vlm_arg(c, 0)->u.g;
  l->carried = c->n_in > 2 ? c->n_in - 2 : 0;
  l->scans = c->n_out - l->carried;
  VLM_CHECK(l->scans >= 0 && l->body->n_inputs == 2 + l->carried && l->body->n_outputs == 1 + c->n_out, c->err, VLM_INPUT,
            "the body has %d inputs and %d outputs, wanted %d and %d", l->body->n_inputs, l->body->n_outputs, 2 + l->carried, 1 + c->n_out);
  VLM_TRY(vlm_scratch_new(c, &l->inputs, 2 + l->carried));
  VLM_TRY(vlm_scratch_new(c, &l->outputs, 1 + c->n_out));
  VLM_TRY(vlm_scratch_new(c, &l->stacks, l->scans));
  memset(l->stacks, 0, (size_t)l->scans * sizeof *l->stacks);
  l->inputs[0] = one_element(l->body, 0, VLM_S64, &l->counter);
  l->inputs[1] = one_element(l->body, 1, VLM_BOOL, &l->condition);
  for (int32_t i = 0; i < l->carried; i++) {
    VLM_CHECK(c->in[2 + i], c->err, VLM_INPUT, "input %d (a carried value) is missing", 2 + i);
    l->inputs[2 + i] = *c->in[2 + i];
  }
out:
  return st;
}

static vlm_status loop_step(vlm_op_call *c, loop_run *l) {
  vlm_status st = VLM_OK;
  VLM_TRY(c->run_body(c, l->body, l->inputs, 2 + l->carried, l->outputs, 1 + c->n_out));
  l->condition = vlm_tensor_count(&l->outputs[0]) > 0 && vlm_tensor_get(&l->outputs[0], 0) != 0;
  for (int32_t i = 0; i < l->carried; i++) l->inputs[2 + i] = l->outputs[1 + i];
  for (int32_t i = 0; i < l->scans; i++) VLM_TRY(vlm_stack_push(&l->stacks[i], &l->outputs[1 + l->carried + i], c->err));
out:
  return st;
}

/* The stack as one tensor [steps, …]; without any step the shape comes from the body's declaration. */
static vlm_status give_stack(vlm_op_call *c, int32_t k, const vlm_stack *s, const vlm_value *declared) {
  vlm_tensor all = {.dtype = s->count > 0 ? s->item.dtype : declared->tensor.dtype, .dims = {s->count}, .data = s->data};
  const vlm_tensor *item = s->count > 0 ? &s->item : &declared->tensor;
  int rank = item->rank < 0 ? 0 : item->rank;
  if (rank >= VLM_MAX_RANK) return vlm_fail(c->err, VLM_UNSUPPORTED, "scan output %d of %d dims is not supported", k, rank + 1);
  for (int i = 0; i < rank; i++) all.dims[1 + i] = item->dims[i] < 0 ? 0 : item->dims[i];
  all.rank = rank + 1;
  if (all.dtype == VLM_NONE) all.dtype = VLM_F32;
  if (vlm_dtype_bits(all.dtype) < 8) return vlm_fail(c->err, VLM_UNSUPPORTED, "scan output %d of %s is not supported", k, vlm_dtype_name(all.dtype));
  return give(c, k, &all);
}

vlm_status vlm_run_Loop(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  loop_run l = {.condition = 1};
  const vlm_tensor *most = vlm_in(c, 0), *condition = vlm_in(c, 1);
  VLM_TRY(loop_setup(c, &l));
  int64_t trips = most && vlm_tensor_count(most) > 0 ? vlm_tensor_get_int(most, 0) : INT64_MAX;
  if (condition && vlm_tensor_count(condition) > 0) l.condition = vlm_tensor_get(condition, 0) != 0;
  for (; l.counter < trips && l.condition; l.counter++) VLM_TRY(loop_step(c, &l));
  for (int32_t i = 0; i < l.carried; i++) VLM_TRY(give(c, i, &l.inputs[2 + i]));
  for (int32_t i = 0; i < l.scans; i++) {
    int32_t k = l.carried + i;
    VLM_TRY(give_stack(c, k, &l.stacks[i], &l.body->values[l.body->outputs[1 + k]]));
  }
out:
  for (int32_t i = 0; l.stacks && i < l.scans; i++) vlm_stack_free(&l.stacks[i]);
  return st;
}
