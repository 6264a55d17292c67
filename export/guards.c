/* ONNX Runtime quantizes the float weights of a Conv, ConvTranspose or Gemm that it finds between DequantizeLinear and QuantizeLinear
 * (WeightBiasQuantization), one scale for all. What the plan keeps in float shall stay so: a Sum of one, which no optimizer takes away,
 * stands between the operator and the QuantizeLinear. */
#include "export/exporter.h"
#include "onnx/pass.h"

static bool may_be_quantized(const vlm_graph *graph, const vlm_node *node) {
  bool named = vlm_node_is(node, "Conv") || vlm_node_is(node, "ConvTranspose") || vlm_node_is(node, "Gemm");
  return named && vlm_graph_producer(graph, node->inputs[0], "DequantizeLinear") &&
         vlm_graph_constant(graph, node->inputs[1]);
}

/* The one node that reads the value; -1 = none or several. */
static int32_t only_reader(const vlm_graph *graph, vlm_value_id id) {
  int32_t found = -1;
  if (vlm_pass_uses(graph, id) != 1 || vlm_pass_is_output(graph, id)) return -1;
  for (int32_t n = 0; n < graph->n_nodes && found < 0; n++)
    if (graph->nodes[n].n_inputs > 0 && graph->nodes[n].inputs[0] == id) found = n;
  return found;
}

static bool becomes_bytes(const vlm_graph *graph, vlm_value_id id) {
  int32_t n = only_reader(graph, id);
  if (n >= 0 && (vlm_node_is(&graph->nodes[n], "Relu") || vlm_node_is(&graph->nodes[n], "Clip")))
    n = only_reader(graph, graph->nodes[n].outputs[0]);
  return n >= 0 && vlm_node_is(&graph->nodes[n], "QuantizeLinear");
}

static vlm_status guard(vlm_exporter *x, vlm_graph *graph, int32_t n) {
  vlm_status st = VLM_OK;
  vlm_value_id made = graph->nodes[n].outputs[0], fresh;
  VLM_TRY(vlm_part_detach(x, graph, n, &fresh));
  VLM_TRY(vlm_part_add(x, graph, &made, NULL,
                       &(vlm_part){.op_type = "Sum",
                                   .base = graph->nodes[n].name,
                                   .suffix = "_stays_float",
                                   .inputs = &fresh,
                                   .n_inputs = 1}));
out:
  return st;
}

vlm_status vlm_export_guard(vlm_exporter *x, vlm_graph *graph) {
  vlm_status st = VLM_OK;
  if (!vlm_exporter_has(x, VLM_TARGET_QUANTIZES)) return VLM_OK;
  for (int32_t n = 0, count = graph->n_nodes; n < count; n++)
    if (may_be_quantized(graph, &graph->nodes[n]) && becomes_bytes(graph, graph->nodes[n].outputs[0]))
      VLM_TRY(guard(x, graph, n));
out:
  return st;
}
