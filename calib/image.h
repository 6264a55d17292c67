/* Image files: PNG, JPEG, .npy and, where libwebp is there, WebP to 8-bit RGB, as Python's usual way gives it: Pillow's Image.open,
 * ImageOps.exif_transpose, convert("RGB"). The type is told by content.
 *
 * - The orientation that EXIF (or XMP) states is applied, unless `as_stored`.
 * - Alpha is dropped, not blended, unless `on_white`; grey is copied to the three channels; a palette is looked up.
 * - 16 bits per channel: the high byte. (Pillow does so for colour; for grey it clips at 255, which turns such files white. We do not.)
 * - CMYK and YCCK JPEG: inverted values as Adobe writes them, then r = (255 - c) * (255 - k) / 255.
 * - Gamma and colour profiles are not applied. Of an animation the first picture is read.
 * - .npy: uint8 [H,W,3], [H,W,4] (alpha dropped), [H,W,1] or [H,W].
 *
 * Files are untrusted. Truncated or damaged data, sizes above the limits and other file types are errors that say so; pixels that are all
 * there but for the file's end marker are read, and vlm_image_info tells. */
#ifndef VLM_CALIB_IMAGE_H
#define VLM_CALIB_IMAGE_H

#include <stdbool.h>

#include "runtime/image/image.h"

/* Zeroed = the defaults. */
typedef struct vlm_image_opts {
  int64_t max_pixels; /* 100 million */
  int64_t max_side;   /* 262,144 */
  bool as_stored;     /* the stated orientation is not applied */
  bool
      on_white; /* transparency is blended on white, as the processors of Idefics3 and SmolVLM do; else dropped */
} vlm_image_opts;

/* What a look at a file tells. */
typedef struct vlm_image_info {
  const char *format;    /* "JPEG" */
  int64_t width, height; /* as stored */
  int orientation;       /* 1 to 8 as EXIF counts them; 1 = upright, or not stated */
  bool endless;          /* the pixels are complete, the file's end marker is missing */
} vlm_image_info;

/* opts NULL = defaults. Free the image with vlm_image_free. Thread-safe. */
vlm_status vlm_image_read(vlm_image *out, const char *path, const vlm_image_opts *opts, vlm_error *err);
/* The same from memory; `name` stands in messages. */
vlm_status vlm_image_decode(vlm_image *out, const void *data, size_t bytes, const char *name,
                            const vlm_image_opts *opts, vlm_error *err);
/* Finds what can be found without the pixels: types and sizes that are not read, files that end early. */
vlm_status vlm_image_look(vlm_image_info *out, const char *path, const vlm_image_opts *opts, vlm_error *err);
vlm_status vlm_image_look_at(vlm_image_info *out, const void *data, size_t bytes, const char *name,
                             const vlm_image_opts *opts, vlm_error *err);

/* What is read, for messages: "PNG, JPEG, .npy". */
const char *vlm_image_formats(void);
/* Told by its suffix or its first bytes. A damaged image keeps its suffix, so that it is reported and not silently left out. */
bool vlm_image_looks_like(const char *path);
/* Why a file that does not look like one is none: "GIF is not supported: ...", "is no image". */
const char *vlm_image_why_not(const char *path);

/* Writes an 8-bit RGB PNG through vlm_writer. */
vlm_status vlm_image_write_png(const vlm_image *image, const char *path, vlm_error *err);

#endif
