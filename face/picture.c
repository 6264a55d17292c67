/* Pixels of the caller's to what the model takes. */
#include "face/arrays.h"
#include "face/runner.h"
#include "face/sized.h"
#include "runtime/base/clock.h"

enum { MOST_PIXELS = 100000000 };

/* X(order, bytes per pixel, where red, green and blue are) */
#define ORDERS(X) \
  X(RGB, 3, 0, 1, 2) X(BGR, 3, 2, 1, 0) X(RGBA, 4, 0, 1, 2) X(BGRA, 4, 2, 1, 0) X(GREY, 1, 0, 0, 0)
typedef struct order_row {
  int bytes, red, green, blue;
} order_row;
static const order_row ORDER_ROWS[] = {
#define X(order, bytes, red, green, blue) [VLM_ORDER_##order] = {bytes, red, green, blue},
    ORDERS(X)
#undef X
};
enum { ORDER_COUNT = sizeof ORDER_ROWS / sizeof ORDER_ROWS[0] };

/* Whether the rows fit into the bytes that the caller has; sets the stride that counts. */
static vlm_status check(vlm_picture *p, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(p->data, err, VLM_USAGE, "picture: data is NULL");
  VLM_CHECK(p->width > 0 && p->height > 0, err, VLM_USAGE, "picture: %d x %d pixels, wanted at least 1 x 1",
            p->width, p->height);
  VLM_CHECK((int64_t)p->width * p->height <= MOST_PIXELS, err, VLM_LIMIT,
            "picture: %d x %d pixels, at most %d are read", p->width, p->height, MOST_PIXELS);
  VLM_CHECK((unsigned)p->order < ORDER_COUNT, err, VLM_USAGE, "picture: order %d is none of vlm_pixel_order",
            (int)p->order);
  const int64_t row = (int64_t)p->width * ORDER_ROWS[p->order].bytes;
  if (p->stride == 0) p->stride = row;
  VLM_CHECK(p->stride >= -(int64_t)INT32_MAX && p->stride <= INT32_MAX, err, VLM_USAGE,
            "picture: a stride of %lld bytes, wanted at most %d either way", (long long)p->stride, INT32_MAX);
  const int64_t step = p->stride < 0 ? -p->stride : p->stride;
  VLM_CHECK(step >= row, err, VLM_USAGE, "picture: rows of %lld bytes do not fit a stride of %lld",
            (long long)row, (long long)p->stride);
  const uint64_t wanted = (uint64_t)step * (uint64_t)(p->height - 1) + (uint64_t)row;
  VLM_CHECK(p->stride < 0 || p->bytes == 0 || p->bytes >= wanted, err, VLM_USAGE,
            "picture: %zu bytes, %d rows with this stride have %llu", p->bytes, p->height,
            (unsigned long long)wanted);
out:
  return st;
}

static void convert_row(uint8_t *to, const uint8_t *from, int64_t width, const order_row *o) {
  for (int64_t x = 0; x < width; x++, to += 3, from += o->bytes) {
    to[0] = from[o->red];
    to[1] = from[o->green];
    to[2] = from[o->blue];
  }
}

static vlm_status convert(vlm_image *out, const vlm_picture *p, vlm_error *err) {
  const vlm_status st = vlm_image_create(out, p->width, p->height, err);
  const uint8_t *data = p->data;
  for (int64_t y = 0; st == VLM_OK && y < p->height; y++)
    convert_row(out->data + y * p->width * 3, data + y * p->stride, p->width, &ORDER_ROWS[p->order]);
  return st;
}

static vlm_status prepare(vlm_prepared *prepared, const vlm_picture *picture, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_image image = {0};
  VLM_TRY(convert(&image, picture, err));
  VLM_TRY(vlm_model_prepare(&prepared->pixels, prepared->runner->model, &image, err));
  prepared->width = picture->width;
  prepared->height = picture->height;
out:
  vlm_image_free(&image);
  return st;
}

static vlm_status prepare_frame(vlm_prepared *prepared, const vlm_yuv *frame, vlm_error *err) {
  const bool lies = frame->turns % 2;
  prepared->width = (int32_t)(lies ? frame->crop.height : frame->crop.width);
  prepared->height = (int32_t)(lies ? frame->crop.width : frame->crop.height);
  return vlm_model_prepare_frame(&prepared->pixels, prepared->runner->model, frame, err);
}

/* One of the two. */
typedef struct {
  const vlm_picture *picture;
  const vlm_yuv *frame;
} source;

static vlm_status prepare_from(vlm_prepared **out, vlm_runner *runner, const source *from, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_prepared *prepared = NULL;
  VLM_CHECK(runner->model, err, VLM_INPUT, "%s: is a single graph, which takes arrays and not pictures",
            runner->bundle->source);
  VLM_TRY(vlm_new(&prepared, 1, err));
  prepared->runner = runner;
  VLM_TRY(vlm_engine_enter(runner->engine, err));
  const double start = vlm_clock_ms();
  st = from->picture ? prepare(prepared, from->picture, err) : prepare_frame(prepared, from->frame, err);
  prepared->ms = vlm_clock_ms() - start;
  vlm_engine_leave(runner->engine);
  VLM_TRY(st);
  *out = prepared;
  prepared = NULL;
out:
  vlm_prepared_free(prepared);
  return st;
}

vlm_status vlm_runner_prepare(vlm_prepared **out, vlm_runner *runner, const vlm_picture *picture,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_picture own;
  VLM_GIVEN(out);
  *out = NULL;
  VLM_GIVEN(runner);
  VLM_TRY(VLM_TAKE(vlm_picture, own, picture, err));
  VLM_TRY(check(&own, err));
  VLM_TRY(prepare_from(out, runner, &(source){.picture = &own}, err));
out:
  return st;
}

/* ---- camera frames ---- */

static vlm_yuv_plane plane(const void *data, size_t bytes, int32_t row, int32_t pixel) {
  return (vlm_yuv_plane){data, bytes, row, pixel ? pixel : 1};
}

static vlm_status take_frame(vlm_yuv *out, const vlm_yuv420 *f, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK((int64_t)f->width * f->height <= MOST_PIXELS, err, VLM_LIMIT,
            "frame: %d x %d pixels, at most %d are read", f->width, f->height, MOST_PIXELS);
  VLM_CHECK(f->rotation >= 0 && f->rotation <= 270 && f->rotation % 90 == 0, err, VLM_USAGE,
            "frame: rotation %d, wanted 0, 90, 180 or 270", f->rotation);
  VLM_CHECK((unsigned)f->matrix < VLM_YUV_COLORS_COUNT, err, VLM_USAGE,
            "frame: matrix %d is none of vlm_yuv_matrix", (int)f->matrix);
  *out = (vlm_yuv){
      .planes = {plane(f->y, f->y_bytes, f->y_row, f->y_pixel), plane(f->u, f->u_bytes, f->u_row, f->u_pixel),
                 plane(f->v, f->v_bytes, f->v_row, f->v_pixel)},
      .width = f->width,
      .height = f->height,
      .crop = {f->crop_left, f->crop_top, f->crop_width ? f->crop_width : f->width,
               f->crop_height ? f->crop_height : f->height},
      .turns = f->rotation / 90,
      .mirror = f->mirror != 0,
      .colors = (vlm_yuv_colors)f->matrix,
      .limited = f->limited != 0};
  VLM_TRY(vlm_yuv_check(out, err));
out:
  return st;
}

vlm_status vlm_image_from_yuv420(vlm_prepared **out, vlm_runner *runner, const vlm_yuv420 *frame,
                                 vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_yuv420 own;
  vlm_yuv taken;
  VLM_GIVEN(out);
  *out = NULL;
  VLM_GIVEN(runner);
  VLM_TRY(VLM_TAKE(vlm_yuv420, own, frame, err));
  VLM_TRY(take_frame(&taken, &own, err));
  VLM_TRY(prepare_from(out, runner, &(source){.frame = &taken}, err));
out:
  return st;
}

void vlm_prepared_free(vlm_prepared *prepared) {
  if (!prepared) return;
  vlm_pixels_free(&prepared->pixels);
  vlm_free(prepared);
}

double vlm_prepared_ms(const vlm_prepared *prepared) { return prepared ? prepared->ms : 0; }

vlm_status vlm_prepared_array(const vlm_prepared *prepared, vlm_array *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_GIVEN(prepared);
  const vlm_array array = vlm_array_of("pixel_values", &prepared->pixels.values);
  VLM_TRY(VLM_GIVE(vlm_array, out, array, err));
out:
  return st;
}
