/* Gather of rows of a table: dequantized as they are fetched. Other gathers read the table dequantized once
 * (stored.c). */
#include "runtime/lower/lower_private.h"

static bool can(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, vlm_form form,
                const char **why) {
  (void)graph, (void)node, (void)slot;
  *why = "a table that is looked up meets no activations";
  return form == VLM_FORM_WEIGHT_ONLY;
}

static vlm_status lower(vlm_lowering *l, int32_t n, const vlm_weight_slot *slot, vlm_form *form) {
  vlm_status st = VLM_OK;
  const vlm_node node = l->graph->nodes[n];
  const vlm_tensor *t = vlm_node_constant(l->graph, &node, slot->input);
  vlm_operand table;
  bool moved;
  *form = 0;
  if (slot->axis != 0 || !vlm_dequantized_weight(l, node.inputs[slot->input], 0, &moved) || moved)
    return VLM_OK;
  int64_t rows = t->dims[0];
  VLM_TRY(vlm_weight_parts(l, node.inputs[slot->input], &table));
  VLM_TRY(vlm_spread(l, &table.scale, rows, 1, 1));
  const vlm_value_id inputs[] = {table.data, table.scale, node.inputs[1]};
  vlm_tail tail = vlm_tail_of(node.outputs[0]);
  VLM_TRY(vlm_cast_behind(l, table.type, &tail));
  VLM_TRY(vlm_make_internal(l, n, &(vlm_node_form){.op_type = "QGather", .inputs = inputs, .n_inputs = 3},
                            tail.output));
  *form = VLM_FORM_WEIGHT_ONLY;
out:
  return st;
}

const vlm_rule vlm_rule_table = {can, lower};
