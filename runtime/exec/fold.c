/* Constant folding that does not depend on input shapes: done once per frame, shared by all plans. */
#include <string.h>

#include "runtime/exec/frame.h"

enum { FOLD_LIMIT = 1 << 28 }; /* larger results are recomputed rather than kept */

const vlm_tensor *vlm_frame_constant(const vlm_frame *frame, vlm_value_id id) {
  const vlm_value *value = &frame->graph->values[id];
  if (value->kind == VLM_VALUE_CONSTANT) return &value->tensor;
  if (value->kind == VLM_VALUE_CAPTURE) return frame->parent ? vlm_frame_constant(frame->parent, value->parent_value) : NULL;
  return frame->folded[id].data ? &frame->folded[id] : NULL;
}

static bool foldable(const vlm_frame *frame, const vlm_node *node, const vlm_tensor **in) {
  if (node->op->flags & (VLM_OP_IMPURE | VLM_OP_SELF_ALLOC) || node->n_inputs > 64 || node->n_outputs > 64) return false;
  for (int32_t k = 0; k < node->n_inputs; k++) {
    in[k] = node->inputs[k] == VLM_NO_VALUE ? NULL : vlm_frame_constant(frame, node->inputs[k]);
    if (!in[k] && node->inputs[k] != VLM_NO_VALUE) return false;
  }
  return true;
}

static vlm_status fold_node(vlm_frame *frame, const vlm_node *node, const vlm_tensor *const *in, vlm_error *err) {
  static const bool all_constant[64] = {[0 ... 63] = true};
  vlm_status st = VLM_OK;
  vlm_tensor results[64] = {0}, *out[64] = {0};
  vlm_call_host host = {.frame = frame};
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE) out[k] = &results[k];
  vlm_op_call call = vlm_call_make(&host, node, in, out, all_constant, err);
  VLM_TRY(node->op->infer(&call));
  for (int32_t k = 0; k < node->n_outputs; k++) {
    size_t bytes = 0;
    if (!out[k]) continue;
    VLM_TRY(vlm_tensor_bytes_checked(&bytes, out[k], err));
    if (bytes > FOLD_LIMIT) goto out;
    if (node->op->flags & VLM_OP_ALIAS && k == 0) out[k]->data = in[0]->data;
    else VLM_TRY(vlm_arena_alloc(frame->folded_arena, &out[k]->data, bytes ? bytes : 1, 1, err));
  }
  if (!(node->op->flags & VLM_OP_ALIAS)) VLM_TRY(node->op->run(&call));
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (out[k]) frame->folded[node->outputs[k]] = results[k];
out:
  vlm_call_release(&host);
  return st;
}

vlm_status vlm_frame_fold(vlm_frame *frame, vlm_error *err) {
  const vlm_graph *graph = frame->graph;
  const vlm_tensor *in[64];
  for (int32_t i = 0; i < graph->n_nodes; i++) {
    const vlm_node *node = &graph->nodes[i];
    if (!foldable(frame, node, in)) continue;
    vlm_status st = fold_node(frame, node, in, err);
    if (st != VLM_OK) return vlm_call_failed(frame, node, st, err);
  }
  return VLM_OK;
}
