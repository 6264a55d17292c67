/* Private to camera frames: resampling planes into pixels. */
#ifndef VLM_IMAGE_YUV_PRIVATE_H
#define VLM_IMAGE_YUV_PRIVATE_H

#include "runtime/image/yuv.h"

/* Where the upright pixel of sample (x, y) goes: at + x * across + y * down, channels `channel` apart. */
typedef struct vlm_yuv_target {
  uint8_t *bytes; /* or */
  float *values;  /* table[c][v] */
  float table[3][256];
  ptrdiff_t at, across, down, channel;
} vlm_yuv_target;

/* Resamples the crop to width x height (as stored, before it is turned). */
vlm_status vlm_yuv_sample(const vlm_yuv_target *to, const vlm_yuv *frame, const vlm_image_size *size,
                          vlm_threads *threads, vlm_error *err);

#endif
