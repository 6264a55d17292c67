/* ConvTranspose whose pieces do not overlap (kernel = stride, as decoders enlarge maps): each input position
 * gives a block of outputs of its own. That is a pointwise convolution with kernel * kernel times the
 * channels, whose result DepthToSpace lays out. */
#include "runtime/lower/lower_private.h"

static bool refuse(const char **why, const char *reason) {
  *why = reason;
  return false;
}

static bool all_are(const vlm_node *node, const char *name, int64_t wanted) {
  const vlm_attr *a = vlm_node_attr(node, name);
  for (int32_t i = 0; a && a->kind == VLM_ATTR_INTS && i < a->count; i++)
    if (a->u.ints[i] != wanted) return false;
  return true;
}

static bool can(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, vlm_form form,
                const char **why) {
  const vlm_tensor *w = vlm_node_constant(graph, node, slot->input);
  const vlm_attr *strides = vlm_node_attr(node, "strides"), *mode = vlm_node_attr(node, "auto_pad");
  vlm_value_id bias = vlm_node_input(node, 2);
  if (form == VLM_FORM_WEIGHT_ONLY) return true;
  if (w->rank != 4 || w->dims[2] != w->dims[3])
    return refuse(why, "a transposed convolution whose kernel is no square");
  bool apart = strides ? all_are(node, "strides", w->dims[2]) : w->dims[2] == 1;
  if (!apart || !all_are(node, "dilations", 1))
    return refuse(why, "a transposed convolution whose pieces overlap or lie apart");
  bool padded = mode && mode->kind == VLM_ATTR_STRING && *mode->u.s && strcmp(mode->u.s, "NOTSET") &&
                strcmp(mode->u.s, "VALID");
  if (padded || !all_are(node, "pads", 0) || !all_are(node, "output_padding", 0) ||
      vlm_node_attr(node, "output_shape"))
    return refuse(why, "a transposed convolution with padding or a given size");
  if (vlm_node_int(node, "group", 1) != 1) return refuse(why, "a transposed convolution in groups");
  if (bias != VLM_NO_VALUE && !vlm_is_channel_vector(graph, bias, w->dims[1], 1, 1))
    return refuse(why, "its bias is no constant");
  return true;
}

/* [C, O, k, k] as [k * k * O, C, 1, 1]: the channels of an output position lie together. */
static vlm_status turn_weights(vlm_lowering *l, vlm_value_id *id) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = vlm_graph_constant(l->graph, *id);
  const int8_t *from = t->data;
  int8_t *to;
  int64_t inputs = t->dims[0], channels = t->dims[1], taps = t->dims[2] * t->dims[3], rows = channels * taps;
  VLM_TRY(vlm_arena_new(l->graph->arena, &to, inputs * rows, l->err));
  VLM_TRY(vlm_lazy_take(l->graph->lazy, from, l->err));
  for (int64_t c = 0; c < inputs; c++)
    for (int64_t o = 0; o < channels; o++)
      for (int64_t k = 0; k < taps; k++)
        to[(k * channels + o) * inputs + c] = from[(c * channels + o) * taps + k];
  vlm_lazy_give(l->graph->lazy, from);
  const vlm_tensor turned = vlm_tensor_make(VLM_S8, 4, (int64_t[]){rows, inputs, 1, 1}, to);
  VLM_TRY(vlm_graph_add_constant(l->graph, id, NULL, &turned, false, l->err));
out:
  return st;
}

static vlm_status make(vlm_lowering *l, int32_t n, int64_t channels, int64_t side, const vlm_operand *x,
                       vlm_operand *w) {
  vlm_status st = VLM_OK;
  const vlm_attr layout[] = {vlm_int_attr("blocksize", side), vlm_text_attr("mode", "DCR")};
  vlm_attr attrs[2];
  int32_t n_attrs = 0;
  vlm_value_id blocks;
  vlm_tail t = vlm_tail_of(l->graph->nodes[n].outputs[0]);
  t.bias = vlm_node_input(&l->graph->nodes[n], 2);
  vlm_take_activation(l, &t);
  vlm_take_quantize(l, &t);
  VLM_TRY(vlm_cast_behind(l, x->type, &t));
  VLM_TRY(turn_weights(l, &w->data));
  VLM_TRY(vlm_spread(l, &w->scale, channels, side * side, 1));
  if (t.bias != VLM_NO_VALUE) VLM_TRY(vlm_spread(l, &t.bias, channels, side * side, 1));
  VLM_TRY(vlm_activation_attrs(l, &t.activation, attrs, &n_attrs));
  VLM_TRY(vlm_graph_add_value(l->graph, &blocks, NULL, VLM_VALUE_NODE, l->err));
  VLM_TRY(vlm_add_node(l, &t.output,
                       &(vlm_node_form){.op_type = "DepthToSpace",
                                        .opset = 13,
                                        .inputs = &blocks,
                                        .n_inputs = 1,
                                        .attrs = layout,
                                        .n_attrs = 2}));
  const vlm_value_id inputs[] = {x->data, x->scale, x->zero, w->data, w->scale, t.bias, t.y_scale, t.y_zero};
  VLM_TRY(vlm_make_internal(
      l, n,
      &(vlm_node_form){
          .op_type = "QConv", .inputs = inputs, .n_inputs = 8, .attrs = attrs, .n_attrs = n_attrs},
      blocks));
out:
  return st;
}

static vlm_status lower(vlm_lowering *l, int32_t n, const vlm_weight_slot *slot, vlm_form *form) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &l->graph->nodes[n];
  const vlm_tensor *t = vlm_node_constant(l->graph, node, slot->input);
  const char *why;
  vlm_operand x, w;
  bool moved;
  *form = 0;
  if (!can(l->graph, node, slot, VLM_FORM_STATIC, &why) ||
      !vlm_dequantized_weight(l, node->inputs[slot->input], slot->axis, &moved) || moved ||
      !vlm_dequantized_activation(l, node->inputs[slot->activation], &x))
    return VLM_OK;
  int64_t channels = t->dims[1], side = t->dims[2];
  VLM_TRY(vlm_weight_parts(l, node->inputs[slot->input], &w));
  VLM_TRY(vlm_as_u8(l, &x));
  VLM_TRY(make(l, n, channels, side, &x, &w));
  *form = VLM_FORM_STATIC;
out:
  return st;
}

const vlm_rule vlm_rule_transposed = {can, lower};
