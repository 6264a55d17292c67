/* Private to calib/: the parts of a tensor's statistics, for adding, merging and reading. */
#ifndef VLM_CALIB_ACCUMULATE_PARTS_H
#define VLM_CALIB_ACCUMULATE_PARTS_H

#include "calib/stats.h"
#include "runtime/base/threads.h"

/* ---- histogram.c ---- */
int32_t vlm_histogram_exponent(float min, float max);
/* Makes the bins 2^exponent wide, exactly; nothing when they are that wide or wider. */
void vlm_histogram_widen(vlm_histogram *histogram, int32_t exponent);
/* Counts n values, all within the bins' extent but for those that are not finite, which are left out. */
vlm_status vlm_histogram_add(vlm_histogram *histogram, const float *x, int64_t n, bool all_finite,
                             vlm_threads *threads, vlm_error *err);

/* ---- channels.c ---- */
/* Space for so many channels, with nothing seen. */
vlm_status vlm_tensor_stats_start_channels(vlm_tensor_stats *stats, int32_t channels, vlm_error *err);
/* Gives them up for good: channels = -1. */
void vlm_tensor_stats_drop_channels(vlm_tensor_stats *stats);
vlm_status vlm_channels_add(vlm_tensor_stats *stats, const vlm_tensor *tensor, bool all_finite,
                            vlm_error *err);

bool vlm_digest_less(vlm_digest a, vlm_digest b);

#endif
