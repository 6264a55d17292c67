#include "calib/draw.h"

#include <math.h>
#include <stdbool.h>

#define GLYPH_WIDTH 6 /* with one column of space */
#define GLYPH_HEIGHT 8
#define MAX_TEXT 200

static const uint8_t font[95][7] = {
#define X(code, a, b, c, d, e, f, g) [code - 32] = {a, b, c, d, e, f, g},
#include "calib/font5x7.def"
#undef X
};
static const uint8_t frame[7] = {0x1f, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1f};

vlm_color vlm_draw_color(size_t index) {
  static const vlm_color colors[VLM_DRAW_COLORS] = {
      {230, 25, 75},  {60, 180, 75}, {0, 130, 200},  {245, 130, 48}, {160, 70, 220}, {0, 170, 170},
      {240, 50, 230}, {128, 128, 0}, {170, 110, 40}, {200, 80, 60},  {70, 90, 255},  {255, 215, 0}};
  return colors[index % VLM_DRAW_COLORS];
}

int vlm_draw_scale(const vlm_image *image) {
  int longer = image->width > image->height ? image->width : image->height;
  return 1 + (longer - 1) / 400;
}

static void put(vlm_image *image, int64_t x, int64_t y, vlm_color color) {
  if (x < 0 || y < 0 || x >= image->width || y >= image->height) return;
  uint8_t *p = image->data + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
  p[0] = color.r;
  p[1] = color.g;
  p[2] = color.b;
}

static void fill(vlm_image *image, int64_t x, int64_t y, int64_t width, int64_t height, vlm_color color) {
  for (int64_t j = 0; j < height; j++)
    for (int64_t i = 0; i < width; i++) put(image, x + i, y + j, color);
}

/* ---- lines ---- */

/* Cuts the line's parameter range [t0, t1] to where low <= start + t * step <= high. */
static bool clip_axis(double start, double step, double low, double high, double *t0, double *t1) {
  if (step == 0.0) return start >= low && start <= high;
  double a = (low - start) / step, b = (high - start) / step;
  *t0 = fmax(*t0, fmin(a, b));
  *t1 = fmin(*t1, fmax(a, b));
  return *t0 <= *t1;
}

void vlm_draw_line(vlm_image *image, vlm_point from, vlm_point to, int width, vlm_color color) {
  double dx = to.x - from.x, dy = to.y - from.y, t0 = 0.0, t1 = 1.0;
  if (!isfinite(dx) || !isfinite(dy)) return;
  if (!clip_axis(from.x, dx, -width, image->width + width, &t0, &t1)) return;
  if (!clip_axis(from.y, dy, -width, image->height + width, &t0, &t1)) return;
  double x = from.x + t0 * dx, y = from.y + t0 * dy;
  dx *= t1 - t0;
  dy *= t1 - t0;
  int steps = (int)ceil(fmax(fabs(dx), fabs(dy)));
  for (int i = 0; i <= steps; i++) {
    double t = steps ? (double)i / steps : 0.0;
    fill(image, llround(x + t * dx) - (width - 1) / 2, llround(y + t * dy) - (width - 1) / 2, width, width,
         color);
  }
}

void vlm_draw_outline(vlm_image *image, const vlm_point *points, size_t count, int width, vlm_color color) {
  if (count == 2) {
    vlm_point box[4] = {points[0], {points[1].x, points[0].y}, points[1], {points[0].x, points[1].y}};
    vlm_draw_outline(image, box, 4, width, color);
    return;
  }
  for (size_t i = 0; i < count; i++) vlm_draw_line(image, points[i], points[(i + 1) % count], width, color);
}

/* ---- text ---- */

/* Next code point's glyph; bad UTF-8 is one frame per byte. */
static const uint8_t *next_glyph(const char **text) {
  unsigned char c = (unsigned char)*(*text)++;
  if (c >= 32 && c < 127) return font[c - 32];
  if (c >= 0xc0)
    while (((unsigned char)**text & 0xc0) == 0x80) (*text)++;
  return frame;
}

static void draw_glyph(vlm_image *image, int64_t x, int64_t y, const uint8_t glyph[7], int scale,
                       vlm_color color) {
  for (int row = 0; row < 7; row++)
    for (int column = 0; column < 5; column++)
      if (glyph[row] >> (4 - column) & 1)
        fill(image, x + column * scale, y + row * scale, scale, scale, color);
}

static int64_t text_length(const char *text) {
  int64_t n = 0;
  for (; *text && n < MAX_TEXT; n++) next_glyph(&text);
  return n;
}

static int64_t place(double at, int64_t size, int64_t room) {
  if (!(at > 0.0)) return 0;
  int64_t most = room > size ? room - size : 0;
  return at > (double)most ? most : (int64_t)at;
}

vlm_area vlm_draw_label_area(const vlm_image *image, double x, double y, const char *text, int scale) {
  int64_t length = text_length(text), fits = (image->width / scale - 1) / GLYPH_WIDTH;
  if (length > fits) length = fits > 0 ? fits : 1;
  vlm_area area = {.width = (length * GLYPH_WIDTH + 1) * scale, .height = (GLYPH_HEIGHT + 1) * scale};
  area.left = place(x, area.width, image->width);
  area.top = place(y, area.height, image->height);
  return area;
}

void vlm_draw_label(vlm_image *image, double x, double y, const char *text, int scale, vlm_color background) {
  vlm_area area = vlm_draw_label_area(image, x, y, text, scale);
  bool bright = background.r * 3 + background.g * 6 + background.b > 1400;
  vlm_color ink = bright ? (vlm_color){0, 0, 0} : (vlm_color){255, 255, 255};
  fill(image, area.left, area.top, area.width, area.height, background);
  for (int64_t at = scale; *text && at + GLYPH_WIDTH * scale <= area.width; at += GLYPH_WIDTH * scale)
    draw_glyph(image, area.left + at, area.top + scale, next_glyph(&text), scale, ink);
}
