/* Rows of a table in int8: codes and scales are looked up, so the table is never dequantized as a whole. */
#include "export/exporter.h"

static vlm_status look_up(vlm_exporter *x, const vlm_export_item *item, vlm_value_id table, vlm_value_id *out,
                          const char *suffix) {
  const vlm_node *node = &item->graph->nodes[item->node];
  *out = VLM_NO_VALUE;
  return vlm_part_add(x, item->graph, out, NULL,
                      &(vlm_part){.op_type = "Gather",
                                  .base = node->name,
                                  .suffix = suffix,
                                  .inputs = (vlm_value_id[]){table, node->inputs[1]},
                                  .n_inputs = 2});
}

/* [rows] to [rows, 1, ..]. */
static vlm_status scale_column(vlm_exporter *x, const vlm_export_item *item, const vlm_export_weight *w,
                               vlm_value_id *out) {
  vlm_tensor t = w->scales;
  t.rank = w->codes.rank;
  for (int k = 1; k < t.rank; k++) t.dims[k] = 1;
  return vlm_part_constant(x, item->graph, out, item->plan->weight, "_row_scales", &t);
}

vlm_status vlm_export_table(vlm_exporter *x, const vlm_export_item *item) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = item->graph;
  const vlm_attr to = {.name = "to", .kind = VLM_ATTR_INT, .u.i = vlm_dtype_onnx(VLM_F32)};
  const char *base = graph->nodes[item->node].name;
  vlm_export_weight w;
  vlm_value_id column, codes, scales, floats = VLM_NO_VALUE, made = graph->nodes[item->node].outputs[0];
  VLM_TRY(vlm_export_weight_of(x, item, false, &w));
  VLM_TRY(scale_column(x, item, &w, &column));
  VLM_TRY(look_up(x, item, w.data, &codes, "_codes"));
  VLM_TRY(look_up(x, item, column, &scales, "_scales"));
  graph->nodes[item->node].outputs[0] = VLM_NO_VALUE;
  VLM_TRY(vlm_part_add(x, graph, &floats, NULL,
                       &(vlm_part){.op_type = "Cast",
                                   .base = base,
                                   .suffix = "_floats",
                                   .inputs = &codes,
                                   .n_inputs = 1,
                                   .attrs = &to,
                                   .n_attrs = 1}));
  VLM_TRY(vlm_part_add(x, graph, &made, NULL,
                       &(vlm_part){.op_type = "Mul",
                                   .base = base,
                                   .suffix = "",
                                   .inputs = (vlm_value_id[]){floats, scales},
                                   .n_inputs = 2}));
out:
  return st;
}
