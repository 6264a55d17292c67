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

static vlm_status prepare(vlm_prepared *prepared, const vlm_runner *runner, const vlm_picture *picture,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_image image = {0};
  const double start = vlm_clock_ms();
  VLM_TRY(convert(&image, picture, err));
  VLM_TRY(vlm_model_prepare(&prepared->pixels, runner->model, &image, err));
  prepared->runner = runner;
  prepared->width = picture->width;
  prepared->height = picture->height;
  prepared->ms = vlm_clock_ms() - start;
out:
  vlm_image_free(&image);
  return st;
}

vlm_status vlm_runner_prepare(vlm_prepared **out, vlm_runner *runner, const vlm_picture *picture,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_picture own;
  vlm_prepared *prepared = NULL;
  VLM_GIVEN(out);
  *out = NULL;
  VLM_GIVEN(runner);
  VLM_TRY(VLM_TAKE(vlm_picture, own, picture, err));
  VLM_TRY(check(&own, err));
  VLM_CHECK(runner->model, err, VLM_INPUT, "%s: is a single graph, which takes arrays and not pictures",
            runner->bundle->source);
  VLM_TRY(vlm_new(&prepared, 1, err));
  VLM_TRY(vlm_engine_enter(runner->engine, err));
  st = prepare(prepared, runner, &own, err);
  vlm_engine_leave(runner->engine);
  VLM_TRY(st);
  *out = prepared;
  prepared = NULL;
out:
  vlm_prepared_free(prepared);
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
