/* Lines, outlines and labels on an RGB image. Everything is clipped to the image; any coordinates are fine. */
#ifndef VLM_CALIB_DRAW_H
#define VLM_CALIB_DRAW_H

#include <stddef.h>

#include "runtime/image/image.h"

typedef struct vlm_color {
  uint8_t r, g, b;
} vlm_color;

/* A position in pixels, the centre of the top left pixel is (0, 0). */
typedef struct vlm_point {
  double x, y;
} vlm_point;

/* Well distinguishable colours that show on dark and on light, repeating after VLM_DRAW_COLORS. */
enum { VLM_DRAW_COLORS = 12 };
vlm_color vlm_draw_color(size_t index);
/* Line width and text size that suit the image: 1 up to 400 pixels on the longer side, 2 up to 800, … */
int vlm_draw_scale(const vlm_image *image);

void vlm_draw_line(vlm_image *image, vlm_point from, vlm_point to, int width, vlm_color color);
/* Closed outline of the points; two points are the opposite corners of a box. */
void vlm_draw_outline(vlm_image *image, const vlm_point *points, size_t count, int width, vlm_color color);

/* A rectangle of whole pixels. */
typedef struct vlm_area {
  int64_t left, top, width, height;
} vlm_area;

/* UTF-8 text in black or white on a filled background, its top left corner at (x, y), moved so that it lies inside the image and cut to the
 * characters that fit. Characters are 6 x 8 pixels times `scale`; what is not ASCII is drawn as a small frame. */
void vlm_draw_label(vlm_image *image, double x, double y, const char *text, int scale, vlm_color background);
/* What vlm_draw_label fills. */
vlm_area vlm_draw_label_area(const vlm_image *image, double x, double y, const char *text, int scale);

#endif
