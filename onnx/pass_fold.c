#include <string.h>

#include "onnx/evaluate.h"
#include "onnx/pass.h"
#include "runtime/ops/op.h"

static const size_t default_max_bytes = (size_t)4 << 20;

typedef struct fold {
  vlm_graph *graph;
  vlm_evaluator *evaluator;
  size_t max_bytes;
  const vlm_tensor **in;
  vlm_tensor *out;
} fold;

/* The quantized form of a model is what it is stored and lowered as. */
static bool stays(const vlm_node *node) {
  static const char *const kept[] = {"DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear"};
  for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++)
    if (strcmp(node->op_type, kept[k]) == 0) return true;
  for (int32_t a = 0; a < node->n_attrs; a++)
    if (node->attrs[a].kind == VLM_ATTR_GRAPH) return true;
  return (node->op->flags & VLM_OP_IMPURE) != 0;
}

static bool all_constant(fold *f, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_inputs; k++) {
    f->in[k] = node->inputs[k] == VLM_NO_VALUE ? NULL : vlm_graph_constant(f->graph, node->inputs[k]);
    if (f->in[k] == NULL && node->inputs[k] != VLM_NO_VALUE) return false;
  }
  return true;
}

static vlm_status keep_results(fold *f, int32_t n, bool shared, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t k = 0, count = f->graph->nodes[n].n_outputs;
  for (; k < count; k++) {
    if (f->graph->nodes[n].outputs[k] == VLM_NO_VALUE) continue;
    if (!(shared && k == 0)) VLM_TRY(vlm_graph_keep(f->graph, f->out[k].data, vlm_free, err));
    vlm_pass_become_constant(f->graph, n, k, &f->out[k]);
  }
out:
  for (k++; st != VLM_OK && k < count; k++) vlm_free(f->out[k].data);
  return st;
}

/* A weight is stored once, in the orientation in which it is used; everything else is only folded when small. */
static size_t limit_of(const fold *f, const vlm_node *node) { return vlm_node_is(node, "Transpose") ? SIZE_MAX : f->max_bytes; }

static vlm_status fold_node(fold *f, int32_t n, int32_t *changes, vlm_error *err) {
  const vlm_node *node = &f->graph->nodes[n];
  vlm_error reason = {0};
  bool shared = false;
  vlm_status st = VLM_OK;
  if (stays(node) || !all_constant(f, node)) return VLM_OK;
  if (f->evaluator == NULL) st = vlm_evaluator_create(&f->evaluator, err);
  if (st != VLM_OK) return st;
  st = vlm_evaluate_node(f->evaluator, node, f->in, f->out, &shared, limit_of(f, node), &reason);
  if (st == VLM_MEMORY) return vlm_fail(err, st, "%s", reason.text);
  /* A node that cannot be folded stays: whoever runs the graph gets the message, if the node is reached at all. */
  if (st != VLM_OK) return VLM_OK;
  ++*changes;
  return keep_results(f, n, shared, err);
}

/* ---- a weight of an enclosing graph that a body transposes ---- */

static const vlm_graph *owner_of(const vlm_graph *graph, vlm_value_id *id) {
  while (graph->values[*id].kind == VLM_VALUE_CAPTURE) {
    *id = graph->values[*id].parent_value;
    graph = graph->parent;
  }
  return graph;
}

static vlm_status transposed_name(vlm_graph *graph, const vlm_node *node, const char *weight, const char **out, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_attr *perm = vlm_node_attr(node, "perm");
  VLM_TRY(vlm_arena_format(graph->arena, out, err, "%s.transposed", weight));
  for (int32_t k = 0; perm != NULL && k < perm->count; k++)
    VLM_TRY(vlm_arena_format(graph->arena, out, err, "%s_%lld", *out, (long long)perm->u.ints[k]));
out:
  return st;
}

static vlm_status add_transposed(fold *f, const vlm_node *node, vlm_graph *owner, const char *name, vlm_value_id *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool shared = false;
  if (f->evaluator == NULL) VLM_TRY(vlm_evaluator_create(&f->evaluator, err));
  VLM_TRY(vlm_evaluate_node(f->evaluator, node, f->in, f->out, &shared, SIZE_MAX, err));
  if (!shared) VLM_TRY(vlm_graph_keep(owner, f->out[0].data, vlm_free, err));
  VLM_TRY(vlm_graph_add_constant(owner, out, name, &f->out[0], false, err));
out:
  return st;
}

/* The branches of a merged decoder share their weights: the transposed one belongs to the graph that owns the weight, once. */
static vlm_status fold_outside(fold *f, int32_t n, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &f->graph->nodes[n];
  vlm_value_id weight = node->inputs[0], id = VLM_NO_VALUE;
  vlm_graph *owner = (vlm_graph *)owner_of(f->graph, &weight);
  const char *name = NULL;
  if (!all_constant(f, node)) return VLM_OK;
  VLM_TRY(transposed_name(owner, node, owner->values[weight].name, &name, err));
  id = vlm_graph_find(owner, name);
  if (id == VLM_NO_VALUE) VLM_TRY(add_transposed(f, node, owner, name, &id, err));
  VLM_TRY(vlm_pass_capture(f->graph, owner, id, &id, err));
  vlm_graph_replace_uses(f->graph, node->outputs[0], id);
  ++*changes;
out:
  return st;
}

static bool transposes_capture(const vlm_graph *graph, const vlm_node *node) {
  return vlm_node_is(node, "Transpose") && node->outputs[0] != VLM_NO_VALUE && graph->values[node->inputs[0]].kind == VLM_VALUE_CAPTURE;
}

static void widen(const vlm_node *node, int32_t *inputs, int32_t *outputs) {
  if (node->n_inputs > *inputs) *inputs = node->n_inputs;
  if (node->n_outputs > *outputs) *outputs = node->n_outputs;
}

/* Nodes first to last - 1. */
static vlm_status fold_range(vlm_graph *graph, int32_t first, int32_t last, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  fold f = {.graph = graph, .max_bytes = opts->max_folded_bytes > 0 ? opts->max_folded_bytes : default_max_bytes};
  int32_t inputs = 1, outputs = 1;
  for (int32_t n = first; n < last; n++) widen(&graph->nodes[n], &inputs, &outputs);
  VLM_TRY(vlm_alloc((void **)&f.in, (size_t)inputs, sizeof *f.in, err));
  VLM_TRY(vlm_alloc((void **)&f.out, (size_t)outputs, sizeof *f.out, err));
  for (int32_t n = first; n < last; n++) {
    if (transposes_capture(graph, &graph->nodes[n])) VLM_TRY(fold_outside(&f, n, changes, err));
    else VLM_TRY(fold_node(&f, n, changes, err));
  }
out:
  vlm_evaluator_free(f.evaluator);
  vlm_free(f.in);
  vlm_free(f.out);
  return st;
}

vlm_status vlm_pass_fold_node(vlm_graph *graph, int32_t n, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err) {
  return fold_range(graph, n, n + 1, opts, changes, err);
}

vlm_status vlm_pass_fold(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err) {
  return fold_range(graph, 0, graph->n_nodes, opts, changes, err);
}
