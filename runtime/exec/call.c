/* What an operator sees while it runs: scratch memory, outputs of its own size, bodies of control flow. */
#include <string.h>

#include "runtime/exec/frame.h"

static vlm_status call_scratch(vlm_op_call *c, void **out, size_t bytes) {
  vlm_call_host *host = c->executor;
  if (host->n_scratch == (int32_t)(sizeof host->scratch / sizeof host->scratch[0]))
    return vlm_fail(c->err, VLM_LIMIT, "more than %d working arrays in one call", host->n_scratch);
  vlm_status st = vlm_heap_take(&host->frame->session->heap, out, bytes, c->err);
  if (st == VLM_OK) host->scratch[host->n_scratch++] = *out;
  return st;
}

static vlm_status call_allocate(vlm_op_call *c, int32_t k) {
  vlm_call_host *host = c->executor;
  size_t bytes;
  if (!host->out_ids) return vlm_fail(c->err, VLM_INTERNAL, "output %d cannot be allocated here", k);
  if (!c->out[k]) return VLM_OK;
  vlm_status st = vlm_tensor_bytes_checked(&bytes, c->out[k], c->err);
  if (st != VLM_OK) return st;
  void **held = &host->frame->held[host->out_ids[k]];
  vlm_heap_give(&host->frame->session->heap, *held);
  *held = NULL;
  st = vlm_heap_take(&host->frame->session->heap, held, bytes, c->err);
  c->out[k]->data = *held;
  return st;
}

/* Results stay valid until the second next call of the same body: iteration i feeds i + 1. */
static vlm_status copy_outputs(vlm_frame *child, vlm_tensor *outputs, int32_t n, vlm_error *err) {
  vlm_status st = VLM_OK;
  void **slots = child->body_outputs[child->body_turn ^= 1];
  vlm_heap *heap = &child->session->heap;
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

static vlm_status call_body(vlm_op_call *c, vlm_graph *body, const vlm_tensor *inputs, int32_t n_inputs, vlm_tensor *outputs, int32_t n_outputs) {
  vlm_call_host *host = c->executor;
  vlm_frame *child = vlm_frame_child(host->frame, body);
  vlm_status st = VLM_OK;
  vlm_session *session = host->frame->session;
  VLM_CHECK(child, c->err, VLM_INTERNAL, "body \"%s\" has no frame", body->name);
  VLM_CHECK(n_outputs <= body->n_outputs && n_outputs <= 64, c->err, VLM_INPUT, "body \"%s\" has %d outputs, wanted %d", body->name, body->n_outputs, n_outputs);
  VLM_CHECK(session->body_runs++ < session->context->max_loop_runs, c->err, VLM_LIMIT,
            "loops have run their bodies %lld times together; --max-loop-runs raises the limit", (long long)session->context->max_loop_runs);
  VLM_TRY(vlm_frame_run(child, inputs, n_inputs, c->err));
  VLM_TRY(copy_outputs(child, outputs, n_outputs, c->err));
out:
  return st;
}

vlm_op_call vlm_call_make(vlm_call_host *host, const vlm_node *node, const vlm_tensor *const *in, vlm_tensor *const *out, const bool *is_constant,
                          vlm_error *err) {
  vlm_context *context = host->frame->session->context;
  return (vlm_op_call){.node = node,
                       .n_in = node->n_inputs,
                       .n_out = node->n_outputs,
                       .in = in,
                       .out = out,
                       .is_constant = is_constant,
                       .threads = context->threads,
                       .kernels = context->kernels,
                       .scratch = call_scratch,
                       .allocate = call_allocate,
                       .run_body = call_body,
                       .caches_have_room = host->frame->session->opts.caches_have_room,
                       .executor = host,
                       .err = err};
}

void vlm_call_release(vlm_call_host *host) {
  for (int32_t i = 0; i < host->n_scratch; i++) vlm_heap_give(&host->frame->session->heap, host->scratch[i]);
  host->n_scratch = 0;
}

vlm_status vlm_call_failed(const vlm_frame *frame, const vlm_node *node, vlm_status status, vlm_error *err) {
  const char *source = frame->graph->source ? frame->graph->source : frame->graph->name;
  if (status == VLM_UNKNOWN) status = vlm_fail(err, VLM_INTERNAL, "an input value is missing at run time");
  vlm_error_context(err, "%s: node \"%s\" (%s)", source, node->name, node->op_type);
  return status;
}
