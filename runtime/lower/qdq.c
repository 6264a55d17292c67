#include "runtime/lower/qdq.h"

#include <string.h>

enum { OPSET = 13 };

static vlm_status add_op(vlm_graph *graph, vlm_value_id *out, const char *op_type, const char *base,
                         const char *suffix,
                         const vlm_value_id *inputs, int32_t n_inputs, const vlm_attr *attr, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *name;
  int32_t node;
  VLM_TRY(vlm_graph_free_name(graph, &name, base, suffix, err));
  VLM_TRY(vlm_graph_add_value(graph, out, name, VLM_VALUE_NODE, err));
  VLM_TRY(vlm_graph_add_node(graph, &node, &(vlm_node){.name = name, .op_type = op_type, .opset = OPSET,
                                                       .n_inputs = n_inputs, .n_outputs = 1,
                                                       .n_attrs = attr ? 1 : 0}, err));
  memcpy(graph->nodes[node].inputs, inputs, (size_t)n_inputs * sizeof *inputs);
  if (attr) graph->nodes[node].attrs[0] = *attr;
  vlm_node_set_output(graph, node, 0, *out);
out:
  return st;
}

vlm_status vlm_qdq_quantize(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id x,
                            vlm_value_id scale, vlm_value_id zero,
                            vlm_error *err) {
  return add_op(graph, out, "QuantizeLinear", base, "_quantized", (vlm_value_id[]){x, scale, zero}, 3, NULL,
                err);
}

vlm_status vlm_qdq_dequantize(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id q,
                              vlm_value_id scale, vlm_value_id zero,
                              int64_t axis, vlm_error *err) {
  const vlm_attr along = {.name = "axis", .kind = VLM_ATTR_INT, .u.i = axis};
  const vlm_value_id inputs[] = {q, scale, zero};
  return add_op(graph, out, "DequantizeLinear", base, "_dequantized", inputs, zero == VLM_NO_VALUE ? 2 : 3,
                axis < 0 ? NULL : &along, err);
}

vlm_status vlm_qdq_cast(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id x,
                        vlm_dtype dtype, vlm_error *err) {
  const vlm_attr to = {.name = "to", .kind = VLM_ATTR_INT, .u.i = vlm_dtype_onnx(dtype)};
  return add_op(graph, out, "Cast", base, "_cast", &x, 1, &to, err);
}
