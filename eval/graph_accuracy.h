/* Private to graph_eval.c: what labels say. */
#ifndef VLM_EVAL_GRAPH_ACCURACY_H
#define VLM_EVAL_GRAPH_ACCURACY_H

#include "eval/graph_eval.h"

/* How many classes score higher than the label, of a sample's one row of scores; the first of equal scores wins, NaN never does.
 * VLM_INPUT when the output is no such row, or has no such class. */
vlm_status vlm_label_place(int64_t *out, const vlm_tensor *scores, int64_t label, vlm_error *err);
/* Fills `accuracy` from the items. */
vlm_status vlm_graph_accuracy(vlm_graph_eval *out, const vlm_bootstrap_opts *bootstrap, vlm_error *err);

#endif
