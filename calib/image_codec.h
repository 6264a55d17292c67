/* Internal to image reading: one decoder per file type. */
#ifndef VLM_CALIB_IMAGE_CODEC_H
#define VLM_CALIB_IMAGE_CODEC_H

#include "calib/image.h"

typedef struct vlm_image_source {
  const unsigned char *data;
  size_t bytes;
  const char *name;
  vlm_image_limits limits; /* filled in */
} vlm_image_source;

typedef vlm_status vlm_image_decoder(vlm_image *out, const vlm_image_source *source, vlm_error *err);
#define X(name, text, signature, bytes, suffixes) vlm_image_decoder vlm_image_decode_##name;
#include "calib/image_formats.def"
#undef X

/* Refuses sizes above the limits before anything is allocated. */
vlm_status vlm_image_check_size(const vlm_image_source *source, uint64_t width, uint64_t height, uint64_t most_per_byte, vlm_error *err);

#endif
