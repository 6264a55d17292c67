/* MatMul, Gemm and what is fused from them: y = activation(alpha * x * w + beta * c), w constant.
 *
 * A constant on the left is the product of the transposed problem: y' = x' * w'. So each product is told by
 * how its constant and its activations are stored, and how its result is wanted; the operators read and write
 * with strides. */
#include "runtime/lower/lower_private.h"

typedef struct {
  const vlm_weight_slot *slot;
  bool w_rows;    /* the constant is stored one row per channel: [.., N, K] */
  bool x_columns; /* the activations are stored as [.., K, M] */
  bool y_columns; /* the result is wanted as [.., N, M] */
  bool matrix;    /* the result has two dims or more for sure */
  vlm_dtype type; /* of the float operator */
  int64_t channels, matrices;
  float alpha, beta;
  vlm_value_id addend;       /* C, or VLM_NO_VALUE */
  vlm_activation activation; /* its own */
} product;

static bool refuse(const char **why, const char *reason) {
  *why = reason;
  return false;
}

static int32_t known_rank(const vlm_graph *graph, vlm_value_id id) {
  while (graph->values[id].kind == VLM_VALUE_CAPTURE) {
    id = graph->values[id].parent_value;
    graph = graph->parent;
  }
  return graph->values[id].tensor.rank;
}

static bool read_product(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot,
                         product *p, const char **why) {
  const vlm_tensor *w = vlm_node_constant(graph, node, slot->input);
  bool left = slot->input == 0, ta = vlm_node_int(node, "transA", 0) != 0,
       tb = vlm_node_int(node, "transB", 0) != 0;
  int32_t bias = node->traits->bias;
  *p = (product){.slot = slot, .y_columns = left, .w_rows = left ? !ta : tb, .x_columns = left ? !tb : ta};
  /* Only Gemm and Attention have a bias, and no vectors. */
  p->matrix = bias >= 0 || known_rank(graph, node->inputs[slot->activation]) >= 2;
  p->type = vlm_dtype_is_float(w->dtype) ? w->dtype : VLM_F32;
  p->channels = w->dims[slot->axis];
  p->matrices = vlm_tensor_span(w, 0, w->rank - 2);
  p->alpha = vlm_node_float(node, "alpha", 1);
  p->beta = vlm_node_float(node, "beta", 1);
  p->addend = bias >= 0 && p->beta != 0 ? vlm_node_input(node, bias) : VLM_NO_VALUE;
  if (vlm_node_int(node, "transBatchA", 0) || vlm_node_int(node, "transBatchB", 0))
    return refuse(why, "transBatch of an input whose number of dims the file does not say");
  return vlm_activation_of_name(node, &p->activation)
             ? true
             : refuse(why, "its activation is none that an integer product applies");
}

/* A bias has one value per channel, or one for all: a dim of the result. */
static int32_t channel_place(const product *p) { return p->y_columns ? 2 : 1; }
static int32_t bias_rank(const product *p) { return p->matrix ? 2 : p->y_columns ? 0 : 1; }

static bool can(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, vlm_form form,
                const char **why) {
  product p;
  if (form == VLM_FORM_WEIGHT_ONLY) return true; /* at least as a stored constant */
  return read_product(graph, node, slot, &p, why);
}

/* C times beta, when C is no bias. */
static vlm_status scaled_addend(vlm_lowering *l, const product *p, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  vlm_value_id beta;
  uint64_t storage = 0;
  vlm_tensor t = vlm_tensor_make(p->type, 0, NULL, &storage);
  vlm_tensor_set(&t, 0, (double)p->beta);
  *out = p->addend;
  if (p->beta == 1) return VLM_OK;
  VLM_TRY(vlm_graph_add_constant(l->graph, &beta, NULL, &t, true, l->err));
  *out = VLM_NO_VALUE;
  VLM_TRY(vlm_add_node(
      l, out,
      &(vlm_node_form){
          .op_type = "Mul", .opset = 14, .inputs = (vlm_value_id[]){p->addend, beta}, .n_inputs = 2}));
out:
  return st;
}

/* What an operator takes of its tail. */
typedef enum { TAKES_BIAS, TAKES_ACTIVATION, TAKES_QUANTIZE } takes;

static vlm_status read_tail(vlm_lowering *l, const product *p, takes most, vlm_tail *t) {
  vlm_status st = VLM_OK;
  vlm_value_id addend;
  bool own = vlm_is_channel_vector(l->graph, p->addend, p->channels, channel_place(p), bias_rank(p));
  if (p->addend != VLM_NO_VALUE && !own) {
    VLM_TRY(scaled_addend(l, p, &addend));
    VLM_TRY(vlm_tail_add(l, t, addend, &p->activation));
    goto out;
  }
  if (own) t->bias = p->addend;
  t->activation = p->activation;
  vlm_take_bias(l, t, p->channels, channel_place(p), bias_rank(p));
  if (most >= TAKES_ACTIVATION) vlm_take_activation(l, t);
  if (most >= TAKES_QUANTIZE) vlm_take_quantize(l, t);
  if (t->bias != VLM_NO_VALUE) VLM_TRY(vlm_spread(l, &t->bias, p->channels, p->matrices, own ? p->beta : 1));
out:
  return st;
}

/* com.microsoft Attention: the node becomes its projection, a new one attends. */
static vlm_status detach_attention(vlm_lowering *l, int32_t n) {
  vlm_status st = VLM_OK;
  vlm_value_id *inputs, qkv;
  int32_t attention;
  if (!(l->graph->nodes[n].traits->flags & VLM_TRAIT_ATTENDS)) return VLM_OK;
  const vlm_node old = l->graph->nodes[n];
  VLM_TRY(vlm_graph_add_value(l->graph, &qkv, NULL, VLM_VALUE_NODE, l->err));
  VLM_TRY(vlm_graph_add_node(l->graph, &attention,
                             &(vlm_node){.domain = "vlm",
                                         .op_type = "ProjectedAttention",
                                         .opset = 1,
                                         .n_inputs = old.n_inputs,
                                         .n_outputs = old.n_outputs},
                             l->err));
  inputs = l->graph->nodes[attention].inputs;
  memcpy(inputs, old.inputs, (size_t)old.n_inputs * sizeof *inputs);
  inputs[0] = qkv;
  for (int32_t k = 1; k < 3 && k < old.n_inputs; k++) inputs[k] = VLM_NO_VALUE; /* weights and bias */
  for (int32_t k = 0; k < old.n_outputs; k++) vlm_node_set_output(l->graph, attention, k, old.outputs[k]);
  l->graph->nodes[attention].attrs = old.attrs;
  l->graph->nodes[attention].n_attrs = old.n_attrs;
  l->graph->nodes[n].n_outputs = 1;
  vlm_node_set_output(l->graph, n, 0, qkv);
out:
  return st;
}

/* `form` lacks the attributes. */
static vlm_status make(vlm_lowering *l, int32_t n, const product *p, const vlm_tail *t,
                       const vlm_node_form *form) {
  vlm_status st = VLM_OK;
  vlm_attr attrs[5] = {vlm_int_attr("transB", p->w_rows), vlm_int_attr("transX", p->x_columns),
                       vlm_int_attr("transY", p->y_columns)};
  vlm_node_form whole = *form;
  whole.attrs = attrs;
  whole.n_attrs = 3;
  VLM_TRY(vlm_activation_attrs(l, &t->activation, attrs, &whole.n_attrs));
  VLM_TRY(vlm_make_internal(l, n, &whole, t->output));
out:
  return st;
}

static vlm_status make_static(vlm_lowering *l, int32_t n, const product *p, const vlm_operand *x,
                              const vlm_operand *w) {
  vlm_status st = VLM_OK;
  vlm_tail t = vlm_tail_of(l->graph->nodes[n].outputs[0]);
  VLM_TRY(read_tail(l, p, TAKES_QUANTIZE, &t));
  VLM_TRY(vlm_cast_behind(l, x->type, &t));
  const vlm_value_id inputs[] = {x->data, x->scale, x->zero, w->data, w->scale, t.bias, t.y_scale, t.y_zero};
  VLM_TRY(make(l, n, p, &t, &(vlm_node_form){.op_type = "QMatMul", .inputs = inputs, .n_inputs = 8}));
out:
  return st;
}

/* The operators compute in float32: other floats are cast in front and behind. */
static vlm_status cast_around(vlm_lowering *l, vlm_dtype type, vlm_value_id *x, vlm_tail *t) {
  vlm_status st = VLM_OK;
  const vlm_attr to = vlm_int_attr("to", vlm_dtype_onnx(VLM_F32));
  vlm_value_id floats = VLM_NO_VALUE;
  if (type == VLM_F32) return VLM_OK;
  VLM_TRY(vlm_add_node(
      l, &floats,
      &(vlm_node_form){
          .op_type = "Cast", .opset = 13, .inputs = x, .n_inputs = 1, .attrs = &to, .n_attrs = 1}));
  VLM_TRY(vlm_cast_behind(l, type, t));
  *x = floats;
out:
  return st;
}

/* x stays float: vlm.WMatMul, vlm.QMatMulDynamic. */
static vlm_status make_float(vlm_lowering *l, int32_t n, const char *op_type, const product *p,
                             const vlm_operand *w) {
  vlm_status st = VLM_OK;
  vlm_value_id x = l->graph->nodes[n].inputs[p->slot->activation];
  vlm_tail t = vlm_tail_of(l->graph->nodes[n].outputs[0]);
  VLM_TRY(read_tail(l, p, TAKES_ACTIVATION, &t));
  VLM_TRY(cast_around(l, p->type, &x, &t));
  const vlm_value_id inputs[] = {x, w->data, w->scale, t.bias};
  VLM_TRY(make(l, n, p, &t, &(vlm_node_form){.op_type = op_type, .inputs = inputs, .n_inputs = 4}));
out:
  return st;
}

/* ---- weights with zero points ---- */

/* One row per channel to one column per channel. */
static vlm_status turn_weights(vlm_lowering *l, const product *p, vlm_value_id *id) {
  vlm_status st = VLM_OK;
  vlm_tensor t = *vlm_graph_constant(l->graph, *id);
  const int8_t *from = t.data;
  int8_t *to;
  int64_t n = p->channels, k = t.dims[t.rank - 1];
  VLM_TRY(vlm_arena_new(l->graph->arena, &to, vlm_tensor_count(&t), l->err));
  VLM_TRY(vlm_lazy_take(l->graph->lazy, t.data, l->err));
  for (int64_t m = 0; m < p->matrices; m++, from += n * k)
    for (int64_t i = 0; i < n * k; i++) to[m * n * k + i % k * n + i / k] = from[i];
  vlm_lazy_give(l->graph->lazy, t.data);
  t.dims[t.rank - 2] = k;
  t.dims[t.rank - 1] = n;
  t.data = to;
  VLM_TRY(vlm_graph_add_constant(l->graph, id, NULL, &t, false, l->err));
out:
  return st;
}

static bool can_be_moved(const product *p, const vlm_operand *x) {
  return !p->x_columns && !p->y_columns && !*p->activation.name && !x->is_signed && x->type == VLM_F32;
}

/* The exact sums of MatMulIntegerToFloat. */
static vlm_status make_moved(vlm_lowering *l, int32_t n, const product *p, const vlm_operand *x,
                             vlm_operand *w) {
  vlm_status st = VLM_OK;
  vlm_tail t = vlm_tail_of(l->graph->nodes[n].outputs[0]);
  product one = *p;
  one.matrices = 1; /* its bias and scales serve all */
  VLM_TRY(read_tail(l, &one, TAKES_BIAS, &t));
  if (p->w_rows) VLM_TRY(turn_weights(l, p, &w->data));
  const vlm_value_id inputs[] = {x->data, w->data, x->scale, w->scale, x->zero, w->zero, t.bias};
  VLM_TRY(vlm_replace_node(l, n,
                           &(vlm_node_form){.domain = "com.microsoft",
                                            .op_type = "MatMulIntegerToFloat",
                                            .opset = 1,
                                            .inputs = inputs,
                                            .n_inputs = 7},
                           t.output));
out:
  return st;
}

/* ---- the rule ---- */

/* Stored as bytes, and not cast behind its DequantizeLinear. */
static bool is_float32(const vlm_graph *graph, vlm_value_id weight) {
  const vlm_graph *owner;
  return vlm_dequantizer(graph, weight, &owner) != NULL;
}

static vlm_status lower(vlm_lowering *l, int32_t n, const vlm_weight_slot *slot, vlm_form *form) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &l->graph->nodes[n];
  const char *why;
  product p;
  vlm_operand x, w;
  bool moved;
  *form = 0;
  if (!read_product(l->graph, node, slot, &p, &why) ||
      !vlm_dequantized_weight(l, node->inputs[slot->input], slot->axis, &moved))
    return VLM_OK;
  bool integer = vlm_dequantized_activation(l, node->inputs[slot->activation], &x);
  if (integer) p.type = x.type;
  else if (!is_float32(l->graph, node->inputs[slot->input])) return VLM_OK;
  if (moved && (!integer || !can_be_moved(&p, &x))) return VLM_OK;
  *form = integer ? VLM_FORM_STATIC : VLM_FORM_WEIGHT_ONLY;
  VLM_TRY(detach_attention(l, n));
  VLM_TRY(vlm_weight_parts(l, l->graph->nodes[n].inputs[slot->input], &w));
  VLM_TRY(vlm_spread(l, &w.scale, p.channels, moved ? 1 : p.matrices, p.alpha));
  if (integer) VLM_TRY(vlm_as_u8(l, &x));
  if (moved) VLM_TRY(make_moved(l, n, &p, &x, &w));
  else if (integer) VLM_TRY(make_static(l, n, &p, &x, &w));
  else VLM_TRY(make_float(l, n, "WMatMul", &p, &w));
out:
  return st;
}

const vlm_rule vlm_rule_product = {can, lower};

vlm_status vlm_lower_row_form(vlm_graph *graph, int32_t n, const vlm_weight_slot *slot, vlm_value_id data,
                              vlm_value_id scale, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowering l = {.graph = graph, .err = err};
  const vlm_node *node = &graph->nodes[n];
  const char *why = "";
  vlm_operand w = {data, scale, VLM_NO_VALUE, VLM_F32, false};
  product p;
  bool answer = node->traits->forms & VLM_FORM_ROW && read_product(graph, node, slot, &p, &why);
  VLM_CHECK(answer, err, VLM_INTERNAL, "node \"%s\" has no form with a range per row: %s", node->name, why);
  p.w_rows = true;
  VLM_TRY(detach_attention(&l, n));
  VLM_TRY(vlm_spread(&l, &w.scale, p.channels, p.matrices, p.alpha));
  VLM_TRY(make_float(&l, n, "QMatMulDynamic", &p, &w));
out:
  return st;
}

/* Already one operator; it takes what stands behind it. */
vlm_status vlm_lower_row_product(vlm_lowering *l, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &l->graph->nodes[n];
  const vlm_weight_slot slot = {.input = 1, .activation = 0};
  const vlm_tensor *w = vlm_graph_constant(l->graph, node->inputs[1]);
  product p = {
      .slot = &slot, .type = VLM_F32, .w_rows = vlm_node_int(node, "transB", 0) != 0, .addend = VLM_NO_VALUE};
  vlm_tail t = vlm_tail_of(node->outputs[0]);
  VLM_TRY(vlm_report_add(l, n, VLM_FORM_ROW));
  if (!w || w->rank < 2 || vlm_node_input(node, 3) != VLM_NO_VALUE ||
      !vlm_activation_of_name(node, &p.activation) || *p.activation.name)
    goto out;
  p.x_columns = vlm_node_int(node, "transX", 0) != 0;
  p.y_columns = vlm_node_int(node, "transY", 0) != 0;
  p.matrix = known_rank(l->graph, node->inputs[0]) >= 2;
  p.channels = w->dims[w->rank - (p.w_rows ? 2 : 1)];
  p.matrices = vlm_tensor_span(w, 0, w->rank - 2);
  VLM_TRY(read_tail(l, &p, TAKES_QUANTIZE, &t));
  const vlm_value_id inputs[] = {node->inputs[0], node->inputs[1], node->inputs[2], t.bias,
                                 VLM_NO_VALUE,    t.y_scale,       t.y_zero};
  VLM_TRY(make(l, n, &p, &t, &(vlm_node_form){.op_type = "QMatMulDynamic", .inputs = inputs, .n_inputs = 7}));
out:
  return st;
}
