/* The plan written into the graph, in QDQ form. */
#include <string.h>

#include "quant/plan.h"
#include "quant/rewrite.h"
#include "quant/weight_store.h"
#include "runtime/lower/lower.h"
#include "runtime/lower/turn.h"
#include "runtime/ops/resolve.h"

static const float MASK_RANGE = 1e30f; /* additive masks hold the lowest float: no 8 bits can */

/* A weight one row per channel, for the operator that has ranges per row. */
static vlm_status apply_row(vlm_rewriter *r, vlm_graph *graph, const vlm_node_plan *plan) {
  vlm_status st = VLM_OK;
  vlm_value_id data, scale;
  const vlm_stored *stored;
  VLM_TRY(vlm_rewrite_weight(r, &stored, graph, plan, true));
  VLM_TRY(vlm_graph_capture(graph, &data, (vlm_origin){stored->owner, stored->data}, r->err));
  VLM_TRY(vlm_graph_capture(graph, &scale, (vlm_origin){stored->owner, stored->scale}, r->err));
  VLM_TRY(vlm_lower_row_form(graph, plan->index, &plan->slot, data, scale, r->err));
out:
  return st;
}

static vlm_status apply_activation(vlm_rewriter *r, vlm_graph *graph, const vlm_node_plan *plan) {
  vlm_status st = VLM_OK;
  vlm_value_id made, id = graph->nodes[plan->index].inputs[plan->slot.activation];
  const vlm_range *range = plan->decision == VLM_DECIDE_STATIC ? &plan->range : NULL;
  VLM_TRY(vlm_rewrite_activation(r, &made, graph, id, range, plan->constant.dtype));
  graph->nodes[plan->index].inputs[plan->slot.activation] = made;
out:
  return st;
}

/* Values and nodes that are added move the arrays: nodes are reached by index. */
static vlm_status apply_dequantized(vlm_rewriter *r, vlm_graph *graph, const vlm_node_plan *plan) {
  vlm_status st = VLM_OK;
  vlm_value_id weight;
  VLM_TRY(vlm_rewrite_dequantized(r, &weight, graph, plan, plan->turned));
  graph->nodes[plan->index].inputs[plan->slot.input] = weight;
  if (plan->turned) VLM_TRY(vlm_lower_turn(graph, plan->index, r->err));
  if (plan->decision != VLM_DECIDE_WEIGHT_ONLY) VLM_TRY(apply_activation(r, graph, plan));
out:
  return st;
}

static vlm_status apply_weight(vlm_rewriter *r, const vlm_node_plan *plan) {
  const vlm_body *body = vlm_rewriter_body(r, plan->graph);
  if (!body || plan->decision == VLM_DECIDE_FLOAT) return VLM_OK;
  bool by_row = plan->decision == VLM_DECIDE_DYNAMIC && plan->forms & VLM_FORM_ROW;
  vlm_status st = by_row ? apply_row(r, body->graph, plan) : apply_dequantized(r, body->graph, plan);
  if (st != VLM_OK) vlm_error_context(r->err, "%s: node \"%s\" (%s)", plan->graph, plan->node, plan->op_type);
  return st;
}

/* ---- everything ---- */

static int32_t first_maker(const vlm_graph *graph, vlm_value_id from, vlm_value_id to) {
  int32_t own = -1;
  for (; to != from; to = graph->nodes[own].inputs[0]) own = graph->values[to].producer;
  return own;
}

/* Whoever reads `from` reads `to` instead, but for the first of the nodes that make one of the other. */
static void read_dequantized(vlm_graph *graph, vlm_value_id from, vlm_value_id to) {
  int32_t own = first_maker(graph, from, to);
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t k = 0; n != own && k < graph->nodes[n].n_inputs; k++)
      if (graph->nodes[n].inputs[k] == from) graph->nodes[n].inputs[k] = to;
}

/* The type of a value that is multiplied with a weight is the weight's; statistics of others are of float32. */
static vlm_dtype type_of(const vlm_quant_plan *plan, const char *name) {
  for (int32_t i = 0; i < plan->count; i++)
    if (!strcmp(plan->nodes[i].input, name)) return plan->nodes[i].constant.dtype;
  return VLM_F32;
}

/* The recipe without judgement: whatever is a float goes through 8 bits. */
static vlm_status quantize_the_rest(vlm_rewriter *r, const vlm_body *body, int32_t n_values,
                                    const vlm_quant_plan *plan, const vlm_stats *stats,
                                    const vlm_quant_opts *opts) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = body->graph;
  for (vlm_value_id id = 0; id < n_values; id++) {
    vlm_range range;
    vlm_value_id to;
    const vlm_tensor_stats *seen = vlm_stats_find(stats, body->path, graph->values[id].name);
    bool computed = graph->values[id].kind == VLM_VALUE_NODE || graph->values[id].kind == VLM_VALUE_INPUT;
    if (!seen || !seen->count || !computed || seen->max - seen->min > MASK_RANGE) continue;
    VLM_TRY(vlm_range_choose(&range, seen, opts->range, opts->percentile, r->err));
    VLM_TRY(vlm_rewrite_activation(r, &to, graph, id, &range, type_of(plan, graph->values[id].name)));
    read_dequantized(graph, id, to);
  }
out:
  return st;
}

/* Values that were there before: what the rewriting adds is in 8 bits already. */
static vlm_status apply_everything(vlm_rewriter *r, const int32_t *n_values, const vlm_quant_plan *plan,
                                   const vlm_stats *stats, const vlm_quant_opts *opts) {
  vlm_status st = VLM_OK;
  for (int32_t b = 0; b < r->bodies.count && stats && opts->everything; b++)
    VLM_TRY(quantize_the_rest(r, &r->bodies.items[b], n_values[b], plan, stats, opts));
out:
  return st;
}

vlm_status vlm_quant_apply(const vlm_quant_graph *target, const vlm_quant_plan *plan, const vlm_stats *stats,
                           const vlm_quant_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_rewriter r;
  int32_t *n_values = NULL;
  VLM_TRY(vlm_rewriter_open(&r, target->graph, target->role, plan->weights, err));
  VLM_TRY(vlm_new(&n_values, r.bodies.count, err));
  for (int32_t b = 0; b < r.bodies.count; b++) n_values[b] = r.bodies.items[b].graph->n_values;
  for (int32_t i = 0; i < plan->count; i++) VLM_TRY(apply_weight(&r, &plan->nodes[i]));
  VLM_TRY(apply_everything(&r, n_values, plan, stats, opts));
  VLM_TRY(vlm_graph_resolve(target->graph, err));
  VLM_TRY(vlm_graph_sweep(target->graph, err));
  VLM_TRY(vlm_graph_resolve(target->graph, err));
out:
  vlm_free(n_values);
  vlm_rewriter_close(&r);
  return st;
}
