/* What follows a product or convolution: bias, activation, QuantizeLinear. */
#include "runtime/lower/lower_private.h"

vlm_tail vlm_tail_of(vlm_value_id output) {
  return (vlm_tail){.output = output,
                    .bias = VLM_NO_VALUE,
                    .y_scale = VLM_NO_VALUE,
                    .y_zero = VLM_NO_VALUE,
                    .activation = {.name = ""}};
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
  const vlm_node *add = t->bias == VLM_NO_VALUE && !*t->activation.name ? follower(l, t, "Add") : NULL;
  if (!add) return;
  vlm_value_id other = add->inputs[add->inputs[0] == t->output ? 1 : 0];
  if (!vlm_is_channel_vector(l->graph, other, channels, place, max_rank)) return;
  t->bias = other;
  take(l, add, t);
}

void vlm_take_activation(vlm_lowering *l, vlm_tail *t) {
  int32_t n = *t->activation.name ? -1 : vlm_only_reader(l, t->output);
  vlm_activation found;
  if (n < 0 || !vlm_activation_of_node(l->graph, &l->graph->nodes[n], &found)) return;
  t->activation = found;
  take(l, &l->graph->nodes[n], t);
}

vlm_status vlm_tail_add(vlm_lowering *l, vlm_tail *t, vlm_value_id addend, const vlm_activation *activation) {
  vlm_status st = VLM_OK;
  vlm_value_id inputs[2] = {VLM_NO_VALUE, addend}, sum = *activation->name ? VLM_NO_VALUE : t->output;
  VLM_TRY(vlm_graph_add_value(l->graph, &inputs[0], NULL, VLM_VALUE_NODE, l->err));
  VLM_TRY(vlm_add_node(l, &sum,
                       &(vlm_node_form){.op_type = "Add", .opset = 14, .inputs = inputs, .n_inputs = 2}));
  if (*activation->name) VLM_TRY(vlm_activation_add(l, activation, sum, &t->output));
  t->output = inputs[0];
out:
  return st;
}

/* The one QuantizeLinear behind, and the Cast to float32 in front of it, or NULL. */
static const vlm_node *quantizer(const vlm_lowering *l, const vlm_tail *t, const vlm_node **cast) {
  *cast = follower(l, t, "Cast");
  if (!*cast) return follower(l, t, "QuantizeLinear");
  const vlm_tail behind = {.output = (*cast)->outputs[0]};
  bool floats = vlm_node_int(*cast, "to", 0) == vlm_dtype_onnx(VLM_F32);
  return floats ? follower(l, &behind, "QuantizeLinear") : NULL;
}

vlm_status vlm_cast_behind(vlm_lowering *l, vlm_dtype type, vlm_tail *t) {
  vlm_status st = VLM_OK;
  const vlm_attr to = vlm_int_attr("to", vlm_dtype_onnx(type));
  vlm_value_id y;
  if (type == VLM_F32 || t->y_scale != VLM_NO_VALUE) return VLM_OK;
  VLM_TRY(vlm_graph_add_value(l->graph, &y, NULL, VLM_VALUE_NODE, l->err));
  VLM_TRY(vlm_add_node(
      l, &t->output,
      &(vlm_node_form){
          .op_type = "Cast", .opset = 13, .inputs = &y, .n_inputs = 1, .attrs = &to, .n_attrs = 1}));
  t->output = y;
out:
  return st;
}

void vlm_take_quantize(vlm_lowering *l, vlm_tail *t) {
  const vlm_node *cast, *q = quantizer(l, t, &cast);
  vlm_value_id id = q && !vlm_node_int(q, "block_size", 0) ? vlm_node_input(q, 2) : VLM_NO_VALUE;
  const vlm_tensor *zero = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->graph, id);
  const vlm_tensor *scale = q ? vlm_graph_constant(l->graph, q->inputs[1]) : NULL;
  if (!vlm_is_scalar(scale) || scale->dtype != VLM_F32 || !vlm_is_scalar(zero) || zero->dtype != VLM_U8)
    return;
  t->y_scale = q->inputs[1];
  t->y_zero = id;
  if (cast) take(l, cast, t);
  take(l, q, t);
}
