#include "onnx/evaluate.h"

#include "runtime/exec/session.h"
#include "runtime/ops/op.h"

struct vlm_evaluator {
  vlm_context *context;
};

enum { MAX_SCRATCH = 64 };

/* One call: its results and scratch blocks. */
typedef struct job {
  const vlm_node *node;
  vlm_tensor *out;
  vlm_tensor **out_pointers;
  bool *is_constant;
  size_t max_bytes;
  void *scratch[MAX_SCRATCH];
  int32_t n_scratch;
} job;

vlm_status vlm_evaluator_create(vlm_evaluator **out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_evaluator *evaluator = NULL;
  const vlm_context_opts opts = {.threads = 1};
  VLM_TRY(vlm_new(&evaluator, 1, err));
  VLM_TRY(vlm_context_create(&evaluator->context, &opts, err));
out:
  if (st != VLM_OK) {
    vlm_free(evaluator);
    evaluator = NULL;
  }
  *out = evaluator;
  return st;
}

void vlm_evaluator_free(vlm_evaluator *evaluator) {
  if (evaluator == NULL) return;
  vlm_context_free(evaluator->context);
  vlm_free(evaluator);
}

static vlm_status take_scratch(vlm_op_call *c, void **out, size_t bytes) {
  vlm_status st = VLM_OK;
  job *j = c->executor;
  VLM_CHECK(j->n_scratch < MAX_SCRATCH, c->err, VLM_INTERNAL, "more than %d scratch blocks in one call", MAX_SCRATCH);
  VLM_TRY(vlm_alloc(out, bytes, 1, c->err));
  j->scratch[j->n_scratch++] = *out;
out:
  return st;
}

static vlm_status take_output(vlm_op_call *c, int32_t k) {
  vlm_status st = VLM_OK;
  job *j = c->executor;
  size_t bytes = 0;
  if (c->out[k] == NULL) return VLM_OK;
  VLM_TRY(vlm_tensor_bytes_checked(&bytes, c->out[k], c->err));
  VLM_CHECK(bytes <= j->max_bytes, c->err, VLM_LIMIT, "a result of %zu bytes is not folded", bytes);
  vlm_free(c->out[k]->data);
  c->out[k]->data = NULL;
  VLM_TRY(vlm_alloc(&c->out[k]->data, bytes, 1, c->err));
out:
  return st;
}

static vlm_status refuse_body(vlm_op_call *c, vlm_graph *body, const vlm_tensor *inputs, int32_t n_inputs, vlm_tensor *outputs,
                              int32_t n_outputs) {
  (void)body, (void)inputs, (void)n_inputs, (void)outputs, (void)n_outputs;
  return vlm_fail(c->err, VLM_UNSUPPORTED, "subgraphs are not run while folding");
}

static vlm_status run_job(job *j, vlm_op_call *c, bool *shared) {
  vlm_status st = VLM_OK;
  int32_t flags = j->node->op->flags;
  if (!(flags & VLM_OP_SELF_ALLOC)) {
    VLM_TRY(j->node->op->infer(c));
    *shared = (flags & VLM_OP_ALIAS) != 0 && c->out[0] != NULL;
    for (int32_t k = *shared ? 1 : 0; k < c->n_out; k++) VLM_TRY(take_output(c, k));
    if (*shared) {
      c->out[0]->data = c->in[0]->data;
      goto out;
    }
  }
  VLM_TRY(j->node->op->run(c));
out:
  return st;
}

static vlm_status make_lists(job *j, const vlm_node *node, vlm_tensor *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_new(&j->out_pointers, node->n_outputs, err));
  VLM_TRY(vlm_new(&j->is_constant, node->n_inputs, err));
  for (int32_t k = 0; k < node->n_inputs; k++) j->is_constant[k] = true;
  for (int32_t k = 0; k < node->n_outputs; k++) {
    out[k] = (vlm_tensor){0};
    j->out_pointers[k] = node->outputs[k] != VLM_NO_VALUE ? &out[k] : NULL;
  }
out:
  return st;
}

vlm_status vlm_evaluate_node(vlm_evaluator *evaluator, const vlm_node *node, const vlm_tensor *const *in, vlm_tensor *out, bool *shared,
                             size_t max_bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  job j = {.node = node, .out = out, .max_bytes = max_bytes};
  *shared = false;
  VLM_TRY(make_lists(&j, node, out, err));
  vlm_op_call call = {.node = node, .n_in = node->n_inputs, .n_out = node->n_outputs, .in = in, .out = j.out_pointers,
                      .is_constant = j.is_constant,
                      .threads = vlm_context_threads(evaluator->context), .kernels = vlm_context_kernels(evaluator->context),
                      .scratch = take_scratch, .allocate = take_output, .run_body = refuse_body, .executor = &j, .err = err};
  VLM_TRY(run_job(&j, &call, shared));
out:
  for (int32_t k = 0; k < j.n_scratch; k++) vlm_free(j.scratch[k]);
  for (int32_t k = 0; st != VLM_OK && j.out_pointers != NULL && k < node->n_outputs; k++) {
    if (k > 0 || !*shared) vlm_free(out[k].data);
    out[k].data = NULL;
  }
  vlm_free(j.out_pointers);
  vlm_free(j.is_constant);
  return st;
}
