/* Two versions of a single graph on the same inputs. */
#ifndef VLM_EVAL_GRAPH_EVAL_H
#define VLM_EVAL_GRAPH_EVAL_H

#include "calib/dataset.h"
#include "eval/labels.h"
#include "eval/output_match.h"
#include "eval/stats.h"
#include "runtime/exec/session.h"

/* One sample. */
typedef struct vlm_graph_item {
  const char *key;
  double ms[2];     /* reference, candidate */
  double min_db;    /* of the float outputs; NaN without any */
  double agreement; /* percent, the least of the outputs that it judges; NaN without any */
  int64_t label;    /* with labels, else -1 */
  int64_t place[2]; /* of the label among the classes, best first from 0 */
} vlm_graph_item;

typedef struct vlm_accuracy {
  bool measured;
  double top1[2], top5[2]; /* percent, reference and candidate */
  vlm_drop drop;           /* of top-1, in percentage points */
} vlm_accuracy;

typedef struct vlm_graph_eval {
  vlm_arena *arena;
  int64_t samples;
  bool compared;
  int32_t n_outputs;
  const char **names;        /* of the outputs, owned by the reference graph */
  vlm_output_match *outputs; /* [n_outputs] */
  int64_t rows,
      equal; /* rows of the first output (last axis of two or more values, not selected by data), and those with the same
                               * largest value */
  vlm_accuracy accuracy;
  vlm_graph_item *items; /* [samples] */
  vlm_samples reference_ms, candidate_ms;
} vlm_graph_eval;

typedef struct vlm_graph_eval_opts {
  bool owns_constants;      /* of both graphs: nobody else reads them */
  const vlm_labels *labels; /* of the first output's classes, or NULL */
  vlm_bootstrap_opts bootstrap;
  /* Called with each sample when it is done, and between samples; an error ends the run. NULL = not. */
  vlm_status (*on_item)(void *user, const vlm_graph_item *item, vlm_error *err);
  vlm_status (*between)(void *user, int64_t done, int64_t total, vlm_error *err);
  void *user;
} vlm_graph_eval_opts;

/* Outputs are matched by position; data may decide about their shapes. candidate may be NULL: latency only, and accuracy. Free with
 * vlm_graph_eval_free. */
vlm_status vlm_graph_evaluate(vlm_graph_eval *out, vlm_context *context, const vlm_graph *reference,
                              const vlm_graph *candidate, const vlm_dataset *set,
                              const vlm_graph_eval_opts *opts, vlm_error *err);
void vlm_graph_eval_free(vlm_graph_eval *evaluation);
/* The float output with the smallest SQNR; -1 when no output has floats. */
int32_t vlm_graph_eval_worst(const vlm_graph_eval *evaluation);
/* Its dB; NaN without any. Minus infinity when values were lost. */
double vlm_graph_eval_min_db(const vlm_graph_eval *evaluation);
/* Percent: the least of top-1 agreement and of the outputs that agreement judges; NaN when there is nothing of the kind. */
double vlm_graph_eval_agreement(const vlm_graph_eval *evaluation);

#endif
