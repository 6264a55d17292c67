/* Internal to image reading: what the chunks of a PNG file say before anything is decoded. */
#ifndef VLM_CALIB_PNG_LOOK_H
#define VLM_CALIB_PNG_LOOK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct vlm_png_parts {
  bool has_pixels, ended; /* there is an IDAT; the IEND is there */
  int orientation;        /* of eXIf; 0 = not stated */
  size_t whole;           /* bytes up to the end of the last whole chunk */
  size_t cut, cut_bytes;  /* where an IDAT starts that the file ends in, and how much data it has; 0 = none */
} vlm_png_parts;

void vlm_png_look(vlm_png_parts *out, const unsigned char *data, size_t bytes);

#endif
