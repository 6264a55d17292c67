/* The plan written into the graph, in QDQ form. */
#include <string.h>

#include "quant/placement.h"
#include "quant/weight.h"
#include "runtime/ops/resolve.h"

enum { QDQ_OPSET = 13 };
static const float MASK_RANGE = 1e30f; /* additive masks hold the lowest float: no 8 bits can */

typedef struct {
  vlm_value_id data, scale;
} row_weight;

typedef struct {
  const vlm_quant_graph *target;
  vlm_graph *graph;
  const vlm_quant_opts *opts;
  const vlm_stats *stats;
  vlm_value_id *dequantized; /* per old value: its DequantizeLinear(QuantizeLinear(·)), or VLM_NO_VALUE */
  vlm_value_id *weights;     /* per old value: the dequantized weight, or VLM_NO_VALUE */
  row_weight *rows;          /* per old value: the weight one row per channel */
  int32_t n_old;
  vlm_error *err;
} rewriter;

static vlm_status add_scalar(rewriter *r, vlm_value_id *out, vlm_dtype dtype, double value, const char *base, const char *suffix) {
  const char *name;
  uint64_t storage = 0;
  vlm_tensor t = vlm_tensor_make(dtype, 0, NULL, &storage);
  vlm_tensor_set(&t, 0, value);
  vlm_status st = vlm_graph_free_name(r->graph, &name, base, suffix, r->err);
  return st == VLM_OK ? vlm_graph_add_constant(r->graph, out, name, &t, true, r->err) : st;
}

/* A node with one output value, both named BASESUFFIX where that is free. */
static vlm_status add_op(rewriter *r, vlm_value_id *out, const char *op_type, const char *base, const char *suffix, const vlm_value_id *inputs,
                         int32_t n_inputs, const vlm_attr *attr) {
  vlm_status st = VLM_OK;
  const char *name;
  int32_t node;
  VLM_TRY(vlm_graph_free_name(r->graph, &name, base, suffix, r->err));
  VLM_TRY(vlm_graph_add_value(r->graph, out, name, VLM_VALUE_NODE, r->err));
  VLM_TRY(vlm_graph_add_node(r->graph, &node, name, "", op_type, QDQ_OPSET, n_inputs, 1, attr ? 1 : 0, r->err));
  for (int32_t k = 0; k < n_inputs; k++) r->graph->nodes[node].inputs[k] = inputs[k];
  if (attr) r->graph->nodes[node].attrs[0] = *attr;
  vlm_node_set_output(r->graph, node, 0, *out);
out:
  return st;
}

static vlm_status quantize_activation(rewriter *r, vlm_value_id *out, vlm_value_id id, const vlm_range *range) {
  vlm_status st = VLM_OK;
  vlm_value_id scale, zero, q;
  const char *base = r->graph->values[id].name;
  if (r->dequantized[id] != VLM_NO_VALUE) {
    *out = r->dequantized[id];
    return VLM_OK;
  }
  VLM_TRY(add_scalar(r, &scale, VLM_F32, (double)range->scale, base, "_scale"));
  VLM_TRY(add_scalar(r, &zero, VLM_U8, range->zero_point, base, "_zero_point"));
  VLM_TRY(add_op(r, &q, "QuantizeLinear", base, "_quantized", (vlm_value_id[]){id, scale, zero}, 3, NULL));
  VLM_TRY(add_op(r, out, "DequantizeLinear", base, "_dequantized", (vlm_value_id[]){q, scale, zero}, 3, NULL));
  r->dequantized[id] = *out;
out:
  return st;
}

static vlm_status add_named(rewriter *r, vlm_value_id *out, const char *base, const char *suffix, const vlm_tensor *t) {
  const char *name;
  vlm_status st = vlm_graph_free_name(r->graph, &name, base, suffix, r->err);
  return st == VLM_OK ? vlm_graph_add_constant(r->graph, out, name, t, false, r->err) : st;
}

/* [K, N] to [N, K]: the layout of an embedding table, so that a tied output projection is stored once. */
static vlm_status transpose_s8(rewriter *r, vlm_tensor *t) {
  int8_t *rows;
  const int8_t *columns = t->data;
  int64_t k = t->dims[0], n = t->dims[1];
  vlm_status st = vlm_arena_alloc(r->graph->arena, (void **)&rows, (size_t)(k * n), 1, r->err);
  if (st != VLM_OK) return st;
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < n; j++) rows[j * k + i] = columns[i * n + j];
  *t = vlm_tensor_make(VLM_S8, 2, (int64_t[]){n, k}, rows);
  return VLM_OK;
}

/* Data and scale alone, one row per output channel, for products with ranges per row. */
static vlm_status quantize_rows(rewriter *r, vlm_value_id *data, vlm_value_id *scale, const vlm_candidate *c) {
  vlm_status st = VLM_OK;
  vlm_weight_s8 w;
  vlm_value_id id = c->node->inputs[c->weight_input];
  const char *base = r->graph->values[id].name;
  const vlm_weight_opts opts = {.per_tensor = r->opts->per_tensor_weights, .mse = !r->opts->no_weight_search, .threads = r->opts->threads};
  if (r->rows[id].data != VLM_NO_VALUE) {
    *data = r->rows[id].data;
    *scale = r->rows[id].scale;
    return VLM_OK;
  }
  VLM_TRY(vlm_weight_quantize(&w, c->weight, c->axis, &opts, r->graph->arena, r->err));
  if (c->axis == 1) VLM_TRY(transpose_s8(r, &w.data));
  VLM_TRY(add_named(r, data, base, "_rows_quantized", &w.data));
  VLM_TRY(add_named(r, scale, base, "_rows_scale", &w.scale));
  r->rows[id] = (row_weight){*data, *scale};
out:
  return st;
}

/* s8 data, scale and the DequantizeLinear that gives the float weight back; a weight used twice is quantized once. */
static vlm_status quantize_weight(rewriter *r, vlm_value_id *dequantized, const vlm_candidate *c) {
  vlm_status st = VLM_OK;
  vlm_weight_s8 w;
  vlm_value_id data, scale, id = c->node->inputs[c->weight_input];
  const char *base = r->graph->values[id].name;
  const vlm_weight_opts opts = {.per_tensor = r->opts->per_tensor_weights, .mse = !r->opts->no_weight_search, .threads = r->opts->threads};
  if (r->weights[id] != VLM_NO_VALUE) {
    *dequantized = r->weights[id];
    return VLM_OK;
  }
  VLM_TRY(vlm_weight_quantize(&w, c->weight, c->axis, &opts, r->graph->arena, r->err));
  VLM_TRY(add_named(r, &data, base, "_quantized", &w.data));
  VLM_TRY(add_named(r, &scale, base, "_scale", &w.scale));
  const vlm_attr axis = {.name = "axis", .kind = VLM_ATTR_INT, .u.i = c->axis};
  VLM_TRY(add_op(r, dequantized, "DequantizeLinear", base, "_dequantized", (vlm_value_id[]){data, scale}, 2, &axis));
  r->weights[id] = *dequantized;
out:
  return st;
}

/* Per-row ranges have no QDQ form in ONNX: the product becomes one operator at once. A Gemm's constant C is its bias. */
static vlm_status make_dynamic(rewriter *r, int32_t n, const vlm_candidate *c) {
  vlm_status st = VLM_OK;
  vlm_value_id data, scale;
  VLM_TRY(quantize_rows(r, &data, &scale, c));
  vlm_node *node = &r->graph->nodes[n];
  vlm_value_id bias = node->n_inputs > 2 ? node->inputs[2] : VLM_NO_VALUE;
  vlm_value_id *inputs;
  vlm_attr *attrs;
  VLM_TRY(vlm_arena_alloc(r->graph->arena, (void **)&inputs, 4, sizeof *inputs, r->err));
  VLM_TRY(vlm_arena_alloc(r->graph->arena, (void **)&attrs, 1, sizeof *attrs, r->err));
  inputs[0] = node->inputs[0];
  inputs[1] = data;
  inputs[2] = scale;
  inputs[3] = bias;
  attrs[0] = (vlm_attr){.name = "transB", .kind = VLM_ATTR_INT, .u.i = 1};
  node->inputs = inputs;
  node->n_inputs = bias == VLM_NO_VALUE ? 3 : 4;
  node->attrs = attrs;
  node->n_attrs = 1;
  node->domain = "vlm";
  node->op_type = "QMatMulDynamic";
  node->opset = 1;
  node->op = NULL;
out:
  return st;
}

static vlm_status apply_node(rewriter *r, int32_t n, const vlm_node_plan *plan) {
  vlm_status st = VLM_OK;
  vlm_candidate c;
  vlm_value_id weight, activation;
  /* Adding values and nodes may move the arrays: everything is reached by index again afterwards. */
  vlm_node copy = r->graph->nodes[n];
  if (!vlm_candidate_of(&c, r->graph, &copy)) return VLM_OK;
  if (plan->decision == VLM_DECIDE_DYNAMIC) {
    VLM_TRY(make_dynamic(r, n, &c));
    goto out;
  }
  VLM_TRY(quantize_weight(r, &weight, &c));
  r->graph->nodes[n].inputs[c.weight_input] = weight;
  if (plan->decision != VLM_DECIDE_STATIC) goto out;
  VLM_TRY(quantize_activation(r, &activation, c.activation, &plan->range));
  r->graph->nodes[n].inputs[0] = activation;
out:
  return st;
}

static void read_dequantized(rewriter *r, vlm_value_id from, vlm_value_id to) {
  int32_t quantizer = r->graph->nodes[r->graph->values[to].producer].inputs[0];
  int32_t own = r->graph->values[quantizer].producer;
  for (int32_t n = 0; n < r->graph->n_nodes; n++)
    for (int32_t k = 0; n != own && k < r->graph->nodes[n].n_inputs; k++)
      if (r->graph->nodes[n].inputs[k] == from) r->graph->nodes[n].inputs[k] = to;
}

/* The recipe without judgement: whatever is a float goes through 8 bits. */
static vlm_status quantize_the_rest(rewriter *r) {
  vlm_status st = VLM_OK;
  for (vlm_value_id id = 0; id < r->n_old; id++) {
    vlm_range range;
    vlm_value_id to;
    const vlm_tensor_stats *seen = vlm_stats_find(r->stats, r->target->role, r->graph->values[id].name);
    bool computed = r->graph->values[id].kind == VLM_VALUE_NODE || r->graph->values[id].kind == VLM_VALUE_INPUT;
    if (!seen || !seen->count || !computed || seen->max - seen->min > MASK_RANGE) continue;
    VLM_TRY(vlm_range_choose(&range, seen, r->opts->range, r->opts->percentile, r->err));
    VLM_TRY(quantize_activation(r, &to, id, &range));
    read_dequantized(r, id, to);
  }
out:
  return st;
}

static vlm_status no_value_list(vlm_value_id **out, int32_t n, vlm_error *err) {
  vlm_status st = vlm_alloc((void **)out, (size_t)n, sizeof **out, err);
  for (int32_t i = 0; st == VLM_OK && i < n; i++) (*out)[i] = VLM_NO_VALUE;
  return st;
}

vlm_status vlm_quant_apply(const vlm_quant_graph *target, const vlm_quant_plan *plan, const vlm_stats *stats, const vlm_quant_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = target->graph;
  rewriter r = {.target = target, .graph = graph, .opts = opts, .stats = stats, .n_old = graph->n_values, .err = err};
  VLM_TRY(no_value_list(&r.dequantized, r.n_old, err));
  VLM_TRY(no_value_list(&r.weights, r.n_old, err));
  VLM_TRY(vlm_alloc((void **)&r.rows, (size_t)r.n_old, sizeof *r.rows, err));
  for (int32_t i = 0; i < r.n_old; i++) r.rows[i].data = VLM_NO_VALUE;
  for (int32_t n = 0, count = graph->n_nodes; n < count; n++) {
    const vlm_node_plan *p = vlm_quant_plan_at(plan, target->role, n);
    if (p && p->decision != VLM_DECIDE_FLOAT) VLM_TRY(apply_node(&r, n, p));
  }
  if (opts->everything && stats) VLM_TRY(quantize_the_rest(&r));
  VLM_TRY(vlm_graph_resolve(graph, err));
  VLM_TRY(vlm_graph_sweep(graph, err));
  VLM_TRY(vlm_graph_resolve(graph, err));
out:
  vlm_free(r.dequantized);
  vlm_free(r.weights);
  vlm_free(r.rows);
  return st;
}
