#include "runtime/image/image.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "runtime/base/memory.h"

vlm_status vlm_image_create(vlm_image *out, int64_t width, int64_t height, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t bytes = 0;
  void *data = NULL;
  *out = (vlm_image){0};
  VLM_CHECK(width > 0 && height > 0 && width <= INT_MAX / 4 && height <= INT_MAX / 4, err, VLM_INPUT,
            "image of %lld x %lld pixels: each side must be 1 to %d", (long long)width, (long long)height,
            INT_MAX / 4);
  VLM_CHECK(vlm_size_mul((size_t)width, (size_t)height, &bytes) && vlm_size_mul(bytes, 3, &bytes), err,
            VLM_LIMIT, "image of %lld x %lld pixels does not fit into memory", (long long)width,
            (long long)height);
  VLM_TRY(vlm_alloc(&data, bytes, 1, err));
  *out = (vlm_image){.width = (int)width, .height = (int)height, .data = data};
out:
  return st;
}

void vlm_image_free(vlm_image *image) {
  vlm_free(image->data);
  *image = (vlm_image){0};
}

vlm_status vlm_image_copy(vlm_image *out, const vlm_image *in, vlm_error *err) {
  vlm_status st = vlm_image_create(out, in->width, in->height, err);
  if (st == VLM_OK) memcpy(out->data, in->data, (size_t)in->width * (size_t)in->height * 3);
  return st;
}

static void fill(uint8_t *data, size_t pixels, const uint8_t color[3]) {
  for (size_t i = 0; i < pixels; i++) memcpy(data + i * 3, color, 3);
}

static int64_t clamp(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

vlm_status vlm_image_window(vlm_image *out, const vlm_image *in, const vlm_image_rect *part,
                            const uint8_t color[3], vlm_error *err) {
  const int64_t left = part->left, top = part->top, width = part->width, height = part->height;
  vlm_status st = vlm_image_create(out, width, height, err);
  if (st != VLM_OK) return st;
  /* The used part of the source, [x0, x1) x [y0, y1). */
  int64_t x0 = clamp(left, 0, in->width), x1 = clamp(left + width, x0, in->width);
  int64_t y0 = clamp(top, 0, in->height), y1 = clamp(top + height, y0, in->height);
  if (x1 - x0 < width || y1 - y0 < height) fill(out->data, (size_t)width * (size_t)height, color);
  for (int64_t y = y0; y < y1 && x1 > x0; y++)
    memcpy(out->data + ((size_t)(y - top) * (size_t)width + (size_t)(x0 - left)) * 3,
           in->data + ((size_t)y * (size_t)in->width + (size_t)x0) * 3, (size_t)(x1 - x0) * 3);
  return st;
}

/* Where a pixel comes from: axes swapped, then counted from the right, from below. */
static const struct {
  bool swap, from_right, from_below;
} orientations[9] = {
    [2] = {false, true, false}, [3] = {false, true, true}, [4] = {false, false, true},
    [5] = {true, false, false}, [6] = {true, false, true}, [7] = {true, true, true},
    [8] = {true, true, false},
};

vlm_status vlm_image_orient(vlm_image *out, const vlm_image *in, int orientation, vlm_error *err) {
  assert(orientation >= 1 && orientation <= 8);
  const bool swap = orientations[orientation].swap;
  const bool from_right = orientations[orientation].from_right,
             from_below = orientations[orientation].from_below;
  vlm_status st = vlm_image_create(out, swap ? in->height : in->width, swap ? in->width : in->height, err);
  if (st != VLM_OK) return st;
  uint8_t *to = out->data;
  for (int y = 0; y < out->height; y++)
    for (int x = 0; x < out->width; x++, to += 3) {
      int u = swap ? y : x, v = swap ? x : y;
      if (from_right) u = in->width - 1 - u;
      if (from_below) v = in->height - 1 - v;
      memcpy(to, in->data + ((size_t)v * (size_t)in->width + (size_t)u) * 3, 3);
    }
  return st;
}
