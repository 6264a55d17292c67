/* Statistics made by hand. Include cmocka.h and tests/fine.h before. */
#ifndef VLM_TESTS_FLOW_SPREAD_H
#define VLM_TESTS_FLOW_SPREAD_H

#include "calib/stats.h"

static inline vlm_tensor_stats *entry(vlm_stats *stats, const char *name) {
  vlm_tensor_stats *t;
  FINE(vlm_stats_entry(&t, stats, "vision", name, &error));
  t->runs = 1;
  return t;
}

/* `count` elements spread evenly over [0, 1), one at `far`. */
static inline void spread(vlm_tensor_stats *t, int64_t count, float far) {
  t->histogram.exponent = -5; /* bins of 1/32 */
  for (int i = 0; i < 32; i++) t->histogram.bins[VLM_HISTOGRAM_BINS / 2 + i] = count / 32;
  t->histogram.bins[VLM_HISTOGRAM_BINS / 2 + (int)(far * 32)]++;
  t->count = count + 1;
  t->max = far;
}

#endif
