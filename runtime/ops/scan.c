/* Scan: opset 8 (with a batch axis and sequence lengths) and opset 9 and later (any scan axes and directions). */
#include <string.h>

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/tensor_stack.h"

enum { BODY, NUM_SCAN_INPUTS, IN_AXES, IN_DIRECTIONS, OUT_AXES, OUT_DIRECTIONS, OLD_DIRECTIONS };

/* A scan input: the axis that it runs along, and room for one slice. */
typedef struct {
  int axis;
  bool back;
  size_t slice;
} scan_input;

typedef struct {
  int64_t axis;
  bool back;
} scan_output;

typedef struct {
  vlm_graph *body;
  bool batched;  /* opset 8 */
  int32_t first; /* index of the first state among the inputs */
  int32_t states, scans, outs;
  int64_t length, batches;
  scan_input *in;
  scan_output *out;
  size_t inputs, outputs, stacks;
} scan_form;

typedef struct scan_run {
  const scan_form *f;
  vlm_tensor *inputs, *outputs; /* of the body */
  vlm_stack *stacks;            /* scan outputs, then (batched) final states */
} scan_run;

static int64_t list_entry(const vlm_attr *a, int32_t i, int64_t fallback) {
  return a->kind == VLM_ATTR_INTS && i < a->count ? a->u.ints[i] : fallback;
}

/* Opset 8: states and scan inputs have one batch axis, sequence_lens one entry for each of its entries. */
static vlm_status check_batches(vlm_op_call *c, scan_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *first = c->in[f->first];
  f->batches = f->batched && first->rank > 0 ? first->dims[0] : 1;
  for (int32_t k = f->first; f->batched && k < c->n_in; k++) {
    int rank = c->in[k]->rank, wanted = k < f->first + f->states ? 1 : 2;
    VLM_CHECK(rank >= wanted && c->in[k]->dims[0] == f->batches, c->err, VLM_INPUT,
              "input %d has %d dims and %lld batch entries, wanted %d and %lld", k, rank,
              rank > 0 ? (long long)c->in[k]->dims[0] : 0LL, wanted, (long long)f->batches);
  }
  if (f->batched) VLM_TRY(vlm_require_integers(c, 0, "sequence_lens"));
  if (f->batched) VLM_TRY(vlm_require_count(c, 0, "sequence_lens", f->batches));
out:
  return st;
}

static vlm_status count_values(vlm_op_call *c, scan_form *f) {
  vlm_status st = VLM_OK;
  int64_t scans = vlm_arg_int(c, NUM_SCAN_INPUTS, 0);
  f->body = vlm_arg(c, BODY)->u.g;
  f->batched = c->node->opset < 9;
  f->first = f->batched ? 1 : 0;
  VLM_CHECK(scans > 0 && scans <= c->n_in - f->first, c->err, VLM_INPUT,
            "num_scan_inputs is %lld, the node has %d inputs", (long long)scans, c->n_in);
  f->scans = (int32_t)scans;
  f->states = c->n_in - f->first - f->scans;
  f->outs = c->n_out - f->states;
  VLM_CHECK(f->outs >= 0 && f->body->n_inputs == f->states + f->scans && f->body->n_outputs == c->n_out,
            c->err, VLM_INPUT, "the body has %d inputs and %d outputs, wanted %d and %d", f->body->n_inputs,
            f->body->n_outputs, f->states + f->scans, c->n_out);
  for (int32_t k = f->first; k < c->n_in; k++)
    VLM_CHECK(c->in[k], c->err, VLM_INPUT, "input %d is missing", k);
out:
  return st;
}

static vlm_status prepare_input(vlm_op_call *c, scan_form *f, int32_t i) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[f->first + f->states + i];
  scan_input *in = &f->in[i];
  in->back = list_entry(vlm_arg(c, f->batched ? OLD_DIRECTIONS : IN_DIRECTIONS), i, 0) != 0;
  VLM_TRY(vlm_axis(c, f->batched ? 1 : list_entry(vlm_arg(c, IN_AXES), i, 0), x->rank, false, &in->axis));
  int64_t n = x->dims[in->axis];
  VLM_CHECK(i == 0 || n == f->length, c->err, VLM_INPUT, "scan input %d has %lld steps, input 0 %lld", i,
            (long long)n, (long long)f->length);
  f->length = n;
  VLM_CHECK(vlm_item_size(x) > 0, c->err, VLM_UNSUPPORTED, "operator Scan over %s is not supported",
            vlm_dtype_name(x->dtype));
  VLM_TRY(vlm_op_reserve(c, &in->slice, n > 0 ? vlm_tensor_count(x) / n : 0, vlm_item_size(x)));
out:
  return st;
}

vlm_status vlm_prepare_Scan(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  scan_form *f;
  VLM_TRY(vlm_op_state_new(c, &f));
  VLM_TRY(count_values(c, f));
  VLM_TRY(check_batches(c, f));
  VLM_TRY(vlm_op_keep_new(c, &f->in, f->scans));
  VLM_TRY(vlm_op_keep_new(c, &f->out, f->outs));
  for (int32_t i = 0; i < f->scans; i++) VLM_TRY(prepare_input(c, f, i));
  for (int32_t i = 0; i < f->outs; i++)
    f->out[i] = (scan_output){list_entry(vlm_arg(c, OUT_AXES), i, 0),
                              list_entry(vlm_arg(c, OUT_DIRECTIONS), i, 0) != 0};
  VLM_TRY(vlm_op_reserve(c, &f->inputs, f->body->n_inputs, sizeof(vlm_tensor)));
  VLM_TRY(vlm_op_reserve(c, &f->outputs, f->body->n_outputs, sizeof(vlm_tensor)));
  VLM_TRY(vlm_op_reserve(c, &f->stacks, f->outs + f->states, sizeof(vlm_stack)));
out:
  return st;
}

static scan_run start_run(const vlm_op_call *c) {
  const scan_form *f = c->state;
  scan_run s = {.f = f,
                .inputs = vlm_op_work(c, f->inputs),
                .outputs = vlm_op_work(c, f->outputs),
                .stacks = vlm_op_work(c, f->stacks)};
  for (int32_t i = 0; i < f->outs + f->states; i++) s.stacks[i] = (vlm_stack){0};
  for (int32_t i = 0; i < f->scans; i++) s.inputs[f->states + i].data = vlm_op_work(c, f->in[i].slice);
  return s;
}

/* x without dim `axis`, at `index` of it, into the body's input slot (of which only the memory is used). */
static void take_slice(vlm_op_call *c, const vlm_tensor *x, int axis, int64_t index, const char *from,
                       vlm_tensor *slot) {
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

/* Slice `step` of scan input i, of one batch entry. */
static void take_step(vlm_op_call *c, scan_run *s, int32_t i, int64_t batch, int64_t step) {
  const scan_form *f = s->f;
  vlm_tensor x = *c->in[f->first + f->states + i];
  const char *from = x.data;
  int axis = f->in[i].axis;
  if (f->batched) { /* the batch entry becomes the tensor */
    from += (size_t)(batch * vlm_tensor_span(&x, 1, x.rank)) * vlm_item_size(&x);
    for (int d = 1; d < x.rank; d++) x.dims[d - 1] = x.dims[d];
    x.rank--;
    axis = 0;
  }
  take_slice(c, &x, axis, step, from, &s->inputs[f->states + i]);
}

static vlm_status scan_step(vlm_op_call *c, scan_run *s, int64_t batch, int64_t step, int64_t length) {
  vlm_status st = VLM_OK;
  const scan_form *f = s->f;
  for (int32_t i = 0; i < f->scans; i++) take_step(c, s, i, batch, f->in[i].back ? length - 1 - step : step);
  VLM_TRY(c->run_body(c, f->body, s->inputs, f->states + f->scans, s->outputs, f->body->n_outputs));
  for (int32_t i = 0; i < f->states; i++) s->inputs[i] = s->outputs[i];
  for (int32_t i = 0; i < f->outs; i++) {
    vlm_stack *stack = &s->stacks[i];
    const vlm_tensor *y = &s->outputs[f->states + i];
    VLM_TRY(pad_steps(c, stack, y, batch * f->length));
    VLM_TRY(vlm_stack_push(stack, y, c->err));
  }
out:
  return st;
}

/* One pass over the steps of a batch entry (the only one since opset 9). */
static vlm_status scan_batch(vlm_op_call *c, scan_run *s, int64_t batch, int64_t length) {
  vlm_status st = VLM_OK;
  const scan_form *f = s->f;
  for (int32_t i = 0; i < f->states; i++) {
    vlm_tensor *state = &s->inputs[i];
    *state = *c->in[f->first + i];
    if (!f->batched) continue;
    for (int d = 1; d < state->rank; d++) state->dims[d - 1] = state->dims[d];
    state->rank--;
    state->data = (char *)state->data + (size_t)batch * vlm_tensor_bytes(state);
  }
  for (int64_t step = 0; step < length; step++) VLM_TRY(scan_step(c, s, batch, step, length));
  for (int32_t i = 0; i < f->outs; i++)
    if (s->stacks[i].count > 0)
      VLM_TRY(pad_steps(c, &s->stacks[i], &s->stacks[i].item, (batch + 1) * f->length));
  for (int32_t i = 0; i < f->states; i++)
    VLM_TRY(vlm_stack_push(&s->stacks[f->outs + i], &s->inputs[i], c->err));
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
  VLM_CHECK(rank <= VLM_MAX_RANK, c->err, VLM_UNSUPPORTED, "scan output %d of %d dims is not supported", k,
            rank);
  if (n_lead > 0) VLM_TRY(vlm_axis(c, by->axis, rank, false, &at));
  for (int i = 0, j = 0; i < rank; i++)
    dims[i] = i >= at && i < at + n_lead ? lead[i - at] : s->item.dims[j++];
  vlm_out_shape(c, k, s->item.dtype, rank, dims);
  VLM_CHECK(vlm_item_size(&s->item) > 0, c->err, VLM_UNSUPPORTED,
            "operator Scan with results of %s is not supported", vlm_dtype_name(s->item.dtype));
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
static void shape_of_nothing(const scan_form *f, vlm_stack *stack, int32_t output) {
  const vlm_tensor *t = &f->body->values[f->body->outputs[output]].tensor;
  if (stack->count > 0) return;
  stack->item =
      (vlm_tensor){.dtype = t->dtype == VLM_NONE ? VLM_F32 : t->dtype, .rank = t->rank < 0 ? 0 : t->rank};
  for (int i = 0; i < stack->item.rank; i++) stack->item.dims[i] = t->dims[i] < 0 ? 0 : t->dims[i];
}

static vlm_status give_all(vlm_op_call *c, scan_run *s) {
  vlm_status st = VLM_OK;
  const scan_form *f = s->f;
  const int64_t lead[2] = {f->batches, f->length};
  const scan_lead states = {.dims = lead, .n = f->batched ? 1 : 0}, both = {.dims = lead, .n = 2};
  for (int32_t i = 0; i < f->states; i++) VLM_TRY(give_steps(c, i, &s->stacks[f->outs + i], &states));
  for (int32_t i = 0; i < f->outs; i++) {
    const scan_lead steps = {.dims = lead + 1, .n = 1, .axis = f->out[i].axis, .back = f->out[i].back};
    shape_of_nothing(f, &s->stacks[i], f->states + i);
    VLM_TRY(give_steps(c, f->states + i, &s->stacks[i], f->batched ? &both : &steps));
  }
out:
  return st;
}

/* How many results there are of which shape shows when the body has run; stacks grow until then. */
vlm_status vlm_run_Scan(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  scan_run s = start_run(c);
  const scan_form *f = s.f;
  const vlm_tensor *lengths = f->batched ? c->in[0] : NULL;
  for (int64_t b = 0; b < f->batches; b++) {
    int64_t length = lengths ? vlm_tensor_get_int(lengths, b) : f->length;
    VLM_CHECK(length >= 0 && length <= f->length, c->err, VLM_INPUT, "sequence_lens[%lld] is %lld of %lld",
              (long long)b, (long long)length, (long long)f->length);
    VLM_TRY(scan_batch(c, &s, b, length));
  }
  VLM_TRY(give_all(c, &s));
out:
  for (int32_t i = 0; i < f->outs + f->states; i++) vlm_stack_free(&s.stacks[i]);
  return st;
}
