/* QLinearConv, QLinearMatMul and QGemm with constant weights in QDQ form, so that one set of rules lowers
 * both: the node becomes the float operator with DequantizeLinear in front and QuantizeLinear behind. Weights
 * that are computed leave the operator as it is. */
#include "runtime/lower/lower_private.h"

/* Inputs of the operator; -1 = it has none. */
typedef struct {
  const char *domain, *op_type, *to;
  int32_t weight_rank; /* 0 = any from 2 */
  int32_t bias, y_scale, y_zero;
} spelling;

static const spelling SPELLINGS[] = {
    {"", "QLinearConv", "Conv", 0, 8, 6, 7},
    {"", "QLinearMatMul", "MatMul", 0, -1, 6, 7},
    {"com.microsoft", "QLinearMatMul", "MatMul", 0, -1, 6, 7},
    {"com.microsoft", "QGemm", "Gemm", 2, 6, 7, 8},
};
enum { X, X_SCALE, X_ZERO, W, W_SCALE, W_ZERO, QDQ_OPSET = 13 };

static const vlm_tensor *constant(const vlm_graph *g, const vlm_node *node, int32_t k) {
  vlm_value_id id = vlm_node_input(node, k);
  return id == VLM_NO_VALUE ? NULL : vlm_graph_constant(g, id);
}

static bool is_number(const vlm_graph *g, const vlm_node *node, int32_t k) {
  const vlm_tensor *t = constant(g, node, k);
  return t && vlm_tensor_count(t) == 1 && t->rank <= 1;
}

static bool is_scale(const vlm_graph *g, const vlm_node *node, int32_t k) {
  return is_number(g, node, k) && constant(g, node, k)->dtype == VLM_F32;
}

static const spelling *spelling_of(const vlm_graph *g, const vlm_node *node) {
  const vlm_tensor *w = constant(g, node, W), *scale = constant(g, node, W_SCALE),
                   *zero = constant(g, node, W_ZERO);
  for (size_t i = 0; i < sizeof SPELLINGS / sizeof SPELLINGS[0]; i++) {
    const spelling *s = &SPELLINGS[i];
    if (strcmp(s->domain, node->domain) || strcmp(s->op_type, node->op_type)) continue;
    vlm_value_id bias = s->bias < 0 ? VLM_NO_VALUE : vlm_node_input(node, s->bias);
    bool told = is_scale(g, node, X_SCALE) && is_number(g, node, X_ZERO) && scale && zero &&
                scale->dtype == VLM_F32 && scale->rank <= 1 && vlm_tensor_count(scale) > 0 &&
                zero->rank <= 1 && vlm_tensor_count(zero) == vlm_tensor_count(scale) && w && w->rank >= 2 &&
                (!s->weight_rank || w->rank == s->weight_rank);
    bool behind = vlm_node_input(node, s->y_scale) == VLM_NO_VALUE ||
                  (is_scale(g, node, s->y_scale) && is_number(g, node, s->y_zero));
    return told && behind && (bias == VLM_NO_VALUE || constant(g, node, s->bias)) ? s : NULL;
  }
  return NULL;
}

static int64_t channel_axis(const spelling *s, const vlm_node *node, const vlm_tensor *w) {
  if (!strcmp(s->to, "Conv") || vlm_node_int(node, "transB", 0)) return 0;
  return w->rank - 1;
}

/* int32 values in units of x_scale * w_scale * alpha. */
static vlm_status float_bias(vlm_lowering *l, const vlm_node *node, const spelling *s, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  const vlm_tensor *b = constant(l->graph, node, s->bias), *scale = constant(l->graph, node, W_SCALE);
  float x_scale = *(const float *)constant(l->graph, node, X_SCALE)->data,
        alpha = vlm_node_float(node, "alpha", 1), *values;
  int64_t scales = vlm_tensor_count(scale);
  vlm_tensor t = *b;
  VLM_TRY(vlm_arena_new(l->graph->arena, &values, vlm_tensor_count(b), l->err));
  for (int64_t i = 0; i < vlm_tensor_count(b); i++)
    values[i] =
        (float)vlm_tensor_get_int(b, i) * (x_scale * ((const float *)scale->data)[i % scales] * alpha);
  t.dtype = VLM_F32;
  t.data = values;
  VLM_TRY(vlm_graph_add_constant(l->graph, out, NULL, &t, false, l->err));
out:
  return st;
}

static vlm_status make_inputs(vlm_lowering *l, const vlm_node *node, const spelling *s, vlm_value_id in[3]) {
  vlm_status st = VLM_OK;
  const vlm_attr axis = vlm_int_attr("axis", channel_axis(s, node, constant(l->graph, node, W)));
  VLM_TRY(vlm_add_node(
      l, &in[0],
      &(vlm_node_form){
          .op_type = "DequantizeLinear", .opset = QDQ_OPSET, .inputs = &node->inputs[X], .n_inputs = 3}));
  VLM_TRY(vlm_add_node(l, &in[1],
                       &(vlm_node_form){.op_type = "DequantizeLinear",
                                        .opset = QDQ_OPSET,
                                        .inputs = &node->inputs[W],
                                        .n_inputs = 3,
                                        .attrs = &axis,
                                        .n_attrs = 1}));
  if (s->bias >= 0 && vlm_node_input(node, s->bias) != VLM_NO_VALUE) VLM_TRY(float_bias(l, node, s, &in[2]));
out:
  return st;
}

static vlm_status spell_out(vlm_lowering *l, int32_t n, const spelling *s) {
  vlm_status st = VLM_OK;
  const vlm_node node = l->graph->nodes[n];
  vlm_value_id in[3] = {VLM_NO_VALUE, VLM_NO_VALUE, VLM_NO_VALUE}, out = node.outputs[0];
  vlm_value_id y[3] = {VLM_NO_VALUE, vlm_node_input(&node, s->y_scale), vlm_node_input(&node, s->y_zero)};
  VLM_TRY(make_inputs(l, &node, s, in));
  if (y[1] != VLM_NO_VALUE) {
    VLM_TRY(vlm_graph_add_value(l->graph, &y[0], NULL, VLM_VALUE_NODE, l->err));
    VLM_TRY(vlm_add_node(
        l, &out,
        &(vlm_node_form){.op_type = "QuantizeLinear", .opset = QDQ_OPSET, .inputs = y, .n_inputs = 3}));
    out = y[0];
  }
  VLM_TRY(vlm_replace_node(l, n,
                           &(vlm_node_form){.op_type = s->to,
                                            .opset = QDQ_OPSET,
                                            .inputs = in,
                                            .n_inputs = 3,
                                            .attrs = node.attrs,
                                            .n_attrs = node.n_attrs},
                           out));
out:
  return st;
}

vlm_status vlm_lower_qoperators(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowering l = {.graph = graph, .err = err};
  for (int32_t n = 0, count = graph->n_nodes; n < count; n++) {
    const spelling *s = spelling_of(graph, &graph->nodes[n]);
    if (s) VLM_TRY(spell_out(&l, n, s));
  }
out:
  return st;
}
