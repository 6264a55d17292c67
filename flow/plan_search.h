/* A budget of the task kept with few evaluations: which nodes must leave their form when what comes out is too much worse.
 *
 * Ranges at run time are tried first, since they cost no multiplication. Then the nodes are halved in the order of the graph: the half that
 * brings more when it is float is halved again. So one sensitive layer of N is found in log2 N evaluations; where the loss is spread, wider
 * ranges of nodes are tried again, and in the end float activations everywhere. */
#ifndef VLM_FLOW_PLAN_SEARCH_H
#define VLM_FLOW_PLAN_SEARCH_H

#include "quant/plan.h"

enum { VLM_PLAN_SEARCH_MOST = 12 };

/* What one plan gives. */
typedef struct vlm_plan_search_point {
  const char *what;    /* was done to the plan */
  int32_t left;        /* nodes that left 8 bits for it, their activations at least */
  double loss;         /* what the limit is about */
  double noise;        /* smooth, at least 0: compares plans that fail */
  double unchanged;    /* percent of the answers */
  double kl, db;       /* per token; of the worst stage */
  double ms;           /* of an answer, in the median */
  double macs_percent; /* in 8 bits */
  int64_t bytes;       /* of the weights as they will be stored */
  bool met, chosen;
} vlm_plan_search_point;

typedef struct vlm_plan_search_result {
  vlm_plan_search_point points[VLM_PLAN_SEARCH_MOST]; /* in the order of the evaluations */
  int32_t count;
  int32_t changed; /* nodes that the chosen plan has in another form */
  bool met;        /* else the plan is as it was */
} vlm_plan_search_result;

/* Fills the figures of a point. */
typedef vlm_status vlm_plan_search_try(void *user, const vlm_quant_plan *plan, vlm_plan_search_point *out,
                                       vlm_error *err);

typedef struct vlm_plan_search_opts {
  double limit; /* of the loss */
  vlm_plan_search_try *evaluate;
  void *user;
} vlm_plan_search_opts;

/* Decisions of the plan change. */
vlm_status vlm_plan_search_run(vlm_plan_search_result *out, vlm_quant_plan *plan,
                               const vlm_quant_graph *graphs, int32_t n_graphs,
                               const vlm_plan_search_opts *opts, vlm_error *err);

#endif
