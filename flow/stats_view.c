#include "flow/stats_view.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/base/memory.h"

/* ---- one tensor ---- */

enum { HALF = VLM_HISTOGRAM_BINS / 2 };

/* Elements of a bin are taken as spread evenly over the part of it that lies within [min, max]. */
static double outside(const vlm_tensor_stats *t, double low, double high) {
  double width = ldexp(1, t->histogram.exponent), sum = 0;
  for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) {
    if (!t->histogram.bins[i]) continue;
    double from = fmax((i - HALF) * width, (double)t->min), to = fmin((i + 1 - HALF) * width, (double)t->max);
    double below = fmin(fmax(low - from, 0), to - from), above = fmin(fmax(to - high, 0), to - from);
    double share = to > from ? fmin((below + above) / (to - from), 1) : from < low || from > high;
    sum += share * (double)t->histogram.bins[i];
  }
  return t->count ? sum / (double)t->count : 0;
}

static void measure_tail(vlm_tensor_summary *s) {
  double low = fmin((double)s->stats->min, 0), high = fmax((double)s->stats->max, 0);
  double below = fmin((double)s->wide.low, 0) - low, above = high - fmax((double)s->wide.high, 0);
  s->low_tail = below > above;
  s->shrink = high > low ? fmax(fmax(below, above), 0) / (high - low) : 0;
}

static vlm_status summarize(vlm_tensor_summary *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor_stats *t = s->stats;
  double seen = (double)t->count + (double)t->not_finite;
  s->not_finite = seen > 0 ? (double)t->not_finite / seen : 0;
  if (!t->count) return VLM_OK;
  VLM_TRY(vlm_range_choose(&s->wide, t, VLM_RANGE_PERCENTILE, 99.99, err));
  VLM_TRY(vlm_range_choose(&s->narrow, t, VLM_RANGE_PERCENTILE, 99.9, err));
  VLM_TRY(vlm_range_choose(&s->mse, t, VLM_RANGE_MSE, 0, err));
  s->saturated = outside(t, (double)s->mse.low, (double)s->mse.high);
  measure_tail(s);
out:
  if (st != VLM_OK) vlm_error_context(err, "%s/%s", t->graph, t->name);
  return st;
}

/* ---- all tensors ---- */

typedef struct {
  vlm_stats_view *view;
  vlm_error *errors; /* per tensor */
} summary_job;

static void summarize_one(void *user, int64_t i, int worker) {
  summary_job *job = user;
  (void)worker;
  job->errors[i].status = summarize(&job->view->tensors[i], &job->errors[i]);
}

static int by_tail(const void *a, const void *b) {
  const vlm_tensor_summary *x = a, *y = b;
  if (x->shrink != y->shrink) return x->shrink > y->shrink ? -1 : 1;
  return x->index - y->index;
}

static int by_extremes(const void *a, const void *b) {
  const vlm_sample_weight *x = a, *y = b;
  if (x->extremes != y->extremes) return x->extremes > y->extremes ? -1 : 1;
  return x->index - y->index;
}

static int32_t find_sample(const vlm_stats *stats, vlm_digest wanted) {
  int32_t low = 0, high = vlm_stats_samples(stats) - 1;
  while (low <= high) {
    int32_t middle = low + (high - low) / 2;
    vlm_digest d = vlm_stats_sample(stats, middle, NULL);
    if (d.high == wanted.high && d.low == wanted.low) return middle;
    bool smaller = d.high != wanted.high ? d.high < wanted.high : d.low < wanted.low;
    if (smaller) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

static const char *credit(vlm_stats_view *v, vlm_digest sample) {
  int32_t i = find_sample(v->stats, sample);
  if (i < 0) return "";
  v->samples[i].extremes++;
  return v->samples[i].name;
}

/* A tensor that never left 0 on a side has no sample to blame there. */
static void credit_samples(vlm_stats_view *v) {
  for (int32_t i = 0; i < v->n_samples; i++) {
    v->samples[i].index = i;
    vlm_stats_sample(v->stats, i, &v->samples[i].name);
  }
  for (int32_t i = 0; i < v->n_tensors; i++) {
    vlm_tensor_summary *s = &v->tensors[i];
    s->low_sample = s->stats->count && s->stats->min < 0 ? credit(v, s->stats->widest_low) : "";
    s->high_sample = s->stats->count && s->stats->max > 0 ? credit(v, s->stats->widest_high) : "";
  }
}

vlm_status vlm_stats_view_make(vlm_stats_view *out, const vlm_stats *stats, vlm_threads *threads,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_stats_view v = {
      .stats = stats, .n_tensors = vlm_stats_count(stats), .n_samples = vlm_stats_samples(stats)};
  summary_job job = {.view = &v};
  VLM_TRY(vlm_stats_digest(&v.digest, stats, VLM_STATS_WHOLE, err));
  VLM_TRY(vlm_new(&v.tensors, v.n_tensors, err));
  VLM_TRY(vlm_new(&v.samples, v.n_samples, err));
  VLM_TRY(vlm_new(&job.errors, v.n_tensors, err));
  for (int32_t i = 0; i < v.n_tensors; i++)
    v.tensors[i] = (vlm_tensor_summary){.stats = vlm_stats_at(stats, i), .index = i};
  vlm_threads_run(threads, v.n_tensors, summarize_one, &job);
  for (int32_t i = 0; i < v.n_tensors; i++)
    if (job.errors[i].status != VLM_OK)
      VLM_TRY(vlm_fail(err, job.errors[i].status, "%s", job.errors[i].text));
  credit_samples(&v);
  if (v.n_tensors) qsort(v.tensors, (size_t)v.n_tensors, sizeof *v.tensors, by_tail);
  if (v.n_samples) qsort(v.samples, (size_t)v.n_samples, sizeof *v.samples, by_extremes);
out:
  vlm_free(job.errors);
  if (st != VLM_OK) vlm_stats_view_free(&v);
  *out = v;
  return st;
}

void vlm_stats_view_free(vlm_stats_view *v) {
  vlm_free(v->tensors);
  vlm_free(v->samples);
  *v = (vlm_stats_view){.path = NULL};
}
