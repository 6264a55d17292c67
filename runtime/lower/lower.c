#include "runtime/lower/lower.h"
#include "runtime/ops/resolve.h"

#include <string.h>

typedef struct {
  vlm_graph *graph;
  int32_t *uses;          /* per value: consumers, graph outputs and captures included */
  int32_t *consumer;      /* per value: the last node that reads it */
  bool *gone;             /* per node: taken into another */
  vlm_lower_counts *counts;
  vlm_error *err;
} lowering;

/* ---- who reads what ---- */

static void count_use(lowering *l, vlm_value_id id, int32_t node) {
  if (id == VLM_NO_VALUE) return;
  l->uses[id]++;
  l->consumer[id] = node;
}

static void count_uses(lowering *l) {
  const vlm_graph *g = l->graph;
  for (int32_t n = 0; n < g->n_nodes; n++) {
    for (int32_t k = 0; k < g->nodes[n].n_inputs; k++) count_use(l, g->nodes[n].inputs[k], n);
    for (int32_t a = 0; a < g->nodes[n].n_attrs; a++) {
      if (g->nodes[n].attrs[a].kind != VLM_ATTR_GRAPH) continue;
      const vlm_graph *body = g->nodes[n].attrs[a].u.g;
      for (int32_t v = 0; v < body->n_values; v++)
        if (body->values[v].kind == VLM_VALUE_CAPTURE) count_use(l, body->values[v].parent_value, -1);
    }
  }
  for (int32_t i = 0; i < g->n_outputs; i++) count_use(l, g->outputs[i], -1);
}

static const vlm_node *producer(const lowering *l, vlm_value_id id) {
  int32_t n = id == VLM_NO_VALUE ? -1 : l->graph->values[id].producer;
  return n < 0 ? NULL : &l->graph->nodes[n];
}

/* The one node that reads `id`, when it is of the given type and nobody else looks. */
static vlm_node *only_reader(const lowering *l, vlm_value_id id, const char *op_type) {
  if (id == VLM_NO_VALUE || l->uses[id] != 1 || l->consumer[id] < 0 || l->gone[l->consumer[id]]) return NULL;
  vlm_node *node = &l->graph->nodes[l->consumer[id]];
  return vlm_node_is(node, op_type) ? node : NULL;
}

/* ---- dequantized operands ---- */

typedef struct {
  vlm_value_id data, scale, zero_point;
} operand;

static bool is_scalar(const vlm_tensor *t) { return t && t->data && vlm_tensor_count(t) == 1 && t->rank <= 1; }

static bool dequantized_activation(const lowering *l, vlm_value_id id, operand *out) {
  const vlm_node *node = producer(l, id);
  if (!node || !vlm_node_is(node, "DequantizeLinear")) return false;
  *out = (operand){vlm_node_input(node, 0), vlm_node_input(node, 1), vlm_node_input(node, 2)};
  if (out->zero_point == VLM_NO_VALUE) return false; /* without it the type is u8 with zero 0 or unknown: leave it to the float path */
  const vlm_tensor *scale = vlm_graph_constant(l->graph, out->scale), *zero = vlm_graph_constant(l->graph, out->zero_point);
  return is_scalar(scale) && is_scalar(zero) && scale->dtype == VLM_F32 && zero->dtype == VLM_U8 && !vlm_graph_constant(l->graph, out->data);
}

static bool all_zero(const vlm_tensor *t) {
  for (int64_t i = 0; i < vlm_tensor_count(t); i++)
    if (vlm_tensor_get_int(t, i)) return false;
  return true;
}

/* A constant s8 weight with one scale per channel of `axis` (or one for all). */
static bool dequantized_weight(const lowering *l, vlm_value_id id, int axis, operand *out) {
  const vlm_node *node = producer(l, id);
  if (!node || !vlm_node_is(node, "DequantizeLinear")) return false;
  *out = (operand){vlm_node_input(node, 0), vlm_node_input(node, 1), vlm_node_input(node, 2)};
  const vlm_tensor *data = vlm_graph_constant(l->graph, out->data), *scale = vlm_graph_constant(l->graph, out->scale);
  const vlm_tensor *zero = out->zero_point == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->graph, out->zero_point);
  if (!data || data->dtype != VLM_S8 || !scale || scale->dtype != VLM_F32) return false;
  if (out->zero_point != VLM_NO_VALUE && (!zero || !all_zero(zero))) return false;
  const vlm_attr *attr = vlm_node_attr(node, "axis"), *block = vlm_node_attr(node, "block_size");
  int64_t at = attr ? attr->u.i : 1;
  if (at < 0) at += data->rank;
  if (block && block->u.i) return false;
  return is_scalar(scale) || (scale->rank == 1 && at == axis && axis < data->rank && scale->dims[0] == data->dims[axis]);
}

/* The operators want one scale per channel. */
static vlm_status channel_scale(lowering *l, vlm_value_id *scale, int64_t channels) {
  const vlm_tensor *t = vlm_graph_constant(l->graph, *scale);
  if (t->rank == 1 && t->dims[0] == channels) return VLM_OK;
  float *values;
  vlm_status st = vlm_arena_alloc(l->graph->arena, (void **)&values, (size_t)channels, sizeof *values, l->err);
  if (st != VLM_OK) return st;
  for (int64_t i = 0; i < channels; i++) values[i] = *(const float *)t->data;
  vlm_tensor spread = vlm_tensor_make(VLM_F32, 1, &channels, values);
  return vlm_graph_add_constant(l->graph, scale, NULL, &spread, false, l->err);
}

/* ---- what follows the product ---- */

typedef struct {
  vlm_value_id output, bias, y_scale, y_zero_point;
  const char *activation;
} tail;

static vlm_value_id other_input(const vlm_node *node, vlm_value_id id) { return node->inputs[0] == id ? node->inputs[1] : node->inputs[0]; }

static void take(lowering *l, const vlm_node *node, tail *t) {
  l->gone[node - l->graph->nodes] = true;
  t->output = node->outputs[0];
}

static void take_bias(lowering *l, tail *t, int64_t channels) {
  const vlm_node *add = only_reader(l, t->output, "Add");
  if (!add || t->bias != VLM_NO_VALUE) return;
  vlm_value_id other = other_input(add, t->output);
  const vlm_tensor *bias = vlm_graph_constant(l->graph, other);
  if (!bias || bias->dtype != VLM_F32 || bias->rank != 1 || bias->dims[0] != channels) return;
  t->bias = other;
  take(l, add, t);
}

static void take_activation(lowering *l, tail *t) {
  const vlm_node *relu = only_reader(l, t->output, "Relu"), *gelu = only_reader(l, t->output, "Gelu");
  const vlm_attr *form = gelu ? vlm_node_attr(gelu, "approximate") : NULL;
  if (form && strcmp(form->u.s, "none")) gelu = NULL;
  if (!relu && !gelu) return;
  t->activation = relu ? "relu" : "gelu";
  take(l, relu ? relu : gelu, t);
}

static void take_quantize(lowering *l, tail *t) {
  const vlm_node *q = only_reader(l, t->output, "QuantizeLinear");
  if (!q || vlm_node_input(q, 2) == VLM_NO_VALUE) return;
  const vlm_tensor *scale = vlm_graph_constant(l->graph, q->inputs[1]), *zero = vlm_graph_constant(l->graph, q->inputs[2]);
  if (!is_scalar(scale) || scale->dtype != VLM_F32 || !is_scalar(zero) || zero->dtype != VLM_U8) return;
  t->y_scale = q->inputs[1];
  t->y_zero_point = q->inputs[2];
  take(l, q, t);
}

/* ---- the new node ---- */

static vlm_status copy_attrs(lowering *l, vlm_node *node, const vlm_attr *extra, int32_t n_extra, bool keep_old) {
  vlm_attr *attrs;
  int32_t kept = keep_old ? node->n_attrs : 0;
  vlm_status st = vlm_arena_alloc(l->graph->arena, (void **)&attrs, (size_t)(kept + n_extra), sizeof *attrs, l->err);
  if (st != VLM_OK) return st;
  if (kept) memcpy(attrs, node->attrs, (size_t)kept * sizeof *attrs);
  for (int32_t i = 0; i < n_extra; i++) attrs[kept + i] = extra[i];
  node->attrs = attrs;
  node->n_attrs = kept + n_extra;
  return VLM_OK;
}

static vlm_status replace(lowering *l, vlm_node *node, const char *op_type, const vlm_value_id *inputs, int32_t n_inputs, vlm_value_id output) {
  vlm_value_id *ids;
  while (n_inputs > 0 && inputs[n_inputs - 1] == VLM_NO_VALUE) n_inputs--;
  vlm_status st = vlm_arena_alloc(l->graph->arena, (void **)&ids, (size_t)n_inputs, sizeof *ids, l->err);
  if (st != VLM_OK) return st;
  memcpy(ids, inputs, (size_t)n_inputs * sizeof *ids);
  node->inputs = ids;
  node->n_inputs = n_inputs;
  node->domain = "vlm";
  node->op_type = op_type;
  node->opset = 1;
  node->op = NULL;
  vlm_node_set_output(l->graph, (int32_t)(node - l->graph->nodes), 0, output);
  return VLM_OK;
}

static vlm_attr int_attr(const char *name, int64_t value) { return (vlm_attr){.name = name, .kind = VLM_ATTR_INT, .u.i = value}; }
static vlm_attr text_attr(const char *name, const char *value) { return (vlm_attr){.name = name, .kind = VLM_ATTR_STRING, .u.s = value}; }

/* ---- the patterns ---- */

static bool plain_gemm(const vlm_node *node, bool *trans_b) {
  const vlm_attr *alpha = vlm_node_attr(node, "alpha"), *beta = vlm_node_attr(node, "beta"), *ta = vlm_node_attr(node, "transA");
  const vlm_attr *tb = vlm_node_attr(node, "transB");
  *trans_b = tb && tb->u.i;
  return (!alpha || alpha->u.f == 1.0f) && (!beta || beta->u.f == 1.0f) && !(ta && ta->u.i);
}

static vlm_status lower_product(lowering *l, vlm_node *node) {
  vlm_status st = VLM_OK;
  operand x, w;
  bool trans_b = false;
  tail t = {.output = node->outputs[0], .bias = VLM_NO_VALUE, .y_scale = VLM_NO_VALUE, .y_zero_point = VLM_NO_VALUE, .activation = ""};
  bool gemm = vlm_node_is(node, "Gemm");
  if (gemm && !plain_gemm(node, &trans_b)) return VLM_OK;
  if (!dequantized_weight(l, node->inputs[1], trans_b ? 0 : 1, &w)) return VLM_OK;
  const vlm_tensor *weight = vlm_graph_constant(l->graph, w.data);
  if (weight->rank != 2) return VLM_OK;
  int64_t channels = weight->dims[trans_b ? 0 : 1];
  if (gemm && vlm_node_input(node, 2) != VLM_NO_VALUE) {
    const vlm_tensor *c = vlm_graph_constant(l->graph, node->inputs[2]);
    if (!c || c->dtype != VLM_F32 || c->rank != 1 || c->dims[0] != channels) return VLM_OK;
    t.bias = node->inputs[2];
  }
  bool integer = dequantized_activation(l, node->inputs[0], &x);
  VLM_TRY(channel_scale(l, &w.scale, channels));
  take_bias(l, &t, channels);
  vlm_attr attrs[2] = {int_attr("transB", trans_b)};
  if (integer) {
    take_activation(l, &t);
    take_quantize(l, &t);
    attrs[1] = text_attr("activation", t.activation);
    VLM_TRY(copy_attrs(l, node, attrs, 2, false));
    const vlm_value_id inputs[] = {x.data, x.scale, x.zero_point, w.data, w.scale, t.bias, t.y_scale, t.y_zero_point};
    VLM_TRY(replace(l, node, "QMatMul", inputs, 8, t.output));
    l->counts->static_int8++;
  } else {
    VLM_TRY(copy_attrs(l, node, attrs, 1, false));
    const vlm_value_id inputs[] = {node->inputs[0], w.data, w.scale, t.bias};
    VLM_TRY(replace(l, node, "WMatMul", inputs, 4, t.output));
    l->counts->weight_only++;
  }
out:
  return st;
}

/* Already one operator; it only takes its bias. */
static vlm_status lower_dynamic(lowering *l, vlm_node *node) {
  tail t = {.output = node->outputs[0], .bias = vlm_node_input(node, 3)};
  const vlm_tensor *scale = vlm_graph_constant(l->graph, node->inputs[2]);
  if (t.bias != VLM_NO_VALUE || !scale) return VLM_OK;
  take_bias(l, &t, vlm_tensor_count(scale));
  const vlm_value_id inputs[] = {node->inputs[0], node->inputs[1], node->inputs[2], t.bias};
  return replace(l, node, "QMatMulDynamic", inputs, 4, t.output);
}

static vlm_status lower_conv(lowering *l, vlm_node *node) {
  vlm_status st = VLM_OK;
  operand x, w;
  tail t = {.output = node->outputs[0], .bias = vlm_node_input(node, 2), .y_scale = VLM_NO_VALUE, .y_zero_point = VLM_NO_VALUE, .activation = ""};
  if (!dequantized_weight(l, node->inputs[1], 0, &w) || !dequantized_activation(l, node->inputs[0], &x)) return VLM_OK;
  const vlm_tensor *bias = t.bias == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->graph, t.bias);
  if (t.bias != VLM_NO_VALUE && (!bias || bias->dtype != VLM_F32)) return VLM_OK;
  VLM_TRY(channel_scale(l, &w.scale, vlm_graph_constant(l->graph, w.data)->dims[0]));
  take_activation(l, &t);
  take_quantize(l, &t);
  vlm_attr activation = text_attr("activation", t.activation);
  VLM_TRY(copy_attrs(l, node, &activation, 1, true));
  const vlm_value_id inputs[] = {x.data, x.scale, x.zero_point, w.data, w.scale, t.bias, t.y_scale, t.y_zero_point};
  VLM_TRY(replace(l, node, "QConv", inputs, 8, t.output));
  l->counts->static_int8++;
out:
  return st;
}

static vlm_status lower_gather(lowering *l, vlm_node *node) {
  operand table;
  const vlm_attr *axis = vlm_node_attr(node, "axis");
  if ((axis && axis->u.i) || !dequantized_weight(l, node->inputs[0], 0, &table)) return VLM_OK;
  const vlm_tensor *t = vlm_graph_constant(l->graph, table.data);
  if (t->rank != 2) return VLM_OK;
  vlm_status st = channel_scale(l, &table.scale, t->dims[0]);
  if (st == VLM_OK) st = copy_attrs(l, node, NULL, 0, false);
  const vlm_value_id inputs[] = {table.data, table.scale, node->inputs[1]};
  if (st == VLM_OK) st = replace(l, node, "QGather", inputs, 3, node->outputs[0]);
  l->counts->gather += st == VLM_OK;
  return st;
}

static const struct {
  const char *domain, *op_type;
  vlm_status (*lower)(lowering *l, vlm_node *node);
} PATTERNS[] = {{"", "MatMul", lower_product}, {"", "Gemm", lower_product}, {"", "Conv", lower_conv}, {"", "Gather", lower_gather},
                {"vlm", "QMatMulDynamic", lower_dynamic}};

static vlm_status lower_node(lowering *l, int32_t n) {
  vlm_node *node = &l->graph->nodes[n];
  for (size_t p = 0; p < sizeof PATTERNS / sizeof PATTERNS[0]; p++)
    if (!strcmp(node->domain, PATTERNS[p].domain) && !strcmp(node->op_type, PATTERNS[p].op_type)) return PATTERNS[p].lower(l, node);
  return VLM_OK;
}

static vlm_status lower_one(vlm_graph *graph, vlm_lower_counts *counts, vlm_error *err);

static vlm_status lower_bodies(const vlm_node *node, vlm_lower_counts *counts, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t a = 0; st == VLM_OK && a < node->n_attrs; a++)
    if (node->attrs[a].kind == VLM_ATTR_GRAPH) st = lower_one(node->attrs[a].u.g, counts, err);
  return st;
}

/* Nodes taken into another lose their outputs' producer; sweep then removes them. */
static void unlink_gone(lowering *l, int32_t n) {
  vlm_node *node = &l->graph->nodes[n];
  for (int32_t k = 0; k < node->n_outputs; k++) node->outputs[k] = VLM_NO_VALUE;
}

static vlm_status lower_one(vlm_graph *graph, vlm_lower_counts *counts, vlm_error *err) {
  vlm_status st = VLM_OK;
  lowering l = {.graph = graph, .counts = counts, .err = err};
  VLM_TRY(vlm_alloc((void **)&l.uses, (size_t)graph->n_values, sizeof *l.uses, err));
  VLM_TRY(vlm_alloc((void **)&l.consumer, (size_t)graph->n_values, sizeof *l.consumer, err));
  VLM_TRY(vlm_alloc((void **)&l.gone, (size_t)graph->n_nodes, sizeof *l.gone, err));
  count_uses(&l);
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    VLM_TRY(lower_bodies(&graph->nodes[n], counts, err));
    if (l.gone[n]) unlink_gone(&l, n);
    else VLM_TRY(lower_node(&l, n));
  }
out:
  vlm_free(l.uses);
  vlm_free(l.consumer);
  vlm_free(l.gone);
  return st;
}

vlm_status vlm_graph_lower(vlm_graph *graph, vlm_lower_counts *counts, vlm_error *err) {
  vlm_lower_counts ignored = {0};
  vlm_status st = VLM_OK;
  VLM_TRY(lower_one(graph, counts ? counts : &ignored, err));
  VLM_TRY(vlm_graph_sweep(graph, err));
  VLM_TRY(vlm_graph_resolve(graph, err));
out:
  return st;
}
