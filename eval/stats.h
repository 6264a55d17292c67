/* Statistics of measurements: percentiles, and the paired bootstrap of a score drop. */
#ifndef VLM_EVAL_STATS_H
#define VLM_EVAL_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* A growing list of numbers; zeroed = empty. */
typedef struct vlm_samples {
  double *values;
  int64_t count, capacity;
} vlm_samples;

vlm_status vlm_samples_add(vlm_samples *samples, double value, vlm_error *err);
void vlm_samples_free(vlm_samples *samples);

typedef struct vlm_summary {
  int64_t n;
  double mean, min, max;
  double p50, p90, p95, p99;
} vlm_summary;

/* Percentile p in [0, 100] of ascending values: linear interpolation between the two nearest ranks, rank = p / 100 * (n - 1)
 * (Hyndman and Fan's type 7, numpy's default). NaN when n is 0. */
double vlm_percentile(const double *sorted, int64_t n, double p);
/* All fields NaN when there is no sample. The samples are sorted in place. */
vlm_summary vlm_samples_summarize(vlm_samples *samples);

/* Relative drop of a mean, in percent: 100 * (mean(reference) - mean(candidate)) / mean(reference); 0 when the reference's mean is 0.
 * In points: 100 * (mean(reference) - mean(candidate)). */
typedef struct vlm_drop {
  double reference, candidate; /* means */
  double percent;
  double low, high;      /* bootstrap percentile interval of `percent` */
  double standard_error; /* standard deviation of the resampled drops */
} vlm_drop;

typedef struct vlm_bootstrap_opts {
  int64_t resamples; /* 0 = 1000 */
  uint64_t seed;     /* the same seed gives the same interval */
  double level;      /* 0 = 0.95 */
  bool points;       /* of shares: the drop in percentage points, not relative */
} vlm_bootstrap_opts;

/* Paired bootstrap over images: image i contributes reference[i] and candidate[i] together. For CIDEr-D give the per-image values of
 * vlm_scores_compute: document frequencies then stay those of the whole set. VLM_INPUT when n is 0. */
vlm_status vlm_bootstrap_drop(vlm_drop *out, const double *reference, const double *candidate, int64_t n,
                              const vlm_bootstrap_opts *opts, vlm_error *err);

#endif
