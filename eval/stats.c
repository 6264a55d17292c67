#include "eval/stats.h"

#include <math.h>
#include <stdlib.h>

#include "eval/random.h"
#include "runtime/base/memory.h"

vlm_status vlm_samples_add(vlm_samples *samples, double value, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (samples->count == samples->capacity) {
    const int64_t more = samples->capacity ? samples->capacity * 2 : 64;
    VLM_TRY(vlm_more(&samples->values, samples->capacity, more, err));
    samples->capacity = more;
  }
  samples->values[samples->count++] = value;
out:
  return st;
}

void vlm_samples_free(vlm_samples *samples) {
  vlm_free(samples->values);
  *samples = (vlm_samples){.count = 0};
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double vlm_percentile(const double *sorted, int64_t n, double p) {
  if (n == 0) return NAN;
  const double rank = p / 100 * (double)(n - 1);
  const int64_t low = (int64_t)rank, high = low + 1 < n ? low + 1 : n - 1;
  const double part = rank - (double)low;
  return part > 0 ? sorted[low] + part * (sorted[high] - sorted[low]) : sorted[low];
}

vlm_summary vlm_samples_summarize(vlm_samples *samples) {
  const int64_t n = samples->count;
  const double *v = samples->values;
  if (n == 0) return (vlm_summary){0, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
  qsort(samples->values, (size_t)n, sizeof(*v), compare);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += v[i];
  return (vlm_summary){.n = n,
                       .mean = sum / (double)n,
                       .min = v[0],
                       .max = v[n - 1],
                       .p50 = vlm_percentile(v, n, 50),
                       .p90 = vlm_percentile(v, n, 90),
                       .p95 = vlm_percentile(v, n, 95),
                       .p99 = vlm_percentile(v, n, 99)};
}

/* Of two sums over n samples. */
static double drop_of(double reference, double candidate, int64_t n, bool points) {
  const double whole = points ? (double)n : reference;
  return whole != 0 ? 100 * (reference - candidate) / whole : 0;
}

static double deviation(const double *values, int64_t n) {
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) mean += values[i];
  mean /= (double)n;
  for (int64_t i = 0; i < n; i++) squares += (values[i] - mean) * (values[i] - mean);
  return n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
}

vlm_status vlm_bootstrap_drop(vlm_drop *out, const double *reference, const double *candidate, int64_t n,
                              const vlm_bootstrap_opts *opts, vlm_error *err) {
  static const vlm_bootstrap_opts defaults = {.seed = 0};
  vlm_status st = VLM_OK;
  double *drops = NULL, sum_r = 0, sum_c = 0;
  if (!opts) opts = &defaults;
  const int64_t resamples = opts->resamples ? opts->resamples : 1000;
  const double level = opts->level > 0 ? opts->level : 0.95;
  vlm_random random = {opts->seed};
  VLM_CHECK(n > 0, err, VLM_INPUT, "no image to resample");
  VLM_CHECK(resamples > 0 && level < 1, err, VLM_INPUT,
            "bootstrap: %lld resamples at level %g; wanted at least 1, level below 1", (long long)resamples,
            level);
  VLM_TRY(vlm_new(&drops, resamples, err));
  for (int64_t i = 0; i < n; i++) sum_r += reference[i], sum_c += candidate[i];
  *out = (vlm_drop){.reference = sum_r / (double)n,
                    .candidate = sum_c / (double)n,
                    .percent = drop_of(sum_r, sum_c, n, opts->points)};
  for (int64_t k = 0; k < resamples; k++) {
    sum_r = sum_c = 0;
    for (int64_t i = 0; i < n; i++) {
      const uint64_t pick = vlm_random_below(&random, (uint64_t)n);
      sum_r += reference[pick];
      sum_c += candidate[pick];
    }
    drops[k] = drop_of(sum_r, sum_c, n, opts->points);
  }
  out->standard_error = deviation(drops, resamples);
  qsort(drops, (size_t)resamples, sizeof(*drops), compare);
  out->low = vlm_percentile(drops, resamples, 50 * (1 - level));
  out->high = vlm_percentile(drops, resamples, 50 * (1 + level));
out:
  vlm_free(drops);
  return st;
}
