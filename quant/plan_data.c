/* A plan as data: names of its decisions, what it says of a node, its end. */
#include <string.h>

#include "quant/plan.h"
#include "quant/weight_store.h"

static const char *const NAMES[VLM_DECIDE_COUNT] = {
#define X(name, text) text,
    VLM_DECISIONS(X)
#undef X
};

const char *vlm_decision_name(vlm_decision decision) {
  return (unsigned)decision < VLM_DECIDE_COUNT ? NAMES[decision] : "?";
}

bool vlm_decision_parse(vlm_decision *out, const char *text) {
  for (int d = 0; d < VLM_DECIDE_COUNT; d++)
    if (!strcmp(NAMES[d], text)) {
      *out = (vlm_decision)d;
      return true;
    }
  return false;
}

int32_t vlm_decision_forms(vlm_decision decision) {
  static const int32_t FORMS[VLM_DECIDE_COUNT] = {[VLM_DECIDE_STATIC] = VLM_FORM_STATIC,
                                                  [VLM_DECIDE_DYNAMIC] = VLM_FORM_ROW | VLM_FORM_IMAGE,
                                                  [VLM_DECIDE_WEIGHT_ONLY] = VLM_FORM_WEIGHT_ONLY};
  return FORMS[decision];
}

void vlm_quant_plan_free(vlm_quant_plan *plan) {
  if (!plan) return;
  vlm_weight_store_release(plan->weights);
  vlm_arena_free(plan->arena);
  vlm_free(plan->nodes);
  vlm_free(plan);
}

const vlm_node_plan *vlm_quant_plan_find(const vlm_quant_plan *plan, const char *graph, int32_t index,
                                         int32_t input) {
  for (int32_t i = 0; i < plan->count; i++) {
    const vlm_node_plan *n = &plan->nodes[i];
    if (n->index == index && (input < 0 || n->slot.input == input) && !strcmp(n->graph, graph)) return n;
  }
  return NULL;
}
