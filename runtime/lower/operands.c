/* Dequantized activations and weights, and constants in the shape that the operators want. */
#include "runtime/lower/lower_private.h"

bool vlm_is_scalar(const vlm_tensor *t) { return t && t->data && vlm_tensor_count(t) == 1 && t->rank <= 1; }

static const vlm_tensor *constant(const vlm_graph *graph, vlm_value_id id) {
  return id == VLM_NO_VALUE ? NULL : vlm_graph_constant(graph, id);
}

static vlm_operand parts(const vlm_node *node) {
  return (vlm_operand){vlm_node_input(node, 0), vlm_node_input(node, 1), vlm_node_input(node, 2), VLM_F32,
                       false};
}

/* Its range is that of the values at hand. */
static bool is_dynamic(const vlm_graph *graph, const vlm_operand *x) {
  const vlm_node *node = vlm_maker(graph, x->scale);
  return node && vlm_node_is(node, "DynamicQuantizeLinear") && node->n_outputs == 3 &&
         node->outputs[1] == x->scale && node->outputs[2] == x->zero;
}

bool vlm_dequantized_activation(const vlm_lowering *l, vlm_value_id id, vlm_operand *out) {
  const vlm_graph *owner;
  vlm_dtype type;
  const vlm_node *node = id == VLM_NO_VALUE ? NULL : vlm_dequantizer_behind_cast(l->graph, id, &owner, &type);
  if (!node || owner != l->graph || vlm_node_int(node, "block_size", 0)) return false;
  *out = parts(node);
  out->type = type;
  const vlm_tensor *scale = constant(owner, out->scale), *zero = constant(owner, out->zero);
  if (is_dynamic(owner, out)) return !constant(owner, out->data);
  if (!vlm_is_scalar(scale) || scale->dtype != VLM_F32 || !vlm_is_scalar(zero) || constant(owner, out->data))
    return false;
  out->is_signed = zero->dtype == VLM_S8;
  if (out->is_signed) out->data = node->outputs[0];
  return out->is_signed || zero->dtype == VLM_U8;
}

static bool all_zero(const vlm_tensor *t) {
  for (int64_t i = 0; i < vlm_tensor_count(t); i++)
    if (vlm_tensor_get_int(t, i)) return false;
  return true;
}

bool vlm_dequantized_weight(const vlm_lowering *l, vlm_value_id id, int32_t axis, bool *moved) {
  const vlm_graph *owner;
  vlm_dtype type;
  const vlm_node *node = id == VLM_NO_VALUE ? NULL : vlm_dequantizer_behind_cast(l->graph, id, &owner, &type);
  if (!node || vlm_node_int(node, "block_size", 0)) return false;
  vlm_operand w = parts(node);
  const vlm_tensor *data = constant(owner, w.data), *scale = constant(owner, w.scale),
                   *zero = constant(owner, w.zero);
  if (!data || data->dtype != VLM_S8 || !scale || scale->dtype != VLM_F32) return false;
  if (w.zero != VLM_NO_VALUE && (!zero || zero->rank > 1)) return false;
  *moved = zero && !all_zero(zero);
  int64_t at = vlm_node_int(node, "axis", 1);
  if (at < 0) at += data->rank;
  return vlm_is_scalar(scale) ||
         (scale->rank == 1 && at == axis && axis < data->rank && scale->dims[0] == data->dims[axis]);
}

/* The value of an enclosing graph as one of this graph. */
static vlm_status captured(vlm_graph *graph, const vlm_graph *owner, vlm_value_id id, vlm_value_id *out,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = id;
  if (graph == owner || id == VLM_NO_VALUE) return VLM_OK;
  VLM_TRY(captured(graph->parent, owner, id, &id, err));
  VLM_TRY(vlm_graph_add_value(graph, out, NULL, VLM_VALUE_CAPTURE, err));
  graph->values[*out].parent_value = id;
  graph->values[*out].tensor = graph->parent->values[id].tensor;
  graph->values[*out].tensor.data = NULL;
out:
  return st;
}

vlm_status vlm_weight_parts(vlm_lowering *l, vlm_value_id id, vlm_operand *out) {
  vlm_status st = VLM_OK;
  const vlm_graph *owner;
  const vlm_node *node = vlm_dequantizer_behind_cast(l->graph, id, &owner, &out->type);
  const vlm_operand w = parts(node);
  VLM_TRY(captured(l->graph, owner, w.data, &out->data, l->err));
  VLM_TRY(captured(l->graph, owner, w.scale, &out->scale, l->err));
  VLM_TRY(captured(l->graph, owner, w.zero, &out->zero, l->err));
out:
  return st;
}

vlm_status vlm_as_u8(vlm_lowering *l, vlm_operand *x) {
  return x->is_signed ? vlm_zero_plus_128(l->graph, &x->zero, l->err) : VLM_OK;
}

/* ---- floats per channel ---- */

/* The scales of an s32 constant behind a DequantizeLinear, or NULL. */
static const vlm_tensor *stored_s32(const vlm_graph *graph, vlm_value_id id, const vlm_tensor **data) {
  const vlm_graph *owner;
  const vlm_node *node = vlm_dequantizer(graph, id, &owner);
  if (!node) return NULL;
  const vlm_operand b = parts(node);
  const vlm_tensor *scale = constant(owner, b.scale), *zero = constant(owner, b.zero);
  *data = constant(owner, b.data);
  bool known = *data && (*data)->dtype == VLM_S32 && scale && scale->dtype == VLM_F32 &&
               (b.zero == VLM_NO_VALUE || zero);
  if (!known || (zero && !all_zero(zero))) return NULL;
  int64_t count = vlm_tensor_count(scale);
  return count == 1 || count == vlm_tensor_count(*data) ? scale : NULL;
}

/* The tensor that holds the values: floats, or s32 with *scale. */
static const vlm_tensor *float_constant(const vlm_graph *graph, vlm_value_id id, const vlm_tensor **scale) {
  const vlm_tensor *t = constant(graph, id), *data = NULL;
  *scale = NULL;
  if (t || id == VLM_NO_VALUE)
    return t && vlm_dtype_is_float(t->dtype) && vlm_dtype_bits(t->dtype) >= 16 ? t : NULL;
  *scale = stored_s32(graph, id, &data);
  return *scale ? data : NULL;
}

bool vlm_is_channel_vector(const vlm_graph *graph, vlm_value_id id, int64_t channels, int32_t place,
                           int32_t max_rank) {
  const vlm_tensor *scale, *t = float_constant(graph, id, &scale);
  if (!t || t->rank > max_rank) return false;
  int64_t count = vlm_tensor_count(t);
  return count == 1 || (count == channels && t->rank >= place && t->dims[t->rank - place] == channels);
}

vlm_status vlm_spread(vlm_lowering *l, vlm_value_id *id, int64_t channels, int64_t times, float factor) {
  vlm_status st = VLM_OK;
  const vlm_tensor *scale, *t = float_constant(l->graph, *id, &scale);
  int64_t total = channels * times, count = vlm_tensor_count(t), scales = scale ? vlm_tensor_count(scale) : 1;
  float *values;
  if (!scale && factor == 1 && t->dtype == VLM_F32 && t->rank == 1 && count == total) return VLM_OK;
  VLM_TRY(vlm_arena_new(l->graph->arena, &values, total, l->err));
  for (int64_t i = 0; i < total; i++) {
    int64_t at = i % channels % count;
    float value = scale ? (float)((const int32_t *)t->data)[at] * ((const float *)scale->data)[at % scales]
                        : (float)vlm_tensor_get(t, at);
    values[i] = factor == 1 ? value : value * factor;
  }
  const vlm_tensor spread = vlm_tensor_make(VLM_F32, 1, &total, values);
  VLM_TRY(vlm_graph_add_constant(l->graph, id, NULL, &spread, false, l->err));
out:
  return st;
}
