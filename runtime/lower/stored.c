/* The form that every constant can take: stored in 8 bits behind a DequantizeLinear, which is computed once
 * when planning. The operator itself stays as it is. */
#include "runtime/lower/lower_private.h"

static bool can(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, vlm_form form,
                const char **why) {
  (void)graph, (void)node, (void)slot;
  *why = "the operator has no integer form";
  return form == VLM_FORM_WEIGHT_ONLY;
}

static vlm_status lower(vlm_lowering *l, int32_t n, const vlm_weight_slot *slot, vlm_form *form) {
  const vlm_tensor *t = vlm_node_constant(l->graph, &l->graph->nodes[n], slot->input);
  *form = t->dtype == VLM_S8 || t->dtype == VLM_U8 ? VLM_FORM_WEIGHT_ONLY : 0;
  return VLM_OK;
}

const vlm_rule vlm_rule_stored = {can, lower};
