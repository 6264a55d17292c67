#include <math.h>
#include <string.h>

#include "export/exporter.h"

/* ---- codes, scales and zero points, in the graph that holds the constant ---- */

static vlm_status zeros_like(vlm_exporter *x, vlm_graph *graph, vlm_value_id *out, const char *base,
                             const char *suffix, vlm_dtype dtype, const vlm_tensor *scales) {
  vlm_status st = VLM_OK;
  vlm_tensor t = vlm_tensor_make(dtype, scales->rank, scales->dims, NULL);
  int32_t *zeros;
  VLM_TRY(vlm_arena_new(x->arena, &zeros, (size_t)vlm_tensor_count(scales) + 1, x->err));
  t.data = zeros;
  VLM_TRY(vlm_part_constant(x, graph, out, base, suffix, &t));
out:
  return st;
}

/* A constant of these very bytes that is there already. */
static vlm_value_id find_same(const vlm_graph *graph, const vlm_tensor *t) {
  for (vlm_value_id id = 0; id < graph->n_values; id++) {
    const vlm_value *v = &graph->values[id];
    if (v->kind == VLM_VALUE_CONSTANT && v->tensor.data == t->data && vlm_tensor_same_shape(&v->tensor, t))
      return id;
  }
  return VLM_NO_VALUE;
}

static vlm_status borrow_constant(vlm_exporter *x, const vlm_export_item *item, vlm_value_id *out,
                                  const char *suffix, const vlm_tensor *t) {
  vlm_status st = VLM_OK;
  const char *name;
  vlm_value_id weight = item->graph->nodes[item->node].inputs[item->plan->slot.input];
  vlm_origin at = vlm_value_origin(item->graph, weight);
  vlm_value_id id = find_same(at.graph, t);
  if (id == VLM_NO_VALUE) {
    VLM_TRY(vlm_graph_free_name(at.graph, &name, item->plan->weight, suffix, x->err));
    VLM_TRY(vlm_graph_add_constant(at.graph, &id, name, t, false, x->err));
  }
  VLM_TRY(vlm_graph_capture(item->graph, out, (vlm_origin){at.graph, id}, x->err));
out:
  return st;
}

static vlm_status add_parts(vlm_exporter *x, const vlm_export_item *item, vlm_export_weight *w) {
  vlm_status st = VLM_OK;
  VLM_TRY(borrow_constant(x, item, &w->data, "_quantized", &w->codes));
  VLM_TRY(borrow_constant(x, item, &w->scale, "_scale", &w->scales));
  VLM_TRY(zeros_like(x, item->graph, &w->zero, item->plan->weight, "_zero_point", VLM_S8, &w->scales));
out:
  return st;
}

vlm_value_id vlm_export_bias_id(const vlm_export_item *item) {
  const vlm_node *node = &item->graph->nodes[item->node];
  return node->traits->bias < 0 ? VLM_NO_VALUE : vlm_node_input(node, node->traits->bias);
}

static float factor_of(const vlm_export_item *item, const char *name) {
  return vlm_node_float(&item->graph->nodes[item->node], name, 1);
}

float vlm_export_alpha(const vlm_export_item *item) { return factor_of(item, "alpha"); }

/* Where biases are integers, alpha is in the scales. */
static vlm_status scale_by_alpha(vlm_exporter *x, const vlm_export_item *item, vlm_tensor *scales) {
  float alpha = vlm_export_alpha(item), *to;
  const float *from = scales->data;
  int64_t count = vlm_tensor_count(scales);
  if (alpha == 1 || vlm_exporter_has(x, VLM_TARGET_FLOAT_BIAS)) return VLM_OK;
  vlm_status st = vlm_arena_new(item->graph->arena, &to, (size_t)count + 1, x->err);
  if (st != VLM_OK) return st;
  for (int64_t i = 0; i < count; i++) to[i] = from[i] * alpha;
  scales->data = to;
  return VLM_OK;
}

vlm_status vlm_export_weight_of(vlm_exporter *x, const vlm_export_item *item, bool tensor,
                                vlm_export_weight *out) {
  vlm_status st = VLM_OK;
  const vlm_weight_s8 *w;
  int32_t axis = tensor ? -1 : item->plan->slot.axis;
  VLM_TRY(vlm_weight_store_get(&w, x->plan->weights, &item->plan->constant, axis, false, x->err));
  *out = (vlm_export_weight){.codes = w->data, .scales = w->scale, .axis = axis};
  VLM_TRY(scale_by_alpha(x, item, &out->scales));
  VLM_TRY(add_parts(x, item, out));
out:
  return st;
}

/* Bytes that live with the graph and are the same for the next who asks. */
static vlm_status turn(vlm_exporter *x, const vlm_export_item *item, vlm_tensor *t) {
  vlm_status st = VLM_OK;
  const vlm_weight_s8 *w;
  VLM_TRY(vlm_weight_store_get(&w, x->plan->weights, &item->plan->constant, item->plan->slot.axis, false,
                               x->err));
  int64_t n = t->dims[0], k = t->dims[1];
  const int8_t *from = w->data.data;
  int8_t *to;
  VLM_TRY(vlm_arena_new(item->graph->arena, &to, (size_t)(n * k), x->err));
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < k; j++) to[j * n + i] = from[i * k + j];
  t->dims[0] = k;
  t->dims[1] = n;
  t->data = to;
out:
  return st;
}

vlm_status vlm_export_weight_turned(vlm_exporter *x, const vlm_export_item *item, vlm_export_weight *w) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &item->graph->nodes[item->node];
  if (!vlm_node_int(node, "transB", 0)) return VLM_OK;
  VLM_TRY(turn(x, item, &w->codes));
  VLM_TRY(borrow_constant(x, item, &w->data, "_turned", &w->codes));
  if (w->axis >= 0) w->axis = 1;
out:
  return st;
}

/* One for all who read the weight in this graph. */
static vlm_value_id find_dequantized(const vlm_graph *graph, const vlm_export_weight *w) {
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    if (vlm_node_is(node, "DequantizeLinear") && node->inputs[0] == w->data && node->inputs[1] == w->scale)
      return node->outputs[0];
  }
  return VLM_NO_VALUE;
}

vlm_status vlm_export_weight_dequantized(vlm_exporter *x, const vlm_export_item *item,
                                         const vlm_export_weight *w, vlm_value_id *out) {
  const vlm_attr axis = {.name = "axis", .kind = VLM_ATTR_INT, .u.i = w->axis};
  *out = find_dequantized(item->graph, w);
  if (*out != VLM_NO_VALUE) return VLM_OK;
  return vlm_part_add(x, item->graph, out, NULL,
                      &(vlm_part){.op_type = "DequantizeLinear",
                                  .base = item->plan->weight,
                                  .suffix = "_dequantized",
                                  .inputs = (vlm_value_id[]){w->data, w->scale, w->zero},
                                  .n_inputs = 3,
                                  .attrs = &axis,
                                  .n_attrs = w->axis >= 0});
}

/* ---- biases ---- */

static float scale_at(const vlm_tensor *scales, int64_t i) {
  return ((const float *)scales->data)[scales->rank ? i : 0];
}

static double bias_at(const vlm_tensor *bias, int64_t i) {
  return vlm_tensor_get(bias, vlm_tensor_count(bias) == 1 ? 0 : i);
}

/* Kernels multiply the sums with the product of the two float32 scales. */
static float bias_step(float step, const vlm_tensor *scales, int64_t i) { return step * scale_at(scales, i); }

bool vlm_export_bias_fits(const vlm_export_item *item, vlm_value_id bias, float step,
                          const vlm_tensor *scales) {
  const vlm_tensor *b = vlm_graph_constant(item->graph, bias);
  int64_t channels = item->plan->constant.dims[item->plan->slot.axis];
  for (int64_t i = 0; i < channels; i++) {
    double steps = bias_at(b, i) * (double)factor_of(item, "beta") / (double)bias_step(step, scales, i);
    if (!(fabs(steps) < 2147483000.0)) return false;
  }
  return true;
}

vlm_status vlm_export_bias_of(vlm_exporter *x, const vlm_export_item *item, vlm_value_id bias, float step,
                              const vlm_export_weight *w, vlm_export_bias *out) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = item->graph;
  const vlm_tensor *b = vlm_graph_constant(graph, bias);
  const char *base = graph->values[bias].name;
  const float beta = factor_of(item, "beta");
  int64_t channels = item->plan->constant.dims[item->plan->slot.axis];
  int32_t *codes;
  float *scales;
  VLM_TRY(vlm_arena_new(x->arena, &codes, (size_t)channels + 1, x->err));
  VLM_TRY(vlm_arena_new(x->arena, &scales, (size_t)channels + 1, x->err));
  for (int64_t i = 0; i < channels; i++) {
    scales[i] = bias_step(step, &w->scales, i);
    codes[i] = (int32_t)nearbyint(bias_at(b, i) * (double)beta / (double)scales[i]);
  }
  const vlm_tensor c = vlm_tensor_make(VLM_S32, 1, &channels, codes);
  const vlm_tensor s = vlm_tensor_make(VLM_F32, w->scales.rank ? 1 : 0, &channels, scales);
  VLM_TRY(vlm_part_constant(x, graph, &out->data, base, "_quantized", &c));
  VLM_TRY(vlm_part_constant(x, graph, &out->scale, base, "_scale", &s));
  VLM_TRY(zeros_like(x, graph, &out->zero, base, "_zero_point", VLM_S32, &s));
out:
  return st;
}
