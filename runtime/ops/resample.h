/* Resampling of one axis, the separable core of Resize and Upsample: which source entries make up each output entry, and the passes that
 * apply it. */
#ifndef VLM_OPS_RESAMPLE_H
#define VLM_OPS_RESAMPLE_H

#include "runtime/ops/op.h"

typedef enum vlm_coordinates {
  VLM_HALF_PIXEL,
  VLM_HALF_PIXEL_SYMMETRIC,
  VLM_PYTORCH_HALF_PIXEL,
  VLM_ALIGN_CORNERS,
  VLM_ASYMMETRIC,
  VLM_TF_CROP_AND_RESIZE,
  VLM_TF_HALF_PIXEL_FOR_NN
} vlm_coordinates;
typedef enum vlm_filter { VLM_NEAREST, VLM_LINEAR, VLM_CUBIC } vlm_filter;
/* SIMPLE is the rule of opset 10: up when shrinking, else down. */
typedef enum vlm_nearest {
  VLM_ROUND_PREFER_FLOOR,
  VLM_ROUND_PREFER_CEIL,
  VLM_FLOOR,
  VLM_CEIL,
  VLM_SIMPLE
} vlm_nearest;

typedef struct vlm_resample {
  vlm_coordinates coordinates;
  vlm_filter filter;
  vlm_nearest nearest;
  bool antialias, exclude_outside;
  double cubic_a;
} vlm_resample;

typedef struct vlm_resample_axis {
  int64_t in, out;
  double scale, width; /* out / in as asked for, and in * scale (may be fractional) */
  double start, end;   /* region of interest, 0 to 1 */
} vlm_resample_axis;

/* True when the axis is copied as it is. */
bool vlm_resample_identity(const vlm_resample *r, const vlm_resample_axis *a);
/* Source coordinate of output entry x. */
double vlm_resample_coordinate(const vlm_resample *r, const vlm_resample_axis *a, int64_t x);
/* Nearest source index of entry x, inside [0, in). */
int64_t vlm_resample_nearest(const vlm_resample *r, const vlm_resample_axis *a, int64_t x);
/* Taps per output entry, and the table: index and weight of tap t of entry x at x * taps + t. */
int64_t vlm_resample_taps(const vlm_resample *r, const vlm_resample_axis *a);
void vlm_resample_table(const vlm_resample *r, const vlm_resample_axis *a, int64_t *index, float *weight);
/* y[o, x, i] = sum over t of weight * x[o, index, i], taps in order. */
typedef struct vlm_resample_pass {
  float *y;
  const float *x;
  int64_t outer, in, out, inner, taps;
  const int64_t *index;
  const float *weight;
} vlm_resample_pass;
void vlm_resample_pass_run(const vlm_resample_pass *pass, vlm_threads *threads);

#endif
