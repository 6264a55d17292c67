#include "runtime/ops/resample.h"

#include <math.h>

bool vlm_resample_identity(const vlm_resample *r, const vlm_resample_axis *a) {
  return a->in == a->out && a->scale == 1 && r->coordinates != VLM_TF_CROP_AND_RESIZE;
}

double vlm_resample_coordinate(const vlm_resample *r, const vlm_resample_axis *a, int64_t at) {
  double x = (double)at, last = (double)(a->in - 1);
  switch (r->coordinates) {
    case VLM_ALIGN_CORNERS: return a->width == 1 ? 0 : x * last / (a->width - 1);
    case VLM_ASYMMETRIC: return x / a->scale;
    case VLM_TF_HALF_PIXEL_FOR_NN: return (x + 0.5) / a->scale;
    case VLM_PYTORCH_HALF_PIXEL: return a->out > 1 ? (x + 0.5) / a->scale - 0.5 : 0;
    case VLM_HALF_PIXEL_SYMMETRIC:
      return (double)a->in / 2 * (1 - (double)a->out / a->width) + (x + 0.5) / a->scale - 0.5;
    case VLM_TF_CROP_AND_RESIZE:
      if (a->width == 1) return (a->start + a->end) * last / 2;
      return a->start * last + x * (a->end - a->start) * last / (a->width - 1);
    default: return (x + 0.5) / a->scale - 0.5;
  }
}

static int64_t inside(double index, int64_t n) {
  if (!(index > 0)) return 0;
  return index > (double)(n - 1) ? n - 1 : (int64_t)index;
}

int64_t vlm_resample_nearest(const vlm_resample *r, const vlm_resample_axis *a, int64_t at) {
  double x = vlm_resample_coordinate(r, a, at);
  switch (r->nearest) {
    case VLM_FLOOR: x = floor(x); break;
    case VLM_CEIL: x = ceil(x); break;
    case VLM_ROUND_PREFER_CEIL: x = floor(x + 0.5); break;
    case VLM_SIMPLE: x = a->scale < 1 ? ceil(x) : floor(x); break;
    default: x = ceil(x - 0.5); break;
  }
  return inside(x, a->in);
}

/* Factor by which the filter is widened: only when shrinking with antialias. */
static double filter_scale(const vlm_resample *r, const vlm_resample_axis *a) {
  return r->antialias && a->scale < 1 ? a->scale : 1;
}

static int64_t first_tap(const vlm_resample *r, const vlm_resample_axis *a) {
  return (int64_t)floor(-(r->filter == VLM_CUBIC ? 2.0 : 1.0) / filter_scale(r, a)) + 1;
}

int64_t vlm_resample_taps(const vlm_resample *r, const vlm_resample_axis *a) {
  return 2 - 2 * first_tap(r, a);
}

static double filter_weight(const vlm_resample *r, double x) {
  double a = r->cubic_a;
  x = fabs(x);
  if (r->filter == VLM_LINEAR) return x < 1 ? 1 - x : 0;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

void vlm_resample_table(const vlm_resample *r, const vlm_resample_axis *a, int64_t *index, float *weight) {
  int64_t taps = vlm_resample_taps(r, a), first = first_tap(r, a);
  double s = filter_scale(r, a);
  for (int64_t at = 0; at < a->out; at++, index += taps, weight += taps) {
    double x = vlm_resample_coordinate(r, a, at), base = floor(x), sum = 0;
    for (int64_t t = 0; t < taps; t++) {
      double k = base + (double)(first + t);
      if (!r->exclude_outside || (k >= 0 && k < (double)a->in)) sum += filter_weight(r, (k - x) * s);
    }
    for (int64_t t = 0; t < taps; t++) {
      double k = base + (double)(first + t);
      bool counts = !r->exclude_outside || (k >= 0 && k < (double)a->in);
      index[t] = inside(k, a->in);
      weight[t] = counts ? (float)(filter_weight(r, (k - x) * s) / sum) : 0;
    }
  }
}

/* Two taps at once; there is an even number of them. The sum begins at 0, so that -0 is 0. */
static void add_taps(float *restrict y, const float *restrict a, const float *restrict b, const float *weight,
                     int64_t n) {
  const float p = weight[0], q = weight[1];
  for (int64_t i = 0; i < n; i++) y[i] = y[i] + p * a[i] + q * b[i];
}

static void first_taps(float *restrict y, const float *restrict a, const float *restrict b,
                       const float *weight, int64_t n) {
  const float p = weight[0], q = weight[1];
  for (int64_t i = 0; i < n; i++) y[i] = 0.0f + p * a[i] + q * b[i];
}

static void pass_rows(void *user, int64_t begin, int64_t end, int worker) {
  const vlm_resample_pass *j = user;
  (void)worker;
  for (int64_t row = begin; row < end; row++) {
    int64_t o = row / j->out, at = row % j->out;
    const float *x = j->x + o * j->in * j->inner, *weight = j->weight + at * j->taps;
    const int64_t *index = j->index + at * j->taps;
    for (int64_t t = 0; t < j->taps; t += 2)
      (t ? add_taps : first_taps)(j->y + row * j->inner, x + index[t] * j->inner, x + index[t + 1] * j->inner,
                                  weight + t, j->inner);
  }
}

static void pass_points(void *user, int64_t begin, int64_t end, int worker) {
  const vlm_resample_pass *j = user;
  (void)worker;
  for (int64_t o = begin; o < end; o++)
    for (int64_t at = 0; at < j->out; at++) {
      float sum = 0;
      for (int64_t t = 0; t < j->taps; t++)
        sum += j->weight[at * j->taps + t] * j->x[o * j->in + j->index[at * j->taps + t]];
      j->y[o * j->out + at] = sum;
    }
}

void vlm_resample_pass_run(const vlm_resample_pass *p, vlm_threads *threads) {
  vlm_resample_pass job = *p;
  if (p->outer * p->out * p->inner == 0) return;
  if (p->inner == 1) vlm_threads_range(threads, p->outer, 16384 / (p->out * p->taps) + 1, pass_points, &job);
  else vlm_threads_range(threads, p->outer * p->out, 16384 / (p->inner * p->taps) + 1, pass_rows, &job);
}
