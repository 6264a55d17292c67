#include "runtime/lower/qdq.h"

#include <string.h>

#include "runtime/lower/lower_private.h"

enum { OPSET = 13 };

/* The names of the node and its output are `base` and the suffix. */
static vlm_status add_op(vlm_graph *graph, vlm_value_id *out, const char *base, const char *suffix,
                         const vlm_node_form *form, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_node like = {.op_type = form->op_type,
                   .opset = OPSET,
                   .n_inputs = form->n_inputs,
                   .n_outputs = 1,
                   .n_attrs = form->n_attrs};
  int32_t n;
  VLM_TRY(vlm_graph_free_name(graph, &like.name, base, suffix, err));
  VLM_TRY(vlm_graph_add_value(graph, out, like.name, VLM_VALUE_NODE, err));
  VLM_TRY(vlm_graph_add_node(graph, &n, &like, err));
  memcpy(graph->nodes[n].inputs, form->inputs, (size_t)form->n_inputs * sizeof *form->inputs);
  if (form->n_attrs) graph->nodes[n].attrs[0] = form->attrs[0];
  vlm_node_set_output(graph, n, 0, *out);
out:
  return st;
}

vlm_status vlm_qdq_quantize(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id x,
                            const vlm_qdq *by, vlm_error *err) {
  const vlm_node_form form = {
      .op_type = "QuantizeLinear", .inputs = (vlm_value_id[]){x, by->scale, by->zero}, .n_inputs = 3};
  return add_op(graph, out, base, "_quantized", &form, err);
}

vlm_status vlm_qdq_quantize_dynamic(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id x,
                                    vlm_qdq *by, vlm_error *err) {
  static const char *const SUFFIXES[] = {"_quantized", "_scale", "_zero_point"};
  vlm_status st = VLM_OK;
  vlm_node like = {.op_type = "DynamicQuantizeLinear", .opset = 11, .n_inputs = 1, .n_outputs = 3};
  vlm_value_id made[3];
  int32_t n;
  VLM_TRY(vlm_graph_free_name(graph, &like.name, base, "_quantizer", err));
  VLM_TRY(vlm_graph_add_node(graph, &n, &like, err));
  graph->nodes[n].inputs[0] = x;
  for (int32_t k = 0; k < 3; k++) {
    const char *name;
    VLM_TRY(vlm_graph_free_name(graph, &name, base, SUFFIXES[k], err));
    VLM_TRY(vlm_graph_add_value(graph, &made[k], name, VLM_VALUE_NODE, err));
    vlm_node_set_output(graph, n, k, made[k]);
  }
  *out = made[0];
  *by = (vlm_qdq){.scale = made[1], .zero = made[2], .axis = -1};
out:
  return st;
}

vlm_status vlm_qdq_dequantize(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id q,
                              const vlm_qdq *by, vlm_error *err) {
  const vlm_attr along = {.name = "axis", .kind = VLM_ATTR_INT, .u.i = by->axis};
  const vlm_node_form form = {.op_type = "DequantizeLinear",
                              .inputs = (vlm_value_id[]){q, by->scale, by->zero},
                              .n_inputs = by->zero == VLM_NO_VALUE ? 2 : 3,
                              .attrs = &along,
                              .n_attrs = by->axis < 0 ? 0 : 1};
  return add_op(graph, out, base, "_dequantized", &form, err);
}

vlm_status vlm_qdq_cast(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id x,
                        vlm_dtype dtype, vlm_error *err) {
  const vlm_attr to = {.name = "to", .kind = VLM_ATTR_INT, .u.i = vlm_dtype_onnx(dtype)};
  const vlm_node_form form = {.op_type = "Cast", .inputs = &x, .n_inputs = 1, .attrs = &to, .n_attrs = 1};
  return add_op(graph, out, base, "_cast", &form, err);
}
