/* From the quantized graph in QDQ form (the one truth) to the integer operators of domain "vlm" that run it.
 *
 *   product of DequantizeLinear(x) and DequantizeLinear(constant s8)        -> vlm.QMatMul
 *   product of a float x and DequantizeLinear(constant s8)                  -> vlm.WMatMul (weight-only)
 *   convolution of DequantizeLinear(x) and DequantizeLinear(constant s8)    -> vlm.QConv
 *   Gather of DequantizeLinear(constant s8 table)                           -> vlm.QGather
 *   any other operator with a DequantizeLinear(constant) as a weight        -> itself: the float weight is
 * made once, when planning A following bias, activation and QuantizeLinear are taken into the operator when
 * nothing else reads the value between. Which operators are products, convolutions and tables, and which of
 * their inputs are weights, stands in runtime/ops/traits.def. */
#ifndef VLM_LOWER_LOWER_H
#define VLM_LOWER_LOWER_H

#include "runtime/ops/traits.h"

/* Can `node` run in `form` with the constant of `slot` (vlm_node_weights) stored in s8, one scale per channel
 * of the slot's axis? False: *why is a constant string. Looks at attributes, ranks, types and bias; the graph
 * may still be float: placement asks this. The rules that rewrite are the ones that answer. */
bool vlm_lower_can(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, vlm_form form,
                   const char **why);

/* What lowering made: one entry per node that reads its weights in 8 bits, in graph order, bodies behind
 * their node. An integer operator has the name of the node that it came from. */
typedef struct vlm_lowered {
  const vlm_graph *graph;
  const char *node; /* in the graph's arena */
  vlm_form form;
} vlm_lowered;
typedef struct vlm_lower_report {
  vlm_lowered *items;
  int32_t count, capacity;
} vlm_lower_report;
/* Entries of that form. */
int32_t vlm_lower_report_forms(const vlm_lower_report *report, vlm_form form);
void vlm_lower_report_free(vlm_lower_report *report);

/* Rewrites `graph` and its bodies in place and resolves it again. Entries are added to `report` (zeroed by
 * the caller; may be NULL). */
vlm_status vlm_graph_lower(vlm_graph *graph, vlm_lower_report *report, vlm_error *err);

/* Turns node n of a resolved float graph into its form with a range per row, which ONNX has no QDQ form for.
 * `data`: s8, one row per output channel of the slot ([.., N, K] for the [.., K, N] of a MatMul); `scale`:
 * f32 [N]. Needs vlm_lower_can(.., VLM_FORM_ROW, ..). The graph must be resolved again. */
vlm_status vlm_lower_row_form(vlm_graph *graph, int32_t n, const vlm_weight_slot *slot, vlm_value_id data,
                              vlm_value_id scale, vlm_error *err);

#endif
