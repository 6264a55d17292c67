#include "calib/rows.h"

#include <math.h>

#include "runtime/base/wide.h"

enum { ONE = 64 /* the bin that ends at an extent of 1; even */ };

/* Half octaves: bin b holds extents below 2^((b - ONE) / 2). */
static int bin_of(float extent) {
  int exponent;
  float part = frexpf(extent, &exponent); /* 0.5 to 1 */
  int bin = ONE + 2 * exponent - (part < 0x1.6a09e6p-1f);
  return bin < 0 ? 0 : bin < VLM_ROW_BINS ? bin : VLM_ROW_BINS - 1;
}

/* NaN when an element is not finite. */
VLM_WIDE static float extent_of(const float *x, int64_t n) {
  float low[VLM_LANES] = {0}, high[VLM_LANES] = {0}, strange[VLM_LANES] = {0}, min = 0, max = 0, odd = 0;
  int64_t i = 0;
  for (; i + VLM_LANES <= n; i += VLM_LANES)
    for (int l = 0; l < VLM_LANES; l++) {
      low[l] = x[i + l] < low[l] ? x[i + l] : low[l];
      high[l] = x[i + l] > high[l] ? x[i + l] : high[l];
      strange[l] += x[i + l] - x[i + l]; /* 0 for what is finite, NaN for all else */
    }
  for (int l = 0; i < n; i++, l++) {
    low[l] = x[i] < low[l] ? x[i] : low[l];
    high[l] = x[i] > high[l] ? x[i] : high[l];
    strange[l] += x[i] - x[i];
  }
  for (int l = 0; l < VLM_LANES; l++) {
    min = low[l] < min ? low[l] : min;
    max = high[l] > max ? high[l] : max;
    odd += strange[l];
  }
  return max - min + odd;
}

void vlm_rows_add(vlm_tensor_stats *s, const vlm_tensor *t) {
  int64_t width = t->rank > 0 ? t->dims[t->rank - 1] : 0, rows = width > 0 ? vlm_tensor_count(t) / width : 0;
  if (t->dtype != VLM_F32) return;
  for (int64_t r = 0; r < rows; r++) {
    float extent = extent_of((const float *)t->data + r * width, width);
    if (isfinite(extent) && extent > 0) s->rows[bin_of(extent)]++;
  }
}

double vlm_rows_extent(const vlm_tensor_stats *s, double share) {
  int64_t all = 0, below = 0;
  int bin = 0;
  for (int b = 0; b < VLM_ROW_BINS; b++) all += s->rows[b];
  if (all == 0) return 0;
  for (; bin + 1 < VLM_ROW_BINS; bin++) {
    below += s->rows[bin];
    if (below > 0 && (double)below >= share * (double)all) break;
  }
  return ldexp((bin - ONE) % 2 ? 0x1.6a09e6p-1 : 1, (bin + 1) / 2 - ONE / 2);
}
