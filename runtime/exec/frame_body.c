#include "runtime/exec/frame_body.h"

#include <string.h>

#include "runtime/ops/control.h"

static vlm_frame *child_of(const vlm_frame *frame, const vlm_graph *body) {
  for (int32_t i = 0; i < frame->n_children; i++)
    if (frame->children[i]->graph == body) return frame->children[i];
  return NULL;
}

/* Iteration i feeds i + 1. */
static vlm_status copy_outputs(vlm_frame *child, vlm_tensor *outputs, int32_t n, vlm_error *err) {
  vlm_status st = VLM_OK;
  void **slots = child->body_outputs[child->body_turn ^= 1];
  vlm_heap *heap = &child->shared->heap;
  for (int32_t i = 0; i < n; i++) {
    outputs[i] = child->outputs[i];
    size_t bytes = vlm_tensor_bytes(&outputs[i]);
    vlm_heap_give(heap, slots[i]);
    slots[i] = NULL;
    VLM_TRY(vlm_heap_take(heap, &slots[i], bytes, err));
    if (bytes) memcpy(slots[i], child->outputs[i].data, bytes);
    outputs[i].data = slots[i];
  }
out:
  return st;
}

static vlm_status run_body(void *runner, const vlm_body_call *call, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_frame *frame = runner, *child = child_of(frame, call->body);
  vlm_frame_shared *shared = frame->shared;
  const char *name = call->body->name;
  VLM_CHECK(child, err, VLM_INTERNAL, "body \"%s\" has no frame", name);
  VLM_CHECK(call->n_outputs <= call->body->n_outputs, err, VLM_INPUT, "body \"%s\" has %d outputs, wanted %d",
            name, call->body->n_outputs, call->n_outputs);
  VLM_CHECK(shared->body_runs++ < shared->context->max_loop_runs, err, VLM_LIMIT,
            "loops have run their bodies %lld times together; --max-loop-runs raises the limit",
            (long long)shared->context->max_loop_runs);
  VLM_TRY(vlm_frame_run(child, call->inputs, call->n_inputs, err));
  VLM_TRY(copy_outputs(child, call->outputs, call->n_outputs, err));
out:
  return st;
}

static vlm_status run_if(vlm_frame *frame, const vlm_step *step, vlm_error *err) {
  const vlm_node *node = step->call.node;
  const vlm_tensor *condition = step->call.in[0];
  if (!condition || vlm_tensor_count(condition) != 1)
    return vlm_fail(err, VLM_INPUT, "the condition must have one element");
  const vlm_branches *branches = step->call.state;
  bool then = vlm_tensor_get_int(condition, 0) != 0;
  const char *branch = then ? "then_branch" : "else_branch";
  vlm_frame *child = child_of(frame, then ? branches->then_branch : branches->else_branch);
  if (!child) return vlm_fail(err, VLM_INPUT, "%s is missing", branch);
  if (child->graph->n_outputs != node->n_outputs)
    return vlm_fail(err, VLM_INPUT, "%s has %d outputs, wanted %d", branch, child->graph->n_outputs,
                    node->n_outputs);
  vlm_status st = vlm_frame_run(child, NULL, 0, err);
  /* The branch's outputs stay where they are until it runs again. */
  for (int32_t k = 0; st == VLM_OK && k < node->n_outputs; k++)
    if (step->call.out[k]) *step->call.out[k] = child->outputs[k];
  return st;
}

const vlm_frame_control vlm_frame_bodies = {.run_body = run_body, .run_if = run_if};
