/* What follows a product or convolution: bias, activation, QuantizeLinear. */
#include <string.h>

#include "runtime/lower/lower_private.h"

vlm_tail vlm_tail_of(vlm_value_id output) {
  return (vlm_tail){.output = output, .bias = VLM_NO_VALUE, .y_scale = VLM_NO_VALUE, .y_zero = VLM_NO_VALUE, .activation = ""};
}

/* The one reader of the tail when it is of that type. */
static const vlm_node *follower(const vlm_lowering *l, const vlm_tail *t, const char *op_type) {
  int32_t n = vlm_only_reader(l, t->output);
  const vlm_node *node = n < 0 ? NULL : &l->graph->nodes[n];
  return node && vlm_node_is(node, op_type) ? node : NULL;
}

static void take(vlm_lowering *l, const vlm_node *node, vlm_tail *t) {
  l->gone[node - l->graph->nodes] = true;
  t->output = node->outputs[0];
}

void vlm_take_bias(vlm_lowering *l, vlm_tail *t, int64_t channels, int32_t place, int32_t max_rank) {
  const vlm_node *add = t->bias == VLM_NO_VALUE && !*t->activation ? follower(l, t, "Add") : NULL;
  if (!add) return;
  vlm_value_id other = add->inputs[add->inputs[0] == t->output ? 1 : 0];
  if (!vlm_is_channel_vector(l->graph, other, channels, place, max_rank)) return;
  t->bias = other;
  take(l, add, t);
}

/* X(operator, value of attribute approximate or "", name of the row operation) */
static const struct {
  const char *op_type, *approximate, *name;
} ACTIVATIONS[] = {{"Relu", "", "relu"}, {"Gelu", "none", "gelu"}};

void vlm_take_activation(vlm_lowering *l, vlm_tail *t) {
  for (size_t i = 0; !*t->activation && i < sizeof ACTIVATIONS / sizeof ACTIVATIONS[0]; i++) {
    const vlm_node *node = follower(l, t, ACTIVATIONS[i].op_type);
    const vlm_attr *form = node ? vlm_node_attr(node, "approximate") : NULL;
    if (!node || (form && strcmp(form->u.s, ACTIVATIONS[i].approximate))) continue;
    t->activation = ACTIVATIONS[i].name;
    take(l, node, t);
  }
}

vlm_status vlm_take_quantize(vlm_lowering *l, vlm_tail *t) {
  const vlm_node *q = follower(l, t, "QuantizeLinear");
  if (!q || vlm_node_int(q, "block_size", 0)) return VLM_OK;
  vlm_operand y = {q->outputs[0], vlm_node_input(q, 1), vlm_node_input(q, 2)};
  const vlm_tensor *scale = vlm_graph_constant(l->graph, y.scale);
  const vlm_tensor *zero = y.zero == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->graph, y.zero);
  if (!vlm_is_scalar(scale) || scale->dtype != VLM_F32) return VLM_OK;
  bool plain = y.zero == VLM_NO_VALUE && !vlm_node_int(q, "output_dtype", 0);
  if (!plain && (!vlm_is_scalar(zero) || zero->dtype != VLM_U8)) return VLM_OK;
  take(l, q, t);
  vlm_status st = vlm_need_zero(l, &y);
  t->y_scale = y.scale;
  t->y_zero = y.zero;
  return st;
}
