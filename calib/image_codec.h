/* Internal to image reading: one decoder per file type. */
#ifndef VLM_CALIB_IMAGE_CODEC_H
#define VLM_CALIB_IMAGE_CODEC_H

#include "calib/image.h"

typedef struct vlm_image_source {
  const unsigned char *data;
  size_t bytes;
  const char *name;
  vlm_image_opts opts;  /* filled in */
  vlm_image_info *info; /* filled by the decoder: sizes, orientation, endless */
  bool
      look; /* no pixels are wanted: the decoder ends after vlm_image_start, and what it must do to know that the data is whole */
} vlm_image_source;

/* Fills `out`, which is empty, or with `look` leaves it so. On failure the caller frees it. */
typedef vlm_status vlm_image_decoder(vlm_image *out, const vlm_image_source *source, vlm_error *err);
#define X(name, text, at, signature, bytes, suffixes) vlm_image_decoder vlm_image_decode_##name;
#include "calib/image_formats.def"

/* Refuses sizes above the limits before anything is allocated, notes them, and unless only a look is wanted makes the image. most_per_byte:
 * the pixels that a byte of the file can hold at most. */
vlm_status vlm_image_start(vlm_image *out, const vlm_image_source *source, uint64_t width, uint64_t height,
                           uint64_t most_per_byte, vlm_error *err);

/* Four bytes R G B A on white, as Pillow's alpha_composite rounds it. */
void vlm_image_blend_white(uint8_t out[3], const uint8_t rgba[4]);

/* The orientation that an EXIF block (with or without "Exif\0\0" in front) or an XMP packet states; 0 when it states none. */
int vlm_exif_orientation(const unsigned char *data, size_t bytes);
int vlm_xmp_orientation(const unsigned char *data, size_t bytes);
/* Of an EXIF block in hexadecimal behind three lines, as ImageMagick puts it into texts of PNG. */
int vlm_hex_exif_orientation(const char *text);

/* What the segments of a JPEG file say before anything is decoded. */
typedef struct vlm_jpeg_parts {
  int orientation; /* of EXIF, else of XMP; 0 = not stated */
  bool ended;      /* there is an end marker behind the first scan */
  uint64_t least,
      there; /* bytes that the blocks of the first scan take at least, and that follow its header */
} vlm_jpeg_parts;
void vlm_jpeg_look(vlm_jpeg_parts *out, const unsigned char *data, size_t bytes);

#endif
