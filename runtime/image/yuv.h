/* Camera frames: planes Y, U and V, chroma at half size, to what a vision encoder takes, without an RGB frame between.
 *
 * The planes are resampled each for itself, down the columns first, with the filters of resize.h in 14-bit weights and 5 fractional bits
 * between the passes, 4 behind them; then colours are made of the pixels that are left, rounded and clipped to 8 bits. A chroma sample stands in the middle
 * of its 2 x 2 pixels. Sensor rotation and mirroring are where a pixel is stored; they cost nothing. */
#ifndef VLM_IMAGE_YUV_H
#define VLM_IMAGE_YUV_H

#include "runtime/image/preprocess.h"

/* Sample (x, y) is data[y * row + x * pixel]. The last sample of the last row may be the last byte. */
typedef struct vlm_yuv_plane {
  const uint8_t *data;
  size_t bytes;
  int64_t row, pixel;
} vlm_yuv_plane;

/* X(NAME, red of V, green of U, green of V, blue of U): of full range. */
#define VLM_YUV_MATRICES(X)                    \
  X(BT601, 1.402, -0.344136, -0.714136, 1.772) \
  X(BT709, 1.5748, -0.187324, -0.468124, 1.8556)
typedef enum vlm_yuv_colors {
#define X(name, ...) VLM_YUV_COLORS_##name,
  VLM_YUV_MATRICES(X)
#undef X
      VLM_YUV_COLORS_COUNT
} vlm_yuv_colors;

typedef struct vlm_yuv {
  vlm_yuv_plane planes[3]; /* Y, U, V; chroma of (width + 1) / 2 x (height + 1) / 2 */
  int width, height;
  vlm_image_rect crop; /* the part that is looked at, odd places too */
  int turns;           /* quarter turns clockwise that make it upright, 0 to 3 */
  bool mirror;         /* afterwards */
  vlm_yuv_colors colors;
  bool limited; /* Y from 16 to 235 */
} vlm_yuv;

/* VLM_USAGE: sizes and strides that cannot be, planes that are too short. */
vlm_status vlm_yuv_check(const vlm_yuv *frame, vlm_error *err);

/* As vlm_preprocess_run of the upright image. */
vlm_status vlm_yuv_run(vlm_pixels *out, const vlm_preprocess *ops, const vlm_yuv *frame, vlm_threads *threads,
                       vlm_error *err);

#endif
