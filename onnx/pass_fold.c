#include <string.h>

#include "onnx/fold.h"
#include "runtime/ops/op.h"

static const size_t default_max_bytes = (size_t)4 << 20;
/* What is wanted as a weight may be so much larger than all constants of the graphs around (two bits become 32), and this besides. */
static const size_t most_growth = 16, most_made = (size_t)256 << 20;
/* Results that nobody reads any more are given back after so many bytes, so that a chain on a large weight holds two of them, not all. */
static const size_t collect_bytes = (size_t)8 << 20;

typedef struct fold {
  vlm_graph *graph;
  vlm_evaluator *evaluator;
  const vlm_tensor **in;
  vlm_tensor *out;
  vlm_fold_demand demand; /* empty for a single node */
  size_t max_bytes, wanted_bytes, made_bytes;
  int32_t *changes;
  vlm_error *err;
} fold;

static bool all_constant(fold *f, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_inputs; k++) {
    f->in[k] = node->inputs[k] == VLM_NO_VALUE ? NULL : vlm_graph_constant(f->graph, node->inputs[k]);
    if (f->in[k] == NULL && node->inputs[k] != VLM_NO_VALUE) return false;
  }
  return true;
}

/* Of the graph and those around it. */
static size_t constant_bytes(const vlm_graph *graph) {
  size_t bytes = 0;
  for (; graph; graph = graph->parent)
    for (int32_t v = 0; v < graph->n_values; v++)
      if (graph->values[v].kind == VLM_VALUE_CONSTANT) bytes += vlm_tensor_bytes(&graph->values[v].tensor);
  return bytes;
}

/* A result may not be larger than its operands and the limit; what is wanted as a weight may, but not as large as a file of a hundred bytes
 * can ask. */
static size_t limit_of(const fold *f, const vlm_node *node) {
  size_t bytes = 0;
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] >= 0 && node->outputs[k] < f->demand.n_values && f->demand.wanted[node->outputs[k]])
      return f->wanted_bytes;
  for (int32_t k = 0; k < node->n_inputs; k++) bytes += f->in[k] != NULL ? vlm_tensor_bytes(f->in[k]) : 0;
  return bytes > f->max_bytes ? bytes : f->max_bytes;
}

static vlm_status keep_results(fold *f, vlm_graph *owner, const vlm_node *node, bool shared) {
  vlm_status st = VLM_OK;
  int32_t k = 0;
  for (; k < node->n_outputs; k++) {
    if (node->outputs[k] == VLM_NO_VALUE || (shared && k == 0)) continue;
    f->made_bytes += vlm_tensor_bytes(&f->out[k]);
    VLM_TRY(vlm_graph_keep(owner, f->out[k].data, vlm_free, f->err));
  }
out:
  for (k++; st != VLM_OK && k < node->n_outputs; k++) vlm_free(f->out[k].data);
  return st;
}

/* The node reads its operands no more: those that had no other reader are gone. */
static void drop_operands(fold *f, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_inputs; k++) {
    vlm_value_id id = node->inputs[k];
    if (id < 0 || id >= f->demand.n_values || --f->demand.uses[id] > 0) continue;
    if (f->graph->values[id].kind == VLM_VALUE_CONSTANT) f->graph->values[id].tensor.data = NULL;
  }
}

static vlm_status collect(fold *f) {
  if (f->demand.n_values == 0 || f->made_bytes < collect_bytes) return VLM_OK;
  f->made_bytes = 0;
  return vlm_graph_collect(f->graph, f->err);
}

/* VLM_OK without *made: the node stays, and whoever runs the graph gets the message, if the node is reached at all. */
static vlm_status evaluate(fold *f, const vlm_node *node, bool *made, bool *shared) {
  vlm_status st = VLM_OK;
  vlm_error reason = {0};
  *made = false;
  if (f->evaluator == NULL) VLM_TRY(vlm_evaluator_create(&f->evaluator, f->err));
  st = vlm_evaluate_node(f->evaluator, node, f->in, f->out, shared, limit_of(f, node), &reason);
  *made = st == VLM_OK;
  if (st == VLM_MEMORY) return vlm_fail(f->err, st, "%s", reason.text);
  st = VLM_OK;
out:
  return st;
}

static vlm_status fold_here(fold *f, int32_t n, bool *made) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &f->graph->nodes[n];
  bool shared = false;
  VLM_TRY(evaluate(f, node, made, &shared));
  if (!*made) goto out;
  VLM_TRY(keep_results(f, f->graph, node, shared));
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE) vlm_pass_become_constant(f->graph, n, k, &f->out[k]);
out:
  return st;
}

static vlm_status add_outside(fold *f, const vlm_node *node, vlm_graph *owner, const char *name,
                              vlm_value_id *id, bool *made) {
  vlm_status st = VLM_OK;
  bool shared = false;
  VLM_TRY(evaluate(f, node, made, &shared));
  if (!*made) goto out;
  VLM_TRY(keep_results(f, owner, node, shared));
  VLM_TRY(vlm_graph_add_constant(owner, id, name, &f->out[0], false, f->err));
out:
  return st;
}

/* The branches of a merged decoder share their weights: what they make of one belongs to the graph that owns the weight, once. */
static vlm_status fold_outside(fold *f, int32_t n, vlm_graph *owner, const char *name, bool *made) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &f->graph->nodes[n];
  vlm_value_id id = vlm_graph_find(owner, name);
  *made = true;
  if (id == VLM_NO_VALUE) VLM_TRY(add_outside(f, node, owner, name, &id, made));
  if (!*made) goto out;
  VLM_TRY(vlm_pass_capture(f->graph, owner, id, &id, f->err));
  vlm_graph_replace_uses(f->graph, f->graph->nodes[n].outputs[0], id);
out:
  return st;
}

static vlm_status fold_node(fold *f, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &f->graph->nodes[n];
  vlm_graph *owner = NULL;
  const char *name = NULL;
  bool made = false;
  if (vlm_fold_stays(f->graph, node) || !all_constant(f, node)) return VLM_OK;
  VLM_TRY(vlm_fold_outer_name(f->graph, node, f->in, &owner, &name, f->err));
  if (name != NULL && node->outputs[0] != VLM_NO_VALUE) VLM_TRY(fold_outside(f, n, owner, name, &made));
  else VLM_TRY(fold_here(f, n, &made));
  if (!made) goto out;
  ++*f->changes;
  drop_operands(f, &f->graph->nodes[n]);
  VLM_TRY(collect(f));
out:
  return st;
}

static void widen(const vlm_node *node, int32_t *inputs, int32_t *outputs) {
  if (node->n_inputs > *inputs) *inputs = node->n_inputs;
  if (node->n_outputs > *outputs) *outputs = node->n_outputs;
}

/* Nodes first to last - 1. */
static vlm_status fold_range(fold *f, int32_t first, int32_t last) {
  vlm_status st = VLM_OK;
  int32_t inputs = 1, outputs = 1;
  for (int32_t n = first; n < last; n++) widen(&f->graph->nodes[n], &inputs, &outputs);
  VLM_TRY(vlm_new(&f->in, inputs, f->err));
  VLM_TRY(vlm_new(&f->out, outputs, f->err));
  for (int32_t n = first; n < last; n++) VLM_TRY(fold_node(f, n));
out:
  vlm_evaluator_free(f->evaluator);
  vlm_fold_demand_free(&f->demand);
  vlm_free(f->in);
  vlm_free(f->out);
  return st;
}

static fold fold_of(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err) {
  return (fold){.graph = graph,
                .max_bytes = opts->max_folded_bytes > 0 ? opts->max_folded_bytes : default_max_bytes,
                .wanted_bytes = most_made + most_growth * constant_bytes(graph),
                .changes = changes,
                .err = err};
}

vlm_status vlm_pass_fold_node(vlm_graph *graph, int32_t n, const vlm_clean_opts *opts, int32_t *changes,
                              vlm_error *err) {
  fold f = fold_of(graph, opts, changes, err);
  return fold_range(&f, n, n + 1);
}

vlm_status vlm_pass_fold(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err) {
  fold f = fold_of(graph, opts, changes, err);
  vlm_status st = vlm_fold_demand_of(&f.demand, graph, err);
  if (st != VLM_OK) vlm_fold_demand_free(&f.demand);
  return st == VLM_OK ? fold_range(&f, 0, graph->n_nodes) : st;
}
