/* Operators that are newer than the opset. */
#include <string.h>

#include "export/legalize_private.h"

#define STEP(out, op, ...)                                             \
  VLM_TRY(vlm_legal_step(l, &(out), op, (vlm_value_id[]){__VA_ARGS__}, \
                         (int32_t)(sizeof((vlm_value_id[]){__VA_ARGS__}) / sizeof(vlm_value_id)), NULL, 0))
#define LEGAL_NUMBER(out, value) VLM_TRY(vlm_legal_number(l, &(out), value))

/* x / sqrt 2, Erf, + 1, * x, / 2: the pattern that runtimes look for. */
static vlm_status gelu_erf(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  vlm_value_id x = vlm_legal_node(l)->inputs[0], root, one, half, a = VLM_NO_VALUE, b = a, c = a, d = a;
  LEGAL_NUMBER(root, 1.4142135623730951);
  LEGAL_NUMBER(one, 1);
  LEGAL_NUMBER(half, 0.5);
  vlm_value_id out = vlm_legal_replace(l);
  STEP(a, "Div", x, root);
  STEP(b, "Erf", a);
  STEP(c, "Add", b, one);
  STEP(d, "Mul", x, c);
  STEP(out, "Mul", d, half);
out:
  return st;
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
static vlm_status gelu_tanh(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  vlm_value_id x = vlm_legal_node(l)->inputs[0], three, cubic, root, one, half, a = VLM_NO_VALUE, b = a,
               c = a, d = a, e = a, f = a, g = a;
  LEGAL_NUMBER(three, 3);
  LEGAL_NUMBER(cubic, 0.044715);
  LEGAL_NUMBER(root, 0.7978845608028654);
  LEGAL_NUMBER(one, 1);
  LEGAL_NUMBER(half, 0.5);
  vlm_value_id out = vlm_legal_replace(l);
  STEP(a, "Pow", x, three);
  STEP(b, "Mul", a, cubic);
  STEP(c, "Add", x, b);
  STEP(d, "Mul", c, root);
  STEP(e, "Tanh", d);
  STEP(f, "Add", e, one);
  STEP(g, "Mul", x, f);
  STEP(out, "Mul", g, half);
out:
  return st;
}

vlm_status vlm_legal_gelu(vlm_legalizer *l) {
  const vlm_attr *a = vlm_node_attr(vlm_legal_node(l), "approximate");
  bool tanh = a && a->kind == VLM_ATTR_STRING && !strcmp(a->u.s, "tanh");
  return tanh ? gelu_tanh(l) : gelu_erf(l);
}

/* x * Sigmoid(alpha * x). */
static vlm_status gated(vlm_legalizer *l, float usual) {
  vlm_status st = VLM_OK;
  const vlm_node *node = vlm_legal_node(l);
  const float factor = vlm_node_float(node, "alpha", usual);
  vlm_value_id x = node->inputs[0], alpha = VLM_NO_VALUE, a = alpha, b = alpha;
  if (factor != 1) LEGAL_NUMBER(alpha, (double)factor);
  vlm_value_id out = vlm_legal_replace(l);
  if (factor == 1) a = x;
  else STEP(a, "Mul", x, alpha);
  STEP(b, "Sigmoid", a);
  STEP(out, "Mul", x, b);
out:
  return st;
}

vlm_status vlm_legal_quick_gelu(vlm_legalizer *l) { return gated(l, 1.702f); }
vlm_status vlm_legal_swish(vlm_legalizer *l) { return gated(l, 1); }

vlm_status vlm_legal_hard_swish(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  const vlm_attr attrs[] = {{.name = "alpha", .kind = VLM_ATTR_FLOAT, .u.f = 1.0f / 6},
                            {.name = "beta", .kind = VLM_ATTR_FLOAT, .u.f = 0.5f}};
  vlm_value_id x = vlm_legal_node(l)->inputs[0], a = VLM_NO_VALUE;
  vlm_value_id out = vlm_legal_replace(l);
  VLM_TRY(vlm_legal_step(l, &a, "HardSigmoid", &x, 1, attrs, 2));
  STEP(out, "Mul", x, a);
out:
  return st;
}

/* The numbers of constant input k, in the arena. */
static vlm_status constant_ints(vlm_legalizer *l, int32_t k, int64_t **out, int32_t *count) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = vlm_graph_constant(l->graph, vlm_legal_node(l)->inputs[k]);
  if (!t) return vlm_legal_fail(l, "an input that was an attribute is computed");
  *count = (int32_t)vlm_tensor_count(t);
  VLM_TRY(vlm_arena_new(l->graph->arena, out, (size_t)*count + 1, l->x.err));
  for (int32_t i = 0; i < *count; i++) (*out)[i] = vlm_tensor_get_int(t, i);
out:
  return st;
}

static vlm_status add_attr(vlm_legalizer *l, const vlm_attr *attr) {
  vlm_status st = VLM_OK;
  vlm_node *node = vlm_legal_node(l);
  vlm_attr *attrs;
  VLM_TRY(vlm_arena_new(l->graph->arena, &attrs, (size_t)node->n_attrs + 1, l->x.err));
  if (node->n_attrs) memcpy(attrs, node->attrs, (size_t)node->n_attrs * sizeof *attrs);
  attrs[node->n_attrs++] = *attr;
  node->attrs = attrs;
out:
  return st;
}

/* No axes are all, unless noop_with_empty_axes says none: then the node changes nothing (but L1, sums of squares, ..). */
vlm_status vlm_legal_axes_to_attribute(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  vlm_node *node = vlm_legal_node(l);
  int64_t *axes = NULL;
  int32_t count = 0;
  if (vlm_node_input(node, 1) != VLM_NO_VALUE) VLM_TRY(constant_ints(l, 1, &axes, &count));
  if (!count && vlm_node_int(node, "noop_with_empty_axes", 0)) return vlm_legal_fail(l, "it reduces nothing");
  vlm_legal_drop(node, "noop_with_empty_axes");
  node->n_inputs = 1;
  if (count)
    VLM_TRY(add_attr(l, &(vlm_attr){.name = "axes", .kind = VLM_ATTR_INTS, .count = count, .u.ints = axes}));
out:
  return st;
}

vlm_status vlm_legal_split_evenly(vlm_legalizer *l) {
  vlm_node *node = vlm_legal_node(l);
  int64_t parts = vlm_node_int(node, "num_outputs", 0);
  if (!parts) return VLM_OK;
  const vlm_tensor *t = &l->graph->values[node->inputs[0]].tensor;
  int64_t axis = vlm_node_int(node, "axis", 0);
  if (axis < 0 && t->rank > 0) axis += t->rank;
  bool even = axis < t->rank && t->dims[axis] > 0 && t->dims[axis] % parts == 0;
  if (!even) return vlm_legal_fail(l, "whether the parts are equal is not known");
  vlm_legal_drop(node, "num_outputs");
  return VLM_OK;
}

vlm_status vlm_legal_old_resize(vlm_legalizer *l) {
  vlm_node *node = vlm_legal_node(l);
  const vlm_attr *policy = vlm_node_attr(node, "keep_aspect_ratio_policy");
  if (vlm_node_int(node, "antialias", 0)) return vlm_legal_fail(l, "antialias");
  if (vlm_node_attr(node, "axes")) return vlm_legal_fail(l, "axes");
  if (policy && strcmp(policy->u.s, "stretch") != 0) return vlm_legal_fail(l, "keep_aspect_ratio_policy");
  vlm_legal_drop(node, "antialias");
  vlm_legal_drop(node, "keep_aspect_ratio_policy");
  return VLM_OK;
}

/* The pads of some axes as those of all, where the number of dims is known. */
vlm_status vlm_legal_old_pad(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  vlm_node *node = vlm_legal_node(l);
  int64_t *axes, *pads, all[2 * VLM_MAX_RANK] = {0};
  int32_t n_axes, n_pads;
  int rank = l->graph->values[node->inputs[0]].tensor.rank;
  if (vlm_node_input(node, 3) == VLM_NO_VALUE) return VLM_OK;
  if (rank < 0) return vlm_legal_fail(l, "axes of a tensor whose number of dims is not known");
  VLM_TRY(constant_ints(l, 3, &axes, &n_axes));
  VLM_TRY(constant_ints(l, 1, &pads, &n_pads));
  for (int32_t i = 0; i < n_axes && n_pads == 2 * n_axes; i++) {
    int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return vlm_legal_fail(l, "an axis that the tensor does not have");
    all[axis] = pads[i];
    all[axis + rank] = pads[i + n_axes];
  }
  node->n_inputs = 3;
  VLM_TRY(vlm_legal_ints_input(l, 1, "_pads", all, 2 * rank));
out:
  return st;
}

/* Small floats are of opset 19, elements of 4 bits of 21 and 23, of 2 bits of 25; what does not fit is cut off unless 19 says otherwise. */
vlm_status vlm_legal_old_cast(vlm_legalizer *l) {
  vlm_node *node = vlm_legal_node(l);
  int64_t to = vlm_node_int(node, "to", 0);
  int32_t since = to >= 25 ? 25 : to == 24 ? 24 : to == 23 ? 23 : to >= 21 ? 21 : to >= 17 ? 19 : 0;
  if (l->opset < since) return vlm_legal_fail(l, "the type it casts to is newer");
  vlm_legal_drop(node, "round_mode");
  if (l->opset >= 19) return VLM_OK;
  if (!vlm_node_int(node, "saturate", 1)) return vlm_legal_fail(l, "saturate");
  vlm_legal_drop(node, "saturate");
  return VLM_OK;
}

/* The axis was an attribute, and another one by default. */
vlm_status vlm_legal_old_dft(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  vlm_node *node = vlm_legal_node(l);
  int rank = l->graph->values[node->inputs[0]].tensor.rank;
  int64_t *given, axis = -2;
  int32_t count;
  if (vlm_node_input(node, 2) != VLM_NO_VALUE) {
    VLM_TRY(constant_ints(l, 2, &given, &count));
    if (count == 1) axis = given[0];
  }
  if (axis < 0 && rank < 0) return vlm_legal_fail(l, "an axis from the end of unknown dims");
  if (node->n_inputs > 2) node->n_inputs = 2;
  VLM_TRY(
      add_attr(l, &(vlm_attr){.name = "axis", .kind = VLM_ATTR_INT, .u.i = axis < 0 ? axis + rank : axis}));
out:
  return st;
}

static bool is_byte(const vlm_legalizer *l, vlm_value_id id) {
  vlm_dtype t = id == VLM_NO_VALUE ? VLM_NONE : l->graph->values[id].tensor.dtype;
  return t != VLM_U16 && t != VLM_S16 && (t == VLM_NONE || vlm_dtype_bits(t) >= 8);
}

/* Blocks and types of opset 21 have no older form. */
vlm_status vlm_legal_old_quantizer(vlm_legalizer *l) {
  static const char *const NEWS[] = {"block_size", "output_dtype", "precision", "saturate"};
  vlm_node *node = vlm_legal_node(l);
  if (vlm_node_int(node, "block_size", 0)) return vlm_legal_fail(l, "scales of blocks");
  if (!is_byte(l, node->inputs[0]) || !is_byte(l, vlm_node_input(node, 2)))
    return vlm_legal_fail(l, "its type");
  for (size_t i = 0; i < sizeof NEWS / sizeof NEWS[0]; i++) vlm_legal_drop(node, NEWS[i]);
  return VLM_OK;
}

vlm_status vlm_legal_old_grid_sample(vlm_legalizer *l) {
  vlm_node *node = vlm_legal_node(l);
  for (int32_t a = 0; a < node->n_attrs; a++) {
    if (strcmp(node->attrs[a].name, "mode") != 0) continue;
    if (!strcmp(node->attrs[a].u.s, "linear")) node->attrs[a].u.s = "bilinear";
    else if (!strcmp(node->attrs[a].u.s, "cubic")) node->attrs[a].u.s = "bicubic";
  }
  return VLM_OK;
}
