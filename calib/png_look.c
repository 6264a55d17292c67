/* The chunks of a PNG file, walked without libpng: where a file ends that has lost its end, and eXIf wherever it stands. */
#include <string.h>

#include "calib/png_look.h"
#include "calib/image_codec.h"

enum { SIGNATURE = 8, HEAD = 8, CHECK = 4 };

static size_t four(const unsigned char *p) {
  return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static bool is(const unsigned char *chunk, const char *type) { return memcmp(chunk + 4, type, 4) == 0; }

void vlm_png_look(vlm_png_parts *out, const unsigned char *data, size_t bytes) {
  *out = (vlm_png_parts){.whole = bytes < SIGNATURE ? bytes : SIGNATURE};
  for (size_t at = SIGNATURE; at + HEAD <= bytes && !out->ended;) {
    const unsigned char *chunk = data + at;
    size_t length = four(chunk), there = bytes - at - HEAD;
    out->has_pixels |= is(chunk, "IDAT");
    if (length > there || length + CHECK > there) {
      out->cut = is(chunk, "IDAT") ? at : 0;
      out->cut_bytes = length < there ? length : there;
      return;
    }
    out->ended = is(chunk, "IEND");
    if (is(chunk, "eXIf")) out->orientation = vlm_exif_orientation(chunk + HEAD, length);
    at += HEAD + length + CHECK;
    out->whole = at;
  }
}
