/* Conv and FusedConv of bytes, their range calibrated or that of the values at hand. Without one they stay float and read their weights
 * dequantized once (stored.c). */
#include "runtime/lower/lower_private.h"

static bool refuse(const char **why, const char *reason) {
  *why = reason;
  return false;
}

static bool is_f32(const vlm_tensor *w) { return w->dtype == VLM_F32 || w->dtype == VLM_S8; }

static bool can(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, vlm_form form,
                const char **why) {
  const vlm_tensor *w = vlm_node_constant(graph, node, slot->input);
  if (form == VLM_FORM_WEIGHT_ONLY) return true;
  vlm_value_id bias = vlm_node_input(node, 2);
  if (!is_f32(w) && bias != VLM_NO_VALUE && !vlm_is_channel_vector(graph, bias, w->dims[slot->axis], 1, 1))
    return refuse(why, "its bias is computed, and no float32");
  if (w->rank < 3 || w->rank > 5) return refuse(why, "a convolution over more than 3 dims");
  vlm_activation own;
  return vlm_activation_of_name(node, &own)
             ? true
             : refuse(why, "its activation is none that an integer convolution applies");
}

/* The attributes of Conv, and ours. */
static vlm_status conv_attrs(vlm_lowering *l, const vlm_node *node, const vlm_tail *t, vlm_attr **out,
                             int32_t *count) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_arena_new(l->graph->arena, out, node->n_attrs + 2, l->err));
  *count = 0;
  for (int32_t a = 0; a < node->n_attrs; a++)
    if (strncmp(node->attrs[a].name, "activation", 10)) (*out)[(*count)++] = node->attrs[a];
  VLM_TRY(vlm_activation_attrs(l, &t->activation, *out, count));
out:
  return st;
}

/* A constant added behind, [channels, 1, ..]. */
static vlm_status take_bias(vlm_lowering *l, const vlm_node *node, int64_t channels, vlm_tail *t) {
  int32_t rank = vlm_node_constant(l->graph, node, 1)->rank;
  vlm_take_bias(l, t, channels, rank - 1, rank);
  return t->bias == VLM_NO_VALUE ? VLM_OK : vlm_spread(l, &t->bias, channels, 1, 1);
}

/* Bias (constant or not), activation, quantization. A residual (input 3 of FusedConv) is added behind, before
 * the activation. */
static vlm_status read_tail(vlm_lowering *l, const vlm_node *node, int64_t channels, vlm_tail *t) {
  vlm_status st = VLM_OK;
  vlm_activation own;
  t->bias = vlm_node_input(node, 2);
  if (vlm_is_channel_vector(l->graph, t->bias, channels, 1, 1))
    VLM_TRY(vlm_spread(l, &t->bias, channels, 1, 1));
  vlm_activation_of_name(node, &own);
  if (vlm_node_input(node, 3) != VLM_NO_VALUE) {
    VLM_TRY(vlm_tail_add(l, t, vlm_node_input(node, 3), &own));
    goto out;
  }
  t->activation = own;
  if (t->bias == VLM_NO_VALUE) VLM_TRY(take_bias(l, node, channels, t));
  vlm_take_activation(l, t);
  vlm_take_quantize(l, t);
out:
  return st;
}

/* ---- weights with zero points: the exact sums of ConvInteger, then scale and bias ---- */

/* [channels, 1, ..] for a result of that rank. */
static vlm_status as_column(vlm_lowering *l, vlm_value_id *id, int32_t rank) {
  vlm_tensor t = *vlm_graph_constant(l->graph, *id);
  while (t.rank < rank - 1) t.dims[t.rank++] = 1;
  return vlm_graph_add_constant(l->graph, id, NULL, &t, false, l->err);
}

static vlm_status make_moved(vlm_lowering *l, int32_t n, int64_t channels, const vlm_operand *x,
                             vlm_operand *w) {
  vlm_status st = VLM_OK;
  const vlm_node node = l->graph->nodes[n];
  const vlm_attr to = vlm_int_attr("to", 1);
  float x_scale = (float)vlm_tensor_get(vlm_graph_constant(l->graph, x->scale), 0);
  int32_t rank = vlm_graph_constant(l->graph, w->data)->rank;
  vlm_value_id sums, floats = VLM_NO_VALUE, out = node.outputs[0], bias = vlm_node_input(&node, 2),
                     scaled = bias == VLM_NO_VALUE ? out : VLM_NO_VALUE;
  VLM_TRY(vlm_spread(l, &w->scale, channels, 1, x_scale));
  VLM_TRY(as_column(l, &w->scale, rank));
  VLM_TRY(vlm_graph_add_value(l->graph, &sums, NULL, VLM_VALUE_NODE, l->err));
  VLM_TRY(vlm_add_node(
      l, &floats,
      &(vlm_node_form){
          .op_type = "Cast", .opset = 13, .inputs = &sums, .n_inputs = 1, .attrs = &to, .n_attrs = 1}));
  VLM_TRY(vlm_add_node(
      l, &scaled,
      &(vlm_node_form){
          .op_type = "Mul", .opset = 14, .inputs = (vlm_value_id[]){floats, w->scale}, .n_inputs = 2}));
  if (bias != VLM_NO_VALUE) {
    VLM_TRY(vlm_spread(l, &bias, channels, 1, 1));
    VLM_TRY(as_column(l, &bias, rank));
    VLM_TRY(vlm_add_node(
        l, &out,
        &(vlm_node_form){
            .op_type = "Add", .opset = 14, .inputs = (vlm_value_id[]){scaled, bias}, .n_inputs = 2}));
  }
  const vlm_value_id inputs[] = {x->data, w->data, x->zero, w->zero};
  VLM_TRY(vlm_replace_node(l, n,
                           &(vlm_node_form){.op_type = "ConvInteger",
                                            .opset = 10,
                                            .inputs = inputs,
                                            .n_inputs = 4,
                                            .attrs = node.attrs,
                                            .n_attrs = node.n_attrs},
                           sums));
out:
  return st;
}

static bool can_be_moved(const vlm_lowering *l, const vlm_node *node, int64_t channels,
                         const vlm_operand *x) {
  vlm_value_id bias = vlm_node_input(node, 2);
  bool constant = bias == VLM_NO_VALUE || vlm_is_channel_vector(l->graph, bias, channels, 1, 1);
  constant = constant && vlm_graph_constant(l->graph, x->scale);
  return constant && !x->is_signed && !*node->domain && x->type == VLM_F32;
}

/* ---- the rule ---- */

static vlm_status make_static(vlm_lowering *l, int32_t n, int64_t channels, const vlm_operand *x,
                              vlm_operand *w) {
  vlm_status st = VLM_OK;
  const vlm_node node = l->graph->nodes[n];
  vlm_attr *attrs;
  int32_t n_attrs;
  vlm_tail t = vlm_tail_of(node.outputs[0]);
  VLM_TRY(vlm_spread(l, &w->scale, channels, 1, 1));
  VLM_TRY(read_tail(l, &node, channels, &t));
  VLM_TRY(vlm_cast_behind(l, x->type, &t));
  VLM_TRY(conv_attrs(l, &node, &t, &attrs, &n_attrs));
  const vlm_value_id inputs[] = {x->data, x->scale, x->zero, w->data, w->scale, t.bias, t.y_scale, t.y_zero};
  VLM_TRY(vlm_make_internal(
      l, n,
      &(vlm_node_form){
          .op_type = "QConv", .inputs = inputs, .n_inputs = 8, .attrs = attrs, .n_attrs = n_attrs},
      t.output));
out:
  return st;
}

static vlm_status lower(vlm_lowering *l, int32_t n, const vlm_weight_slot *slot, vlm_form *form) {
  vlm_status st = VLM_OK;
  const vlm_node node = l->graph->nodes[n];
  const char *why;
  vlm_operand x, w;
  bool moved;
  *form = 0;
  if (!can(l->graph, &node, slot, VLM_FORM_STATIC, &why) ||
      !vlm_dequantized_weight(l, node.inputs[slot->input], slot->axis, &moved) ||
      !vlm_dequantized_activation(l, node.inputs[slot->activation], &x))
    return VLM_OK;
  int64_t channels = vlm_node_constant(l->graph, &node, slot->input)->dims[slot->axis];
  if (moved && !can_be_moved(l, &node, channels, &x)) return VLM_OK;
  VLM_TRY(vlm_weight_parts(l, node.inputs[slot->input], &w));
  VLM_TRY(vlm_as_u8(l, &x));
  VLM_TRY(moved ? make_moved(l, n, channels, &x, &w) : make_static(l, n, channels, &x, &w));
  *form = vlm_graph_constant(l->graph, x.scale) ? VLM_FORM_STATIC : VLM_FORM_IMAGE;
out:
  return st;
}

const vlm_rule vlm_rule_convolution = {can, lower};
