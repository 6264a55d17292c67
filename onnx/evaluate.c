#include "onnx/evaluate.h"

#include "runtime/exec/session.h"
#include "runtime/ops/evaluate.h"

struct vlm_evaluator {
  vlm_context *context;
};

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

static vlm_status take_block(void *user, void **out, size_t bytes, vlm_error *err) {
  (void)user;
  return vlm_alloc(out, bytes, 1, err);
}

vlm_status vlm_evaluate_node(vlm_evaluator *evaluator, const vlm_node *node, const vlm_tensor *const *in,
                             vlm_tensor *out, bool *shared, size_t max_bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor **wanted = NULL;
  const vlm_evaluate_opts evaluation = {.threads = vlm_context_threads(evaluator->context),
                                        .kernels = vlm_context_kernels(evaluator->context),
                                        .max_bytes = max_bytes,
                                        .take = take_block};
  *shared = false;
  for (int32_t k = 0; k < node->n_outputs; k++) out[k] = (vlm_tensor){0};
  VLM_TRY(vlm_new(&wanted, node->n_outputs, err));
  for (int32_t k = 0; k < node->n_outputs; k++) wanted[k] = node->outputs[k] != VLM_NO_VALUE ? &out[k] : NULL;
  st = vlm_node_evaluate(&evaluation, node, in, wanted, err);
  *shared = (node->op->flags & VLM_OP_ALIAS) != 0 && wanted[0] != NULL;
out:
  for (int32_t k = 0; st != VLM_OK && k < node->n_outputs; k++) {
    if (k > 0 || !*shared) vlm_free(out[k].data);
    out[k].data = NULL;
  }
  vlm_free(wanted);
  return st;
}
