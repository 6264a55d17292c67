/* Resampling of 8-bit images, byte for byte as Pillow does it (its Resample.c, Reduce.c and, for "nearest", its affine transform).
 *
 * Weights are computed in double, normalised, rounded to 22 fractional bits; the horizontal pass runs first, its result is rounded and
 * clipped to 8 bits, then the vertical pass. A pass whose size does not change is skipped. Filters are antialiased: their support grows
 * with the reduction. */
#ifndef VLM_IMAGE_RESIZE_H
#define VLM_IMAGE_RESIZE_H

#include "runtime/base/threads.h"
#include "runtime/image/image.h"

typedef enum vlm_resize_filter {
#define X(name, text, code, support) VLM_FILTER_##name,
#include "runtime/image/filter.def"
#undef X
  VLM_FILTER_COUNT
} vlm_resize_filter;

const char *vlm_filter_name(vlm_resize_filter filter);
/* By name ("bicubic") or by the number that preprocessor_config.json uses; VLM_FILTER_COUNT when unknown. */
vlm_resize_filter vlm_filter_find(const char *name);
vlm_resize_filter vlm_filter_from_code(int64_t code);

/* The result: its size and how it is made. With a gap (Pillow's reducing_gap; its thumbnail uses 2) a large reduction is done first by a
 * cheap integer factor that leaves at least `gap` source pixels per pixel of the result; 0 = none. */
typedef struct vlm_image_size {
  int64_t width, height;
  vlm_resize_filter filter;
  double gap;
} vlm_image_size;
/* threads NULL = this thread. The result does not depend on the number of threads. */
vlm_status vlm_image_resize(vlm_image *out, const vlm_image *in, const vlm_image_size *size,
                            vlm_threads *threads, vlm_error *err);

/* One axis of weights, for callers with other pixel types: output i is the sum over k < count[i] of
 * weight[i * taps + k] * in[first[i] + k], weights in 1/2^22. One block: free with vlm_free(weights->first). */
typedef struct vlm_resize_weights {
  int out_size, taps;
  int32_t *first, *count, *weight;
} vlm_resize_weights;

typedef struct vlm_resize_axis {
  int in_size, out_size;
  float end; /* of the used source range: in_size for the whole axis; single precision as in Pillow */
  vlm_resize_filter filter; /* not nearest */
  float begin;              /* of that range; 0 as a rule */
} vlm_resize_axis;
vlm_status vlm_resize_weights_make(vlm_resize_weights *out, const vlm_resize_axis *axis, vlm_error *err);

#endif
