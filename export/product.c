#include <string.h>

#include "export/exporter.h"
#include "onnx/pass.h"

static bool is_gemm(const vlm_export_item *item) {
  return vlm_node_is(&item->graph->nodes[item->node], "Gemm");
}

/* Read in 8 bits by some and as floats by others: a float operator between DequantizeLinear and QuantizeLinear would not be fused. */
static bool is_mixed(const vlm_exporter *x, const vlm_export_item *item) {
  vlm_value_id made = item->graph->nodes[item->node].outputs[0];
  int32_t bytes = 0;
  for (int32_t i = 0; i < x->n_through; i++)
    bytes += x->through[i].graph == item->graph && x->through[i].id == made;
  return bytes > 0 && bytes < vlm_pass_uses(item->graph, made) + (bytes > 1);
}

static vlm_status make_qgemm(vlm_exporter *x, const vlm_export_item *item, const vlm_export_parts *p,
                             const vlm_exported_byte *in, const vlm_exported_byte *made, vlm_value_id out) {
  const vlm_node *node = &item->graph->nodes[item->node];
  const vlm_attr attrs[] = {{.name = "transB", .kind = VLM_ATTR_INT, .u.i = vlm_node_int(node, "transB", 0)}};
  return vlm_part_add(
      x, item->graph, &out, NULL,
      &(vlm_part){.domain = "com.microsoft",
                  .op_type = "QGemm",
                  .base = node->name,
                  .suffix = "",
                  .inputs = (vlm_value_id[]){in->q, in->scale, in->zero, p->weight.data, p->weight.scale,
                                             p->weight.zero, p->bias.data, made ? made->scale : VLM_NO_VALUE,
                                             made ? made->zero : VLM_NO_VALUE},
                  .n_inputs = 9,
                  .attrs = attrs,
                  .n_attrs = 1});
}

static vlm_status make_qmatmul(vlm_exporter *x, const vlm_export_item *item, const vlm_export_parts *p,
                               const vlm_exported_byte *in, const vlm_exported_byte *made, vlm_value_id out) {
  vlm_part part = {.base = item->graph->nodes[item->node].name, .suffix = "", .n_inputs = 8};
  const vlm_export_weight *w = &p->weight;
  const vlm_value_id bytes[] = {in->q,
                                in->scale,
                                in->zero,
                                w->data,
                                w->scale,
                                w->zero,
                                made ? made->scale : VLM_NO_VALUE,
                                made ? made->zero : VLM_NO_VALUE};
  const vlm_value_id floats[] = {in->q, w->data, in->scale, w->scale, in->zero, w->zero};
  part.op_type = made ? "QLinearMatMul" : "MatMulIntegerToFloat";
  part.inputs = made ? bytes : floats;
  if (!made) part.domain = "com.microsoft", part.n_inputs = 6;
  return vlm_part_add(x, item->graph, &out, NULL, &part);
}

static vlm_status make_qoperator(vlm_exporter *x, const vlm_export_item *item, const vlm_export_parts *p) {
  vlm_graph *graph = item->graph;
  const vlm_exported_byte in = x->through[item->through];
  const vlm_exported_byte made = p->output >= 0 ? x->through[p->output] : (vlm_exported_byte){.graph = NULL};
  vlm_value_id out = made.graph ? made.q : graph->nodes[item->node].outputs[0];
  graph->nodes[item->node].outputs[0] = VLM_NO_VALUE;
  if (made.graph) graph->nodes[made.node].outputs[0] = VLM_NO_VALUE;
  return is_gemm(item) ? make_qgemm(x, item, p, &in, made.graph ? &made : NULL, out)
                       : make_qmatmul(x, item, p, &in, made.graph ? &made : NULL, out);
}

vlm_status vlm_export_product(vlm_exporter *x, const vlm_export_item *item) {
  vlm_status st = VLM_OK;
  vlm_export_parts p;
  bool one = vlm_exporter_has(x, VLM_TARGET_PRODUCT_TENSOR) || item->plan->constant.rank > 2;
  VLM_TRY(vlm_export_make_parts(x, item, one, vlm_exporter_has(x, VLM_TARGET_PRODUCT_OUTPUT), &p));
  bool mixed = vlm_exporter_has(x, VLM_TARGET_QOPERATOR) && is_mixed(x, item);
  bool qoperator = x->opts->format == VLM_EXPORT_QOPERATOR || mixed;
  VLM_TRY(qoperator ? make_qoperator(x, item, &p) : vlm_export_make_qdq(x, item, &p));
out:
  return st;
}
