#include <string.h>

#include "export/exporter.h"

static vlm_status add_node(vlm_exporter *x, vlm_graph *graph, int32_t *n, const vlm_part *part,
                           const char *name) {
  vlm_status st = VLM_OK;
  const char *domain = part->domain ? part->domain : "";
  int32_t n_inputs = part->n_inputs;
  while (n_inputs > 0 && part->inputs[n_inputs - 1] == VLM_NO_VALUE) n_inputs--;
  const vlm_node like = {.name = name,
                         .domain = domain,
                         .op_type = part->op_type,
                         .opset = part->opset ? part->opset
                                  : *domain   ? 1
                                              : 13,
                         .n_inputs = n_inputs,
                         .n_outputs = 1,
                         .n_attrs = part->n_attrs};
  VLM_TRY(vlm_graph_add_node(graph, n, &like, x->err));
  memcpy(graph->nodes[*n].inputs, part->inputs, (size_t)n_inputs * sizeof *part->inputs);
  if (part->n_attrs) memcpy(graph->nodes[*n].attrs, part->attrs, (size_t)part->n_attrs * sizeof *part->attrs);
out:
  return st;
}

vlm_status vlm_part_add(vlm_exporter *x, vlm_graph *graph, vlm_value_id *out, int32_t *node,
                        const vlm_part *part) {
  vlm_status st = VLM_OK;
  const char *name;
  int32_t n;
  VLM_TRY(vlm_graph_free_name(graph, &name, part->base, part->suffix, x->err));
  if (*out == VLM_NO_VALUE) VLM_TRY(vlm_graph_add_value(graph, out, name, VLM_VALUE_NODE, x->err));
  VLM_TRY(add_node(x, graph, &n, part, name));
  vlm_node_set_output(graph, n, 0, *out);
  if (node) *node = n;
out:
  return st;
}

vlm_status vlm_part_constant(vlm_exporter *x, vlm_graph *graph, vlm_value_id *out, const char *base,
                             const char *suffix, const vlm_tensor *tensor) {
  const char *name;
  vlm_status st = vlm_graph_free_name(graph, &name, base, suffix, x->err);
  return st == VLM_OK ? vlm_graph_add_constant(graph, out, name, tensor, true, x->err) : st;
}

vlm_status vlm_part_scalar(vlm_exporter *x, vlm_graph *graph, vlm_value_id *out, const char *base,
                           const char *suffix, vlm_dtype dtype, double value) {
  uint64_t storage = 0;
  const vlm_tensor t = vlm_tensor_make(dtype, 0, NULL, &storage);
  vlm_tensor_set(&t, 0, value);
  return vlm_part_constant(x, graph, out, base, suffix, &t);
}

vlm_status vlm_part_detach(vlm_exporter *x, vlm_graph *graph, int32_t node, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  const char *name;
  vlm_value_id old = graph->nodes[node].outputs[0];
  VLM_TRY(vlm_graph_free_name(graph, &name, graph->values[old].name, "_float", x->err));
  VLM_TRY(vlm_graph_add_value(graph, out, name, VLM_VALUE_NODE, x->err));
  graph->values[*out].tensor = graph->values[old].tensor;
  memcpy(graph->values[*out].dim_names, graph->values[old].dim_names, sizeof graph->values[old].dim_names);
  graph->values[old].producer = -1;
  vlm_node_set_output(graph, node, 0, *out);
out:
  return st;
}
