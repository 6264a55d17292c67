/* A float graph and its quantization plan as a graph of standard operators for one target.
 *
 *   qdq        QuantizeLinear and DequantizeLinear around float operators, which the target fuses
 *   qoperator  QLinearConv, QLinearMatMul, QGemm and their like
 *
 * In both, products with a range per row are DynamicQuantizeLinear and MatMulInteger (one range per tensor at run time), weights of float
 * products MatMulNBits, tables of embeddings rows in int8. What a target does not take in 8 bits keeps its float weights, and the report
 * says why. */
#ifndef VLM_EXPORT_EXPORT_H
#define VLM_EXPORT_EXPORT_H

#include "export/targets.h"
#include "quant/plan.h"

typedef enum vlm_export_format { VLM_EXPORT_QDQ, VLM_EXPORT_QOPERATOR } vlm_export_format;

struct vlm_export_ranges;

typedef struct vlm_export_opts {
  const vlm_target *target;
  vlm_export_format format;
  const vlm_quant_opts *quant;
  const vlm_stats *stats; /* ranges of what operators make; may be NULL */
  /* Nodes that stay float because of what 8 bits of their output cost. */
  const vlm_node_plan *const *spared;
  int32_t n_spared;
  struct vlm_export_ranges *ranges; /* NULL = none to share */
} vlm_export_opts;

/* Ranges that were chosen already, for whoever exports a graph several times. Zeroed at first; free with vlm_export_ranges_free. */
typedef struct vlm_export_ranges {
  const vlm_tensor_stats **stats;
  vlm_range *ranges;
  int32_t count, capacity;
} vlm_export_ranges;
void vlm_export_ranges_free(vlm_export_ranges *ranges);

/* X(NAME, text): what became of a planned node. */
#define VLM_EXPORT_FORMS(X)                                          \
  X(FLOAT, "float")             /* as in the model */                \
  X(STATIC, "static")           /* in 8 bits, ranges in the file */  \
  X(DYNAMIC, "dynamic")         /* in 8 bits, a range at run time */ \
  X(WEIGHT_ONLY, "weight-only") /* weights in 8 bits, activations float */

typedef enum vlm_export_form {
#define X(name, text) VLM_EXPORT_##name,
  VLM_EXPORT_FORMS(X)
#undef X
      VLM_EXPORT_FORM_COUNT
} vlm_export_form;
const char *vlm_export_form_name(vlm_export_form form);

typedef struct vlm_exported {
  const vlm_node_plan *plan;
  vlm_export_form form;
  const char *why; /* not as planned: a constant string; else NULL */
  bool narrowed;   /* what it makes has 8 bits for the target's sake, not for the plan's */
} vlm_exported;

typedef struct vlm_export_report {
  vlm_exported *items;
  int32_t count, capacity;
} vlm_export_report;
void vlm_export_report_free(vlm_export_report *report);

/* Rewrites a float graph that has the nodes of the plan's graph `role` (by name), and its bodies. Entries are added to the report
 * (zeroed by the caller). The graph keeps the plan's weights alive. */
vlm_status vlm_export_graph(vlm_graph *graph, const char *role, const vlm_quant_plan *plan,
                            const vlm_export_opts *opts, vlm_export_report *report, vlm_error *err);

#endif
