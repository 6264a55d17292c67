/* From a histogram to an 8-bit range. Every search says how many candidates it tried and what error it measured. */
#ifndef VLM_QUANT_RANGE_H
#define VLM_QUANT_RANGE_H

#include <stdbool.h>

#include "calib/stats.h"

/* X(NAME, command-line text) */
#define VLM_RANGE_METHODS(X) \
  X(AUTO, "auto") X(MINMAX, "minmax") X(PERCENTILE, "percentile") X(ENTROPY, "entropy") X(MSE, "mse")

typedef enum vlm_range_method {
#define X(name, text) VLM_RANGE_##name,
  VLM_RANGE_METHODS(X)
#undef X
      VLM_RANGE_COUNT
} vlm_range_method;

typedef struct vlm_range {
  vlm_range_method method; /* the one that was taken (never AUTO) */
  float low, high;         /* contains 0 */
  float scale;             /* u8 affine: x ~ scale * (q - zero_point) */
  int32_t zero_point;      /* 0 to 255 */
  int32_t candidates;      /* ranges tried */
  double sqnr_db;          /* signal to error of this tensor's elements, from the histogram */
} vlm_range;

const char *vlm_range_method_name(vlm_range_method method);
/* "minmax", "percentile:99.99", …; percentile is filled when given (default 99.999). */
vlm_status vlm_range_method_parse(vlm_range_method *method, double *percentile, const char *text,
                                  vlm_error *err);

/* AUTO runs all four and keeps the lowest error. VLM_INPUT when the tensor was never seen. */
vlm_status vlm_range_choose(vlm_range *out, const vlm_tensor_stats *stats, vlm_range_method method,
                            double percentile, vlm_error *err);

/* Scale and zero point of [low, high] widened to contain 0. */
void vlm_range_affine(float low, float high, float *scale, int32_t *zero_point);

#endif
