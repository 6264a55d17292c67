/* MatMul, Gemm and what is fused from them: y = activation(alpha * x * w + beta * c), w constant.
 *
 * A constant on the left is the product of the transposed problem: y' = x' * w'. So each product is told by how its constant and its
 * activations are stored, and how its result is wanted; the operators read and write with strides. */
#include <string.h>

#include "runtime/lower/lower_private.h"

typedef struct {
  const vlm_weight_slot *slot;
  bool w_rows;            /* the constant is stored one row per channel: [.., N, K] */
  bool x_columns;         /* the activations are stored as [.., K, M] */
  bool y_columns;         /* the result is wanted as [.., N, M] */
  bool matrix;            /* the result has two dims */
  int64_t channels, matrices;
  float alpha, beta;
  vlm_value_id addend;    /* C, or VLM_NO_VALUE */
  const char *activation; /* its own, "" = none */
  const vlm_attr *params;
} product;

static bool refuse(const char **why, const char *reason) {
  *why = reason;
  return false;
}

/* C is the bias of the operator: one value per channel, or one for all. */
static bool is_bias(const vlm_graph *graph, const product *p) {
  return vlm_is_channel_vector(graph, p->addend, p->channels, p->y_columns ? 2 : 1, 2);
}

static bool read_product(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, product *p, const char **why) {
  const vlm_tensor *w = vlm_node_constant(graph, node, slot->input);
  const vlm_attr *activation = vlm_node_attr(node, "activation");
  bool left = slot->input == 0, ta = vlm_node_int(node, "transA", 0) != 0, tb = vlm_node_int(node, "transB", 0) != 0;
  *p = (product){.slot = slot, .y_columns = left, .matrix = node->traits->bias >= 0};
  p->w_rows = left ? !ta : tb;
  p->x_columns = left ? !tb : ta;
  p->channels = w->dims[slot->axis];
  p->matrices = vlm_tensor_span(w, 0, w->rank - 2);
  p->alpha = vlm_node_float(node, "alpha", 1);
  p->beta = vlm_node_float(node, "beta", 1);
  p->addend = node->traits->bias >= 0 ? vlm_node_input(node, node->traits->bias) : VLM_NO_VALUE;
  if (p->beta == 0) p->addend = VLM_NO_VALUE;
  p->activation = activation && activation->kind == VLM_ATTR_STRING ? activation->u.s : "";
  if (vlm_node_int(node, "transBatchA", 0) || vlm_node_int(node, "transBatchB", 0))
    return refuse(why, "transBatch moves the batch inwards: no integer product reads it there");
  if (p->x_columns || p->y_columns || p->matrices != 1 || *p->activation)
    return refuse(why, "transposed activations, several matrices or an activation of its own");
  return true;
}

static bool can(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, vlm_form form, const char **why) {
  product p;
  const vlm_tensor *w = vlm_node_constant(graph, node, slot->input);
  if (form == VLM_FORM_WEIGHT_ONLY) return true; /* at least as a stored constant */
  if (w->dtype != VLM_F32 && w->dtype != VLM_S8) return refuse(why, "integer products give float32; the weights are of another type");
  return read_product(graph, node, slot, &p, why);
}

/* ---- what C and the activation become when they are no bias ---- */

/* C times beta. */
static vlm_status scaled_addend(vlm_lowering *l, const product *p, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  vlm_value_id beta;
  float value = p->beta;
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 0, NULL, &value);
  *out = p->addend;
  if (p->beta == 1) return VLM_OK;
  VLM_TRY(vlm_graph_add_constant(l->graph, &beta, NULL, &t, true, l->err));
  *out = VLM_NO_VALUE;
  VLM_TRY(vlm_add_node(l, out, "Mul", 14, (vlm_value_id[]){p->addend, beta}, 2, NULL, 0));
out:
  return st;
}

/* The product writes a new value; the node's output is what Add makes of it. */
static vlm_status add_behind(vlm_lowering *l, const product *p, vlm_tail *t) {
  vlm_status st = VLM_OK;
  vlm_value_id inputs[2], output = t->output;
  VLM_TRY(vlm_graph_add_value(l->graph, &inputs[0], NULL, VLM_VALUE_NODE, l->err));
  VLM_TRY(scaled_addend(l, p, &inputs[1]));
  VLM_TRY(vlm_add_node(l, &output, "Add", 14, inputs, 2, NULL, 0));
  t->output = inputs[0];
out:
  return st;
}

/* Bias, activation and what stands behind: the tail of the operator. `quantized`: the result may leave as u8. */
static vlm_status read_tail(vlm_lowering *l, const product *p, bool quantized, vlm_tail *t) {
  vlm_status st = VLM_OK;
  bool bias = p->addend != VLM_NO_VALUE && is_bias(l->graph, p);
  if (p->addend != VLM_NO_VALUE && !bias) {
    VLM_TRY(add_behind(l, p, t));
    goto out;
  }
  if (bias) t->bias = p->addend;
  t->activation = p->activation;
  t->params = p->params;
  if (!bias) vlm_take_bias(l, t, p->channels, p->y_columns ? 2 : 1, p->y_columns ? (p->matrix ? 2 : 0) : 1);
  if (quantized) vlm_take_activation(l, t);
  if (quantized) VLM_TRY(vlm_take_quantize(l, t));
  if (t->bias != VLM_NO_VALUE) VLM_TRY(vlm_spread(l, &t->bias, p->channels, p->matrices, bias ? p->beta : 1));
out:
  return st;
}

/* ---- the operators ---- */

static vlm_status make_static(vlm_lowering *l, int32_t n, const product *p, vlm_operand *x, const vlm_operand *w) {
  vlm_status st = VLM_OK;
  vlm_tail t = vlm_tail_of(l->graph->nodes[n].outputs[0]);
  VLM_TRY(read_tail(l, p, true, &t));
  VLM_TRY(vlm_need_zero(l, x));
  const vlm_value_id inputs[] = {x->data, x->scale, x->zero, w->data, w->scale, t.bias, t.y_scale, t.y_zero};
  const vlm_attr attrs[] = {vlm_int_attr("transB", p->w_rows), vlm_text_attr("activation", t.activation)};
  VLM_TRY(vlm_replace_node(l, n, "QMatMul", inputs, 8, attrs, 2, t.output));
out:
  return st;
}

/* x stays float: vlm.WMatMul, vlm.QMatMulDynamic. */
static vlm_status make_float(vlm_lowering *l, int32_t n, const char *op_type, const product *p, const vlm_operand *w) {
  vlm_status st = VLM_OK;
  const vlm_value_id x = l->graph->nodes[n].inputs[p->slot->activation];
  vlm_tail t = vlm_tail_of(l->graph->nodes[n].outputs[0]);
  VLM_TRY(read_tail(l, p, false, &t));
  const vlm_value_id inputs[] = {x, w->data, w->scale, t.bias};
  const vlm_attr attrs[] = {vlm_int_attr("transB", p->w_rows), vlm_text_attr("activation", t.activation)};
  VLM_TRY(vlm_replace_node(l, n, op_type, inputs, 4, attrs, 2, t.output));
out:
  return st;
}

static vlm_status lower(vlm_lowering *l, int32_t n, const vlm_weight_slot *slot, vlm_form *form) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &l->graph->nodes[n];
  const char *why;
  product p;
  vlm_operand x, w;
  *form = 0;
  if (!read_product(l->graph, node, slot, &p, &why) || !vlm_dequantized_weight(l, node->inputs[slot->input], slot->axis)) return VLM_OK;
  VLM_TRY(vlm_weight_parts(l, node->inputs[slot->input], &w));
  VLM_TRY(vlm_spread(l, &w.scale, p.channels, p.matrices, p.alpha));
  *form = vlm_dequantized_activation(l, l->graph->nodes[n].inputs[slot->activation], &x) ? VLM_FORM_STATIC : VLM_FORM_WEIGHT_ONLY;
  if (*form == VLM_FORM_STATIC) VLM_TRY(make_static(l, n, &p, &x, &w));
  else VLM_TRY(make_float(l, n, "WMatMul", &p, &w));
out:
  return st;
}

const vlm_rule vlm_rule_product = {can, lower};

vlm_status vlm_lower_row_form(vlm_graph *graph, int32_t n, const vlm_weight_slot *slot, vlm_value_id data, vlm_value_id scale,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowering l = {.graph = graph, .err = err};
  const vlm_node *node = &graph->nodes[n];
  const char *why = "";
  vlm_operand w = {data, scale, VLM_NO_VALUE};
  product p;
  VLM_CHECK(read_product(graph, node, slot, &p, &why), err, VLM_INTERNAL, "node \"%s\" has no form with a range per row: %s", node->name,
            why);
  p.w_rows = true;
  VLM_TRY(vlm_spread(&l, &w.scale, p.channels, p.matrices, p.alpha));
  VLM_TRY(make_float(&l, n, "QMatMulDynamic", &p, &w));
out:
  return st;
}
