#include "runtime/exec/call.h"

#include <assert.h>

#include "runtime/base/memory.h"

void *vlm_call_no_bytes(void) {
  static char empty[VLM_ALIGN] __attribute__((aligned(VLM_ALIGN)));
  return empty;
}

static vlm_status call_scratch(vlm_op_call *c, void **out, size_t bytes) {
  vlm_status st = VLM_OK;
  vlm_call_host *host = c->executor;
  if (host->n_scratch == host->cap_scratch) {
    int32_t wanted = host->cap_scratch ? 2 * host->cap_scratch : 16;
    VLM_TRY(vlm_more(&host->scratch, host->n_scratch, wanted, c->err));
    host->cap_scratch = wanted;
  }
  VLM_TRY(vlm_heap_take(host->heap, out, bytes, c->err));
  assert(host->n_scratch < host->cap_scratch);
  host->scratch[host->n_scratch++] = *out;
out:
  return st;
}

static vlm_status call_allocate(vlm_op_call *c, int32_t k) {
  vlm_status st = VLM_OK;
  vlm_call_host *host = c->executor;
  size_t bytes;
  VLM_CHECK(c->node->op->flags & VLM_OP_SELF_ALLOC, c->err, VLM_INTERNAL,
            "output %d cannot be allocated here", k);
  if (!c->out[k]) goto out;
  VLM_TRY(vlm_tensor_bytes_checked(&bytes, c->out[k], c->err));
  void **held = &host->held[c->node->outputs[k]];
  vlm_heap_give(host->heap, *held);
  *held = NULL;
  VLM_TRY(vlm_heap_take(host->heap, held, bytes, c->err));
  c->out[k]->data = *held;
out:
  return st;
}

static vlm_status call_body(vlm_op_call *c, vlm_graph *body, const vlm_tensor *inputs, int32_t n_inputs,
                            vlm_tensor *outputs, int32_t n_outputs) {
  vlm_call_host *host = c->executor;
  const vlm_body_call call = {body, inputs, n_inputs, outputs, n_outputs};
  return host->run_body(host->runner, &call, c->err);
}

vlm_op_call vlm_call_make(vlm_call_host *host, const vlm_node *node, const vlm_tensor *const *in,
                          vlm_tensor *const *out, vlm_error *err) {
  return (vlm_op_call){.node = node,
                       .n_in = node->n_inputs,
                       .n_out = node->n_outputs,
                       .in = in,
                       .out = out,
                       .threads = host->context->threads,
                       .kernels = &host->context->kernels,
                       .scratch = call_scratch,
                       .allocate = call_allocate,
                       .run_body = call_body,
                       .caches_have_room = host->caches_have_room,
                       .work = vlm_call_no_bytes(),
                       .executor = host,
                       .err = err};
}

void vlm_call_release(vlm_call_host *host) {
  for (int32_t i = 0; i < host->n_scratch; i++) vlm_heap_give(host->heap, host->scratch[i]);
  host->n_scratch = 0;
}

void vlm_call_host_free(vlm_call_host *host) { vlm_free(host->scratch); }

vlm_status vlm_call_failed(const vlm_graph *graph, const vlm_node *node, vlm_status status, vlm_error *err) {
  const char *source = graph->source ? graph->source : graph->name;
  if (status == VLM_UNKNOWN) status = vlm_fail(err, VLM_INTERNAL, "an input value is missing at run time");
  vlm_error_context(err, "%s: node \"%s\" (%s)", source, node->name, node->op_type);
  return status;
}
