#include "calib/image.h"

#include <string.h>

#include "calib/image_codec.h"
#include "runtime/base/file.h"

#define MAX_PIXELS 100000000
#define MAX_SIDE 262144

/* Signatures at a byte offset. Types without a decoder are listed so that the message can name them. */
static const struct {
  size_t at, bytes;
  const char *signature, *type;
  vlm_image_decoder *decode;
} types[] = {
  {0, 8, "\x89PNG\r\n\x1a\n", "PNG", vlm_image_decode_png},
  {0, 3, "\xff\xd8\xff", "JPEG", vlm_image_decode_jpeg},
  {0, 6, "\x93NUMPY", ".npy", vlm_image_decode_npy},
  {0, 4, "GIF8", "GIF", NULL},
  {8, 4, "WEBP", "WebP", NULL},
  {0, 2, "BM", "BMP", NULL},
  {0, 4, "II*\0", "TIFF", NULL},
  {0, 4, "MM\0*", "TIFF", NULL},
  {4, 8, "ftypavif", "AVIF", NULL},
  {4, 8, "ftypheic", "HEIC", NULL},
  {4, 8, "ftypmif1", "HEIF", NULL},
  {0, 12, "\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", NULL},
  {0, 2, "\xff\x0a", "JPEG XL", NULL},
  {0, 4, "%PDF", "PDF", NULL},
  {0, 4, "PK\3\4", "zip or .npz", NULL},
  {0, 4, "<svg", "SVG", NULL},
};

vlm_status vlm_image_check_size(const vlm_image_source *s, uint64_t width, uint64_t height, uint64_t most_per_byte, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(width > 0 && height > 0, err, VLM_INPUT, "%s: image of %llu x %llu pixels", s->name, (unsigned long long)width,
            (unsigned long long)height);
  VLM_CHECK(width <= (uint64_t)s->limits.max_side && height <= (uint64_t)s->limits.max_side &&
            width * height <= (uint64_t)s->limits.max_pixels, err,
            VLM_LIMIT, "%s: image of %llu x %llu pixels; at most %lld pixels and %lld per side are read. Scale it down or raise the limit",
            s->name,
            (unsigned long long)width, (unsigned long long)height, (long long)s->limits.max_pixels, (long long)s->limits.max_side);
  VLM_CHECK(width * height / most_per_byte <= s->bytes, err, VLM_INPUT, "%s: %zu bytes cannot hold %llu x %llu pixels; copy the file again", s->name,
            s->bytes, (unsigned long long)width, (unsigned long long)height);
out:
  return st;
}

vlm_status vlm_image_decode(vlm_image *out, const void *data, size_t bytes, const char *name, const vlm_image_limits *limits,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_image_source s = {.data = data, .bytes = bytes, .name = name, .limits = limits ? *limits : (vlm_image_limits){0}};
  if (s.limits.max_pixels <= 0) s.limits.max_pixels = MAX_PIXELS;
  if (s.limits.max_side <= 0 || s.limits.max_side > MAX_SIDE) s.limits.max_side = MAX_SIDE;
  *out = (vlm_image){0};
  VLM_CHECK(bytes > 0, err, VLM_INPUT, "%s: the file is empty; a PNG, JPEG or .npy image is wanted", name);
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (bytes < types[i].at + types[i].bytes || memcmp(s.data + types[i].at, types[i].signature, types[i].bytes) != 0) continue;
    if (types[i].decode) return types[i].decode(out, &s, err);
    return vlm_fail(err, VLM_UNSUPPORTED, "%s: is a %s file; convert it to PNG, JPEG or .npy", name, types[i].type);
  }
  st = vlm_fail(err, VLM_INPUT, "%s: is not an image; PNG, JPEG and .npy are read", name);
out:
  return st;
}

vlm_status vlm_image_read(vlm_image *out, const char *path, const vlm_image_limits *limits, vlm_error *err) {
  vlm_file file;
  *out = (vlm_image){0};
  vlm_status st = vlm_file_map(&file, path, err);
  if (st != VLM_OK) return st;
  st = vlm_image_decode(out, file.data, file.bytes, path, limits, err);
  vlm_file_unmap(&file);
  return st;
}
