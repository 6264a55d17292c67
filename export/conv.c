#include <string.h>

#include "export/exporter.h"

/* QLinearConv makes the bytes that the QuantizeLinear behind made. */
static vlm_status make_qoperator(vlm_exporter *x, const vlm_export_item *item, const vlm_export_parts *p) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = item->graph;
  const vlm_exported_byte in = x->through[item->through], made = x->through[p->output];
  const vlm_node old = graph->nodes[item->node];
  vlm_value_id out = made.q;
  graph->nodes[item->node].outputs[0] = VLM_NO_VALUE;
  graph->nodes[made.node].outputs[0] = VLM_NO_VALUE;
  VLM_TRY(vlm_part_add(
      x, graph, &out, NULL,
      &(vlm_part){.op_type = "QLinearConv",
                  .base = old.name,
                  .suffix = "",
                  .inputs = (vlm_value_id[]){in.q, in.scale, in.zero, p->weight.data, p->weight.scale,
                                             p->weight.zero, made.scale, made.zero, p->bias.data},
                  .n_inputs = 9,
                  .attrs = old.attrs,
                  .n_attrs = old.n_attrs}));
out:
  return st;
}

vlm_status vlm_export_conv(vlm_exporter *x, const vlm_export_item *item) {
  vlm_status st = VLM_OK;
  vlm_export_parts p;
  VLM_TRY(vlm_export_make_parts(x, item, false, vlm_exporter_has(x, VLM_TARGET_CONV_OUTPUT), &p));
  bool qoperator = x->opts->format == VLM_EXPORT_QOPERATOR && p.output >= 0;
  VLM_TRY(qoperator ? make_qoperator(x, item, &p) : vlm_export_make_qdq(x, item, &p));
out:
  return st;
}
