/* What a frame is made of, and what its run starts from: inputs, captures, a plan. */
#include "runtime/exec/frame.h"

#include <string.h>

#include "runtime/base/pages.h"
#include "runtime/exec/release.h"

/* ---- creation ---- */

static int32_t count_bodies(const vlm_graph *graph) {
  int32_t n = 0;
  for (int32_t i = 0; i < graph->n_nodes; i++)
    for (int32_t a = 0; a < graph->nodes[i].n_attrs; a++)
      n += graph->nodes[i].attrs[a].kind == VLM_ATTR_GRAPH;
  return n;
}

static vlm_status create_children(vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = frame->graph;
  VLM_TRY(vlm_new(&frame->children, count_bodies(graph), err));
  for (int32_t i = 0; i < graph->n_nodes; i++)
    for (int32_t a = 0; a < graph->nodes[i].n_attrs; a++) {
      const vlm_attr *attr = &graph->nodes[i].attrs[a];
      if (attr->kind != VLM_ATTR_GRAPH) continue;
      VLM_TRY(vlm_frame_create(&frame->children[frame->n_children], frame->shared, attr->u.g, frame, err));
      frame->n_children++;
    }
out:
  return st;
}

static vlm_status list_outside(vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = frame->graph;
  VLM_TRY(vlm_new(&frame->captures, graph->n_values, err));
  for (int32_t id = 0; id < graph->n_values; id++)
    if (graph->values[id].kind == VLM_VALUE_CAPTURE) frame->captures[frame->n_captures++] = id;
  VLM_TRY(vlm_new(&frame->outside, graph->n_inputs + frame->n_captures, err));
  for (int32_t i = 0; i < graph->n_inputs; i++) frame->outside[i] = &frame->now[graph->inputs[i]];
  for (int32_t i = 0; i < frame->n_captures; i++)
    frame->outside[graph->n_inputs + i] = &frame->now[frame->captures[i]];
out:
  return st;
}

static void mark_tapped(vlm_frame *frame) {
  const vlm_session_opts *opts = &frame->shared->opts;
  for (int32_t id = 0; opts->tap && id < frame->graph->n_values; id++) {
    vlm_value_kind kind = frame->graph->values[id].kind;
    if (kind == VLM_VALUE_CONSTANT || kind == VLM_VALUE_CAPTURE) continue;
    frame->tapped[id] = !opts->tap_wants || opts->tap_wants(opts->tap_user, frame->graph, id);
  }
}

static vlm_status make_lists(vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t n = (size_t)frame->graph->n_values, n_outputs = (size_t)frame->graph->n_outputs;
  VLM_TRY(vlm_new(&frame->now, n, err));
  VLM_TRY(vlm_new(&frame->held, n, err));
  VLM_TRY(vlm_new(&frame->tapped, n, err));
  VLM_TRY(vlm_new(&frame->packed, frame->graph->n_nodes, err));
  VLM_TRY(vlm_new(&frame->outputs, n_outputs, err));
  VLM_TRY(vlm_new(&frame->output_copies, n_outputs, err));
  for (int t = 0; t < 2; t++) VLM_TRY(vlm_new(&frame->body_outputs[t], n_outputs, err));
  VLM_TRY(list_outside(frame, err));
out:
  return st;
}

static const void *output_constant(const vlm_frame *frame, int32_t i) {
  const vlm_tensor *t = vlm_constants_get(frame->constants, frame->graph->outputs[i]);
  return t ? t->data : NULL;
}

static vlm_status hold_outputs(vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (; frame->n_held_outputs < frame->graph->n_outputs; frame->n_held_outputs++)
    VLM_TRY(vlm_lazy_take(frame->graph->lazy, output_constant(frame, frame->n_held_outputs), err));
out:
  return st;
}

/* Nodes that were folded have read their constants for the last time. */
static vlm_status note_folded(const vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t n = 0; n < frame->graph->n_nodes; n++) {
    const vlm_node *node = &frame->graph->nodes[n];
    bool folded = node->n_outputs > 0;
    for (int32_t k = 0; folded && k < node->n_outputs; k++)
      folded = node->outputs[k] == VLM_NO_VALUE || vlm_constants_get(frame->constants, node->outputs[k]);
    folded = folded && !(node->op->flags & VLM_OP_ALIAS); /* an alias goes on reading */
    for (int32_t k = 0; folded && k < node->n_inputs; k++)
      VLM_TRY(vlm_release_note(frame->shared->opts.release, node, k, NULL, err));
  }
out:
  return st;
}

vlm_status vlm_frame_create(vlm_frame **out, vlm_frame_shared *shared, const vlm_graph *graph,
                            vlm_frame *parent, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_frame *frame = NULL;
  VLM_TRY(vlm_new(&frame, 1, err));
  frame->shared = shared;
  frame->graph = graph;
  frame->parent = parent;
  VLM_TRY(make_lists(frame, err));
  frame->host = (vlm_call_host){.context = shared->context,
                                .heap = &shared->heap,
                                .held = frame->held,
                                .caches_have_room = shared->opts.caches_have_room,
                                .run_body = shared->control->run_body,
                                .runner = frame};
  frame->plans.keeps_rows = shared->opts.keeps_rows && !parent;
  mark_tapped(frame);
  VLM_TRY(vlm_constants_create(&frame->constants, shared->context, graph, parent ? parent->constants : NULL,
                               err));
  if (shared->opts.release) VLM_TRY(note_folded(frame, err));
  VLM_TRY(hold_outputs(frame, err));
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
  vlm_plan_cache_free(&frame->plans);
  for (int32_t i = 0; i < frame->n_held_outputs; i++)
    vlm_lazy_give(frame->graph->lazy, output_constant(frame, i));
  vlm_constants_free(frame->constants);
  vlm_call_host_free(&frame->host);
  void *blocks[] = {frame->children,
                    frame->captures,
                    frame->outside,
                    frame->now,
                    frame->held,
                    frame->outputs,
                    frame->output_copies,
                    frame->tapped,
                    frame->body_outputs[0],
                    frame->body_outputs[1],
                    frame->packed};
  for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) vlm_free(blocks[i]);
  vlm_pages_free(frame->bytes, frame->bytes_size);
  vlm_free(frame);
}

/* ---- inputs and plan ---- */

static vlm_status check_input(const vlm_frame *frame, int32_t i, const vlm_tensor *t, vlm_error *err) {
  const vlm_value *v = &frame->graph->values[frame->graph->inputs[i]];
  char got[128], wanted[128];
  bool fits = v->tensor.rank < 0 || v->tensor.rank == t->rank;
  for (int d = 0; fits && d < v->tensor.rank; d++)
    fits = v->tensor.dims[d] < 0 || v->tensor.dims[d] == t->dims[d];
  if (v->tensor.dtype != VLM_NONE && v->tensor.dtype != t->dtype)
    return vlm_fail(err, VLM_INPUT, "%s: input \"%s\": got %s, wanted %s", frame->graph->source, v->name,
                    vlm_dtype_name(t->dtype), vlm_dtype_name(v->tensor.dtype));
  if (!fits && !frame->parent) /* bodies declare shapes loosely: only their types bind */
    return vlm_fail(err, VLM_INPUT, "%s: input \"%s\": got shape %s, wanted %s", frame->graph->source,
                    v->name, vlm_tensor_shape_text(t, got, sizeof got),
                    vlm_tensor_shape_text(&v->tensor, wanted, sizeof wanted));
  return VLM_OK;
}

/* One element is one element: a scalar where [1] is declared, and the other way round, takes the declared rank. */
static void take_declared_rank(const vlm_value *v, vlm_tensor *t) {
  if (v->tensor.rank < 0 || v->tensor.rank == t->rank) return;
  bool single = vlm_tensor_count(t) == 1;
  for (int d = 0; d < v->tensor.rank; d++)
    single = single && (v->tensor.dims[d] < 0 || v->tensor.dims[d] == 1);
  if (!single) return;
  t->rank = v->tensor.rank;
  for (int d = 0; d < t->rank; d++) t->dims[d] = 1;
}

static vlm_status bind_inputs(vlm_frame *frame, const vlm_tensor *inputs, int32_t n, vlm_error *err) {
  const vlm_graph *graph = frame->graph;
  if (n != graph->n_inputs)
    return vlm_fail(err, VLM_INPUT, "%s: got %d inputs, wanted %d",
                    graph->source ? graph->source : graph->name, n, graph->n_inputs);
  for (int32_t i = 0; i < n; i++) {
    vlm_tensor *input = &frame->now[graph->inputs[i]];
    *input = inputs[i];
    if (!frame->parent) take_declared_rank(&graph->values[graph->inputs[i]], input);
    vlm_status st = check_input(frame, i, input, err);
    if (st != VLM_OK) return st;
    if (!input->data) input->data = vlm_call_no_bytes();
  }
  for (int32_t i = 0; i < frame->n_captures; i++)
    frame->now[frame->captures[i]] = frame->parent->now[graph->values[frame->captures[i]].parent_value];
  return VLM_OK;
}

static vlm_status grow_bytes(vlm_frame *frame, size_t bytes, vlm_error *err) {
  if (bytes <= frame->bytes_size) return VLM_OK;
  vlm_pages_free(frame->bytes, frame->bytes_size);
  frame->bytes = NULL;
  frame->bytes_size = 0;
  frame->bound = 0;
  vlm_status st = vlm_pages_take(&frame->bytes, bytes, err);
  if (st != VLM_OK) return st;
  vlm_pages_all_used(frame->bytes, bytes);
  frame->bytes_size = bytes;
  frame->shared->arena_allocations++;
  return VLM_OK;
}

/* Points every planned value of the frame, and the work space of every step, at its bytes. */
static vlm_status bind_plan(vlm_frame *frame, vlm_plan *plan, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(grow_bytes(frame, plan->arena_bytes, err));
  for (int32_t id = 0; id < frame->graph->n_values; id++) {
    const vlm_plan_value *v = &plan->values[id];
    if (v->store == VLM_STORE_OUTSIDE && v->root == id) continue;
    frame->now[id] = v->tensor;
    const vlm_plan_value *root = &plan->values[v->root];
    if (root->store == VLM_STORE_ARENA)
      frame->now[id].data = frame->bytes ? (char *)frame->bytes + root->offset : vlm_call_no_bytes();
  }
  for (int32_t s = 0; s < plan->n_steps; s++)
    if (!plan->steps[s].late && frame->bytes)
      plan->steps[s].call.work = (char *)frame->bytes + plan->steps[s].work_offset;
  frame->bound = plan->number;
out:
  return st;
}

vlm_status vlm_frame_plan(vlm_frame *frame, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_plan_request setting = {.host = &frame->host,
                                    .graph = frame->graph,
                                    .constants = frame->constants,
                                    .captures = frame->captures,
                                    .n_captures = frame->n_captures,
                                    .tapped = frame->tapped,
                                    .now = frame->now,
                                    .max_bytes = frame->shared->opts.max_bytes,
                                    .owner = vlm_release_owner(frame->shared->opts.release),
                                    .packed = frame->packed};
  VLM_TRY(bind_inputs(frame, inputs, n_inputs, err));
  frame->plan = NULL;
  VLM_TRY(vlm_plan_cache_get(&frame->plans, &frame->plan, &setting, frame->outside,
                             n_inputs + frame->n_captures, err));
  if (frame->plan->number != frame->bound) VLM_TRY(bind_plan(frame, frame->plan, err));
out:
  return st;
}

vlm_step *vlm_frame_step(const vlm_frame *frame, int32_t node) {
  for (int32_t s = 0; frame->plan && s < frame->plan->n_steps; s++)
    if (frame->plan->steps[s].node == node) return &frame->plan->steps[s];
  return NULL;
}
