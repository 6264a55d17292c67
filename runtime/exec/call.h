/* Private to exec/: what an operator sees while it runs: scratch memory, outputs of its own size, bodies of control flow. */
#ifndef VLM_EXEC_CALL_H
#define VLM_EXEC_CALL_H

#include "runtime/exec/context_private.h"
#include "runtime/exec/heap.h"
#include "runtime/ops/op.h"

/* A body and what goes in; outputs are copies, valid until the run after the next. */
typedef struct vlm_body_call {
  vlm_graph *body;
  const vlm_tensor *inputs;
  int32_t n_inputs;
  vlm_tensor *outputs; /* written */
  int32_t n_outputs;
} vlm_body_call;
typedef vlm_status vlm_run_body(void *runner, const vlm_body_call *call, vlm_error *err);

/* One per frame: its calls run one after another. */
typedef struct vlm_call_host {
  const vlm_context *context;
  vlm_heap *heap;
  void **held;    /* per value of the graph: its heap block, or NULL */
  void **scratch; /* heap blocks of the call that runs */
  int32_t n_scratch, cap_scratch;
  bool caches_have_room; /* of the session's options */
  vlm_run_body *run_body;
  void *runner; /* of run_body */
} vlm_call_host;

/* Where tensors without elements and work space that nobody reserved lie: a valid pointer all the same. */
void *vlm_call_no_bytes(void);
vlm_op_call vlm_call_make(vlm_call_host *host, const vlm_node *node, const vlm_tensor *const *in,
                          vlm_tensor *const *out, vlm_error *err);
/* Gives the scratch memory of the last call back. */
void vlm_call_release(vlm_call_host *host);
void vlm_call_host_free(vlm_call_host *host);
/* Adds file, node and operator to the message. */
vlm_status vlm_call_failed(const vlm_graph *graph, const vlm_node *node, vlm_status status, vlm_error *err);

#endif
