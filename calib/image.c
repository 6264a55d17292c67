#include "calib/image.h"

#include <stdio.h>
#include <string.h>

#include "calib/folder.h"
#include "calib/image_codec.h"
#include "runtime/base/file.h"

#define MAX_PIXELS 100000000
#define MAX_SIDE 262144

typedef struct image_type {
  size_t at, bytes;
  const char *signature, *text, *suffixes;
  vlm_image_decoder *decode;
} image_type;

static const image_type read_types[] = {
#define X(name, text, signature, bytes, suffixes) {0, bytes, signature, text, suffixes, vlm_image_decode_##name},
#include "calib/image_formats.def"
#undef X
};
enum { READ_TYPES = sizeof read_types / sizeof read_types[0] };

/* Types without a decoder, so that the message can name them. */
static const image_type other_types[] = {
  {0, 4, "GIF8", "GIF", "", NULL},
  {8, 4, "WEBP", "WebP", "", NULL},
  {0, 2, "BM", "BMP", "", NULL},
  {0, 4, "II*\0", "TIFF", "", NULL},
  {0, 4, "MM\0*", "TIFF", "", NULL},
  {4, 8, "ftypavif", "AVIF", "", NULL},
  {4, 8, "ftypheic", "HEIC", "", NULL},
  {4, 8, "ftypmif1", "HEIF", "", NULL},
  {0, 12, "\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", "", NULL},
  {0, 2, "\xff\x0a", "JPEG XL", "", NULL},
  {0, 4, "%PDF", "PDF", "", NULL},
  {0, 4, "PK\3\4", "zip or .npz", "", NULL},
  {0, 4, "<svg", "SVG", "", NULL},
};

static const image_type *find_type(const image_type *types, size_t count, const unsigned char *data, size_t bytes) {
  for (const image_type *t = types; t < types + count; t++)
    if (bytes >= t->at + t->bytes && memcmp(data + t->at, t->signature, t->bytes) == 0) return t;
  return NULL;
}

const char *vlm_image_formats(void) {
  static const char formats[] =
#define X(name, text, signature, bytes, suffixes) ", " text
#include "calib/image_formats.def"
#undef X
      ;
  return formats + 2;
}

static bool has_suffix_of(const char *path, const image_type *type) {
  char suffix[16];
  int used;
  for (const char *at = type->suffixes; sscanf(at, "%15s%n", suffix, &used) == 1; at += used)
    if (vlm_path_has_suffix(path, suffix)) return true;
  return false;
}

bool vlm_image_looks_like(const char *path) {
  unsigned char start[16];
  for (int i = 0; i < READ_TYPES; i++)
    if (has_suffix_of(path, &read_types[i])) return true;
  return find_type(read_types, READ_TYPES, start, vlm_file_begin(path, start, sizeof start)) != NULL;
}

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
  VLM_CHECK(bytes > 0, err, VLM_INPUT, "%s: the file is empty; an image is wanted (%s)", name, vlm_image_formats());
  const image_type *type = find_type(read_types, READ_TYPES, s.data, bytes);
  if (type) return type->decode(out, &s, err);
  type = find_type(other_types, sizeof other_types / sizeof other_types[0], s.data, bytes);
  VLM_CHECK(!type, err, VLM_UNSUPPORTED, "%s: is a %s file; convert it to what is read (%s)", name, type->text, vlm_image_formats());
  st = vlm_fail(err, VLM_INPUT, "%s: is not an image; read are %s", name, vlm_image_formats());
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
