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
  bool ended, starved; /* the data ran out before the end marker; before the pixels */
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
  if (level < 0 && jpeg->err->msg_code == JWRN_HIT_MARKER) job->starved = true;
}

static void no_output(j_common_ptr jpeg) { (void)jpeg; }

static void on_progress(j_common_ptr jpeg) {
  jpeg_job *job = job_of(jpeg);
  uint64_t scans = (uint64_t)job->jpeg.input_scan_number,
           pixels = (uint64_t)job->jpeg.image_width * job->jpeg.image_height;
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
  jpeg->out_color_space = jpeg->num_components == 1   ? JCS_GRAYSCALE
                          : jpeg->num_components == 4 ? JCS_CMYK
                                                      : JCS_RGB;
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
    for (int c = 0; c < 3; c++)
      to[c] = components == 1 ? from[0] : components == 3 ? from[c] : times(from[c], from[3]);
}

/* Nothing behind the last row is read: what follows the pixels cannot spoil them. image NULL: the rows are let go. */
static void read_pixels(jpeg_job *job, void *user) {
  row_user *u = user;
  while (job->jpeg.output_scanline < job->jpeg.output_height) {
    JSAMPROW row = u->row;
    const size_t y = job->jpeg.output_scanline, width = job->jpeg.output_width;
    if (jpeg_read_scanlines(&job->jpeg, &row, 1) == 1 && u->image)
      store_row(u->image->data + y * width * 3, u->row, (int)width, job->jpeg.output_components);
  }
}

/* ---- what libjpeg cannot do, and what is broken ---- */

static bool is_unsupported(int code) {
  static const int codes[] = {JERR_ARITH_NOTIMPL,      JERR_BAD_PRECISION,        JERR_CCIR601_NOTIMPL,
                              JERR_CONVERSION_NOTIMPL, JERR_FRACT_SAMPLE_NOTIMPL, JERR_NOTIMPL,
                              JERR_NOT_COMPILED,       JERR_SOF_UNSUPPORTED,      JERR_COMPONENT_COUNT};
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    if (codes[i] == code) return true;
  return false;
}

static vlm_status broken(const jpeg_job *job, const vlm_image_source *s, vlm_error *err) {
  const int code = job->errors.msg_code, detail = job->errors.msg_parm.i[0];
  enum { LOSSLESS = 0xc3, LOSSLESS_ARITHMETIC = 0xcb };
  const bool lossless = code == JERR_SOF_UNSUPPORTED && (detail == LOSSLESS || detail == LOSSLESS_ARITHMETIC);
  if (code == JERR_BAD_PRECISION)
    return vlm_fail(err, VLM_UNSUPPORTED,
                    "%s: %d-bit JPEG is not supported: save it with 8 bits per channel, or as PNG", s->name,
                    detail);
  if (lossless)
    return vlm_fail(err, VLM_UNSUPPORTED, "%s: lossless JPEG is not supported: save it as PNG", s->name);
  if (is_unsupported(code))
    return vlm_fail(err, VLM_UNSUPPORTED,
                    "%s: this kind of JPEG is not supported (%s): convert it to PNG or a plain JPEG", s->name,
                    job->message);
  return vlm_fail(err, VLM_INPUT, "%s: damaged JPEG: %s; copy or convert the file again", s->name,
                  job->message);
}

static vlm_status cut_short(const vlm_image_source *s, vlm_error *err) {
  return vlm_fail(err, VLM_INPUT,
                  "%s: the JPEG data is truncated, it ends before the picture does; copy the file again",
                  s->name);
}

/* A scan that refines less than everything is the last one only where the rest was cut off. */
static bool lacks_scans(const struct jpeg_decompress_struct *jpeg) {
  for (int c = 0; jpeg->progressive_mode && jpeg->coef_bits && c < jpeg->num_components; c++)
    for (int k = 0; k < DCTSIZE2; k++)
      if (jpeg->coef_bits[c][k] != 0) return true;
  return false;
}

/* ---- one pass over the file ---- */

static vlm_status decode(vlm_image *out, const vlm_image_source *s, vlm_image *into, vlm_error *err) {
  vlm_status st = VLM_OK;
  jpeg_job *job = NULL;
  row_user user = {.image = into};
  VLM_TRY(vlm_new(&job, 1, err));
  struct jpeg_decompress_struct *jpeg = &job->jpeg;
  jpeg->err = jpeg_std_error(&job->errors);
  jpeg->client_data = job;
  job->errors.error_exit = on_error;
  job->errors.emit_message = on_message;
  job->errors.output_message = no_output;
  job->progress.progress_monitor = on_progress;
  if (!guarded(job, start_reading, vlm_unconst(s))) {
    st = broken(job, s, err);
    goto out;
  }
  VLM_CHECK(jpeg->num_components == 1 || jpeg->num_components == 3 || jpeg->num_components == 4, err,
            VLM_UNSUPPORTED, "%s: JPEG with %d components is not supported; 1, 3 and 4 are read", s->name,
            jpeg->num_components);
  if (out) VLM_TRY(vlm_image_start(out, s, jpeg->image_width, jpeg->image_height, MOST_PIXELS, err));
  if (out && s->look) goto out;
  VLM_TRY(vlm_new(&user.row, 4 * (size_t)jpeg->image_width, err));
  if (!guarded(job, start_pixels, NULL) || !guarded(job, read_pixels, &user)) st = broken(job, s, err);
  else if (job->ended && (job->starved || lacks_scans(jpeg))) st = cut_short(s, err);
out:
  if (job) jpeg_destroy_decompress(&job->jpeg);
  vlm_free(job);
  vlm_free(user.row);
  return st;
}

/* A file without an end is gone over twice: first without keeping pixels, so that one that ends early takes no memory for them. */
vlm_status vlm_image_decode_jpeg(vlm_image *out, const vlm_image_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_jpeg_parts parts;
  vlm_image_source look = *s;
  vlm_image none = {0};
  look.look = true;
  vlm_jpeg_look(&parts, s->data, s->bytes);
  if (parts.orientation) s->info->orientation = parts.orientation;
  VLM_TRY(decode(&none, &look, NULL, err));
  if (parts.there < parts.least) return cut_short(s, err);
  s->info->endless = !parts.ended;
  if (!parts.ended) VLM_TRY(decode(NULL, s, NULL, err));
  if (!s->look) VLM_TRY(decode(out, s, out, err));
out:
  return st;
}
