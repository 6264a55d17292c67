/* What a node of a plan is, to be put back when another form is worse. */
#ifndef VLM_QUANT_PLAN_FORM_H
#define VLM_QUANT_PLAN_FORM_H

#include "quant/plan.h"

typedef struct vlm_plan_form {
  vlm_decision decision;
  vlm_range range;
  bool has_range;
  const char *reason;
} vlm_plan_form;

static inline vlm_plan_form vlm_plan_form_of(const vlm_node_plan *n) {
  return (vlm_plan_form){n->decision, n->range, n->has_range, n->reason};
}

static inline void vlm_plan_form_set(vlm_node_plan *n, const vlm_plan_form *f) {
  n->decision = f->decision;
  n->range = f->range;
  n->has_range = f->has_range;
  n->reason = f->reason;
}

/* Can it have ranges at run time, and has it others? */
static inline bool vlm_plan_may_free(const vlm_node_plan *n) {
  return n->decision == VLM_DECIDE_STATIC && n->forms & vlm_decision_forms(VLM_DECIDE_DYNAMIC);
}

#endif
