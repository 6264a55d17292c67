#include "quant/range.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HALF = VLM_HISTOGRAM_BINS / 2, SUBPOINTS = 4, MIN_WINDOW = 128 };

static const char *const NAMES[VLM_RANGE_COUNT] = {
#define X(name, text) text,
    VLM_RANGE_METHODS(X)
#undef X
};

const char *vlm_range_method_name(vlm_range_method method) {
  return (unsigned)method < VLM_RANGE_COUNT ? NAMES[method] : "?";
}

vlm_status vlm_range_method_parse(vlm_range_method *method, double *percentile, const char *text,
                                  vlm_error *err) {
  size_t name = strcspn(text, ":");
  for (int m = 0; m < VLM_RANGE_COUNT; m++) {
    if (strlen(NAMES[m]) != name || strncmp(NAMES[m], text, name)) continue;
    *method = (vlm_range_method)m;
    if (!text[name]) return VLM_OK;
    char *end;
    *percentile = strtod(text + name + 1, &end);
    if (m == VLM_RANGE_PERCENTILE && !*end && *percentile > 50 && *percentile <= 100) return VLM_OK;
    return vlm_fail(err, VLM_USAGE, "--range %s: only percentile takes a value, above 50 and at most 100",
                    text);
  }
  return vlm_fail(err, VLM_USAGE, "unknown --range \"%s\"; known: auto minmax percentile[:P] entropy mse",
                  text);
}

void vlm_range_affine(float low, float high, float *scale, int32_t *zero_point) {
  if (low > 0) low = 0;
  if (high < 0) high = 0;
  *scale = (high - low) / 255.0f;
  if (!(*scale >= 0x1p-126f)) *scale = 1; /* an all-zero tensor: any scale represents it */
  float zero = rintf(-low / *scale);
  *zero_point = (int32_t)(zero < 0 ? 0 : zero > 255 ? 255 : zero);
}

/* ---- the histogram as points ---- */

typedef struct {
  const vlm_tensor_stats *stats;
  int first, last; /* bins in use */
  double width;
  double signal; /* sum of squares */
} view;

static view view_of(const vlm_tensor_stats *stats) {
  view v = {
      .stats = stats, .first = VLM_HISTOGRAM_BINS, .last = -1, .width = ldexp(1, stats->histogram.exponent)};
  for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) {
    int64_t n = stats->histogram.bins[i];
    if (!n) continue;
    if (v.first > i) v.first = i;
    v.last = i;
    double centre = (i - HALF + 0.5) * v.width;
    v.signal += (double)n * centre * centre;
  }
  return v;
}

/* Bins are narrow against a quantization step, yet not infinitely: a few points per bin follow the staircase. */
static double squared_error(const view *v, float low, float high) {
  float scale;
  int32_t zero;
  vlm_range_affine(low, high, &scale, &zero);
  double inverse = 1.0 / (double)scale, sum = 0;
  for (int i = v->first; i <= v->last; i++) {
    int64_t n = v->stats->histogram.bins[i];
    if (!n) continue;
    double error = 0;
    for (int p = 0; p < SUBPOINTS; p++) {
      double x = (i - HALF + (p + 0.5) / SUBPOINTS) * v->width;
      double q = rint(x * inverse) + zero;
      q = q < 0 ? 0 : q > 255 ? 255 : q;
      double e = x - (q - zero) * (double)scale;
      error += e * e;
    }
    sum += (double)n * error / SUBPOINTS;
  }
  return sum;
}

/* ---- methods: each fills low, high, candidates ---- */

static void by_minmax(const view *v, double percentile, vlm_range *r) {
  (void)percentile;
  r->low = v->stats->min;
  r->high = v->stats->max;
  r->candidates = 1;
}

static void by_percentile(const view *v, double percentile, vlm_range *r) {
  double cut = (100.0 - percentile) / 200.0 * (double)v->stats->count, below = 0, above = 0;
  int low = v->first, high = v->last;
  while (low < v->last && below + (double)v->stats->histogram.bins[low] <= cut)
    below += (double)v->stats->histogram.bins[low++];
  while (high > v->first && above + (double)v->stats->histogram.bins[high] <= cut)
    above += (double)v->stats->histogram.bins[high--];
  r->low = fmaxf(v->stats->min, (float)((low - HALF) * v->width));
  r->high = fminf(v->stats->max, (float)((high + 1 - HALF) * v->width));
  r->candidates = 1;
}

/* Shrinks each side in turn over a geometric grid until neither helps: the error is nearly separable in the two ends. */
static void by_mse(const view *v, double percentile, vlm_range *r) {
  (void)percentile;
  float best[2] = {v->stats->min < 0 ? v->stats->min : 0, v->stats->max > 0 ? v->stats->max : 0};
  const float full[2] = {best[0], best[1]};
  double error = squared_error(v, best[0], best[1]);
  r->candidates = 1;
  for (int round = 0; round < 3; round++) {
    bool moved = false;
    for (int side = 0; side < 2; side++) {
      for (int step = 1; step < 160 && full[side] != 0; step++) {
        float tried[2] = {best[0], best[1]};
        tried[side] = full[side] * (float)pow(0.97, step);
        double e = squared_error(v, tried[0], tried[1]);
        r->candidates++;
        if (e < error) {
          error = e;
          best[side] = tried[side];
          moved = true;
        } else if (e > 16 * error) {
          break;
        }
      }
    }
    if (!moved) break;
  }
  r->low = best[0];
  r->high = best[1];
}

/* Sums over the bins before each, so that a window costs its 256 levels and not its bins. */
typedef struct {
  int64_t mass[VLM_HISTOGRAM_BINS + 1];
  int used[VLM_HISTOGRAM_BINS + 1];       /* bins that hold something */
  double entropy[VLM_HISTOGRAM_BINS + 1]; /* n log n */
  double log_of[VLM_HISTOGRAM_BINS + 1];  /* log of how many: log_of[n] */
} bin_sums;

static double n_log_n(double n) { return n > 0 ? n * log(n) : 0; }

static void sum_bins(bin_sums *s, const int64_t *bins) {
  s->mass[0] = 0, s->used[0] = 0, s->entropy[0] = 0, s->log_of[0] = 0;
  for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) {
    s->mass[i + 1] = s->mass[i] + bins[i];
    s->used[i + 1] = s->used[i] + (bins[i] > 0);
    s->entropy[i + 1] = s->entropy[i] + n_log_n((double)bins[i]);
    s->log_of[i + 1] = log(i + 1);
  }
}

/* KL(P || Q) of the window of bins [a, b]: P is the clipped histogram, Q the same merged into 256 levels and spread over non-empty bins.
 * With counts p, and for each level its mass and its bins in use, sum p log(p / (mass / used)) = sum p log p - sum P(level) log(mass / used). */
static double divergence(const int64_t *bins, const bin_sums *s, int a, int b) {
  enum { LEVELS = 256 };
  const double total = (double)s->mass[VLM_HISTOGRAM_BINS], below = (double)s->mass[a],
               above = total - (double)s->mass[b + 1];
  const int n = b - a + 1;
  assert(a < b && total > 0);
  /* Ends hold what is clipped onto them. */
  double sum = s->entropy[b + 1] - s->entropy[a];
  if (bins[a]) sum += n_log_n((double)bins[a] + below) - n_log_n((double)bins[a]);
  if (bins[b]) sum += n_log_n((double)bins[b] + above) - n_log_n((double)bins[b]);
  for (int level = 0; level < LEVELS; level++) {
    const int from = a + n * level / LEVELS, to = a + n * (level + 1) / LEVELS;
    const double mass = (double)(s->mass[to] - s->mass[from]);
    if (!(mass > 0)) continue;
    double p = mass;
    if (from == a && bins[a]) p += below;
    if (to == b + 1 && bins[b]) p += above;
    sum -= p * (log(mass) - s->log_of[s->used[to] - s->used[from]]);
  }
  /* Mass clipped onto an empty end bin has no counterpart in Q: count it as fully lost. */
  double lost = (bins[a] ? 0 : below) + (bins[b] ? 0 : above);
  return sum / total + (lost > 0 ? lost / total * log(lost * 1e9 + 1) : 0);
}

static void by_entropy(const view *v, double percentile, vlm_range *r) {
  (void)percentile;
  const int64_t *bins = v->stats->histogram.bins;
  double best = INFINITY;
  bin_sums sums;
  sum_bins(&sums, bins);
  int reach = v->last - HALF + 1 > HALF - v->first ? v->last - HALF + 1 : HALF - v->first;
  int a = v->first, b = v->last;
  r->candidates = 0;
  /* Windows of growing half-width around zero, cut to the side(s) that hold data. */
  for (int half = reach < MIN_WINDOW ? reach : MIN_WINDOW; half <= reach; half++) {
    int low = HALF - half > v->first ? HALF - half : v->first,
        high = HALF + half - 1 < v->last ? HALF + half - 1 : v->last;
    if (high <= low) continue;
    double kl = divergence(bins, &sums, low, high);
    r->candidates++;
    if (kl < best) {
      best = kl;
      a = low;
      b = high;
    }
  }
  if (!r->candidates) r->candidates = 1; /* all in one bin: the whole of it */
  r->low = fmaxf(v->stats->min, (float)((a - HALF) * v->width));
  r->high = fminf(v->stats->max, (float)((b + 1 - HALF) * v->width));
}

static void (*const METHODS[VLM_RANGE_COUNT])(const view *v, double percentile, vlm_range *r) = {
    [VLM_RANGE_MINMAX] = by_minmax,
    [VLM_RANGE_PERCENTILE] = by_percentile,
    [VLM_RANGE_ENTROPY] = by_entropy,
    [VLM_RANGE_MSE] = by_mse};

static double run_method(const view *v, vlm_range_method method, double percentile, vlm_range *r) {
  assert(method > VLM_RANGE_AUTO && method < VLM_RANGE_COUNT);
  r->method = method;
  METHODS[method](v, percentile, r);
  double error = squared_error(v, r->low, r->high);
  vlm_range_affine(r->low, r->high, &r->scale, &r->zero_point);
  assert(r->low <= r->high && r->candidates > 0);
  r->sqnr_db = error > 0 && v->signal > 0 ? 10 * log10(v->signal / error) : 200;
  return error;
}

vlm_status vlm_range_choose(vlm_range *out, const vlm_tensor_stats *stats, vlm_range_method method,
                            double percentile, vlm_error *err) {
  if (stats->count == 0)
    return vlm_fail(err, VLM_INPUT,
                    "tensor \"%s\" of %s was never seen in calibration; calibrate with data that reaches it",
                    stats->name, stats->graph);
  view v = view_of(stats);
  if (percentile <= 0) percentile = 99.999;
  if (method != VLM_RANGE_AUTO) {
    run_method(&v, method, percentile, out);
    return VLM_OK;
  }
  double best = INFINITY;
  int32_t candidates = 0;
  for (int m = VLM_RANGE_MINMAX; m < VLM_RANGE_COUNT; m++) {
    vlm_range r;
    double error = run_method(&v, (vlm_range_method)m, percentile, &r);
    candidates += r.candidates;
    if (error < best) {
      best = error;
      *out = r;
    }
  }
  out->candidates = candidates;
  return VLM_OK;
}
