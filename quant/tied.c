#include "quant/tied.h"

#include <string.h>

#include "quant/constants.h"

/* Columns in t, to be stored as rows. */
static bool can_turn(const vlm_node_plan *n) {
  return n->turns && (n->decision == VLM_DECIDE_STATIC || n->decision == VLM_DECIDE_WEIGHT_ONLY);
}

static bool equals(const vlm_tensor *a, const vlm_tensor *b) {
  bool alike = a->dtype == b->dtype && vlm_tensor_same_shape(a, b);
  return alike && (a->data == b->data || !memcmp(a->data, b->data, vlm_tensor_bytes(a)));
}

/* Does `other` store the columns of n's weight as rows? */
static bool has_rows_of(const vlm_node_plan *other, const vlm_node_plan *n) {
  if (other == n || other->decision == VLM_DECIDE_FLOAT || other->constant.rank != 2) return false;
  if (other->slot.axis == 0) return vlm_tensor_is_transpose(&n->constant, &other->constant);
  return other->decision == VLM_DECIDE_DYNAMIC && equals(&n->constant, &other->constant);
}

void vlm_quant_plan_tie(vlm_quant_plan *plan) {
  for (int32_t i = 0; i < plan->count; i++) {
    vlm_node_plan *n = &plan->nodes[i];
    n->turned = false;
    for (int32_t k = 0; can_turn(n) && !n->turned && k < plan->count; k++)
      n->turned = has_rows_of(&plan->nodes[k], n);
  }
}

static bool is_read_as_float(const vlm_constant_list *list, const vlm_tensor *constant) {
  for (int32_t i = 0; i < list->count; i++)
    if (list->items[i].float_reason && list->items[i].tensor.data == constant->data) return true;
  return false;
}

/* One node that becomes float may take another along. */
static vlm_status give_way(vlm_quant_plan *plan, const vlm_quant_graph *graphs, int32_t n_graphs,
                           bool *changed, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_constant_list list = {0};
  *changed = false;
  for (int32_t g = 0; g < n_graphs; g++)
    VLM_TRY(vlm_constant_list_add(&list, &graphs[g], plan, plan->arena, err));
  for (int32_t i = 0; i < plan->count; i++) {
    vlm_node_plan *n = &plan->nodes[i];
    if (n->decision != VLM_DECIDE_WEIGHT_ONLY || !is_read_as_float(&list, &n->constant)) continue;
    n->decision = VLM_DECIDE_FLOAT;
    n->reason = "another node reads it as floats";
    *changed = true;
  }
out:
  vlm_constant_list_free(&list);
  return st;
}

vlm_status vlm_quant_plan_share(vlm_quant_plan *plan, const vlm_quant_graph *graphs, int32_t n_graphs,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  for (bool changed = true; st == VLM_OK && changed;) st = give_way(plan, graphs, n_graphs, &changed, err);
  return st;
}
