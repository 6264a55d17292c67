/* How much of a model runs in integers: of its weights, of its multiplications, and what stayed float and
 * why. */
#ifndef VLM_QUANT_COVERAGE_H
#define VLM_QUANT_COVERAGE_H

#include "quant/plan.h"
#include "runtime/exec/profile.h"

enum { VLM_COVERAGE_MAX_GRAPHS = 8, VLM_LEFT_FLOAT_BYTES = 1024 };

typedef struct vlm_coverage_share {
  /* float weights as they were before, those stored in 8 bits; each constant once */
  int64_t weight_bytes, weight_bytes_int8;
  bool measured;           /* the multiply-accumulates are known */
  int64_t macs, macs_int8; /* all; those whose operands have both 8 bits */
} vlm_coverage_share;

typedef struct vlm_coverage_graph {
  const char *role;
  vlm_coverage_share share;
} vlm_coverage_graph;

typedef struct vlm_left_float {
  const char *graph, *value, *reason;
  int64_t bytes;
} vlm_left_float;

typedef struct vlm_coverage {
  vlm_arena *arena;
  vlm_coverage_graph graphs[VLM_COVERAGE_MAX_GRAPHS];
  int32_t n_graphs;
  vlm_coverage_share total; /* measured when every graph is */
  /* above VLM_LEFT_FLOAT_BYTES, largest first; a constant of several graphs once */
  vlm_left_float *left;
  int32_t n_left, cap_left;
  int64_t small_bytes; /* of those that are not in the list */
  int32_t small_count;
} vlm_coverage;

/* The weights. Graphs are those that the plan was made from, before they are rewritten. Weights are constants
 * of two or more elements that are floats or have 8 bits or less already. Free with vlm_coverage_free. */
vlm_status vlm_coverage_make(vlm_coverage **out, const vlm_quant_graph *graphs, int32_t n_graphs,
                             const vlm_quant_plan *plan, vlm_error *err);
void vlm_coverage_free(vlm_coverage *coverage);

/* The multiplications of one graph, as they run: a profile of the lowered graph. NULL = they could not be
 * measured. */
void vlm_coverage_add_run(vlm_coverage *coverage, const char *role, const vlm_profile *lowered);
/* The same as the plan says: a profile of the graph that the plan was made from. */
vlm_status vlm_coverage_add_plan(vlm_coverage *coverage, const vlm_quant_graph *graph,
                                 const vlm_quant_plan *plan, const vlm_profile *profile, vlm_error *err);

/* Adds the multiplications of one lowered graph. */
void vlm_coverage_count_macs(vlm_coverage_share *share, const vlm_profile *lowered);

/* Percent; 100 when there is nothing to quantize. */
double vlm_coverage_weights_percent(const vlm_coverage_share *share);
double vlm_coverage_macs_percent(const vlm_coverage_share *share);

#endif
