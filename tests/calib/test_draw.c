/* Outlines, labels, clipping. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "calib/draw.h"
#include "tests/fine.h"

static const vlm_color red = {255, 0, 0};

static vlm_image blank(int width, int height) {
  vlm_image image;
  FINE(vlm_image_create(&image, width, height, &error));
  return image;
}

static int count_set(const vlm_image *image) {
  int n = 0;
  for (int i = 0; i < image->width * image->height; i++)
    n += image->data[i * 3] || image->data[i * 3 + 1] || image->data[i * 3 + 2];
  return n;
}

static int is_red(const vlm_image *image, int x, int y) {
  return image->data[(y * image->width + x) * 3] == 255;
}

static void test_lines(void **state) {
  (void)state;
  vlm_image image = blank(20, 10);
  vlm_draw_line(&image, (vlm_point){2, 3}, (vlm_point){7, 3}, 1, red);
  assert_int_equal(count_set(&image), 6);
  assert_true(is_red(&image, 2, 3) && is_red(&image, 7, 3));
  vlm_draw_line(&image, (vlm_point){9, 0}, (vlm_point){18, 9}, 1, red);
  assert_int_equal(count_set(&image), 16);
  assert_true(is_red(&image, 13, 4));
  vlm_image_free(&image);
}

static void test_two_points_are_a_box(void **state) {
  (void)state;
  vlm_image image = blank(20, 10);
  vlm_draw_outline(&image, (vlm_point[]){{3, 2}, {12, 7}}, 2, 1, red);
  assert_int_equal(count_set(&image), 2 * 10 + 2 * 6 - 4);
  assert_true(is_red(&image, 3, 2) && is_red(&image, 12, 2) && is_red(&image, 3, 7) && is_red(&image, 12, 7));
  assert_false(is_red(&image, 5, 4));
  vlm_image_free(&image);
}

static void test_everything_is_clipped(void **state) {
  (void)state;
  vlm_image image = blank(16, 16);
  vlm_draw_line(&image, (vlm_point){-1e12, 8}, (vlm_point){1e12, 8}, 1, red);
  assert_int_equal(count_set(&image), 16);
  vlm_draw_line(&image, (vlm_point){100, 100}, (vlm_point){200, 120}, 3, red);
  vlm_draw_line(&image, (vlm_point){NAN, 0}, (vlm_point){4, INFINITY}, 3, red);
  assert_int_equal(count_set(&image), 16);
  vlm_draw_label(&image, -50, 1e9, "a much longer text than the image is wide \xc3\xa9 \xff", 2, red);
  vlm_image_free(&image);
}

static void test_label_shape(void **state) {
  (void)state;
  vlm_image image = blank(40, 20);
  vlm_draw_label(&image, 4, 3, "I\xc3\xa9", 1, (vlm_color){0, 0, 200});
  int white = 0;
  for (int i = 0; i < 40 * 20; i++) white += image.data[i * 3] == 255;
  assert_int_equal(count_set(&image), 13 * 9); /* two characters and a margin */
  assert_int_equal(white, 11 + 20);            /* the letter I, a frame for the other */
  /* What does not fit is left out by whole characters; the label never leaves the image. */
  vlm_area area = vlm_draw_label_area(&image, 30, 50, "eight ch", 1);
  assert_int_equal(area.left, 40 - 37);
  assert_int_equal(area.top, 20 - 9);
  assert_int_equal(area.width, 6 * 6 + 1);
  vlm_image_free(&image);
  assert_int_equal(vlm_draw_scale(&(vlm_image){.width = 400, .height = 10}), 1);
  assert_int_equal(vlm_draw_scale(&(vlm_image){.width = 10, .height = 801}), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_two_points_are_a_box),
      cmocka_unit_test(test_everything_is_clipped),
      cmocka_unit_test(test_label_shape),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
