/* The one user of libpng. Its errors arrive by longjmp; everything that must survive one lives in a struct outside of the jumping frame. */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "calib/image_codec.h"
#include "calib/png_look.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/unconst.h"

enum { MAX_CHUNKS = 16, MAX_CHUNK_BYTES = 4 << 20 };

/* Pixels per byte: one bit each, and deflate, which never exceeds 1032:1. */
enum { MOST_PIXELS = 8 * 1040 };

/* The file as libpng sees it. One that has lost its end is given one: its last IDAT is as long as what is there, an IEND follows. */
typedef struct png_stream {
  unsigned char head[8]; /* of the IDAT that was cut off */
  struct {
    const unsigned char *data;
    size_t bytes;
  } pieces[5];
  int count, at;
} png_stream;

typedef struct png_job {
  png_structp png;
  png_infop info;
  png_stream stream; /* reading */
  bool blended, endless;
  vlm_writer *writer; /* writing */
  vlm_error *err;
  vlm_status st;
  char message[160];
} png_job;

static void on_error(png_structp png, png_const_charp message) {
  png_job *job = png_get_error_ptr(png);
  snprintf(job->message, sizeof job->message, "%s", message);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static png_voidp take_memory(png_structp png, png_alloc_size_t bytes) {
  png_job *job = png_get_mem_ptr(png);
  void *data = NULL;
  vlm_status st = vlm_alloc(&data, bytes, 1, job->err);
  if (st != VLM_OK) job->st = st;
  return st == VLM_OK ? data : NULL;
}

static void give_memory(png_structp png, png_voidp data) {
  (void)png;
  vlm_free(data);
}

/* ---- reading ---- */

static void read_bytes(png_structp png, png_bytep to, size_t bytes) {
  png_stream *f = &((png_job *)png_get_io_ptr(png))->stream;
  while (bytes) {
    if (f->at == f->count) png_error(png, "the file is truncated");
    size_t n = f->pieces[f->at].bytes < bytes ? f->pieces[f->at].bytes : bytes;
    memcpy(to, f->pieces[f->at].data, n);
    f->pieces[f->at].data += n;
    f->pieces[f->at].bytes -= n;
    f->at += f->pieces[f->at].bytes == 0;
    to += n;
    bytes -= n;
  }
}

static void add_piece(png_stream *f, const void *data, size_t bytes) {
  if (bytes == 0) return;
  f->pieces[f->count].data = data;
  f->pieces[f->count++].bytes = bytes;
}

static void open_stream(png_job *job, const vlm_image_source *s, const vlm_png_parts *parts) {
  static const unsigned char end[12] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82},
                             no_check[4] = {0};
  png_stream *f = &job->stream;
  job->endless = !parts->ended && parts->has_pixels;
  add_piece(f, s->data, job->endless ? parts->whole : s->bytes);
  if (!job->endless) return;
  for (int i = 0; i < 4; i++) f->head[i] = (unsigned char)(parts->cut_bytes >> (24 - 8 * i));
  memcpy(f->head + 4, "IDAT", 4);
  if (parts->cut) {
    add_piece(f, f->head, sizeof f->head);
    add_piece(f, s->data + parts->cut + 8, parts->cut_bytes);
    add_piece(f, no_check, sizeof no_check);
  }
  add_piece(f, end, sizeof end);
}

/* Runs `step` with a landing place for libpng's errors; false when one arrived. */
typedef void png_step(png_job *job, void *user);
static bool guarded(png_job *job, png_step *step, void *user) {
  if (setjmp(png_jmpbuf(job->png))) return false;
  step(job, user);
  return true;
}

static vlm_status run(png_job *job, png_step *step, void *user, const char *name) {
  if (guarded(job, step, user)) return VLM_OK;
  if (job->st != VLM_OK) return job->st; /* out of memory has described itself */
  return vlm_fail(job->err, VLM_INPUT, "%s: damaged PNG: %s; copy or convert the file again", name,
                  job->endless ? "the file is truncated" : job->message);
}

/* Pillow's pictures of every kind but RGB with one clear colour have alpha when they are blended. */
static bool has_alpha(const png_job *job) {
  int color = png_get_color_type(job->png, job->info);
  return (color & PNG_COLOR_MASK_ALPHA) ||
         (color != PNG_COLOR_TYPE_RGB && png_get_valid(job->png, job->info, PNG_INFO_tRNS));
}

/* Header, and the transformations that turn every kind of PNG into 8-bit RGB, or RGBA to be blended. user: not NULL = on white. */
static void start_reading(png_job *job, void *user) {
  /* Without the file's end the last check sum is missing; the data has one of its own. */
  png_set_crc_action(job->png, job->endless ? PNG_CRC_QUIET_USE : PNG_CRC_DEFAULT, PNG_CRC_WARN_DISCARD);
  png_read_info(job->png, job->info);
  int color = png_get_color_type(job->png, job->info);
  job->blended = user && has_alpha(job);
  png_set_strip_16(job->png);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(job->png);
  if (!(color & PNG_COLOR_MASK_COLOR)) {
    png_set_expand_gray_1_2_4_to_8(job->png);
    png_set_gray_to_rgb(job->png);
  }
  if (job->blended) png_set_tRNS_to_alpha(job->png);
  else png_set_strip_alpha(job->png);
  png_set_interlace_handling(job->png);
  png_read_update_info(job->png, job->info);
}

static void read_pixels(png_job *job, void *user) {
  png_bytep *rows = user;
  png_read_image(job->png, rows);
}

/* Texts that state an orientation, as libpng has unpacked them: XMP, and the EXIF in hexadecimal that ImageMagick writes. */
static int text_orientation(const png_job *job) {
  png_textp texts = NULL;
  int count = png_get_text(job->png, job->info, &texts, NULL), exif = 0, xmp = 0;
  for (int i = 0; i < count; i++) {
    const char *text = texts[i].text;
    size_t bytes = texts[i].text_length ? texts[i].text_length : texts[i].itxt_length;
    if (strcmp(texts[i].key, "XML:com.adobe.xmp") == 0)
      xmp = vlm_xmp_orientation((const unsigned char *)text, bytes);
    if (strcmp(texts[i].key, "Raw profile type exif") == 0) exif = vlm_hex_exif_orientation(text);
  }
  return exif ? exif : xmp;
}

/* Rows of the image itself, or of RGBA that is blended into it. */
static vlm_status read_image(png_job *job, vlm_image *out, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *rows = NULL;
  uint8_t *rgba = NULL;
  const size_t pixels = (size_t)out->width * (size_t)out->height, pixel = job->blended ? 4 : 3;
  if (job->blended) VLM_TRY(vlm_new(&rgba, pixels * 4, err));
  VLM_TRY(vlm_alloc(&rows, (size_t)out->height, sizeof(png_bytep), err));
  for (int y = 0; y < out->height; y++)
    ((png_bytep *)rows)[y] = (rgba ? rgba : out->data) + (size_t)y * (size_t)out->width * pixel;
  VLM_TRY(run(job, read_pixels, rows, name));
  for (size_t i = 0; rgba && i < pixels; i++) vlm_image_blend_white(out->data + i * 3, rgba + i * 4);
out:
  vlm_free(rows);
  vlm_free(rgba);
  return st;
}

static vlm_status open_png(png_job *job, const vlm_image_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_png_parts parts;
  VLM_CHECK(s->bytes < 16 || memcmp(s->data + 12, "CgBI", 4) != 0, err, VLM_UNSUPPORTED,
            "%s: Apple's own kind of PNG (CgBI) is not supported: convert it to a plain PNG", s->name);
  vlm_png_look(&parts, s->data, s->bytes);
  open_stream(job, s, &parts);
  s->info->endless = job->endless;
  job->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, job, on_error, on_warning, job, take_memory,
                                      give_memory);
  VLM_CHECK(job->png, err, VLM_MEMORY, "%s: out of memory for the PNG reader", s->name);
  job->info = png_create_info_struct(job->png);
  VLM_CHECK(job->info, err, VLM_MEMORY, "%s: out of memory for the PNG reader", s->name);
  png_set_read_fn(job->png, job, read_bytes);
  png_set_user_limits(job->png, 0x7fffffff, 0x7fffffff);
  png_set_chunk_cache_max(job->png, MAX_CHUNKS); /* texts and profiles, which are compressed too */
  png_set_chunk_malloc_max(job->png, MAX_CHUNK_BYTES);
  VLM_TRY(run(job, start_reading, s->opts.on_white ? job : NULL, s->name));
  s->info->orientation = parts.orientation ? parts.orientation : text_orientation(job);
out:
  return st;
}

/* Whether the pixels of a file without an end are complete is known when they were read. */
vlm_status vlm_image_decode_png(vlm_image *out, const vlm_image_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  png_job job = {.err = err};
  vlm_image_source whole = *s;
  vlm_image tried = {0};
  VLM_TRY(open_png(&job, s, err));
  const bool look = s->look && !job.endless;
  const size_t width = png_get_image_width(job.png, job.info),
               height = png_get_image_height(job.png, job.info);
  whole.look = look;
  VLM_TRY(vlm_image_start(s->look ? &tried : out, &whole, width, height, MOST_PIXELS, err));
  VLM_CHECK(png_get_rowbytes(job.png, job.info) == width * (job.blended ? 4 : 3), err, VLM_INTERNAL,
            "%s: PNG rows are not RGB", s->name);
  if (!look) VLM_TRY(read_image(&job, s->look ? &tried : out, s->name, err));
out:
  png_destroy_read_struct(&job.png, &job.info, NULL);
  vlm_image_free(&tried);
  return st;
}

/* ---- writing ---- */

static void write_bytes(png_structp png, png_bytep from, size_t bytes) {
  png_job *job = png_get_io_ptr(png);
  job->st = vlm_writer_write(job->writer, from, bytes, job->err);
  if (job->st != VLM_OK) png_error(png, "writing failed");
}

static void flush_bytes(png_structp png) { (void)png; }

static void write_all(png_job *job, void *user) {
  const vlm_image *image = user;
  png_set_IHDR(job->png, job->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
               PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(job->png, job->info);
  for (int y = 0; y < image->height; y++)
    png_write_row(job->png, image->data + (size_t)y * (size_t)image->width * 3);
  png_write_end(job->png, NULL);
}

vlm_status vlm_image_write_png(const vlm_image *image, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  png_job job = {.err = err};
  VLM_CHECK(image->width > 0 && image->height > 0, err, VLM_INPUT, "%s: an empty image cannot be written",
            path);
  VLM_TRY(vlm_writer_open(&job.writer, path, err));
  job.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, &job, take_memory,
                                      give_memory);
  VLM_CHECK(job.png, err, VLM_MEMORY, "%s: out of memory for the PNG writer", path);
  job.info = png_create_info_struct(job.png);
  VLM_CHECK(job.info, err, VLM_MEMORY, "%s: out of memory for the PNG writer", path);
  png_set_write_fn(job.png, &job, write_bytes, flush_bytes);
  bool written = guarded(&job, write_all, vlm_unconst(image));
  VLM_TRY(job.st);
  VLM_CHECK(written, err, VLM_IO, "%s: %s", path, job.message);
  VLM_TRY(vlm_writer_commit(job.writer, err));
out:
  png_destroy_write_struct(&job.png, &job.info);
  vlm_writer_free(job.writer);
  return st;
}
