/* What is quantized and how: one decision per constant weight of a node, made from the graph, the statistics
 * and the options; plain data that can be printed, saved, edited and applied. */
#ifndef VLM_QUANT_PLAN_H
#define VLM_QUANT_PLAN_H

#include "quant/range.h"
#include "runtime/base/threads.h"
#include "runtime/ops/traits.h"

/* X(NAME, text in reports and plan files) */
#define VLM_DECISIONS(X)                                                                           \
  X(FLOAT, "float")             /* stays as it is */                                               \
  X(STATIC, "static")           /* u8 activations with a calibrated range, s8 weights */           \
  X(DYNAMIC, "dynamic")         /* u8 activations with a range at run time, s8 weights: per row */ \
                                /* of a product, per image of a convolution */                     \
  X(WEIGHT_ONLY, "weight-only") /* float activations, s8 weights */

typedef enum vlm_decision {
#define X(name, text) VLM_DECIDE_##name,
  VLM_DECISIONS(X)
#undef X
      VLM_DECIDE_COUNT
} vlm_decision;

typedef enum vlm_activation_mode {
  VLM_ACTIVATIONS_AUTO,
  VLM_ACTIVATIONS_STATIC,
  VLM_ACTIVATIONS_DYNAMIC,
  VLM_ACTIVATIONS_NONE
} vlm_activation_mode;

typedef struct vlm_quant_opts {
  vlm_activation_mode activations;
  vlm_range_method range;  /* 0 = auto */
  double percentile;       /* 0 = 99.999 */
  bool per_tensor_weights; /* one weight scale per tensor: for comparisons only */
  bool
      everything; /* no placement rules: every product, every convolution, and every float tensor between them that the
                                   * statistics know (for comparisons: residual sums, normalisations and
                                   * softmax suffer) */
  bool fixed_convolutions; /* none with a range per image: files for other runtimes have no fast form of it */
  bool no_weight_search;   /* absmax weight scales instead of the least-error clip */
  /* measure nothing: what would be decided before weights and ranges are looked at */
  bool placement_only;
  double min_sqnr_db;      /* static nodes below become dynamic or float; 0 = 15 */
  const char *const *keep; /* globs of node names that stay float */
  int32_t n_keep;
  /* Of products whose weights are rounded by what is known of their inputs; NULL = all to nearest. */
  const struct vlm_covariances *covariances;
  vlm_threads *threads; /* NULL = this thread; the result does not depend on it */
  /* Asked before each node is measured; its error ends the plan. NULL = not. */
  vlm_status (*go_on)(void *user, vlm_error *err);
  void *user;
} vlm_quant_opts;

/* One per constant weight of a node. */
typedef struct vlm_node_plan {
  const char *graph; /* role, or the path of a body (runtime/graph/bodies.h) */
  const char *node, *op_type;
  int32_t index; /* of the node in its graph */
  vlm_weight_slot slot;
  const char *weight;  /* name of the constant */
  vlm_tensor constant; /* shape, type, and data of the model */
  int64_t weights;     /* elements */
  const char *input;   /* name of the activation value, "" = none */
  int32_t forms;       /* vlm_form bits: what the node can be */
  bool turns;          /* vlm_lower_can_turn */
  bool given;          /* read from a plan file */
  bool turned;         /* stored one row per channel, as another node stores the same weight */
  vlm_decision decision;
  const char *reason;
  bool has_range;
  vlm_range range;           /* of the activation, when static */
  double weight_sqnr_db;     /* of the weights */
  bool round_tried, rounded; /* as in vlm_weight_s8 */
  double round_gain_db;
  double local_db;  /* of weights and range, as if errors stayed where they are made: no promise */
  bool measured;    /* the output was, with this node alone quantized: */
  double output_db; /* its SQNR there, the worst of all outputs */
} vlm_node_plan;

typedef struct vlm_quant_plan {
  vlm_arena *arena;
  vlm_node_plan *nodes; /* in graph order, bodies behind their graph, graphs in the order given */
  int32_t count, capacity;
  struct vlm_weight_store *weights; /* quantized once, for measuring here and for vlm_quant_apply */
} vlm_quant_plan;

typedef struct vlm_quant_graph {
  const char *role;
  vlm_graph *graph;
} vlm_quant_graph;

const char *vlm_decision_name(vlm_decision decision);
bool vlm_decision_parse(vlm_decision *out, const char *text);

/* stats may be NULL: then nothing is static. Graphs are read only. Free with vlm_quant_plan_free. */
vlm_status vlm_quant_plan_make(vlm_quant_plan **out, const vlm_quant_graph *graphs, int32_t n_graphs,
                               const vlm_stats *stats, const vlm_quant_opts *opts, vlm_error *err);
void vlm_quant_plan_free(vlm_quant_plan *plan);
/* What is decided for input `input` (-1 = the first weight) of a node, told by the path of its graph and its
 * index there; or NULL. */
const vlm_node_plan *vlm_quant_plan_find(const vlm_quant_plan *plan, const char *graph, int32_t index,
                                         int32_t input);
/* The forms (vlm_form bits) of which a decision asks one of lowering; 0 for float. */
int32_t vlm_decision_forms(vlm_decision decision);

/* Rewrites the graph and its bodies into QDQ form (products with ranges per row into their operator) as the
 * plan says, and resolves it.
 * Same inputs, same bytes. A graph can be freed after its plan, and before. */
vlm_status vlm_quant_apply(const vlm_quant_graph *graph, const vlm_quant_plan *plan, const vlm_stats *stats,
                           const vlm_quant_opts *opts, vlm_error *err);

#endif
