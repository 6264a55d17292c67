#include "calib/image.h"

#include <stdio.h>
#include <string.h>

#include "calib/folder.h"
#include "calib/image_codec.h"
#include "runtime/base/file.h"
#include "runtime/base/foreign.h"

#define MAX_PIXELS 100000000
#define MAX_SIDE 262144
#define NOT_SUPPORTED " is not supported: convert it to PNG or JPEG"

/* ---- types ---- */

typedef struct image_type {
  size_t at, bytes;
  const char *signature, *text, *suffixes, *why_not;
  vlm_image_decoder *decode; /* NULL = known by name alone */
} image_type;

static const image_type types[] = {
#define X(name, text, at, signature, bytes, suffixes) \
  {at, bytes, signature, text, suffixes, "", vlm_image_decode_##name},
#define N(name, text, at, signature, bytes, suffixes) \
  {at, bytes, signature, text, suffixes, text NOT_SUPPORTED, NULL},
#include "calib/image_formats.def"
};
enum { TYPES = sizeof types / sizeof types[0] };

static const image_type *find_type(const unsigned char *data, size_t bytes) {
  for (const image_type *t = types; t < types + TYPES; t++)
    if (bytes >= t->at + t->bytes && memcmp(data + t->at, t->signature, t->bytes) == 0) return t;
  return NULL;
}

const char *vlm_image_formats(void) {
  static const char formats[] =
#define X(name, text, at, signature, bytes, suffixes) ", " text
#include "calib/image_formats.def"
      ;
  return formats + 2;
}

static const image_type *type_of_suffix(const char *path) {
  char suffix[16];
  int used;
  for (const image_type *t = types; t < types + TYPES; t++)
    for (const char *at = t->suffixes; sscanf(at, "%15s%n", suffix, &used) == 1; at += used)
      if (vlm_path_has_suffix(path, suffix)) return t;
  return NULL;
}

/* By its suffix, so that a damaged image is reported and not left out, else by its first bytes. */
static const image_type *type_of_file(const char *path) {
  unsigned char start[16];
  const image_type *type = type_of_suffix(path);
  if (type && type->decode) return type;
  const image_type *held = find_type(start, vlm_file_begin(path, start, sizeof start));
  return held ? held : type;
}

bool vlm_image_looks_like(const char *path) {
  const image_type *type = type_of_file(path);
  return type && type->decode;
}

const char *vlm_image_why_not(const char *path) {
  const image_type *type = type_of_file(path);
  return type && !type->decode ? type->why_not : "is no image";
}

/* ---- sizes ---- */

vlm_status vlm_image_start(vlm_image *out, const vlm_image_source *s, uint64_t width, uint64_t height,
                           uint64_t most_per_byte, vlm_error *err) {
  vlm_status st = VLM_OK;
  const unsigned long long w = width, h = height;
  const long long most = s->opts.max_pixels, side = s->opts.max_side;
  VLM_CHECK(width > 0 && height > 0, err, VLM_INPUT, "%s: image of %llu x %llu pixels", s->name, w, h);
  VLM_CHECK(width <= (uint64_t)side && height <= (uint64_t)side, err, VLM_LIMIT,
            "%s: image of %llu x %llu pixels; at most %lld per side are read: scale it down", s->name, w, h,
            side);
  VLM_CHECK(width * height <= (uint64_t)most, err, VLM_LIMIT,
            "%s: image of %llu x %llu pixels; at most %lld pixels are read: scale it down, or raise the "
            "limit with --max-pixels %llu",
            s->name, w, h, most, w * h);
  VLM_CHECK(width * height / most_per_byte <= s->bytes, err, VLM_INPUT,
            "%s: %zu bytes cannot hold %llu x %llu pixels; copy the file again", s->name, s->bytes, w, h);
  s->info->width = (int64_t)width;
  s->info->height = (int64_t)height;
  if (!s->look) VLM_TRY(vlm_image_create(out, (int64_t)width, (int64_t)height, err));
out:
  return st;
}

static uint8_t by_255(unsigned v) { return (uint8_t)((((v >> 8) + v) >> 8) >> 7); }

void vlm_image_blend_white(uint8_t out[3], const uint8_t rgba[4]) {
  const unsigned part = rgba[3] * 128u, rest = 255u * 128u - part, half = 128u << 7;
  for (int c = 0; c < 3; c++) out[c] = by_255(rgba[c] * part + 255u * rest + half);
}

/* ---- reading ---- */

static vlm_status refuse(const vlm_image_source *s, const image_type *type, vlm_error *err) {
  const vlm_foreign *foreign = vlm_foreign_find(s->data, s->bytes);
  if (s->bytes == 0)
    return vlm_fail(err, VLM_INPUT, "%s: the file is empty; an image is wanted (%s)", s->name,
                    vlm_image_formats());
  if (type) return vlm_fail(err, VLM_UNSUPPORTED, "%s: %s", s->name, type->why_not);
  if (foreign && foreign->stands_in)
    return vlm_fail(err, VLM_INPUT, "%s: is %s: %s", s->name, foreign->name, foreign->advice);
  return vlm_fail(err, VLM_INPUT, "%s: is not an image%s%s; read are %s", s->name, foreign ? " but " : "",
                  foreign ? foreign->name : "", vlm_image_formats());
}

/* Turns the image as it is stored into the way it is looked at. */
static vlm_status put_upright(vlm_image *image, int orientation, vlm_error *err) {
  vlm_image turned;
  vlm_status st = vlm_image_orient(&turned, image, orientation, err);
  vlm_image_free(image);
  *image = turned;
  return st;
}

static vlm_status run(vlm_image *out, vlm_image_source *s, const vlm_image_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (opts) s->opts = *opts;
  if (s->opts.max_pixels <= 0) s->opts.max_pixels = MAX_PIXELS;
  if (s->opts.max_side <= 0 || s->opts.max_side > MAX_SIDE) s->opts.max_side = MAX_SIDE;
  *s->info = (vlm_image_info){.orientation = 1};
  const image_type *type = find_type(s->data, s->bytes);
  if (!type || !type->decode) return refuse(s, type, err);
  s->info->format = type->text;
  VLM_TRY(type->decode(out, s, err));
  if (s->info->orientation < 1 || s->info->orientation > 8) s->info->orientation = 1;
  if (!s->look && !s->opts.as_stored && s->info->orientation > 1)
    VLM_TRY(put_upright(out, s->info->orientation, err));
out:
  if (st != VLM_OK) vlm_image_free(out);
  return st;
}

vlm_status vlm_image_decode(vlm_image *out, const void *data, size_t bytes, const char *name,
                            const vlm_image_opts *opts, vlm_error *err) {
  vlm_image_info info;
  vlm_image_source s = {.data = data, .bytes = bytes, .name = name, .info = &info};
  *out = (vlm_image){0};
  return run(out, &s, opts, err);
}

vlm_status vlm_image_look_at(vlm_image_info *out, const void *data, size_t bytes, const char *name,
                             const vlm_image_opts *opts, vlm_error *err) {
  vlm_image none = {0};
  vlm_image_source s = {.data = data, .bytes = bytes, .name = name, .info = out, .look = true};
  return run(&none, &s, opts, err);
}

vlm_status vlm_image_read(vlm_image *out, const char *path, const vlm_image_opts *opts, vlm_error *err) {
  vlm_file file;
  *out = (vlm_image){0};
  vlm_status st = vlm_file_map(&file, path, err);
  if (st != VLM_OK) return st;
  st = vlm_image_decode(out, file.data, file.bytes, path, opts, err);
  vlm_file_unmap(&file);
  return st;
}

vlm_status vlm_image_look(vlm_image_info *out, const char *path, const vlm_image_opts *opts, vlm_error *err) {
  vlm_file file;
  vlm_status st = vlm_file_map(&file, path, err);
  if (st != VLM_OK) return st;
  st = vlm_image_look_at(out, file.data, file.bytes, path, opts, err);
  vlm_file_unmap(&file);
  return st;
}
