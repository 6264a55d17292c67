/* Stage 1: what is known about every value before anything runs. */
#include "runtime/exec/borrow.h"
#include "runtime/exec/plan_build.h"
#include "runtime/ops/evaluate.h"

enum { PLAN_FOLD_LIMIT = 1 << 20 };

static void set_outside(vlm_plan_builder *b, vlm_value_id id, const vlm_tensor *t) {
  vlm_plan_value *v = &b->plan->values[id];
  const vlm_tensor *constant = vlm_constants_get(b->request->constants, id);
  v->tensor = *t;
  v->store = VLM_STORE_OUTSIDE;
  v->shape_known = true;
  v->tensor.data = constant ? constant->data : NULL;
  for (int d = 0; d < t->rank; d++) v->shape_known &= t->dims[d] >= 0;
}

static void set_known_values(vlm_plan_builder *b) {
  const vlm_plan_request *r = b->request;
  for (int32_t id = 0; id < r->graph->n_values; id++) {
    vlm_plan_value *v = &b->plan->values[id];
    v->root = id;
    v->first = v->last = -1;
    const vlm_tensor *constant =
        r->graph->values[id].kind == VLM_VALUE_CAPTURE ? NULL : vlm_constants_get(r->constants, id);
    if (!constant) continue;
    v->tensor = *constant;
    v->store = VLM_STORE_CONSTANT;
    v->shape_known = true;
  }
  for (int32_t i = 0; i < r->graph->n_inputs; i++) set_outside(b, r->graph->inputs[i], &r->outside[i]);
  for (int32_t i = 0; i < r->n_captures; i++)
    set_outside(b, r->captures[i], &r->outside[r->graph->n_inputs + i]);
}

static vlm_plan_value *output_of(const vlm_plan_builder *b, const vlm_node *node, int32_t k) {
  return node->outputs[k] == VLM_NO_VALUE ? NULL : &b->plan->values[node->outputs[k]];
}

static bool already_known(const vlm_plan_builder *b, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (output_of(b, node, k) && output_of(b, node, k)->store != VLM_STORE_CONSTANT) return false;
  return node->n_outputs > 0;
}

static bool all_data_known(const vlm_op_call *call) {
  for (int32_t k = 0; k < call->n_in; k++)
    if (call->in[k] && !call->in[k]->data) return false;
  return true;
}

static void set_store(vlm_plan_builder *b, const vlm_node *node, vlm_store store) {
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (output_of(b, node, k)) output_of(b, node, k)->store = store;
}

static vlm_status take(void *user, void **out, size_t bytes, vlm_error *err) {
  return vlm_arena_alloc(user, out, bytes, 1, err);
}

static vlm_status fold_here(vlm_plan_builder *b, const vlm_op_call *call) {
  const vlm_evaluate_opts e = {.threads = call->threads,
                               .kernels = call->kernels,
                               .max_bytes = PLAN_FOLD_LIMIT,
                               .take = take,
                               .user = b->plan->arena};
  vlm_lazy *lazy = b->request->graph->lazy;
  vlm_status st = VLM_OK;
  int32_t held = 0;
  VLM_TRY(vlm_tensors_take(lazy, call->in, call->n_in, &held, b->err));
  VLM_TRY(vlm_node_evaluate(&e, call->node, call->in, call->out, b->err));
  set_store(b, call->node, VLM_STORE_CONSTANT);
out:
  vlm_tensors_give(lazy, call->in, held);
  return st;
}

static void set_alias(vlm_plan_builder *b, const vlm_node *node, vlm_value_id of) {
  vlm_plan_value *out = &b->plan->values[node->outputs[0]];
  const vlm_plan_value *in = &b->plan->values[of];
  out->root = in->root;
  out->store = b->plan->values[in->root].store;
  out->tensor.data = in->tensor.data;
}

/* Bytes of all outputs; VLM_LIMIT when one exceeds the address space. */
static vlm_status output_bytes(const vlm_op_call *call, size_t *total, vlm_error *err) {
  vlm_status st = VLM_OK;
  *total = 0;
  for (int32_t k = 0; k < call->n_out; k++) {
    size_t bytes;
    if (!call->out[k]) continue;
    VLM_TRY(vlm_tensor_bytes_checked(&bytes, call->out[k], err));
    if (!vlm_size_add(*total, bytes, total)) *total = SIZE_MAX;
  }
out:
  return st;
}

/* An output whose shape is only known when it is reached, but was the same whatever the live dims were: true for what a live dim passes by
 * (the one position of a decode step, told by a Range over the past). */
static bool same_in_all(const vlm_plan_request *r, vlm_value_id id, vlm_tensor *shape) {
  for (int32_t w = 0; w < r->n_witnesses; w++) {
    const vlm_plan_value *v = &r->witnesses[w]->values[id];
    if (!v->shape_known ||
        (w > 0 && (v->tensor.dtype != shape->dtype || !vlm_tensor_same_shape(&v->tensor, shape))))
      return false;
    *shape = v->tensor;
  }
  shape->data = NULL;
  return r->n_witnesses > 1;
}

static bool guess_shapes(vlm_plan_builder *b, int32_t n) {
  const vlm_node *node = &b->request->graph->nodes[n];
  vlm_tensor shape = {0};
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (output_of(b, node, k) && !same_in_all(b->request, node->outputs[k], &shape)) return false;
  b->kinds[n] = VLM_STEP_CHECKED;
  for (int32_t k = 0; k < node->n_outputs; k++) {
    vlm_plan_value *v = output_of(b, node, k);
    if (!v) continue;
    same_in_all(b->request, node->outputs[k], &v->tensor);
    v->shape_known = true;
    v->store = VLM_STORE_ARENA;
  }
  if (node->op->flags & VLM_OP_ALIAS && output_of(b, node, 0)) set_alias(b, node, node->inputs[0]);
  return true;
}

static void set_unknown(vlm_plan_builder *b, int32_t n, vlm_step_kind kind) {
  const vlm_node *node = &b->request->graph->nodes[n];
  if (kind == VLM_STEP_DYNAMIC && guess_shapes(b, n)) return;
  b->kinds[n] = kind;
  set_store(b, node, VLM_STORE_HEAP);
  if (kind == VLM_STEP_DYNAMIC && node->op->flags & VLM_OP_ALIAS && node->outputs[0] != VLM_NO_VALUE)
    b->plan->values[node->outputs[0]].root = b->plan->values[node->inputs[0]].root;
}

/* Always, or with these shapes: the latter of values that are computed, since constants are copied when they fold. */
static bool is_view(const vlm_plan_builder *b, const vlm_node *node, const vlm_op_call *call) {
  if (node->outputs[0] == VLM_NO_VALUE) return false;
  return node->op->flags & VLM_OP_ALIAS ||
         (call->same && b->plan->values[b->plan->values[node->inputs[0]].root].store != VLM_STORE_CONSTANT);
}

static vlm_status classify_known(vlm_plan_builder *b, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &b->request->graph->nodes[n];
  vlm_op_call *call = &b->calls[n];
  size_t bytes;
  st = node->op->infer(call);
  if (st == VLM_UNKNOWN) {
    set_unknown(b, n, VLM_STEP_DYNAMIC);
    return VLM_OK;
  }
  VLM_TRY(st);
  VLM_TRY(output_bytes(call, &bytes, b->err));
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (output_of(b, node, k)) output_of(b, node, k)->shape_known = true;
  if (is_view(b, node, call)) {
    set_alias(b, node, node->inputs[0]);
    b->kinds[n] = VLM_STEP_ALIAS;
    b->folded[n] = b->plan->values[node->outputs[0]].store == VLM_STORE_CONSTANT;
    VLM_TRY(vlm_plan_see_view(b, node));
    goto out;
  }
  bool pure = !(node->op->flags & VLM_OP_IMPURE);
  if (pure && (node->op->flags & VLM_OP_OF_SHAPE || all_data_known(call)) && bytes <= PLAN_FOLD_LIMIT) {
    b->folded[n] = true;
    VLM_TRY(fold_here(b, call));
    goto out;
  }
  b->kinds[n] = VLM_STEP_STATIC;
  set_store(b, node, VLM_STORE_ARENA);
  if (call->moves) VLM_TRY(vlm_plan_see_move(b, node, call, &b->instead[n]));
  if (b->instead[n] == VLM_NO_VALUE) goto out;
  set_alias(b, node, b->instead[n]);
  b->kinds[n] = VLM_STEP_ALIAS;
out:
  return st;
}

/* *known: the shapes of all inputs are. */
static vlm_status make_call(vlm_plan_builder *b, int32_t n, bool *known) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &b->request->graph->nodes[n];
  const vlm_tensor **in;
  vlm_tensor **out;
  VLM_TRY(vlm_arena_new(b->plan->arena, &in, node->n_inputs, b->err));
  VLM_TRY(vlm_arena_new(b->plan->arena, &out, node->n_outputs, b->err));
  *known = true;
  for (int32_t k = 0; k < node->n_inputs; k++) {
    if (node->inputs[k] == VLM_NO_VALUE) continue;
    in[k] = &b->plan->values[node->inputs[k]].tensor;
    *known &= b->plan->values[node->inputs[k]].shape_known;
  }
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (output_of(b, node, k)) out[k] = &output_of(b, node, k)->tensor;
  b->calls[n] = vlm_call_make(b->request->host, node, in, out, b->err);
out:
  return st;
}

static vlm_status classify_node(vlm_plan_builder *b, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &b->request->graph->nodes[n];
  bool known;
  if (already_known(b, node)) {
    b->folded[n] = true;
    return VLM_OK;
  }
  VLM_TRY(make_call(b, n, &known));
  if (node->op->flags & VLM_OP_SELF_ALLOC)
    set_unknown(b, n, node->op->flags & VLM_OP_BRANCH ? VLM_STEP_IF : VLM_STEP_SELF_ALLOC);
  else if (known || node->op->flags & VLM_OP_LOOSE) VLM_TRY(classify_known(b, n));
  else set_unknown(b, n, VLM_STEP_DYNAMIC);
out:
  vlm_call_release(b->request->host);
  return st == VLM_OK ? st : vlm_call_failed(b->request->graph, node, st, b->err);
}

vlm_status vlm_plan_shapes(vlm_plan_builder *b) {
  vlm_status st = VLM_OK;
  set_known_values(b);
  for (int32_t n = 0; n < b->request->graph->n_nodes; n++) VLM_TRY(classify_node(b, n));
out:
  return st;
}
