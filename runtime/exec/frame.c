/* Running one graph. */
#include "runtime/exec/frame.h"

#include <string.h>

/* ---- creation ---- */

static int32_t count_bodies(const vlm_graph *graph) {
  int32_t n = 0;
  for (int32_t i = 0; i < graph->n_nodes; i++)
    for (int32_t a = 0; a < graph->nodes[i].n_attrs; a++) n += graph->nodes[i].attrs[a].kind == VLM_ATTR_GRAPH;
  return n;
}

static vlm_status create_children(vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = frame->graph;
  VLM_TRY(vlm_alloc((void **)&frame->children, (size_t)count_bodies(graph), sizeof *frame->children, err));
  for (int32_t i = 0; i < graph->n_nodes; i++)
    for (int32_t a = 0; a < graph->nodes[i].n_attrs; a++) {
      const vlm_attr *attr = &graph->nodes[i].attrs[a];
      if (attr->kind != VLM_ATTR_GRAPH) continue;
      VLM_TRY(vlm_frame_create(&frame->children[frame->n_children], frame->session, attr->u.g, frame, err));
      frame->n_children++;
    }
out:
  return st;
}

static vlm_status list_captures(vlm_frame *frame, vlm_error *err) {
  const vlm_graph *graph = frame->graph;
  vlm_status st = vlm_alloc((void **)&frame->captures, (size_t)graph->n_values, sizeof *frame->captures, err);
  for (int32_t id = 0; st == VLM_OK && id < graph->n_values; id++)
    if (graph->values[id].kind == VLM_VALUE_CAPTURE) frame->captures[frame->n_captures++] = id;
  return st;
}

static void mark_tapped(vlm_frame *frame) {
  const vlm_session_opts *opts = &frame->session->opts;
  for (int32_t id = 0; opts->tap && id < frame->graph->n_values; id++) {
    vlm_value_kind kind = frame->graph->values[id].kind;
    if (kind == VLM_VALUE_CONSTANT || kind == VLM_VALUE_CAPTURE) continue;
    frame->tapped[id] = !opts->tap_wants || opts->tap_wants(opts->tap_user, frame->graph, id);
  }
}

vlm_status vlm_frame_create(vlm_frame **out, vlm_session *session, const vlm_graph *graph, vlm_frame *parent, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_frame *frame = NULL;
  size_t n = (size_t)graph->n_values;
  VLM_TRY(vlm_alloc((void **)&frame, 1, sizeof *frame, err));
  frame->session = session;
  frame->graph = graph;
  frame->parent = parent;
  VLM_TRY(vlm_arena_create(&frame->folded_arena, err));
  VLM_TRY(vlm_alloc((void **)&frame->folded, n, sizeof *frame->folded, err));
  VLM_TRY(vlm_alloc((void **)&frame->now, n, sizeof *frame->now, err));
  VLM_TRY(vlm_alloc((void **)&frame->held, n, sizeof *frame->held, err));
  VLM_TRY(vlm_alloc((void **)&frame->tapped, n, 1, err));
  VLM_TRY(vlm_alloc((void **)&frame->outputs, (size_t)graph->n_outputs, sizeof *frame->outputs, err));
  VLM_TRY(vlm_alloc((void **)&frame->output_copies, (size_t)graph->n_outputs, sizeof *frame->output_copies, err));
  VLM_TRY(vlm_alloc((void **)&frame->plans, 8, sizeof *frame->plans, err));
  mark_tapped(frame);
  VLM_TRY(list_captures(frame, err));
  VLM_TRY(vlm_frame_fold(frame, err));
  VLM_TRY(create_children(frame, err));
out:
  if (st != VLM_OK) {
    vlm_frame_free(frame);
    frame = NULL;
  }
  *out = frame;
  return st;
}

void vlm_frame_free(vlm_frame *frame) {
  if (!frame) return;
  for (int32_t i = 0; i < frame->n_children; i++) vlm_frame_free(frame->children[i]);
  for (int32_t i = 0; i < frame->n_plans; i++) vlm_plan_free(frame->plans[i]);
  void *blocks[] = {frame->children, frame->captures, frame->folded, frame->now, frame->held, frame->outputs, frame->output_copies, frame->tapped,
                    frame->bytes, frame->plans};
  for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) vlm_free(blocks[i]);
  vlm_arena_free(frame->folded_arena);
  vlm_free(frame);
}

vlm_frame *vlm_frame_child(const vlm_frame *frame, const vlm_graph *body) {
  for (int32_t i = 0; i < frame->n_children; i++)
    if (frame->children[i]->graph == body) return frame->children[i];
  return NULL;
}

/* ---- running ---- */

static vlm_status tap_value(vlm_frame *frame, vlm_value_id id, vlm_error *err) {
  vlm_session *s = frame->session;
  if (id == VLM_NO_VALUE || !frame->tapped[id] || !frame->now[id].data) return VLM_OK;
  return s->opts.tap(s->opts.tap_user, frame->graph, id, &frame->now[id], err);
}

static void release_held(vlm_frame *frame, vlm_value_id id) {
  if (!frame->held[id]) return;
  vlm_heap_give(&frame->session->heap, frame->held[id]);
  frame->held[id] = NULL;
}

static vlm_status check_input(const vlm_frame *frame, int32_t i, const vlm_tensor *t, vlm_error *err) {
  const vlm_value *v = &frame->graph->values[frame->graph->inputs[i]];
  char got[128], wanted[128];
  bool fits = v->tensor.rank < 0 || v->tensor.rank == t->rank;
  for (int d = 0; fits && d < v->tensor.rank; d++) fits = v->tensor.dims[d] < 0 || v->tensor.dims[d] == t->dims[d];
  if (v->tensor.dtype != VLM_NONE && v->tensor.dtype != t->dtype)
    return vlm_fail(err, VLM_INPUT, "%s: input \"%s\": got %s, wanted %s", frame->graph->source, v->name, vlm_dtype_name(t->dtype),
                    vlm_dtype_name(v->tensor.dtype));
  if (!fits && !frame->parent) /* bodies declare shapes loosely: only their types bind */
    return vlm_fail(err, VLM_INPUT, "%s: input \"%s\": got shape %s, wanted %s", frame->graph->source, v->name,
                    vlm_tensor_shape_text(t, got, sizeof got), vlm_tensor_shape_text(&v->tensor, wanted, sizeof wanted));
  return VLM_OK;
}

/* One element is one element: a scalar where [1] is declared, and the other way round, takes the declared rank. */
static void take_declared_rank(const vlm_value *v, vlm_tensor *t) {
  bool single = v->tensor.rank >= 0 && v->tensor.rank != t->rank && vlm_tensor_count(t) == 1;
  for (int d = 0; d < v->tensor.rank; d++) single = single && (v->tensor.dims[d] < 0 || v->tensor.dims[d] == 1);
  if (!single) return;
  t->rank = v->tensor.rank;
  for (int d = 0; d < t->rank; d++) t->dims[d] = 1;
}

vlm_status vlm_frame_bind_inputs(vlm_frame *frame, const vlm_tensor *inputs, int32_t n, vlm_error *err) {
  static char empty[VLM_ALIGN] __attribute__((aligned(VLM_ALIGN)));
  const vlm_graph *graph = frame->graph;
  if (n != graph->n_inputs)
    return vlm_fail(err, VLM_INPUT, "%s: got %d inputs, wanted %d", graph->source ? graph->source : graph->name, n, graph->n_inputs);
  for (int32_t i = 0; i < n; i++) {
    vlm_tensor input = inputs[i];
    if (!frame->parent) take_declared_rank(&graph->values[graph->inputs[i]], &input);
    vlm_status st = check_input(frame, i, &input, err);
    if (st != VLM_OK) return st;
    frame->now[graph->inputs[i]] = input;
    if (!inputs[i].data) frame->now[graph->inputs[i]].data = empty; /* zero elements: a valid pointer all the same */
  }
  for (int32_t i = 0; i < frame->n_captures; i++)
    frame->now[frame->captures[i]] = frame->parent->now[graph->values[frame->captures[i]].parent_value];
  return VLM_OK;
}

static vlm_status run_if(vlm_frame *frame, const vlm_step *step, vlm_error *err) {
  const vlm_node *node = &frame->graph->nodes[step->node];
  const vlm_tensor *condition = step->in[0];
  if (!condition || vlm_tensor_count(condition) != 1) return vlm_fail(err, VLM_INPUT, "the condition must have one element");
  const char *branch = vlm_tensor_get_int(condition, 0) ? "then_branch" : "else_branch";
  const vlm_attr *attr = vlm_node_attr(node, branch);
  vlm_frame *child = attr ? vlm_frame_child(frame, attr->u.g) : NULL;
  if (!child) return vlm_fail(err, VLM_INPUT, "%s is missing", branch);
  if (child->graph->n_outputs != node->n_outputs)
    return vlm_fail(err, VLM_INPUT, "%s has %d outputs, wanted %d", branch, child->graph->n_outputs, node->n_outputs);
  vlm_status st = vlm_frame_run(child, NULL, 0, err);
  /* No copy: the branch's outputs stay where they are until it runs again. */
  for (int32_t k = 0; st == VLM_OK && k < node->n_outputs; k++)
    if (step->out[k]) *step->out[k] = child->outputs[k];
  return st;
}

static vlm_status allocate_outputs(vlm_frame *frame, const vlm_node *node, const vlm_step *step, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t k = 0; k < node->n_outputs; k++) {
    size_t bytes;
    if (!step->out[k]) continue;
    vlm_value_id id = node->outputs[k];
    VLM_TRY(vlm_tensor_bytes_checked(&bytes, step->out[k], err));
    if (k == 0 && node->op->flags & VLM_OP_ALIAS) {
      step->out[0]->data = step->in[0]->data;
      continue;
    }
    release_held(frame, id);
    VLM_TRY(vlm_heap_take(&frame->session->heap, &frame->held[id], bytes, err));
    step->out[k]->data = frame->held[id];
  }
out:
  return st;
}

static vlm_status run_step(vlm_frame *frame, const vlm_step *step, vlm_error *err) {
  const vlm_node *node = &frame->graph->nodes[step->node];
  vlm_call_host host = {.frame = frame, .out_ids = step->kind == VLM_STEP_SELF_ALLOC ? node->outputs : NULL};
  vlm_status st = VLM_OK;
  vlm_op_call call = vlm_call_make(&host, node, step->in, step->out, step->is_constant, err);
  switch (step->kind) {
    case VLM_STEP_IF: st = run_if(frame, step, err); break;
    case VLM_STEP_ALIAS: step->out[0]->data = step->in[0]->data; break;
    case VLM_STEP_DYNAMIC:
      VLM_TRY(node->op->infer(&call));
      VLM_TRY(allocate_outputs(frame, node, step, err));
      if (!(node->op->flags & VLM_OP_ALIAS)) VLM_TRY(node->op->run(&call));
      break;
    default: st = node->op->run(&call);
  }
out:
  vlm_call_release(&host);
  return st == VLM_OK ? st : vlm_call_failed(frame, node, st, err);
}

static vlm_status run_steps(vlm_frame *frame, vlm_error *err) {
  const vlm_plan *plan = frame->plan;
  bool tapping = frame->session->opts.tap != NULL;
  for (int32_t s = 0; s < plan->n_steps; s++) {
    const vlm_step *step = &plan->steps[s];
    vlm_status st = run_step(frame, step, err);
    const vlm_node *node = &frame->graph->nodes[step->node];
    for (int32_t k = 0; tapping && st == VLM_OK && k < node->n_outputs; k++) st = tap_value(frame, node->outputs[k], err);
    if (st != VLM_OK) return st;
    for (int32_t i = 0; i < step->n_dead; i++) release_held(frame, step->dead[i]);
  }
  return VLM_OK;
}

/* Outputs that are views of something outside are copied, so that they live until the next run. */
static vlm_status collect_outputs(vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = frame->graph;
  for (int32_t i = 0; i < graph->n_outputs; i++) {
    vlm_value_id id = graph->outputs[i];
    frame->outputs[i] = frame->now[id];
    vlm_heap_give(&frame->session->heap, frame->output_copies[i]);
    frame->output_copies[i] = NULL;
    if (frame->plan->values[frame->plan->values[id].root].store != VLM_STORE_OUTSIDE) continue;
    size_t bytes = vlm_tensor_bytes(&frame->now[id]);
    VLM_TRY(vlm_heap_take(&frame->session->heap, &frame->output_copies[i], bytes, err));
    if (bytes) memcpy(frame->output_copies[i], frame->now[id].data, bytes);
    frame->outputs[i].data = frame->output_copies[i];
  }
out:
  return st;
}

vlm_status vlm_frame_run(vlm_frame *frame, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_frame_bind_inputs(frame, inputs, n_inputs, err));
  for (int32_t id = 0; id < frame->graph->n_values; id++) release_held(frame, id);
  VLM_TRY(vlm_frame_plan(frame, err));
  for (int32_t i = 0; frame->session->opts.tap && i < n_inputs; i++) VLM_TRY(tap_value(frame, frame->graph->inputs[i], err));
  VLM_TRY(run_steps(frame, err));
  VLM_TRY(collect_outputs(frame, err));
out:
  return st;
}
