/* Scan: opset 8 (with a batch axis and sequence lengths) and opset 9 and later (any scan axes and directions). */
#include <string.h>

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/tensor_stack.h"

enum { BODY, NUM_SCAN_INPUTS, IN_AXES, IN_DIRECTIONS, OUT_AXES, OUT_DIRECTIONS, OLD_DIRECTIONS };

typedef struct scan_run {
  vlm_graph *body;
  bool batched;              /* opset 8 */
  int32_t first;             /* index of the first state among the inputs */
  int32_t states, scans, outs;
  vlm_tensor *inputs, *outputs; /* of the body */
  vlm_stack *stacks;         /* scan outputs, then (batched) final states */
  int64_t length, batches;
} scan_run;

static int64_t list_entry(const vlm_attr *a, int32_t i, int64_t fallback) { return a->kind == VLM_ATTR_INTS && i < a->count ? a->u.ints[i]
                                                                           : fallback; }

/* Axis that scan input i runs along. */
static vlm_status scan_axis(vlm_op_call *c, const scan_run *s, int32_t i, int *axis) {
  const vlm_tensor *x = c->in[s->first + s->states + i];
  if (s->batched) return vlm_axis(c, 1, x->rank, false, axis);
  return vlm_axis(c, list_entry(vlm_arg(c, IN_AXES), i, 0), x->rank, false, axis);
}

/* Opset 8: states and scan inputs have one batch axis, sequence_lens one entry for each of its entries. */
static vlm_status check_batches(vlm_op_call *c, scan_run *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *first = c->in[s->first];
  s->batches = s->batched && first->rank > 0 ? first->dims[0] : 1;
  for (int32_t k = s->first; s->batched && k < c->n_in; k++) {
    int rank = c->in[k]->rank, wanted = k < s->first + s->states ? 1 : 2;
    VLM_CHECK(rank >= wanted && c->in[k]->dims[0] == s->batches, c->err, VLM_INPUT, "input %d has %d dims and %lld batch entries, wanted %d and %lld",
              k, rank, rank > 0 ? (long long)c->in[k]->dims[0] : 0LL, wanted, (long long)s->batches);
  }
  if (s->batched) VLM_TRY(vlm_require_integers(c, 0, "sequence_lens"));
  if (s->batched) VLM_TRY(vlm_require_count(c, 0, "sequence_lens", s->batches));
out:
  return st;
}

static vlm_status scan_setup(vlm_op_call *c, scan_run *s) {
  vlm_status st = VLM_OK;
  s->body = vlm_arg(c, BODY)->u.g;
  s->batched = c->node->opset < 9;
  s->first = s->batched ? 1 : 0;
  int64_t scans = vlm_arg_int(c, NUM_SCAN_INPUTS, 0);
  VLM_CHECK(scans > 0 && scans <= c->n_in - s->first, c->err, VLM_INPUT, "num_scan_inputs is %lld, the node has %d inputs",
            (long long)scans, c->n_in);
  s->scans = (int32_t)scans;
  s->states = c->n_in - s->first - s->scans;
  s->outs = c->n_out - s->states;
  VLM_CHECK(s->outs >= 0 && s->body->n_inputs == s->states + s->scans && s->body->n_outputs == c->n_out, c->err, VLM_INPUT,
            "the body has %d inputs and %d outputs, wanted %d and %d", s->body->n_inputs, s->body->n_outputs, s->states + s->scans,
                c->n_out);
  for (int32_t k = s->first; k < c->n_in; k++) VLM_CHECK(c->in[k], c->err, VLM_INPUT, "input %d is missing", k);
  VLM_TRY(check_batches(c, s));
  for (int32_t i = 0; i < s->scans; i++) {
    int axis;
    VLM_TRY(scan_axis(c, s, i, &axis));
    int64_t n = c->in[s->first + s->states + i]->dims[axis];
    VLM_CHECK(i == 0 || n == s->length, c->err, VLM_INPUT, "scan input %d has %lld steps, input 0 %lld", i, (long long)n,
              (long long)s->length);
    s->length = n;
  }
  int32_t n_stacks = s->outs + s->states;
  VLM_TRY(vlm_scratch_new(c, &s->inputs, s->body->n_inputs));
  VLM_TRY(vlm_scratch_new(c, &s->outputs, s->body->n_outputs));
  VLM_TRY(vlm_scratch_new(c, &s->stacks, n_stacks));
  memset(s->stacks, 0, (size_t)n_stacks * sizeof *s->stacks);
  /* Room for one slice of each scan input. */
  for (int32_t i = 0; i < s->scans; i++) {
    const vlm_tensor *x = c->in[s->first + s->states + i];
    VLM_CHECK(vlm_item_size(x) > 0, c->err, VLM_UNSUPPORTED, "operator Scan over %s is not supported", vlm_dtype_name(x->dtype));
    int64_t most = s->length > 0 ? vlm_tensor_count(x) / s->length : 0;
    VLM_TRY(vlm_scratch_array(c, &s->inputs[s->states + i].data, most, vlm_item_size(x)));
  }
out:
  return st;
}

/* x without dim `axis`, at `index` of it, into the body's input slot (of which only the memory is used). */
static void take_slice(vlm_op_call *c, const vlm_tensor *x, int axis, int64_t index, const char *from, vlm_tensor *slot) {
  int64_t strides[VLM_MAX_RANK];
  vlm_tensor slice = {.dtype = x->dtype, .data = slot->data};
  vlm_byte_strides(x, strides);
  for (int i = 0; i < x->rank; i++)
    if (i != axis) slice.dims[slice.rank++] = x->dims[i];
  int64_t to[VLM_MAX_RANK];
  vlm_nd nd = {0};
  vlm_byte_strides(&slice, to);
  for (int i = 0, j = 0; i < x->rank; i++)
    if (i != axis) {
      vlm_nd_push(&nd, x->dims[i], to[j], strides[i]);
      j++;
    }
  vlm_nd_copy(c->threads, &nd, vlm_item_size(x), slice.data, from + index * strides[axis]);
  *slot = slice;
}

/* Zeros up to `count` steps: for batch entries before the first that has any, and behind the end of shorter ones. */
static vlm_status pad_steps(vlm_op_call *c, vlm_stack *stack, const vlm_tensor *like, int64_t count) {
  vlm_status st = VLM_OK;
  if (stack->count == 0) stack->item = *like;
  while (st == VLM_OK && stack->count < count) st = vlm_stack_push_zeros(stack, c->err);
  return st;
}

static vlm_status scan_step(vlm_op_call *c, scan_run *s, int64_t batch, int64_t step, int64_t length) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < s->scans; i++) {
    vlm_tensor x = *c->in[s->first + s->states + i];
    int axis;
    VLM_TRY(scan_axis(c, s, i, &axis));
    bool back = list_entry(vlm_arg(c, s->batched ? OLD_DIRECTIONS : IN_DIRECTIONS), i, 0) != 0;
    const char *from = x.data;
    if (s->batched) { /* the batch entry becomes the tensor */
      from += (size_t)(batch * vlm_tensor_span(&x, 1, x.rank)) * vlm_item_size(&x);
      for (int d = 1; d < x.rank; d++) x.dims[d - 1] = x.dims[d];
      x.rank--;
      axis = 0;
    }
    take_slice(c, &x, axis, back ? length - 1 - step : step, from, &s->inputs[s->states + i]);
  }
  VLM_TRY(c->run_body(c, s->body, s->inputs, s->states + s->scans, s->outputs, s->body->n_outputs));
  for (int32_t i = 0; i < s->states; i++) s->inputs[i] = s->outputs[i];
  for (int32_t i = 0; i < s->outs; i++) {
    vlm_stack *stack = &s->stacks[i];
    const vlm_tensor *y = &s->outputs[s->states + i];
    VLM_TRY(pad_steps(c, stack, y, batch * s->length));
    VLM_TRY(vlm_stack_push(stack, y, c->err));
  }
out:
  return st;
}

/* One pass over the steps of a batch entry (the only one since opset 9). */
static vlm_status scan_batch(vlm_op_call *c, scan_run *s, int64_t batch, int64_t length) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < s->states; i++) {
    vlm_tensor *state = &s->inputs[i];
    *state = *c->in[s->first + i];
    if (!s->batched) continue;
    for (int d = 1; d < state->rank; d++) state->dims[d - 1] = state->dims[d];
    state->rank--;
    state->data = (char *)state->data + (size_t)batch * vlm_tensor_bytes(state);
  }
  for (int64_t step = 0; step < length; step++) VLM_TRY(scan_step(c, s, batch, step, length));
  for (int32_t i = 0; i < s->outs; i++)
    if (s->stacks[i].count > 0) VLM_TRY(pad_steps(c, &s->stacks[i], &s->stacks[i].item, (batch + 1) * s->length));
  for (int32_t i = 0; i < s->states; i++) VLM_TRY(vlm_stack_push(&s->stacks[s->outs + i], &s->inputs[i], c->err));
out:
  return st;
}

/* How the items of a stack become one tensor: their count as dim `axis`, or as the two leading dims [batch, steps]. */
typedef struct scan_lead {
  const int64_t *dims;
  int n;
  int64_t axis;
  bool back; /* the steps are reversed */
} scan_lead;

/* Output k = the stack. */
static vlm_status give_steps(vlm_op_call *c, int32_t k, const vlm_stack *s, const scan_lead *by) {
  vlm_status st = VLM_OK;
  const int64_t *lead = by->dims;
  const int n_lead = by->n;
  int64_t dims[VLM_MAX_RANK], to[VLM_MAX_RANK];
  int at = 0, rank = s->item.rank + n_lead;
  if (!vlm_out(c, k)) return VLM_OK;
  VLM_CHECK(rank <= VLM_MAX_RANK, c->err, VLM_UNSUPPORTED, "scan output %d of %d dims is not supported", k, rank);
  if (n_lead > 0) VLM_TRY(vlm_axis(c, by->axis, rank, false, &at));
  for (int i = 0, j = 0; i < rank; i++) dims[i] = i >= at && i < at + n_lead ? lead[i - at] : s->item.dims[j++];
  vlm_out_shape(c, k, s->item.dtype, rank, dims);
  VLM_CHECK(vlm_item_size(&s->item) > 0, c->err, VLM_UNSUPPORTED, "operator Scan with results of %s is not supported",
            vlm_dtype_name(s->item.dtype));
  VLM_TRY(c->allocate(c, k));
  vlm_zero_some(c->out[k]->data, vlm_tensor_bytes(c->out[k]));
  if (s->used == 0) goto out;
  int64_t size = (int64_t)vlm_item_size(&s->item), from = (int64_t)vlm_tensor_bytes(&s->item);
  const char *src = s->data;
  vlm_nd nd = {0};
  vlm_byte_strides(c->out[k], to);
  for (int i = 0; i < n_lead; i++) {
    int64_t stride = from;
    for (int j = i + 1; j < n_lead; j++) stride *= lead[j];
    if (by->back && i == n_lead - 1) {
      src += stride * (lead[i] - 1);
      stride = -stride;
    }
    vlm_nd_push(&nd, lead[i], to[at + i], stride);
  }
  for (int i = 0; i < s->item.rank; i++) {
    int64_t stride = size * vlm_tensor_span(&s->item, i + 1, s->item.rank);
    vlm_nd_push(&nd, s->item.dims[i], to[i < at ? i : i + n_lead], stride);
  }
  vlm_nd_copy(c->threads, &nd, (size_t)size, c->out[k]->data, src);
out:
  return st;
}

/* Without any step there is no result to take the shape from: the body's declaration says it. */
static void shape_of_nothing(const scan_run *s, vlm_stack *stack, int32_t output) {
  const vlm_tensor *t = &s->body->values[s->body->outputs[output]].tensor;
  if (stack->count > 0) return;
  stack->item = (vlm_tensor){.dtype = t->dtype == VLM_NONE ? VLM_F32 : t->dtype, .rank = t->rank < 0 ? 0 : t->rank};
  for (int i = 0; i < stack->item.rank; i++) stack->item.dims[i] = t->dims[i] < 0 ? 0 : t->dims[i];
}

vlm_status vlm_run_Scan(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  scan_run s = {.body = NULL};
  VLM_TRY(scan_setup(c, &s));
  const vlm_tensor *lengths = s.batched ? c->in[0] : NULL;
  int64_t batches = s.batches;
  for (int64_t b = 0; b < batches; b++) {
    int64_t length = lengths ? vlm_tensor_get_int(lengths, b) : s.length;
    VLM_CHECK(length >= 0 && length <= s.length, c->err, VLM_INPUT, "sequence_lens[%lld] is %lld of %lld", (long long)b, (long long)length,
              (long long)s.length);
    VLM_TRY(scan_batch(c, &s, b, length));
  }
  const scan_lead states = {.dims = &batches, .n = s.batched ? 1 : 0};
  for (int32_t i = 0; i < s.states; i++) VLM_TRY(give_steps(c, i, &s.stacks[s.outs + i], &states));
  for (int32_t i = 0; i < s.outs; i++) {
    int64_t lead[2] = {batches, s.length};
    const scan_lead both = {.dims = lead, .n = 2};
    const scan_lead steps = {.dims = &s.length, .n = 1, .axis = list_entry(vlm_arg(c, OUT_AXES), i, 0),
                             .back = list_entry(vlm_arg(c, OUT_DIRECTIONS), i, 0) != 0};
    shape_of_nothing(&s, &s.stacks[i], s.states + i);
    VLM_TRY(give_steps(c, s.states + i, &s.stacks[i], s.batched ? &both : &steps));
  }
out:
  for (int32_t i = 0; s.stacks && i < s.outs + s.states; i++) vlm_stack_free(&s.stacks[i]);
  return st;
}
