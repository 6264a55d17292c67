/* Two versions of a single graph on the same inputs. */
#ifndef VLM_EVAL_GRAPH_EVAL_H
#define VLM_EVAL_GRAPH_EVAL_H

#include "calib/dataset.h"
#include "eval/agreement.h"
#include "eval/stats.h"
#include "runtime/exec/session.h"

typedef struct vlm_graph_eval {
  int64_t samples;
  int32_t n_outputs;
  const char **names;      /* of the outputs, owned by the reference graph */
  vlm_sqnr *sqnr;          /* [n_outputs] */
  int64_t rows, equal;     /* rows of the first output (last axis of two or more values), and those with the same largest value */
  vlm_samples reference_ms, candidate_ms;
} vlm_graph_eval;

typedef struct vlm_graph_eval_opts {
  bool owns_constants; /* of both graphs: nobody else reads them */
  /* Called between samples; its error ends the run. NULL = not. */
  vlm_status (*between)(void *user, int64_t done, int64_t total, vlm_error *err);
  void *user;
} vlm_graph_eval_opts;

/* Outputs are matched by position; shapes must agree. candidate may be NULL: latency only. Free with vlm_graph_eval_free. */
vlm_status vlm_graph_evaluate(vlm_graph_eval *out, vlm_context *context, const vlm_graph *reference, const vlm_graph *candidate, const vlm_dataset *set,
                              const vlm_graph_eval_opts *opts, vlm_error *err);
void vlm_graph_eval_free(vlm_graph_eval *evaluation);
/* Smallest SQNR of all float outputs; minus infinity when one has NaN. */
double vlm_graph_eval_min_db(const vlm_graph_eval *evaluation);

#endif
