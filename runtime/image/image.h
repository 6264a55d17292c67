/* An 8-bit RGB image in memory and the exact (pixel copying) operations on it. */
#ifndef VLM_IMAGE_IMAGE_H
#define VLM_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* Rows from top to bottom without gaps, three bytes R G B per pixel: pixel (x, y) starts at data[(y * width + x) * 3].
 * A zeroed struct is the empty image. */
typedef struct vlm_image {
  int width, height;
  uint8_t *data;
} vlm_image;

/* Black image; both sides at least 1. Every function below that fills `out` overwrites it and leaves it empty on failure. */
vlm_status vlm_image_create(vlm_image *out, int64_t width, int64_t height, vlm_error *err);
/* Frees the pixels and empties the struct; an empty image is fine. */
void vlm_image_free(vlm_image *image);
vlm_status vlm_image_copy(vlm_image *out, const vlm_image *in, vlm_error *err);

typedef struct vlm_image_rect {
  int64_t left, top, width, height;
} vlm_image_rect;
/* That part of `in`. Where it lies outside of `in` (negative offsets are fine) the pixels are `color`; so this is crop, pad and paste in
 * one. */
vlm_status vlm_image_window(vlm_image *out, const vlm_image *in, const vlm_image_rect *part,
                            const uint8_t color[3], vlm_error *err);

/* Mirrored and turned as EXIF's orientation (1 to 8) of a stored image asks, to be looked at; 6 is a quarter turn clockwise. */
vlm_status vlm_image_orient(vlm_image *out, const vlm_image *in, int orientation, vlm_error *err);

#endif
