/* What each operator becomes when its input is channels last. */
#include "runtime/lower/layout.h"

static vlm_node *node_at(const vlm_reorder *l, int32_t n) { return &l->low.graph->nodes[n]; }
static vlm_value_id input(const vlm_reorder *l, int32_t n, int32_t k) {
  return vlm_node_input(node_at(l, n), k);
}
static int64_t last_axis(int64_t axis, int64_t rank) {
  return axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1;
}

/* Rank of the twin that a converted node made of input k; 0 = none. */
static int32_t made_rank(const vlm_reorder *l, int32_t n, int32_t k) {
  vlm_value_id id = input(l, n, k);
  return vlm_layout_twin(l, id) != VLM_NO_VALUE && l->twins[id].made ? l->twins[id].rank : 0;
}

static bool is_constant(const vlm_reorder *l, vlm_value_id id) {
  return id != VLM_NO_VALUE && vlm_graph_constant(l->low.graph, id);
}

/* A copy of the attributes with one set or put behind. */
static vlm_status set_attr(vlm_reorder *l, int32_t n, vlm_attr attr) {
  vlm_status st = VLM_OK;
  vlm_node *node = node_at(l, n);
  int32_t at = 0;
  vlm_attr *copy;
  VLM_TRY(vlm_arena_new(l->low.graph->arena, &copy, node->n_attrs + 1, l->low.err));
  memcpy(copy, node->attrs, (size_t)node->n_attrs * sizeof *copy);
  while (at < node->n_attrs && strcmp(copy[at].name, attr.name)) at++;
  copy[at] = attr;
  node->attrs = copy;
  if (at == node->n_attrs) node->n_attrs++;
out:
  return st;
}

static vlm_status give_all(vlm_reorder *l, int32_t n, int32_t rank) {
  vlm_status st = VLM_OK;
  for (int32_t k = 0; k < node_at(l, n)->n_outputs; k++) VLM_TRY(vlm_layout_give(l, n, k, rank));
out:
  return st;
}

/* ---- convolutions ---- */

/* Spatial axes are 1 to 3; the weights know how many. */
static int32_t convolution_rank(const vlm_reorder *l, int32_t n, int32_t weights) {
  const vlm_tensor *w = vlm_node_constant(l->low.graph, node_at(l, n), weights);
  return w && w->rank >= 3 && w->rank <= 5 ? w->rank : 0;
}

/* The activation behind, when nothing else reads the sums, becomes the node's own. */
static vlm_status take_activation(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  vlm_activation activation;
  vlm_attr attrs[2];
  int32_t count = 0, reader = vlm_only_reader(&l->low, node_at(l, n)->outputs[0]);
  const vlm_attr *own = vlm_node_attr(node_at(l, n), "activation");
  if (reader < 0 || (own && own->kind == VLM_ATTR_STRING && own->u.s[0])) return VLM_OK;
  if (!vlm_activation_of_node(l->low.graph, node_at(l, reader), &activation)) return VLM_OK;
  VLM_TRY(vlm_activation_attrs(&l->low, &activation, attrs, &count));
  for (int32_t i = 0; i < count; i++) VLM_TRY(set_attr(l, n, attrs[i]));
  vlm_node_set_output(l->low.graph, n, 0, node_at(l, reader)->outputs[0]);
  node_at(l, reader)->outputs[0] = VLM_NO_VALUE;
  l->low.gone[reader] = true;
out:
  return st;
}

/* The activation that a com.microsoft operator has in its attributes, in our words. */
static vlm_status rename_activation(vlm_reorder *l, int32_t n, bool *known) {
  vlm_status st = VLM_OK;
  vlm_activation activation;
  vlm_attr attrs[2];
  int32_t count = 0;
  *known = vlm_activation_of_name(node_at(l, n), &activation);
  if (!*known || !activation.name[0]) return VLM_OK;
  VLM_TRY(vlm_activation_attrs(&l->low, &activation, attrs, &count));
  for (int32_t i = 0; i < count; i++) VLM_TRY(set_attr(l, n, attrs[i]));
out:
  return st;
}

static vlm_status convert_conv(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = convolution_rank(l, n, 1);
  const bool transposed = vlm_node_is(node_at(l, n), "ConvTranspose");
  vlm_value_id x, residual = input(l, n, 3);
  bool known = true;
  if (!rank) return VLM_OK;
  VLM_TRY(rename_activation(l, n, &known));
  if (!known) return VLM_OK;
  if (residual == VLM_NO_VALUE) VLM_TRY(take_activation(l, n));
  VLM_TRY(vlm_layout_need(l, input(l, n, 0), rank, &x));
  node_at(l, n)->inputs[0] = x;
  if (residual != VLM_NO_VALUE) {
    VLM_TRY(vlm_layout_need(l, residual, rank, &x));
    node_at(l, n)->inputs[3] = x;
  }
  node_at(l, n)->domain = "vlm";
  node_at(l, n)->op_type = transposed ? "ConvTranspose" : "Conv";
  node_at(l, n)->opset = 1;
  VLM_TRY(vlm_layout_give(l, n, 0, rank));
out:
  return st;
}

static vlm_status convert_qconv(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = convolution_rank(l, n, 3);
  vlm_value_id x;
  if (!rank || vlm_node_int(node_at(l, n), "channels_last", 0)) return VLM_OK;
  VLM_TRY(vlm_layout_need(l, input(l, n, 0), rank, &x));
  node_at(l, n)->inputs[0] = x;
  VLM_TRY(set_attr(l, n, vlm_int_attr("channels_last", 1)));
  VLM_TRY(vlm_layout_give(l, n, 0, rank));
out:
  return st;
}

/* ---- element by element, with broadcasting ---- */

static int32_t declared_rank(const vlm_reorder *l, vlm_value_id id) {
  return l->low.graph->values[id].tensor.rank;
}

static bool can_take(const vlm_reorder *l, vlm_value_id id, int32_t rank) {
  if (id == VLM_NO_VALUE) return true;
  if (vlm_graph_constant(l->low.graph, id)) return vlm_layout_can_turn(l, id, rank);
  if (vlm_layout_twin(l, id) != VLM_NO_VALUE) return l->twins[id].rank == rank;
  return id < l->n_values && (declared_rank(l, id) == rank || declared_rank(l, id) == 0);
}

static vlm_status take(vlm_reorder *l, int32_t n, int32_t k, int32_t rank) {
  vlm_status st = VLM_OK;
  vlm_value_id id = input(l, n, k), out = id;
  if (id == VLM_NO_VALUE) return VLM_OK;
  if (vlm_graph_constant(l->low.graph, id)) VLM_TRY(vlm_layout_constant(l, id, rank, &out));
  else if (vlm_layout_twin(l, id) != VLM_NO_VALUE || declared_rank(l, id) != 0)
    VLM_TRY(vlm_layout_need(l, id, rank, &out));
  node_at(l, n)->inputs[k] = out;
out:
  return st;
}

static vlm_status convert_each(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = 0, n_inputs = node_at(l, n)->n_inputs;
  for (int32_t k = 0; k < n_inputs && !rank; k++) rank = made_rank(l, n, k);
  for (int32_t k = 0; k < n_inputs && rank; k++)
    if (!can_take(l, input(l, n, k), rank)) rank = 0;
  if (!rank) return VLM_OK;
  for (int32_t k = 0; k < n_inputs; k++) VLM_TRY(take(l, n, k, rank));
  VLM_TRY(give_all(l, n, rank));
out:
  return st;
}

/* One scale for all. */
static vlm_status convert_scaled(vlm_reorder *l, int32_t n) {
  for (int32_t k = 1; k < node_at(l, n)->n_inputs; k++) {
    vlm_value_id id = input(l, n, k);
    const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->low.graph, id);
    if (id != VLM_NO_VALUE && !vlm_is_scalar(t)) return VLM_OK;
  }
  return convert_each(l, n);
}

/* One scale for all, found in them; scale and zero point are no tensors of axes. */
static vlm_status convert_dynamic(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = made_rank(l, n, 0);
  if (!rank) return VLM_OK;
  VLM_TRY(take(l, n, 0, rank));
  VLM_TRY(vlm_layout_give(l, n, 0, rank));
out:
  return st;
}

/* ---- along an axis ---- */

static bool read_axis(const vlm_reorder *l, int32_t n, int32_t rank, int64_t fallback, int64_t *axis) {
  *axis = vlm_node_int(node_at(l, n), "axis", fallback);
  if (*axis < 0) *axis += rank;
  return *axis >= 0 && *axis < rank;
}

static vlm_status convert_axis(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  const bool joins = node_at(l, n)->traits->flags & VLM_TRAIT_JOINS;
  int32_t rank = made_rank(l, n, 0), inputs = joins ? node_at(l, n)->n_inputs : 1;
  int64_t axis;
  if (!rank || !read_axis(l, n, rank, joins ? 1 : 0, &axis)) return VLM_OK;
  for (int32_t k = 0; k < inputs; k++)
    if (input(l, n, k) == VLM_NO_VALUE || is_constant(l, input(l, n, k)) || made_rank(l, n, k) != rank)
      return VLM_OK;
  for (int32_t k = 0; k < inputs; k++) VLM_TRY(take(l, n, k, rank));
  VLM_TRY(set_attr(l, n, vlm_int_attr("axis", last_axis(axis, rank) - rank)));
  VLM_TRY(give_all(l, n, rank));
out:
  return st;
}

/* ---- over all positions ---- */

static vlm_status convert_global(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = made_rank(l, n, 0);
  const bool max = vlm_node_is(node_at(l, n), "GlobalMaxPool");
  int64_t *axes;
  if (!rank) return VLM_OK;
  VLM_TRY(vlm_arena_new(l->low.graph->arena, &axes, rank, l->low.err));
  for (int32_t i = 0; i < rank - 2; i++) axes[i] = i + 1;
  vlm_value_id x = vlm_layout_twin(l, input(l, n, 0)), y = node_at(l, n)->outputs[0];
  const vlm_attr attrs[] = {{.name = "axes", .kind = VLM_ATTR_INTS, .count = rank - 2, .u.ints = axes},
                            vlm_int_attr("keepdims", 1)};
  VLM_TRY(vlm_replace_node(&l->low, n,
                           &(vlm_node_form){.op_type = max ? "ReduceMax" : "ReduceMean",
                                            .opset = 13,
                                            .inputs = &x,
                                            .n_inputs = 1,
                                            .attrs = attrs,
                                            .n_attrs = 2},
                           y));
  VLM_TRY(vlm_layout_give(l, n, 0, rank));
out:
  return st;
}

/* ReduceMean and its like with a list of axes that keeps them. */
static vlm_status convert_reduce(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = made_rank(l, n, 0);
  const vlm_attr *list = vlm_node_attr(node_at(l, n), "axes");
  vlm_value_id given = input(l, n, 1);
  const vlm_tensor *t = given == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->low.graph, given);
  int64_t count = list && list->kind == VLM_ATTR_INTS ? list->count : t ? vlm_tensor_count(t) : 0, *axes;
  if (!rank || count < 1 || count > rank || !vlm_node_int(node_at(l, n), "keepdims", 1)) return VLM_OK;
  VLM_TRY(vlm_arena_new(l->low.graph->arena, &axes, count, l->low.err));
  for (int64_t i = 0; i < count; i++) {
    int64_t axis = t ? vlm_tensor_get_int(t, i) : list->u.ints[i];
    axes[i] = last_axis(axis < 0 ? axis + rank : axis, rank);
    if (axis < -rank || axis >= rank) return VLM_OK;
  }
  vlm_value_id places;
  if (t) {
    const vlm_tensor turned = {.dtype = VLM_S64, .rank = 1, .dims = {count}, .data = axes};
    VLM_TRY(vlm_graph_add_constant(l->low.graph, &places, NULL, &turned, false, l->low.err));
    node_at(l, n)->inputs[1] = places;
  } else {
    VLM_TRY(set_attr(
        l, n, (vlm_attr){.name = "axes", .kind = VLM_ATTR_INTS, .count = (int32_t)count, .u.ints = axes}));
  }
  node_at(l, n)->inputs[0] = vlm_layout_twin(l, input(l, n, 0));
  VLM_TRY(vlm_layout_give(l, n, 0, rank));
out:
  return st;
}

/* ---- lists per axis ---- */

static bool is_list(const vlm_reorder *l, vlm_value_id id, int64_t count) {
  const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->low.graph, id);
  return t && vlm_tensor_count(t) == count;
}

static bool is_empty(const vlm_reorder *l, vlm_value_id id) {
  const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->low.graph, id);
  return id == VLM_NO_VALUE || (t && vlm_tensor_count(t) == 0);
}

/* Resize with scales or sizes for all axes; its regions are left alone. */
static vlm_status convert_resize(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = made_rank(l, n, 0), k = is_empty(l, input(l, n, 2)) ? 3 : 2;
  const vlm_attr *mode = vlm_node_attr(node_at(l, n), "coordinate_transformation_mode");
  bool regions = mode && mode->kind == VLM_ATTR_STRING && !strcmp(mode->u.s, "tf_crop_and_resize");
  vlm_value_id list;
  if (!rank || node_at(l, n)->opset < 11 || regions || vlm_node_attr(node_at(l, n), "axes")) return VLM_OK;
  if (!is_list(l, input(l, n, k), rank)) return VLM_OK;
  VLM_TRY(vlm_layout_list(l, input(l, n, k), rank, &list));
  node_at(l, n)->inputs[k] = list;
  if (node_at(l, n)->n_inputs > 1) node_at(l, n)->inputs[1] = VLM_NO_VALUE;
  node_at(l, n)->inputs[0] = vlm_layout_twin(l, input(l, n, 0));
  VLM_TRY(vlm_layout_give(l, n, 0, rank));
out:
  return st;
}

static vlm_status convert_pad(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = made_rank(l, n, 0);
  vlm_value_id list;
  if (!rank || node_at(l, n)->opset < 11 || input(l, n, 3) != VLM_NO_VALUE ||
      !is_list(l, input(l, n, 1), 2 * rank))
    return VLM_OK;
  VLM_TRY(vlm_layout_list(l, input(l, n, 1), rank, &list));
  node_at(l, n)->inputs[1] = list;
  node_at(l, n)->inputs[0] = vlm_layout_twin(l, input(l, n, 0));
  VLM_TRY(vlm_layout_give(l, n, 0, rank));
out:
  return st;
}

/* ---- pools ---- */

static vlm_status convert_pool(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = made_rank(l, n, 0);
  vlm_node *node = node_at(l, n);
  if (!rank || (node->n_outputs > 1 && node->outputs[1] != VLM_NO_VALUE)) return VLM_OK;
  node->inputs[0] = vlm_layout_twin(l, node->inputs[0]);
  node->domain = "vlm";
  node->opset = 1;
  VLM_TRY(vlm_layout_give(l, n, 0, rank));
out:
  return st;
}

/* ---- blocks ---- */

static vlm_status convert_blocks(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  int32_t rank = made_rank(l, n, 0);
  const vlm_attr *mode = vlm_node_attr(node_at(l, n), "mode");
  bool by_column = mode && mode->kind == VLM_ATTR_STRING && !strcmp(mode->u.s, "CRD");
  vlm_node *node = node_at(l, n);
  if (rank != 4 || by_column) return VLM_OK;
  const vlm_attr size = vlm_int_attr("blocksize", vlm_node_int(node, "blocksize", 0));
  vlm_value_id x = vlm_layout_twin(l, node->inputs[0]), y = node->outputs[0];
  VLM_TRY(vlm_make_internal(
      &l->low, n,
      &(vlm_node_form){.op_type = "DepthToSpace", .inputs = &x, .n_inputs = 1, .attrs = &size, .n_attrs = 1},
      y));
  VLM_TRY(vlm_layout_give(l, n, 0, rank));
out:
  return st;
}

/* ---- Transpose ---- */

/* To channels last it is the twin itself, from there it makes one; any other order reads the twin. */
static vlm_status convert_transpose(vlm_reorder *l, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_attr *perm = vlm_node_attr(node_at(l, n), "perm");
  int32_t rank = made_rank(l, n, 0), count = perm && perm->kind == VLM_ATTR_INTS ? perm->count : 0;
  int64_t *turned;
  bool from_last = count >= 3 && count <= 5;
  for (int32_t i = 0; i < count && from_last; i++) from_last = perm->u.ints[i] == last_axis(i, count);
  if (from_last && !rank) return vlm_layout_twinned(l, node_at(l, n)->outputs[0], input(l, n, 0), count);
  if (!rank || count != rank) return VLM_OK;
  VLM_TRY(vlm_arena_new(l->low.graph->arena, &turned, rank, l->low.err));
  for (int32_t i = 0; i < rank; i++) {
    if (perm->u.ints[i] < 0 || perm->u.ints[i] >= rank) return VLM_OK;
    turned[i] = last_axis(perm->u.ints[i], rank);
  }
  bool same = true;
  for (int32_t i = 0; i < rank; i++) same = same && turned[i] == i;
  vlm_value_id x = vlm_layout_twin(l, input(l, n, 0)), y = node_at(l, n)->outputs[0];
  const vlm_attr attr = {.name = "perm", .kind = VLM_ATTR_INTS, .count = rank, .u.ints = turned};
  VLM_TRY(vlm_replace_node(&l->low, n,
                           &(vlm_node_form){.op_type = same ? "Identity" : "Transpose",
                                            .opset = 13,
                                            .inputs = &x,
                                            .n_inputs = 1,
                                            .attrs = &attr,
                                            .n_attrs = same ? 0 : 1},
                           y));
out:
  return st;
}

/* ---- the table ---- */

static const struct {
  const char *domain, *op_type;
  vlm_layout_rule *rule;
} RULES[] = {
    {"", "Conv", convert_conv},
    {"", "ConvTranspose", convert_conv},
    {"com.microsoft", "FusedConv", convert_conv},
    {"vlm", "QConv", convert_qconv},
    {"", "QuantizeLinear", convert_scaled},
    {"", "DequantizeLinear", convert_scaled},
    {"", "DynamicQuantizeLinear", convert_dynamic},
    {"", "Concat", convert_axis},
    {"", "Split", convert_axis},
    {"", "GlobalAveragePool", convert_global},
    {"", "GlobalMaxPool", convert_global},
    {"", "ReduceMean", convert_reduce},
    {"", "ReduceMax", convert_reduce},
    {"", "ReduceSum", convert_reduce},
    {"", "Resize", convert_resize},
    {"", "Pad", convert_pad},
    {"", "MaxPool", convert_pool},
    {"", "AveragePool", convert_pool},
    {"", "DepthToSpace", convert_blocks},
    {"", "Transpose", convert_transpose},
};

/* Elementwise operators of ai.onnx broadcast from the last axis and know no other. */
vlm_layout_rule *vlm_layout_rule_of(const vlm_node *node) {
  for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; i++)
    if (!strcmp(node->domain, RULES[i].domain) && !strcmp(node->op_type, RULES[i].op_type))
      return RULES[i].rule;
  bool each = node->traits->flags & VLM_TRAIT_ELEMENTWISE && !node->domain[0] && !vlm_node_is(node, "SwiGLU");
  return each ? convert_each : NULL;
}
