/* The one user of libpng. Its errors arrive by longjmp; everything that must survive one lives in a struct outside of the jumping frame. */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "calib/image_codec.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/unconst.h"

enum { MAX_CHUNKS = 16, MAX_CHUNK_BYTES = 4 << 20 };

/* Pixels per byte: one bit each, and deflate, which never exceeds 1032:1. */
enum { MOST_PIXELS = 8 * 1040 };

typedef struct png_job {
  png_structp png;
  png_infop info;
  const unsigned char *data; /* reading */
  size_t left;
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
  png_job *job = png_get_io_ptr(png);
  if (bytes > job->left) png_error(png, "the file is truncated");
  memcpy(to, job->data, bytes);
  job->data += bytes;
  job->left -= bytes;
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
  return vlm_fail(job->err, VLM_INPUT, "%s: damaged PNG: %s; copy or convert the file again", name, job->message);
}

/* Header, and the transformations that turn every kind of PNG into 8-bit RGB. */
static void start_reading(png_job *job, void *user) {
  (void)user;
  png_set_crc_action(job->png, PNG_CRC_DEFAULT, PNG_CRC_WARN_DISCARD);
  png_read_info(job->png, job->info);
  int color = png_get_color_type(job->png, job->info);
  png_set_strip_16(job->png);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(job->png);
  if (!(color & PNG_COLOR_MASK_COLOR)) {
    png_set_expand_gray_1_2_4_to_8(job->png);
    png_set_gray_to_rgb(job->png);
  }
  png_set_strip_alpha(job->png);
  png_set_interlace_handling(job->png);
  png_read_update_info(job->png, job->info);
}

static void read_pixels(png_job *job, void *user) {
  png_bytep *rows = user;
  png_read_image(job->png, rows);
  png_read_end(job->png, NULL);
}

vlm_status vlm_image_decode_png(vlm_image *out, const vlm_image_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  png_job job = {.data = s->data, .left = s->bytes, .err = err};
  void *rows = NULL;
  job.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, &job, take_memory, give_memory);
  VLM_CHECK(job.png, err, VLM_MEMORY, "%s: out of memory for the PNG reader", s->name);
  job.info = png_create_info_struct(job.png);
  VLM_CHECK(job.info, err, VLM_MEMORY, "%s: out of memory for the PNG reader", s->name);
  png_set_read_fn(job.png, &job, read_bytes);
  png_set_user_limits(job.png, 0x7fffffff, 0x7fffffff);
  png_set_chunk_cache_max(job.png, MAX_CHUNKS); /* texts and profiles, which are compressed too */
  png_set_chunk_malloc_max(job.png, MAX_CHUNK_BYTES);
  VLM_TRY(run(&job, start_reading, NULL, s->name));
  VLM_TRY(vlm_image_check_size(s, png_get_image_width(job.png, job.info), png_get_image_height(job.png, job.info), MOST_PIXELS, err));
  VLM_CHECK(png_get_rowbytes(job.png, job.info) == (size_t)png_get_image_width(job.png, job.info) * 3, err, VLM_INTERNAL,
            "%s: PNG rows are not RGB", s->name);
  VLM_TRY(vlm_image_create(out, png_get_image_width(job.png, job.info), png_get_image_height(job.png, job.info), err));
  VLM_TRY(vlm_alloc(&rows, (size_t)out->height, sizeof(png_bytep), err));
  for (int y = 0; y < out->height; y++) ((png_bytep *)rows)[y] = out->data + (size_t)y * (size_t)out->width * 3;
  VLM_TRY(run(&job, read_pixels, rows, s->name));
out:
  png_destroy_read_struct(&job.png, &job.info, NULL);
  vlm_free(rows);
  if (st != VLM_OK) vlm_image_free(out);
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
  png_set_IHDR(job->png, job->info, (png_uint_32)image->width, (png_uint_32)image->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(job->png, job->info);
  for (int y = 0; y < image->height; y++) png_write_row(job->png, image->data + (size_t)y * (size_t)image->width * 3);
  png_write_end(job->png, NULL);
}

vlm_status vlm_image_write_png(const vlm_image *image, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  png_job job = {.err = err};
  VLM_CHECK(image->width > 0 && image->height > 0, err, VLM_INPUT, "%s: an empty image cannot be written", path);
  VLM_TRY(vlm_writer_open(&job.writer, path, err));
  job.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, &job, take_memory, give_memory);
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
