/* Lowering of a frame for one set of input shapes.
 *
 * 1. classify: walk the nodes in order, infer shapes, fold what shapes alone decide (Shape -> Gather -> Concat chains vanish here);
 * 2. need: walk back from the outputs, drop what nothing needs;
 * 3. steps: one per remaining node, with lifetimes;
 * 4. memory: offsets for everything whose size is known. */
#include <string.h>

#include "runtime/exec/frame.h"
#include "runtime/exec/memory_plan.h"

enum { MAX_PLANS = 8, PLAN_FOLD_LIMIT = 1 << 20 };

typedef struct {
  vlm_frame *frame;
  vlm_plan *plan;
  bool *needed;          /* per value */
  vlm_step_kind *kinds;  /* per node */
  bool *folded;          /* per node: no step */
  vlm_error *err;
} builder;

/* ---- uses: inputs, and what bodies capture ---- */

typedef void use_visitor(void *user, vlm_value_id value);

static void visit_uses(const vlm_node *node, use_visitor *visit, void *user) {
  for (int32_t k = 0; k < node->n_inputs; k++)
    if (node->inputs[k] != VLM_NO_VALUE) visit(user, node->inputs[k]);
  for (int32_t a = 0; a < node->n_attrs; a++) {
    if (node->attrs[a].kind != VLM_ATTR_GRAPH) continue;
    const vlm_graph *body = node->attrs[a].u.g;
    for (int32_t v = 0; v < body->n_values; v++)
      if (body->values[v].kind == VLM_VALUE_CAPTURE) visit(user, body->values[v].parent_value);
  }
}

/* ---- signature ---- */

static int32_t signature_of(const vlm_frame *frame, int64_t *signature) {
  const vlm_graph *graph = frame->graph;
  int32_t n = 0;
  for (int32_t i = 0; i < graph->n_inputs + frame->n_captures; i++) {
    const vlm_tensor *t = &frame->now[i < graph->n_inputs ? graph->inputs[i] : frame->captures[i - graph->n_inputs]];
    if (signature) signature[n] = (int64_t)t->dtype << 8 | t->rank;
    n++;
    for (int d = 0; d < t->rank; d++, n++)
      if (signature) signature[n] = t->dims[d];
  }
  return n;
}

static bool signature_fits(const vlm_plan *plan, const int64_t *signature, int32_t n) {
  if (plan->signature_length != n) return false;
  for (int32_t i = 0; i < n; i++)
    if (plan->signature[i] != signature[i] && plan->signature[i] != -1) return false;
  return true;
}

/* Dims in which plans of the same ranks differ are live from now on. */
static void generalise(const vlm_frame *frame, int64_t *signature, int32_t n, bool *generic) {
  for (int32_t p = 0; p < frame->n_plans; p++) {
    const vlm_plan *plan = frame->plans[p];
    if (plan->signature_length != n) continue;
    for (int32_t i = 0; i < n; i++)
      if (plan->signature[i] != signature[i]) {
        signature[i] = -1;
        *generic = true;
      }
  }
}

/* ---- 1. classify ---- */

static void set_outside(builder *b, vlm_value_id id, const int64_t **dims) {
  vlm_plan_value *v = &b->plan->values[id];
  const vlm_tensor *constant = vlm_frame_constant(b->frame, id);
  v->tensor = b->frame->now[id];
  v->store = VLM_STORE_OUTSIDE;
  v->shape_known = true;
  v->tensor.data = constant ? constant->data : NULL;
  ++*dims;
  for (int d = 0; d < v->tensor.rank; d++) {
    v->tensor.dims[d] = *(*dims)++;
    v->shape_known &= v->tensor.dims[d] >= 0;
  }
}

static void set_known_values(builder *b) {
  const vlm_graph *graph = b->frame->graph;
  const int64_t *dims = b->plan->signature;
  for (int32_t id = 0; id < graph->n_values; id++) {
    vlm_plan_value *v = &b->plan->values[id];
    v->root = id;
    v->first = v->last = -1;
    const vlm_tensor *constant = graph->values[id].kind == VLM_VALUE_CAPTURE ? NULL : vlm_frame_constant(b->frame, id);
    if (!constant) continue;
    v->tensor = *constant;
    v->store = VLM_STORE_CONSTANT;
    v->shape_known = true;
  }
  for (int32_t i = 0; i < graph->n_inputs; i++) set_outside(b, graph->inputs[i], &dims);
  for (int32_t i = 0; i < b->frame->n_captures; i++) set_outside(b, b->frame->captures[i], &dims);
}

static bool already_known(const builder *b, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE && b->plan->values[node->outputs[k]].store != VLM_STORE_CONSTANT) return false;
  return node->n_outputs > 0;
}

static bool all_data_known(const builder *b, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_inputs; k++)
    if (node->inputs[k] != VLM_NO_VALUE && !b->plan->values[node->inputs[k]].tensor.data) return false;
  return true;
}

static vlm_status fold_here(builder *b, const vlm_node *node, vlm_op_call *call) {
  vlm_status st = VLM_OK;
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (call->out[k]) VLM_TRY(vlm_arena_alloc(b->plan->arena, &call->out[k]->data, vlm_tensor_bytes(call->out[k]) + 1, 1, b->err));
  VLM_TRY(node->op->run(call));
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (call->out[k]) b->plan->values[node->outputs[k]].store = VLM_STORE_CONSTANT;
out:
  return st;
}

static bool small_outputs(const vlm_op_call *call) {
  size_t bytes = 0;
  for (int32_t k = 0; k < call->n_out; k++)
    if (call->out[k]) bytes += vlm_tensor_bytes(call->out[k]);
  return bytes <= PLAN_FOLD_LIMIT;
}

static void set_alias(builder *b, const vlm_node *node) {
  vlm_plan_value *out = &b->plan->values[node->outputs[0]];
  const vlm_plan_value *in = &b->plan->values[node->inputs[0]];
  out->root = in->root;
  out->store = b->plan->values[in->root].store;
  out->tensor.data = in->tensor.data;
}

static vlm_status check_sizes(const vlm_op_call *call, vlm_error *err) {
  size_t bytes;
  for (int32_t k = 0; k < call->n_out; k++) {
    if (!call->out[k]) continue;
    vlm_status st = vlm_tensor_bytes_checked(&bytes, call->out[k], err);
    if (st != VLM_OK) return st;
  }
  return VLM_OK;
}

static void set_unknown(builder *b, int32_t n, vlm_step_kind kind) {
  const vlm_node *node = &b->frame->graph->nodes[n];
  b->kinds[n] = kind;
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE) b->plan->values[node->outputs[k]].store = VLM_STORE_HEAP;
  if (kind == VLM_STEP_DYNAMIC && node->op->flags & VLM_OP_ALIAS && node->outputs[0] != VLM_NO_VALUE)
    b->plan->values[node->outputs[0]].root = b->plan->values[node->inputs[0]].root;
}

static vlm_status classify_known(builder *b, int32_t n, vlm_op_call *call) {
  const vlm_node *node = &b->frame->graph->nodes[n];
  vlm_status st = node->op->infer(call);
  if (st == VLM_UNKNOWN) {
    set_unknown(b, n, VLM_STEP_DYNAMIC);
    return VLM_OK;
  }
  if (st == VLM_OK) st = check_sizes(call, b->err);
  if (st != VLM_OK) return st;
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (call->out[k]) b->plan->values[node->outputs[k]].shape_known = true;
  if (node->op->flags & VLM_OP_ALIAS && node->outputs[0] != VLM_NO_VALUE) {
    set_alias(b, node);
    b->kinds[n] = VLM_STEP_ALIAS;
    b->folded[n] = b->plan->values[node->outputs[0]].store == VLM_STORE_CONSTANT;
    return VLM_OK;
  }
  bool pure = !(node->op->flags & VLM_OP_IMPURE);
  if (pure && (node->op->flags & VLM_OP_OF_SHAPE || all_data_known(b, node)) && small_outputs(call)) {
    b->folded[n] = true;
    return fold_here(b, node, call);
  }
  b->kinds[n] = VLM_STEP_STATIC;
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (call->out[k]) b->plan->values[node->outputs[k]].store = VLM_STORE_ARENA;
  return VLM_OK;
}

static vlm_status classify_node(builder *b, int32_t n) {
  const vlm_node *node = &b->frame->graph->nodes[n];
  vlm_status st = VLM_OK;
  const vlm_tensor **in = NULL;
  vlm_tensor **out = NULL;
  bool *is_constant = NULL, known = true;
  vlm_call_host host = {.frame = b->frame};
  if (already_known(b, node)) {
    b->folded[n] = true;
    return VLM_OK;
  }
  if (node->op->flags & VLM_OP_SELF_ALLOC) {
    set_unknown(b, n, node->op->flags & VLM_OP_BRANCH ? VLM_STEP_IF : VLM_STEP_SELF_ALLOC);
    return VLM_OK;
  }
  VLM_TRY(vlm_arena_alloc(b->plan->arena, (void **)&in, (size_t)node->n_inputs, sizeof *in, b->err));
  VLM_TRY(vlm_arena_alloc(b->plan->arena, (void **)&out, (size_t)node->n_outputs, sizeof *out, b->err));
  VLM_TRY(vlm_arena_alloc(b->plan->arena, (void **)&is_constant, (size_t)node->n_inputs, 1, b->err));
  for (int32_t k = 0; k < node->n_inputs; k++) {
    if (node->inputs[k] == VLM_NO_VALUE) continue;
    const vlm_plan_value *v = &b->plan->values[node->inputs[k]];
    in[k] = &v->tensor;
    is_constant[k] = vlm_frame_constant(b->frame, node->inputs[k]) != NULL;
    known &= v->shape_known;
  }
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE) out[k] = &b->plan->values[node->outputs[k]].tensor;
  if (!known && !(node->op->flags & VLM_OP_LOOSE)) {
    set_unknown(b, n, VLM_STEP_DYNAMIC);
    goto out;
  }
  vlm_op_call call = vlm_call_make(&host, node, in, out, is_constant, b->err);
  VLM_TRY(classify_known(b, n, &call));
out:
  vlm_call_release(&host);
  return st == VLM_OK ? st : vlm_call_failed(b->frame, node, st, b->err);
}

/* ---- 2. need ---- */

static void mark_needed(void *user, vlm_value_id value) { ((builder *)user)->needed[value] = true; }

static bool node_needed(const builder *b, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE && b->needed[node->outputs[k]]) return true;
  return false;
}

static int32_t mark_all(builder *b) {
  const vlm_graph *graph = b->frame->graph;
  int32_t steps = 0;
  for (int32_t i = 0; i < graph->n_outputs; i++) b->needed[graph->outputs[i]] = true;
  for (int32_t n = graph->n_nodes - 1; n >= 0; n--) {
    const vlm_node *node = &graph->nodes[n];
    if (b->folded[n] || !node_needed(b, node)) continue;
    visit_uses(node, mark_needed, b);
    steps++;
  }
  return steps;
}

/* ---- 3. steps and lifetimes ---- */

typedef struct {
  vlm_plan *plan;
  int32_t step;
} use_at;

static void extend_life(void *user, vlm_value_id value) {
  use_at *u = user;
  vlm_plan_value *root = &u->plan->values[u->plan->values[value].root];
  if (root->last != INT32_MAX) root->last = u->step;
}

/* A view of planned or constant bytes costs nothing at run time; other views are re-pointed when reached. */
static bool view_is_free(const builder *b, const vlm_node *node) {
  vlm_value_id out = node->outputs[0];
  return b->plan->values[b->plan->values[out].root].store == VLM_STORE_ARENA && !b->frame->tapped[out];
}

static vlm_status add_step(builder *b, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &b->frame->graph->nodes[n];
  vlm_plan *plan = b->plan;
  vlm_step *step = &plan->steps[plan->n_steps];
  *step = (vlm_step){.node = n, .kind = b->kinds[n]};
  VLM_TRY(vlm_arena_alloc(plan->arena, (void **)&step->in, (size_t)node->n_inputs, sizeof *step->in, b->err));
  VLM_TRY(vlm_arena_alloc(plan->arena, (void **)&step->out, (size_t)node->n_outputs, sizeof *step->out, b->err));
  VLM_TRY(vlm_arena_alloc(plan->arena, (void **)&step->is_constant, (size_t)node->n_inputs, 1, b->err));
  for (int32_t k = 0; k < node->n_inputs; k++) {
    if (node->inputs[k] == VLM_NO_VALUE) continue;
    step->in[k] = &b->frame->now[node->inputs[k]];
    step->is_constant[k] = vlm_frame_constant(b->frame, node->inputs[k]) != NULL;
  }
  use_at use = {.plan = plan, .step = plan->n_steps};
  for (int32_t k = 0; k < node->n_outputs; k++) {
    if (node->outputs[k] == VLM_NO_VALUE) continue;
    step->out[k] = &b->frame->now[node->outputs[k]];
    vlm_plan_value *v = &plan->values[node->outputs[k]];
    if (v->root == node->outputs[k]) v->first = v->last = plan->n_steps;
  }
  visit_uses(node, extend_life, &use);
  plan->n_steps++;
out:
  return st;
}

static vlm_status add_steps(builder *b, int32_t count) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = b->frame->graph;
  VLM_TRY(vlm_arena_alloc(b->plan->arena, (void **)&b->plan->steps, (size_t)count, sizeof *b->plan->steps, b->err));
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    if (b->folded[n] || !node_needed(b, node)) continue;
    if (b->kinds[n] == VLM_STEP_ALIAS && view_is_free(b, node)) continue;
    VLM_TRY(add_step(b, n));
  }
  for (int32_t i = 0; i < graph->n_outputs; i++) b->plan->values[b->plan->values[graph->outputs[i]].root].last = INT32_MAX;
out:
  return st;
}

static vlm_status list_dead(builder *b) {
  vlm_status st = VLM_OK;
  vlm_plan *plan = b->plan;
  int32_t n_values = b->frame->graph->n_values;
  for (int pass = 0; pass < 2; pass++) {
    for (int32_t id = 0; id < n_values; id++) {
      const vlm_plan_value *v = &plan->values[id];
      if (v->store != VLM_STORE_HEAP || v->root != id || v->last < 0 || v->last == INT32_MAX) continue;
      vlm_step *step = &plan->steps[v->last];
      if (pass) step->dead[step->n_dead] = id;
      step->n_dead++;
    }
    for (int32_t s = 0; pass == 0 && s < plan->n_steps; s++) {
      VLM_TRY(vlm_arena_alloc(plan->arena, (void **)&plan->steps[s].dead, (size_t)plan->steps[s].n_dead, sizeof(vlm_value_id), b->err));
      plan->steps[s].n_dead = 0;
    }
  }
out:
  return st;
}

/* ---- 4. memory ---- */

/* Blames the node with the largest output. */
static vlm_status too_large(const builder *b, const vlm_value_id *ids, int32_t count) {
  const vlm_graph *graph = b->frame->graph;
  vlm_value_id worst = ids[0];
  char shape[128];
  for (int32_t i = 1; i < count; i++)
    if (vlm_tensor_bytes(&b->plan->values[ids[i]].tensor) > vlm_tensor_bytes(&b->plan->values[worst].tensor)) worst = ids[i];
  const vlm_node *node = &graph->nodes[graph->values[worst].producer];
  vlm_fail(b->err, VLM_LIMIT, "the output is %s: with it activations need %zu MiB, the limit is %zu MiB",
           vlm_tensor_shape_text(&b->plan->values[worst].tensor, shape, sizeof shape), b->plan->arena_bytes >> 20,
           b->frame->session->opts.max_bytes >> 20);
  return vlm_call_failed(b->frame, node, VLM_LIMIT, b->err);
}

static vlm_status place(builder *b) {
  vlm_status st = VLM_OK;
  vlm_plan *plan = b->plan;
  int32_t n_values = b->frame->graph->n_values, count = 0;
  vlm_lifetime *items = NULL;
  vlm_value_id *ids = NULL;
  VLM_TRY(vlm_alloc((void **)&items, (size_t)n_values, sizeof *items, b->err));
  VLM_TRY(vlm_alloc((void **)&ids, (size_t)n_values, sizeof *ids, b->err));
  for (int32_t id = 0; id < n_values; id++) {
    const vlm_plan_value *v = &plan->values[id];
    if (v->store != VLM_STORE_ARENA || v->root != id || v->first < 0) continue;
    items[count] = (vlm_lifetime){.bytes = vlm_tensor_bytes(&v->tensor), .first = v->first, .last = v->last};
    ids[count++] = id;
  }
  VLM_TRY(vlm_memory_plan(items, count, &plan->arena_bytes, b->err));
  for (int32_t i = 0; i < count; i++) plan->values[ids[i]].offset = items[i].offset;
  if (plan->arena_bytes > b->frame->session->opts.max_bytes) st = too_large(b, ids, count);
out:
  vlm_free(items);
  vlm_free(ids);
  return st;
}

static vlm_status build(builder *b) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = b->frame->graph;
  vlm_arena *arena = b->plan->arena;
  VLM_TRY(vlm_arena_alloc(arena, (void **)&b->plan->values, (size_t)graph->n_values, sizeof *b->plan->values, b->err));
  VLM_TRY(vlm_arena_alloc(arena, (void **)&b->needed, (size_t)graph->n_values, 1, b->err));
  VLM_TRY(vlm_arena_alloc(arena, (void **)&b->folded, (size_t)graph->n_nodes, 1, b->err));
  VLM_TRY(vlm_arena_alloc(arena, (void **)&b->kinds, (size_t)graph->n_nodes, sizeof *b->kinds, b->err));
  set_known_values(b);
  for (int32_t n = 0; n < graph->n_nodes; n++) VLM_TRY(classify_node(b, n));
  VLM_TRY(add_steps(b, mark_all(b)));
  VLM_TRY(list_dead(b));
  VLM_TRY(place(b));
  b->frame->session->plans++;
out:
  return st;
}

void vlm_plan_free(vlm_plan *plan) {
  if (!plan) return;
  vlm_arena_free(plan->arena);
  vlm_free(plan);
}

static vlm_status plan_create(vlm_plan **out, vlm_frame *frame, const int64_t *signature, int32_t n, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_plan *plan = NULL;
  VLM_TRY(vlm_alloc((void **)&plan, 1, sizeof *plan, err));
  VLM_TRY(vlm_arena_create(&plan->arena, err));
  VLM_TRY(vlm_arena_alloc(plan->arena, (void **)&plan->signature, (size_t)n, sizeof *signature, err));
  memcpy(plan->signature, signature, (size_t)n * sizeof *signature);
  plan->signature_length = n;
  if (frame->n_plans >= 2) generalise(frame, plan->signature, n, &plan->generic);
  builder b = {.frame = frame, .plan = plan, .err = err};
  VLM_TRY(build(&b));
out:
  if (st != VLM_OK) {
    vlm_plan_free(plan);
    plan = NULL;
  }
  *out = plan;
  return st;
}

static vlm_plan *find_plan(const vlm_frame *frame, const int64_t *signature, int32_t n) {
  vlm_plan *found = NULL;
  for (int32_t i = 0; i < frame->n_plans; i++) {
    vlm_plan *plan = frame->plans[i];
    if (signature_fits(plan, signature, n) && (!found || found->generic)) found = plan;
  }
  return found;
}

static void evict_oldest(vlm_frame *frame) {
  int32_t oldest = 0;
  for (int32_t i = 1; i < frame->n_plans; i++)
    if (frame->plans[i]->last_used < frame->plans[oldest]->last_used) oldest = i;
  if (frame->plans[oldest] == frame->plan) frame->plan = NULL;
  vlm_plan_free(frame->plans[oldest]);
  frame->plans[oldest] = frame->plans[--frame->n_plans];
}

/* Points every planned value of the frame at its bytes. */
static vlm_status bind_plan(vlm_frame *frame, vlm_plan *plan, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (plan->arena_bytes > frame->bytes_size) {
    vlm_free(frame->bytes);
    frame->bytes = NULL;
    frame->bytes_size = 0;
    VLM_TRY(vlm_alloc(&frame->bytes, plan->arena_bytes, 1, err));
    frame->bytes_size = plan->arena_bytes;
    frame->session->arena_allocations++;
  }
  for (int32_t id = 0; id < frame->graph->n_values; id++) {
    const vlm_plan_value *v = &plan->values[id];
    if (v->store == VLM_STORE_OUTSIDE && v->root == id) continue;
    frame->now[id] = v->tensor;
    const vlm_plan_value *root = &plan->values[v->root];
    if (root->store == VLM_STORE_ARENA && frame->bytes) frame->now[id].data = (char *)frame->bytes + root->offset;
  }
  frame->plan = plan;
out:
  return st;
}

vlm_status vlm_frame_plan(vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t fixed[256], *signature = fixed;
  int32_t n = signature_of(frame, NULL);
  if (n > 256) VLM_TRY(vlm_alloc((void **)&signature, (size_t)n, sizeof *signature, err));
  signature_of(frame, signature);
  vlm_plan *plan = frame->plan && !frame->plan->generic && signature_fits(frame->plan, signature, n) ? frame->plan : find_plan(frame, signature, n);
  if (!plan) {
    if (frame->n_plans == MAX_PLANS) evict_oldest(frame);
    VLM_TRY(plan_create(&plan, frame, signature, n, err));
    frame->plans[frame->n_plans++] = plan;
  }
  plan->last_used = ++frame->session->clock;
  if (plan != frame->plan) VLM_TRY(bind_plan(frame, plan, err));
out:
  if (signature != fixed) vlm_free(signature);
  return st;
}
