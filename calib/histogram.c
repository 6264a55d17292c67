#include <math.h>
#include <string.h>

#include "calib/accumulate_parts.h"
#include "runtime/base/memory.h"
#include "runtime/base/wide.h"

enum { HALF = VLM_HISTOGRAM_BINS / 2, MIN_EXPONENT = -100, GRAIN = 1 << 16 };

/* Smallest exponent whose 2 * HALF bins hold [min, max]. */
int32_t vlm_histogram_exponent(float min, float max) {
  int high = MIN_EXPONENT, low = MIN_EXPONENT;
  if (max > 0) {
    frexpf(max, &high); /* max < 2^high */
    high -= 11;
  }
  if (min < 0) {
    float m = frexpf(-min, &low); /* -min <= 2^low, and 2^(low-1) itself still fits into the lower power */
    low -= m == 0.5f ? 12 : 11;
  }
  int e = high > low ? high : low;
  return e < MIN_EXPONENT ? MIN_EXPONENT : e;
}

/* From zero outwards, so that pairs are read before their bins are written. */
static void double_width(vlm_histogram *h) {
  int64_t *above = h->bins + HALF, *below = h->bins + HALF - 1;
  for (int i = 0; i < HALF / 2; i++) {
    above[i] = above[2 * i] + above[2 * i + 1];
    below[-i] = below[-2 * i] + below[-2 * i - 1];
  }
  memset(h->bins, 0, sizeof *h->bins * HALF / 2);
  memset(above + HALF / 2, 0, sizeof *h->bins * HALF / 2);
  h->exponent++;
}

void vlm_histogram_widen(vlm_histogram *h, int32_t exponent) {
  if (exponent - h->exponent > 24) { /* everything falls into the two bins at zero */
    int64_t below = 0, above = 0;
    for (int i = 0; i < HALF; i++) {
      below += h->bins[i];
      above += h->bins[HALF + i];
    }
    memset(h->bins, 0, sizeof h->bins);
    h->bins[HALF - 1] = below;
    h->bins[HALF] = above;
    h->exponent = exponent;
  }
  while (h->exponent < exponent) double_width(h);
}

typedef struct {
  const float *x;
  float inverse;
  int64_t n;
  int64_t (*bins)[VLM_HISTOGRAM_BINS]; /* one per worker */
} binning;

/* floor(x / w) exactly: the division is by a power of two and the truncation is corrected for negative values. */
VLM_WIDE_INLINE void bin_indices(int32_t *restrict index, const float *restrict x, int n, float inverse) {
  for (int j = 0; j < n; j++) {
    float t = x[j] * inverse;
    int32_t k = (int32_t)t;
    index[j] = k - (t < (float)k) + HALF;
  }
}

VLM_WIDE static void count_bins(int64_t *bins, const float *x, int64_t n, float inverse) {
  enum { BLOCK = 64 };
  int32_t index[BLOCK];
  int64_t i = 0;
  for (; i + BLOCK <= n; i += BLOCK) {
    bin_indices(index, x + i, BLOCK, inverse);
    for (int j = 0; j < BLOCK; j++) bins[index[j]]++;
  }
  bin_indices(index, x + i, (int)(n - i), inverse);
  for (int j = 0; j < n - i; j++) bins[index[j]]++;
}

static void count_finite(int64_t *bins, const float *x, int64_t n, float inverse) {
  for (int64_t i = 0; i < n; i++)
    if (isfinite(x[i])) count_bins(bins, x + i, 1, inverse);
}

static void bin_task(void *user, int64_t begin, int64_t end, int worker) {
  const binning *b = user;
  count_bins(b->bins[worker], b->x + begin, end - begin, b->inverse);
}

vlm_status vlm_histogram_add(vlm_histogram *h, const float *x, int64_t n, bool all_finite,
                             vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  float inverse = ldexpf(1, -h->exponent);
  if (!all_finite || n < 2 * GRAIN || vlm_threads_count(threads) == 1) {
    if (all_finite) count_bins(h->bins, x, n, inverse);
    else count_finite(h->bins, x, n, inverse);
    return VLM_OK;
  }
  binning b = {.x = x, .inverse = inverse, .n = n};
  int workers = vlm_threads_count(threads);
  VLM_TRY(vlm_new(&b.bins, workers, err));
  vlm_threads_range(threads, n, GRAIN, bin_task, &b);
  for (int w = 0; w < workers; w++)
    for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) h->bins[i] += b.bins[w][i];
out:
  vlm_free(b.bins);
  return st;
}
