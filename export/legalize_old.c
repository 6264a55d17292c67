/* Operators that are older than the opset: what was an attribute is an input. */
#include <stdio.h>
#include <string.h>

#include "export/legalize_private.h"
#include "runtime/base/unconst.h"

/* An attribute of integers becomes input k. */
static vlm_status ints_to_input(vlm_legalizer *l, const char *attr, int32_t k) {
  vlm_status st = VLM_OK;
  const vlm_attr *a = vlm_node_attr(vlm_legal_node(l), attr);
  char suffix[40];
  if (!a || a->kind != VLM_ATTR_INTS) return VLM_OK;
  snprintf(suffix, sizeof suffix, "_%s", attr);
  VLM_TRY(vlm_legal_ints_input(l, k, suffix, a->u.ints, a->count));
  vlm_legal_drop(vlm_legal_node(l), attr);
out:
  return st;
}

vlm_status vlm_legal_axes_to_input(vlm_legalizer *l) { return ints_to_input(l, "axes", 1); }
vlm_status vlm_legal_split_input(vlm_legalizer *l) { return ints_to_input(l, "split", 1); }

vlm_status vlm_legal_shape_input(vlm_legalizer *l) {
  vlm_legal_drop(vlm_legal_node(l), "consumed_inputs");
  return ints_to_input(l, "shape", 1);
}

vlm_status vlm_legal_clip_bounds(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  static const char *const NAMES[] = {"min", "max"};
  vlm_legal_drop(vlm_legal_node(l), "consumed_inputs");
  for (int32_t k = 0; k < 2; k++) {
    const vlm_attr *a = vlm_node_attr(vlm_legal_node(l), NAMES[k]);
    if (!a || a->kind != VLM_ATTR_FLOAT) continue;
    double value = (double)a->u.f;
    vlm_legal_drop(vlm_legal_node(l), NAMES[k]);
    VLM_TRY(vlm_legal_scalar_input(l, k + 1, k ? "_max" : "_min", value));
  }
out:
  return st;
}

/* Before opset 13 it ran over all dims from the axis on as one. */
vlm_status vlm_legal_matrix_softmax(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  vlm_node *node = vlm_legal_node(l);
  int rank = l->graph->values[node->inputs[0]].tensor.rank;
  int64_t axis = vlm_node_int(node, "axis", 1);
  vlm_value_id x = node->inputs[0], shape = VLM_NO_VALUE, flat = VLM_NO_VALUE, soft = VLM_NO_VALUE;
  const vlm_attr along = {.name = "axis", .kind = VLM_ATTR_INT, .u.i = axis},
                 last = {.name = "axis", .kind = VLM_ATTR_INT, .u.i = -1};
  if (node->opset >= 13) return VLM_OK;
  if (axis == -1 || (rank > 0 && axis == rank - 1)) {
    vlm_legal_drop(node, "axis");
    return VLM_OK; /* -1 is what it is then */
  }
  vlm_value_id out = vlm_legal_replace(l);
  const char *op_type = node->op_type;
  VLM_TRY(vlm_legal_step(l, &shape, "Shape", &x, 1, NULL, 0));
  VLM_TRY(vlm_legal_step(l, &flat, "Flatten", &x, 1, &along, 1));
  VLM_TRY(vlm_legal_step(l, &soft, op_type, &flat, 1, &last, 1));
  VLM_TRY(vlm_legal_step(l, &out, "Reshape", (vlm_value_id[]){soft, shape}, 2, NULL, 0));
out:
  return st;
}

vlm_status vlm_legal_pad_inputs(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  double value = (double)vlm_node_float(vlm_legal_node(l), "value", 0);
  if (vlm_legal_node(l)->opset >= 11) return VLM_OK;
  VLM_TRY(ints_to_input(l, "paddings", 1));
  VLM_TRY(ints_to_input(l, "pads", 1));
  vlm_legal_drop(vlm_legal_node(l), "value");
  if (value != 0) VLM_TRY(vlm_legal_scalar_input(l, 2, "_value", value));
out:
  return st;
}

vlm_status vlm_legal_slice_inputs(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  if (vlm_legal_node(l)->opset >= 10) return VLM_OK;
  VLM_TRY(ints_to_input(l, "starts", 1));
  VLM_TRY(ints_to_input(l, "ends", 2));
  VLM_TRY(ints_to_input(l, "axes", 3));
out:
  return st;
}

vlm_status vlm_legal_topk_input(vlm_legalizer *l) {
  const vlm_attr *k = vlm_node_attr(vlm_legal_node(l), "k");
  if (!k || k->kind != VLM_ATTR_INT) return VLM_OK;
  int64_t count = k->u.i;
  vlm_legal_drop(vlm_legal_node(l), "k");
  return vlm_legal_ints_input(l, 1, "_k", &count, 1);
}

/* Types by name. */
vlm_status vlm_legal_cast_code(vlm_legalizer *l) {
  static const struct {
    const char *name;
    vlm_dtype type;
  } NAMES[] = {{"FLOAT", VLM_F32},  {"UINT8", VLM_U8},    {"INT8", VLM_S8},    {"UINT16", VLM_U16},
               {"INT16", VLM_S16},  {"INT32", VLM_S32},   {"INT64", VLM_S64},  {"BOOL", VLM_BOOL},
               {"DOUBLE", VLM_F64}, {"FLOAT16", VLM_F16}, {"UINT32", VLM_U32}, {"UINT64", VLM_U64}};
  vlm_node *node = vlm_legal_node(l);
  for (int32_t a = 0; a < node->n_attrs; a++) {
    vlm_attr *to = &node->attrs[a];
    if (strcmp(to->name, "to") != 0 || to->kind != VLM_ATTR_STRING) continue;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
      if (!strcmp(NAMES[i].name, to->u.s)) {
        *to = (vlm_attr){.name = "to", .kind = VLM_ATTR_INT, .u.i = vlm_dtype_onnx(NAMES[i].type)};
        return VLM_OK;
      }
    return vlm_legal_fail(l, "the type it casts to");
  }
  return VLM_OK;
}

/* Dims of 1 behind input 1. */
static vlm_status lengthen(vlm_legalizer *l, int rank, int more) {
  vlm_status st = VLM_OK;
  int64_t axes[VLM_MAX_RANK], count = more;
  vlm_value_id ids[2] = {vlm_legal_node(l)->inputs[1], VLM_NO_VALUE}, out = VLM_NO_VALUE;
  for (int k = 0; k < more; k++) axes[k] = rank + k;
  const vlm_tensor t = vlm_tensor_make(VLM_S64, 1, &count, axes);
  if (more <= 0) return VLM_OK;
  VLM_TRY(vlm_part_constant(&l->x, l->graph, &ids[1], vlm_legal_node(l)->name, "_axes", &t));
  VLM_TRY(vlm_legal_step(l, &out, "Unsqueeze", ids, 2, NULL, 0));
  vlm_legal_node(l)->inputs[1] = out;
out:
  return st;
}

/* Before opset 7 the second operand was placed at an axis of the first: dims of 1 behind it do the same. */
vlm_status vlm_legal_old_broadcast(vlm_legalizer *l) {
  vlm_node *node = vlm_legal_node(l);
  int64_t axis = vlm_node_int(node, "axis", -1);
  bool spread = vlm_node_int(node, "broadcast", 0) != 0 && axis >= 0;
  int a = l->graph->values[node->inputs[0]].tensor.rank, b = l->graph->values[node->inputs[1]].tensor.rank;
  vlm_legal_drop(node, "axis");
  vlm_legal_drop(node, "broadcast");
  if (!spread) return VLM_OK;
  if (a < 0 || b < 0) return vlm_legal_fail(l, "broadcast of tensors whose number of dims is not known");
  return lengthen(l, b, a - (int)axis - b);
}

/* Before opset 7 a slope per channel had one dim. */
vlm_status vlm_legal_old_slope(vlm_legalizer *l) {
  const vlm_node *node = vlm_legal_node(l);
  int x = l->graph->values[node->inputs[0]].tensor.rank;
  const vlm_tensor *slope = &l->graph->values[node->inputs[1]].tensor;
  if (node->opset >= 7 || slope->rank != 1 || slope->dims[0] == 1) return VLM_OK;
  if (x < 0) return vlm_legal_fail(l, "a slope per channel of unknown dims");
  return lengthen(l, 1, x - 2);
}

vlm_status vlm_legal_old_gemm(vlm_legalizer *l) {
  vlm_legal_drop(vlm_legal_node(l), "broadcast");
  return VLM_OK;
}

/* ---- Resize and its older forms: asymmetric coordinates, rounded down ---- */

static vlm_status say_asymmetric(vlm_legalizer *l) {
  static const vlm_attr HOW[] = {
      {.name = "coordinate_transformation_mode", .kind = VLM_ATTR_STRING, .u.s = "asymmetric"},
      {.name = "nearest_mode", .kind = VLM_ATTR_STRING, .u.s = "floor"}};
  vlm_status st = VLM_OK;
  vlm_node *node = vlm_legal_node(l);
  vlm_attr *attrs;
  VLM_TRY(vlm_arena_new(l->graph->arena, &attrs, (size_t)node->n_attrs + 2, l->x.err));
  if (node->n_attrs) memcpy(attrs, node->attrs, (size_t)node->n_attrs * sizeof *attrs);
  memcpy(attrs + node->n_attrs, HOW, sizeof HOW);
  node->attrs = attrs;
  node->n_attrs += 2;
out:
  return st;
}

/* [x, scales] to [x, roi, scales]. */
vlm_status vlm_legal_resize_inputs(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  vlm_value_id scales = vlm_node_input(vlm_legal_node(l), 1);
  if (vlm_legal_node(l)->opset >= 11) return VLM_OK;
  VLM_TRY(vlm_legal_set_input(l, 2, scales));
  VLM_TRY(vlm_legal_set_input(l, 1, VLM_NO_VALUE));
  VLM_TRY(say_asymmetric(l));
out:
  return st;
}

vlm_status vlm_legal_upsample(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  vlm_node *node = vlm_legal_node(l);
  const vlm_attr *scales = vlm_node_attr(node, "scales");
  vlm_value_id id = vlm_node_input(node, 1);
  if (id == VLM_NO_VALUE && scales && scales->kind == VLM_ATTR_FLOATS) {
    const vlm_tensor t =
        vlm_tensor_make(VLM_F32, 1, (int64_t[]){scales->count}, vlm_unconst(scales->u.floats));
    VLM_TRY(vlm_part_constant(&l->x, l->graph, &id, node->name, "_scales", &t));
  }
  node = vlm_legal_node(l);
  vlm_legal_drop(node, "scales");
  node->op_type = "Resize";
  for (int32_t a = 0; a < node->n_attrs; a++) /* bilinear is linear */
    if (!strcmp(node->attrs[a].name, "mode") && strcmp(node->attrs[a].u.s, "nearest") != 0)
      node->attrs[a].u.s = "linear";
  VLM_TRY(vlm_legal_set_input(l, 2, id));
  VLM_TRY(vlm_legal_set_input(l, 1, VLM_NO_VALUE));
  VLM_TRY(say_asymmetric(l));
out:
  return st;
}

vlm_status vlm_legal_plain_batch_norm(vlm_legalizer *l) {
  static const char *const OLD[] = {"spatial", "is_test", "consumed_inputs"};
  vlm_node *node = vlm_legal_node(l);
  if (!vlm_node_int(node, "spatial", 1)) return vlm_legal_fail(l, "spatial 0 is no longer there");
  for (size_t i = 0; i < sizeof OLD / sizeof OLD[0]; i++) vlm_legal_drop(node, OLD[i]);
  return VLM_OK;
}
