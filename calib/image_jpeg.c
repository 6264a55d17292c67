/* The one user of libjpeg. Its errors arrive by longjmp; everything that must survive one lives in a struct outside of the jumping
 * frame. */
#include <stdbool.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "calib/image_codec.h"
#include "runtime/base/memory.h"
#include "runtime/base/unconst.h"

/* One bit per block of 64 pixels is 512 pixels per byte; arithmetic coding stays below this too for all that cameras and programs make. */
enum { MOST_PIXELS = 2048 };
/* A progressive file of a few kB can ask for thousands of passes over many pixels. */
#define MAX_SCANS 500
#define MAX_SCANNED ((uint64_t)1 << 32) /* pixels times scans */

typedef struct jpeg_job {
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf landing;
  struct jpeg_decompress_struct jpeg;
  bool ended; /* the data ran out before the end marker */
  char message[JMSG_LENGTH_MAX];
} jpeg_job;

static jpeg_job *job_of(j_common_ptr jpeg) { return jpeg->client_data; }

static void on_error(j_common_ptr jpeg) {
  jpeg_job *job = job_of(jpeg);
  jpeg->err->format_message(jpeg, job->message);
  longjmp(job->landing, 1);
}

static void on_message(j_common_ptr jpeg, int level) {
  jpeg_job *job = job_of(jpeg);
  if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF) job->ended = true;
}

static void no_output(j_common_ptr jpeg) { (void)jpeg; }

static void on_progress(j_common_ptr jpeg) {
  jpeg_job *job = job_of(jpeg);
  uint64_t scans = (uint64_t)job->jpeg.input_scan_number, pixels = (uint64_t)job->jpeg.image_width * job->jpeg.image_height;
  if (scans <= MAX_SCANS && scans * pixels <= MAX_SCANNED) return;
  snprintf(job->message, sizeof job->message, "more than %d scans, or too many for its size", MAX_SCANS);
  longjmp(job->landing, 1);
}

typedef void jpeg_step(jpeg_job *job, void *user);
static bool guarded(jpeg_job *job, jpeg_step *step, void *user) {
  if (setjmp(job->landing)) return false;
  step(job, user);
  return true;
}

static void start_reading(jpeg_job *job, void *user) {
  const vlm_image_source *s = user;
  struct jpeg_decompress_struct *jpeg = &job->jpeg;
  jpeg_create_decompress(jpeg);
  jpeg->client_data = job;
  jpeg->progress = &job->progress;
  jpeg_mem_src(jpeg, s->data, s->bytes);
  jpeg_read_header(jpeg, TRUE);
  jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : jpeg->num_components == 4 ? JCS_CMYK : JCS_RGB;
}

static void start_pixels(jpeg_job *job, void *user) {
  (void)user;
  jpeg_start_decompress(&job->jpeg);
}

typedef struct row_user {
  vlm_image *image;
  uint8_t *row;
} row_user;

static uint8_t times(unsigned a, unsigned b) {
  unsigned t = a * b + 128;
  return (uint8_t)((t + (t >> 8)) >> 8);
}

static void store_row(uint8_t *to, const uint8_t *from, int width, int components) {
  for (int x = 0; x < width; x++, to += 3, from += components)
    for (int c = 0; c < 3; c++) to[c] = components == 1 ? from[0] : components == 3 ? from[c] : times(from[c], from[3]);
}

static void read_pixels(jpeg_job *job, void *user) {
  row_user *u = user;
  while (job->jpeg.output_scanline < job->jpeg.output_height) {
    JSAMPROW row = u->row;
    uint8_t *to = u->image->data + (size_t)job->jpeg.output_scanline * (size_t)u->image->width * 3;
    if (jpeg_read_scanlines(&job->jpeg, &row, 1) == 1) store_row(to, u->row, u->image->width, job->jpeg.output_components);
  }
  jpeg_finish_decompress(&job->jpeg);
}

vlm_status vlm_image_decode_jpeg(vlm_image *out, const vlm_image_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  jpeg_job *job = NULL;
  row_user user = {.image = out};
  VLM_TRY(vlm_new(&job, 1, err));
  struct jpeg_decompress_struct *jpeg = &job->jpeg;
  jpeg->err = jpeg_std_error(&job->errors);
  jpeg->client_data = job;
  job->errors.error_exit = on_error;
  job->errors.emit_message = on_message;
  job->errors.output_message = no_output;
  job->progress.progress_monitor = on_progress;
  VLM_CHECK(guarded(job, start_reading, vlm_unconst(s)), err, VLM_INPUT, "%s: damaged JPEG: %s; copy or convert the file again", s->name,
            job->message);
  VLM_CHECK(jpeg->num_components == 1 || jpeg->num_components == 3 || jpeg->num_components == 4, err, VLM_UNSUPPORTED,
            "%s: JPEG with %d components; 1, 3 and 4 are read", s->name, jpeg->num_components);
  VLM_TRY(vlm_image_check_size(s, jpeg->image_width, jpeg->image_height, MOST_PIXELS, err));
  VLM_TRY(vlm_image_create(out, jpeg->image_width, jpeg->image_height, err));
  VLM_TRY(vlm_new(&user.row, 4 * (size_t)jpeg->image_width, err));
  VLM_CHECK(guarded(job, start_pixels, NULL) && guarded(job, read_pixels, &user), err, VLM_INPUT,
            "%s: damaged JPEG: %s; copy or convert the file again", s->name, job->message);
  VLM_CHECK(!job->ended, err, VLM_INPUT, "%s: the JPEG data is truncated; copy the file again", s->name);
out:
  if (job) jpeg_destroy_decompress(&job->jpeg);
  vlm_free(job);
  vlm_free(user.row);
  if (st != VLM_OK) vlm_image_free(out);
  return st;
}
