/* A run is a walk over the steps of the plan. */
#include <assert.h>
#include <string.h>

#include "runtime/exec/borrow.h"
#include "runtime/exec/frame.h"

static vlm_status tap_value(vlm_frame *frame, vlm_value_id id, vlm_error *err) {
  const vlm_session_opts *opts = &frame->shared->opts;
  if (id == VLM_NO_VALUE || !frame->tapped[id] || !frame->now[id].data) return VLM_OK;
  return opts->tap(opts->tap_user, frame->graph, id, &frame->now[id], err);
}

static void release_held(vlm_frame *frame, vlm_value_id id) {
  if (!frame->held[id]) return;
  vlm_heap_give(&frame->shared->heap, frame->held[id]);
  frame->held[id] = NULL;
}

static vlm_status allocate_outputs(vlm_frame *frame, const vlm_op_call *call, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_node *node = call->node;
  for (int32_t k = 0; k < node->n_outputs; k++) {
    size_t bytes;
    if (!call->out[k]) continue;
    vlm_value_id id = node->outputs[k];
    VLM_TRY(vlm_tensor_bytes_checked(&bytes, call->out[k], err));
    if (k == 0 && node->op->flags & VLM_OP_ALIAS) {
      call->out[0]->data = call->in[0]->data;
      continue;
    }
    release_held(frame, id);
    VLM_TRY(vlm_heap_take(&frame->shared->heap, &frame->held[id], bytes, err));
    call->out[k]->data = frame->held[id];
  }
out:
  return st;
}

/* In the memory of the time before. */
static vlm_status prepare_now(vlm_step *step) {
  vlm_status st = VLM_OK;
  vlm_op_call *call = &step->call;
  assert(
      step->late ||
      step->kind ==
          VLM_STEP_DYNAMIC); /* others were prepared when planned, and their work space lies in the arena */
  vlm_op_binding_rewind(&step->binding);
  call->binding = &step->binding;
  VLM_TRY(call->node->op->prepare(call));
  vlm_step_give_packed(step, step->binding.lazy);
  call->work = vlm_call_no_bytes();
  if (step->binding.work_bytes) VLM_TRY(call->scratch(call, &call->work, step->binding.work_bytes));
out:
  call->binding = NULL;
  return st;
}

static vlm_status run_dynamic(vlm_frame *frame, vlm_step *step, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_op *op = step->call.node->op;
  VLM_TRY(op->infer(&step->call));
  VLM_TRY(allocate_outputs(frame, &step->call, err));
  if (op->flags & VLM_OP_ALIAS) goto out;
  VLM_TRY(prepare_now(step));
  VLM_TRY(op->run(&step->call));
out:
  return st;
}

static vlm_status run_static(vlm_step *step) {
  vlm_status st = VLM_OK;
  if (step->late) VLM_TRY(prepare_now(step));
  VLM_TRY(step->call.node->op->run(&step->call));
out:
  return st;
}

/* The guess of the plan, compared with the truth. */
static vlm_status run_checked(vlm_frame *frame, vlm_step *step, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_op_call *call = &step->call;
  const vlm_op *op = call->node->op;
  VLM_TRY(op->infer(&step->call));
  for (int32_t k = 0; k < call->n_out; k++) {
    if (!call->out[k]) continue;
    const vlm_tensor *planned = &frame->plan->values[call->node->outputs[k]].tensor;
    frame->mistaken |= call->out[k]->dtype != planned->dtype || !vlm_tensor_same_shape(call->out[k], planned);
  }
  VLM_CHECK(!frame->mistaken, err, VLM_INTERNAL, "a shape differs from every one before");
  if (op->flags & VLM_OP_ALIAS) call->out[0]->data = call->in[0]->data;
  else VLM_TRY(run_static(step));
out:
  return st;
}

static vlm_status run_step(vlm_frame *frame, vlm_step *step, vlm_error *err) {
  vlm_status st = VLM_OK;
  step->call.err = err;
  switch (step->kind) {
    case VLM_STEP_IF: st = frame->shared->control->run_if(frame, step, err); break;
    case VLM_STEP_ALIAS: step->call.out[0]->data = step->call.in[0]->data; break;
    case VLM_STEP_DYNAMIC: st = run_dynamic(frame, step, err); break;
    case VLM_STEP_CHECKED: st = run_checked(frame, step, err); break;
    case VLM_STEP_STATIC:
    case VLM_STEP_SELF_ALLOC: st = run_static(step); break;
  }
  if (frame->host.n_scratch) vlm_call_release(&frame->host);
  return st == VLM_OK ? st : vlm_call_failed(frame->graph, step->call.node, st, err);
}

static vlm_status tap_outputs(vlm_frame *frame, const vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t k = 0; k < node->n_outputs; k++) VLM_TRY(tap_value(frame, node->outputs[k], err));
out:
  return st;
}

static vlm_status run_steps(vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_plan *plan = frame->plan;
  const vlm_step_watch *watch = frame->shared->context->watch;
  bool tapping = frame->shared->opts.tap != NULL;
  assert(plan && frame->bound == plan->number); /* the tensors of now are the plan's */
  for (int32_t s = 0; s < plan->n_steps; s++) {
    vlm_step *step = &plan->steps[s];
    if (watch) watch->tell(watch->user, frame->graph, &step->call, false);
    VLM_TRY(run_step(frame, step, err));
    if (watch) watch->tell(watch->user, frame->graph, &step->call, true);
    if (tapping) VLM_TRY(tap_outputs(frame, step->call.node, err));
    for (int32_t i = 0; i < step->n_dead; i++) release_held(frame, step->dead[i]);
  }
out:
  return st;
}

/* Outputs that are views of something outside are copied, so that they live until the next run. */
static vlm_status collect_outputs(vlm_frame *frame, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = frame->graph;
  vlm_heap *heap = &frame->shared->heap;
  for (int32_t i = 0; i < graph->n_outputs; i++) {
    vlm_value_id id = graph->outputs[i];
    frame->outputs[i] = frame->now[id];
    assert(frame->now[id].data || vlm_tensor_count(&frame->now[id]) == 0); /* every output was made */
    vlm_heap_give(heap, frame->output_copies[i]);
    frame->output_copies[i] = NULL;
    if (frame->plan->values[frame->plan->values[id].root].store != VLM_STORE_OUTSIDE) continue;
    size_t bytes = vlm_tensor_bytes(&frame->now[id]);
    VLM_TRY(vlm_heap_take(heap, &frame->output_copies[i], bytes, err));
    if (bytes) memcpy(frame->output_copies[i], frame->now[id].data, bytes);
    frame->outputs[i].data = frame->output_copies[i];
  }
out:
  return st;
}

static vlm_status run_once(vlm_frame *frame, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t id = 0; id < frame->graph->n_values; id++) release_held(frame, id);
  VLM_TRY(vlm_frame_plan(frame, inputs, n_inputs, err));
  for (int32_t i = 0; frame->shared->opts.tap && i < n_inputs; i++)
    VLM_TRY(tap_value(frame, frame->graph->inputs[i], err));
  VLM_TRY(run_steps(frame, err));
  VLM_TRY(collect_outputs(frame, err));
out:
  return st;
}

static vlm_status run(vlm_frame *frame, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err) {
  vlm_error first = {0};
  frame->mistaken = false;
  vlm_status st = run_once(frame, inputs, n_inputs, &first);
  if (frame->mistaken) {
    vlm_plan_cache_distrust(&frame->plans);
    frame->bound = 0;
    return run_once(frame, inputs, n_inputs, err);
  }
  if (st != VLM_OK && err) *err = first;
  return st;
}

vlm_status vlm_frame_run(vlm_frame *frame, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err) {
  const vlm_step_watch *watch = frame->shared->context->watch;
  if (watch) watch->tell(watch->user, frame->graph, NULL, false);
  const vlm_status st = run(frame, inputs, n_inputs, err);
  if (watch && st == VLM_OK) watch->tell(watch->user, frame->graph, NULL, true);
  return st;
}
