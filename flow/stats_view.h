/* A statistics file to look at: which tensors have long tails, what clipping them costs, which samples stretch the
 * ranges. */
#ifndef VLM_FLOW_STATS_VIEW_H
#define VLM_FLOW_STATS_VIEW_H

#include "quant/range.h"
#include "runtime/base/threads.h"

/* One tensor, judged from its histogram. All ranges contain 0. */
typedef struct vlm_tensor_summary {
  const vlm_tensor_stats *stats;
  int32_t index;          /* in the file's order (graph, name) */
  vlm_range wide, narrow; /* percentile 99.99 and 99.9 */
  vlm_range mse;          /* the range of least squared error at 8 bits */
  double saturated;       /* share of elements outside mse */
  double not_finite;      /* share of all elements */
  double shrink;          /* share of [min, max] that goes when the longer tail is cut to `wide` */
  bool low_tail;          /* that tail is the lower one */
  const char *low_sample, *high_sample; /* names of the samples that gave min and max; "" when not known */
} vlm_tensor_summary;

/* How often a sample gave a tensor its minimum or maximum. */
typedef struct vlm_sample_weight {
  const char *name;
  int32_t index; /* in order of digest */
  int64_t extremes;
} vlm_sample_weight;

typedef struct vlm_stats_view {
  const char *path;
  const vlm_stats *stats;
  vlm_tensor_summary *tensors; /* longest tail first, then by graph and name */
  int32_t n_tensors;
  vlm_sample_weight *samples; /* most extremes first */
  vlm_digest digest;
  int32_t n_samples;
} vlm_stats_view;

/* threads may be NULL; the result does not depend on it. `path` is the caller's to set; the statistics must outlive
 * the view. Free with vlm_stats_view_free. */
vlm_status vlm_stats_view_make(vlm_stats_view *out, const vlm_stats *stats, vlm_threads *threads,
                               vlm_error *err);
void vlm_stats_view_free(vlm_stats_view *view);

#endif
