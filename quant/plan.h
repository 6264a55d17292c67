/* What is quantized and how: one decision per candidate node, made from the graph, the statistics and the options; plain data that can be
 * printed, saved, edited and applied. */
#ifndef VLM_QUANT_PLAN_H
#define VLM_QUANT_PLAN_H

#include "quant/range.h"
#include "runtime/graph/graph.h"
#include "runtime/base/threads.h"

/* X(NAME, text in reports and plan files) */
#define VLM_DECISIONS(X)                                                        \
  X(FLOAT, "float")             /* stays as it is */                            \
  X(STATIC, "static")           /* u8 activations with a calibrated range, s8 weights */ \
  X(DYNAMIC, "dynamic")         /* u8 activations with a range per row at run time, s8 weights */ \
  X(WEIGHT_ONLY, "weight-only") /* float activations, s8 weights */

typedef enum vlm_decision {
#define X(name, text) VLM_DECIDE_##name,
  VLM_DECISIONS(X)
#undef X
  VLM_DECIDE_COUNT
} vlm_decision;

typedef enum vlm_activation_mode { VLM_ACTIVATIONS_AUTO, VLM_ACTIVATIONS_STATIC, VLM_ACTIVATIONS_DYNAMIC, VLM_ACTIVATIONS_NONE } vlm_activation_mode;

typedef struct vlm_quant_opts {
  vlm_activation_mode activations;
  vlm_range_method range;         /* 0 = auto */
  double percentile;              /* 0 = 99.999 */
  bool per_tensor_weights;        /* one weight scale per tensor: for comparisons only */
  bool everything;                /* no placement rules: every product, every convolution, and every float tensor between them that the
                                   * statistics know (for comparisons: residual sums, normalisations and softmax suffer) */
  bool no_weight_search;          /* absmax weight scales instead of the least-error clip */
  bool no_bias_correction;
  double min_sqnr_db;             /* static nodes below become dynamic or float; 0 = 15 */
  const char *const *keep;        /* globs of node names that stay float */
  int32_t n_keep;
  vlm_threads *threads;           /* NULL = this thread; the result does not depend on it */
} vlm_quant_opts;

typedef struct vlm_node_plan {
  const char *graph;              /* role */
  const char *node, *op_type;
  int32_t index;                  /* of the node in its graph */
  bool by_row;                    /* can be dynamic */
  bool given;                     /* read from a plan file */
  const char *input;              /* name of the activation value */
  vlm_decision decision;
  const char *reason;
  bool has_range;
  vlm_range range;                /* of the activation, when static */
  double weight_sqnr_db, sqnr_db; /* weights alone; both together */
  int64_t weights;                /* elements */
} vlm_node_plan;

typedef struct vlm_quant_plan {
  vlm_arena *arena;
  vlm_node_plan *nodes;           /* in graph order, graphs in the order given */
  int32_t count, capacity;
} vlm_quant_plan;

typedef struct vlm_quant_graph {
  const char *role;
  vlm_graph *graph;
} vlm_quant_graph;

const char *vlm_decision_name(vlm_decision decision);
bool vlm_decision_parse(vlm_decision *out, const char *text);

/* stats may be NULL: then nothing is static. Graphs are read only. Free with vlm_quant_plan_free. */
vlm_status vlm_quant_plan_make(vlm_quant_plan **out, const vlm_quant_graph *graphs, int32_t n_graphs, const vlm_stats *stats, const vlm_quant_opts *opts,
                               vlm_error *err);
void vlm_quant_plan_free(vlm_quant_plan *plan);
/* Of the node with that index in the graph of that role, or NULL. By index: names of nodes need not be distinct. */
const vlm_node_plan *vlm_quant_plan_at(const vlm_quant_plan *plan, const char *role, int32_t index);

/* Rewrites the graph into QDQ form (dynamic products into vlm.QMatMulDynamic) as the plan says. Same inputs, same bytes. */
vlm_status vlm_quant_apply(const vlm_quant_graph *graph, const vlm_quant_plan *plan, const vlm_stats *stats, const vlm_quant_opts *opts, vlm_error *err);

#endif
