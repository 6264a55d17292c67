/* Plan = run: what lowering made of a quantized graph, node by node, beside what the plan says. */
#ifndef VLM_QUANT_COMPARE_H
#define VLM_QUANT_COMPARE_H

#include "quant/plan.h"
#include "runtime/lower/lower.h"

typedef struct vlm_difference {
  const char *graph, *node, *op_type; /* as in the plan */
  vlm_decision planned, got;
  const char *why; /* a constant string */
} vlm_difference;

typedef struct vlm_difference_list {
  vlm_difference *items;
  int32_t count, capacity;
} vlm_difference_list;

/* lowered: the graph of that role after vlm_quant_apply and vlm_graph_lower, which filled the report.
 * Differences are added to `out` (zeroed by the caller); they point into the plan. Free with
 * vlm_differences_free. */
vlm_status vlm_quant_compare(vlm_difference_list *out, const vlm_quant_plan *plan,
                             const vlm_quant_graph *lowered, const vlm_lower_report *report, vlm_error *err);
void vlm_differences_free(vlm_difference_list *list);
/* VLM_INTERNAL that names the first difference; VLM_OK when there is none. */
vlm_status vlm_differences_fail(const vlm_difference_list *list, vlm_error *err);

#endif
