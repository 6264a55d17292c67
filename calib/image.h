/* Image files: PNG, JPEG and .npy to 8-bit RGB, as Pillow's Image.open(path).convert("RGB") gives it. The type is told by content.
 *
 * - Alpha is dropped, not blended; grey is copied to the three channels; a palette is looked up, its transparency ignored.
 * - 16 bits per channel: the high byte. (Pillow does so for colour; for grey it clips at 255, which turns such files white. We do not.)
 * - CMYK and YCCK JPEG: inverted values as Adobe writes them, then r = (255 - c) * (255 - k) / 255.
 * - EXIF orientation, gamma and colour profiles are not applied.
 * - .npy: uint8 [H,W,3], [H,W,4] (alpha dropped), [H,W,1] or [H,W].
 *
 * Files are untrusted. Truncated or damaged data, sizes above the limits and other file types are errors that say so. */
#ifndef VLM_CALIB_IMAGE_H
#define VLM_CALIB_IMAGE_H

#include <stdbool.h>

#include "runtime/image/image.h"

/* Zero = the default. */
typedef struct vlm_image_limits {
  int64_t max_pixels; /* 100 million */
  int64_t max_side;   /* 262,144 */
} vlm_image_limits;

/* limits NULL = defaults. Free the image with vlm_image_free. Thread-safe. */
vlm_status vlm_image_read(vlm_image *out, const char *path, const vlm_image_limits *limits, vlm_error *err);
/* The same from memory; `name` stands in messages. */
vlm_status vlm_image_decode(vlm_image *out, const void *data, size_t bytes, const char *name, const vlm_image_limits *limits,
                            vlm_error *err);

/* What is read, for messages: "PNG, JPEG, .npy". */
const char *vlm_image_formats(void);
/* Told by its suffix or its first bytes. A damaged image keeps its suffix, so that it is reported and not silently left out. */
bool vlm_image_looks_like(const char *path);

/* Writes an 8-bit RGB PNG through vlm_writer. */
vlm_status vlm_image_write_png(const vlm_image *image, const char *path, vlm_error *err);

#endif
