#include <string.h>

#include "export/exporter.h"

vlm_status vlm_export_make_parts(vlm_exporter *x, const vlm_export_item *item, bool tensor, bool output,
                                 vlm_export_parts *p) {
  vlm_status st = VLM_OK;
  const char *why;
  *p = (vlm_export_parts){.bias = {VLM_NO_VALUE, VLM_NO_VALUE, VLM_NO_VALUE},
                          .float_bias = vlm_export_bias_id(item),
                          .output = -1};
  VLM_TRY(vlm_export_weight_of(x, item, tensor, &p->weight));
  if (p->float_bias != VLM_NO_VALUE && !vlm_exporter_has(x, VLM_TARGET_FLOAT_BIAS))
    VLM_TRY(vlm_export_bias_of(x, item, p->float_bias, x->through[item->through].step, &p->weight, &p->bias));
  if (output || vlm_export_read_in_bytes(x, item))
    VLM_TRY(vlm_export_quantize_output(x, item, &p->output, &why));
out:
  return st;
}

static vlm_status dequantized_bias(vlm_exporter *x, const vlm_export_item *item, const vlm_export_parts *p,
                                   vlm_value_id *out) {
  const vlm_attr axis = {.name = "axis", .kind = VLM_ATTR_INT, .u.i = 0};
  *out = p->float_bias;
  if (p->bias.data == VLM_NO_VALUE) return VLM_OK;
  *out = VLM_NO_VALUE;
  return vlm_part_add(x, item->graph, out, NULL,
                      &(vlm_part){.op_type = "DequantizeLinear",
                                  .base = item->graph->values[p->float_bias].name,
                                  .suffix = "_dequantized",
                                  .inputs = (vlm_value_id[]){p->bias.data, p->bias.scale, p->bias.zero},
                                  .n_inputs = 3,
                                  .attrs = &axis,
                                  .n_attrs = p->weight.axis >= 0});
}

/* alpha is in the scales and beta in the bias. */
static void plain_gemm(vlm_node *node) {
  for (int32_t a = 0; a < node->n_attrs; a++)
    if (!strcmp(node->attrs[a].name, "alpha") || !strcmp(node->attrs[a].name, "beta")) node->attrs[a].u.f = 1;
}

vlm_status vlm_export_make_qdq(vlm_exporter *x, const vlm_export_item *item, const vlm_export_parts *p) {
  vlm_status st = VLM_OK;
  vlm_value_id ids[3];
  VLM_TRY(vlm_export_dequantize(x, item->through, &ids[0]));
  VLM_TRY(vlm_export_weight_dequantized(x, item, &p->weight, &ids[1]));
  VLM_TRY(dequantized_bias(x, item, p, &ids[2]));
  vlm_node *node = &item->graph->nodes[item->node];
  for (int32_t k = 0; k < node->n_inputs && k < 3; k++) node->inputs[k] = ids[k];
  if (!vlm_exporter_has(x, VLM_TARGET_FLOAT_BIAS)) plain_gemm(node);
out:
  return st;
}
