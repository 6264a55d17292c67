/* Private to lower/: channels last (layout.c), and the operators that can work so (layout_rules.c). */
#ifndef VLM_LOWER_LAYOUT_H
#define VLM_LOWER_LAYOUT_H

#include "runtime/lower/lower_private.h"

typedef struct vlm_twin {
  vlm_value_id value; /* the same tensor as [N, spatial..., C], or VLM_NO_VALUE */
  int32_t rank;
  bool made; /* by a converted node, not by a Transpose of the value */
} vlm_twin;

typedef struct vlm_reorder {
  vlm_lowering low;
  int32_t n_values;
  vlm_twin *twins; /* per value */
} vlm_reorder;

/* The twin, or VLM_NO_VALUE. */
vlm_value_id vlm_layout_twin(const vlm_reorder *l, vlm_value_id id);
/* The twin, made by a Transpose when there is none. */
vlm_status vlm_layout_need(vlm_reorder *l, vlm_value_id id, int32_t rank, vlm_value_id *out);
/* Output k of node n, which is converted, is a twin from now on; a Transpose makes the value itself. */
vlm_status vlm_layout_give(vlm_reorder *l, int32_t n, int32_t k, int32_t rank);
/* `twin` is what `id` is in the other order. */
vlm_status vlm_layout_twinned(vlm_reorder *l, vlm_value_id id, vlm_value_id twin, int32_t rank);

/* Whether the value is a constant that can be broadcast over a twin, and that constant. */
bool vlm_layout_can_turn(const vlm_reorder *l, vlm_value_id id, int32_t rank);
vlm_status vlm_layout_constant(vlm_reorder *l, vlm_value_id id, int32_t rank, vlm_value_id *out);
/* A constant list with one entry per axis (or several runs of them), in the order of the twin's axes. */
vlm_status vlm_layout_list(vlm_reorder *l, vlm_value_id id, int32_t rank, vlm_value_id *out);

/* Converts node n, or leaves it as it is. */
typedef vlm_status vlm_layout_rule(vlm_reorder *l, int32_t n);
/* NULL: the operator stays. */
vlm_layout_rule *vlm_layout_rule_of(const vlm_node *node);

#endif
