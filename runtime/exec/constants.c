#include "runtime/exec/constants.h"

#include "runtime/exec/borrow.h"
#include "runtime/exec/call.h"
#include "runtime/exec/context_private.h"
#include "runtime/ops/evaluate.h"

enum { FOLD_LIMIT = 1 << 28 }; /* larger results are recomputed rather than kept */

struct vlm_constants {
  const vlm_graph *graph;
  const vlm_constants *parent;
  vlm_tensor *folded; /* per value: data set when it is computed from constants alone */
  vlm_arena *arena;
};

const vlm_tensor *vlm_constants_get(const vlm_constants *constants, vlm_value_id id) {
  const vlm_value *value = &constants->graph->values[id];
  if (value->kind == VLM_VALUE_CONSTANT) return &value->tensor;
  if (value->kind == VLM_VALUE_CAPTURE)
    return constants->parent ? vlm_constants_get(constants->parent, value->parent_value) : NULL;
  return constants->folded[id].data ? &constants->folded[id] : NULL;
}

static vlm_status take(void *user, void **out, size_t bytes, vlm_error *err) {
  return vlm_arena_alloc(user, out, bytes, 1, err);
}

static bool foldable(const vlm_constants *constants, const vlm_node *node, const vlm_tensor **in) {
  if (node->op->flags & (VLM_OP_IMPURE | VLM_OP_SELF_ALLOC)) return false;
  for (int32_t k = 0; k < node->n_inputs; k++) {
    in[k] = node->inputs[k] == VLM_NO_VALUE ? NULL : vlm_constants_get(constants, node->inputs[k]);
    if (!in[k] && node->inputs[k] != VLM_NO_VALUE) return false;
  }
  return true;
}

typedef struct {
  vlm_constants *constants;
  vlm_evaluate_opts evaluation;
  const vlm_tensor **in;
  vlm_tensor *results, **out;
} folder;

/* Views of lazy constants are as lazy. */
static vlm_status evaluate(folder *f, const vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lazy *lazy = f->constants->graph->lazy;
  const int32_t first = node->op->flags & VLM_OP_ALIAS ? 1 : 0,
                count = node->n_inputs > first ? node->n_inputs - first : 0;
  int32_t held = 0;
  VLM_TRY(vlm_tensors_take(lazy, f->in + first, count, &held, err));
  VLM_TRY(vlm_node_evaluate(&f->evaluation, node, f->in, f->out, err));
out:
  vlm_tensors_give(lazy, f->in + first, held);
  return st;
}

static vlm_status fold_node(folder *f, const vlm_node *node, vlm_error *err) {
  vlm_error reason = {0};
  if (!foldable(f->constants, node, f->in)) return VLM_OK;
  for (int32_t k = 0; k < node->n_outputs; k++) {
    f->results[k] = (vlm_tensor){0};
    f->out[k] = node->outputs[k] == VLM_NO_VALUE ? NULL : &f->results[k];
  }
  vlm_status st = evaluate(f, node, &reason);
  if (st == VLM_LIMIT)
    return VLM_OK; /* too large to keep; what cannot be run at all fails when it is planned */
  if (st != VLM_OK) {
    vlm_fail(err, st, "%s", reason.text);
    return vlm_call_failed(f->constants->graph, node, st, err);
  }
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (f->out[k]) f->constants->folded[node->outputs[k]] = f->results[k];
  return VLM_OK;
}

static vlm_status fold(vlm_constants *constants, const vlm_context *context, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = constants->graph;
  int32_t n_in = 1, n_out = 1;
  folder f = {.constants = constants,
              .evaluation = {.threads = context->threads,
                             .kernels = &context->kernels,
                             .max_bytes = FOLD_LIMIT,
                             .take = take,
                             .user = constants->arena}};
  for (int32_t i = 0; i < graph->n_nodes; i++) {
    if (graph->nodes[i].n_inputs > n_in) n_in = graph->nodes[i].n_inputs;
    if (graph->nodes[i].n_outputs > n_out) n_out = graph->nodes[i].n_outputs;
  }
  VLM_TRY(vlm_new(&f.in, n_in, err));
  VLM_TRY(vlm_new(&f.out, n_out, err));
  VLM_TRY(vlm_new(&f.results, n_out, err));
  for (int32_t i = 0; i < graph->n_nodes; i++) VLM_TRY(fold_node(&f, &graph->nodes[i], err));
out:
  vlm_free(f.in);
  vlm_free(f.out);
  vlm_free(f.results);
  return st;
}

vlm_status vlm_constants_create(vlm_constants **out, const vlm_context *context, const vlm_graph *graph,
                                const vlm_constants *parent, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_constants *constants = NULL;
  VLM_TRY(vlm_new(&constants, 1, err));
  constants->graph = graph;
  constants->parent = parent;
  VLM_TRY(vlm_arena_create(&constants->arena, err));
  VLM_TRY(vlm_new(&constants->folded, graph->n_values, err));
  VLM_TRY(fold(constants, context, err));
out:
  if (st != VLM_OK) {
    vlm_constants_free(constants);
    constants = NULL;
  }
  *out = constants;
  return st;
}

void vlm_constants_free(vlm_constants *constants) {
  if (!constants) return;
  vlm_free(constants->folded);
  vlm_arena_free(constants->arena);
  vlm_free(constants);
}
