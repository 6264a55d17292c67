/* vlm-run --draw from end to end: the program runs on a model that answers from a table (tests/oracles/make_boxes.py), its JSON is compared with
 * the table and its pictures are read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "calib/draw.h"
#include "calib/image.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

#define BUNDLE VLMQ_SOURCE_DIR "/tests/cli/data/boxes"
enum { WIDTH = 200, HEIGHT = 100, GREY = 90 };

static char folder[64], programs[512];

/* ---- running ---- */

static int set_up(void **state) {
  (void)state;
  strcpy(folder, "/tmp/vlmq-pictures-XXXXXX");
  ssize_t n = readlink("/proc/self/exe", programs, sizeof programs - 1);
  if (n <= 0 || !mkdtemp(folder)) return 1;
  programs[n] = 0;
  for (int i = 0; i < 2; i++) *strrchr(programs, '/') = 0; /* BUILD/tests/test_pictures */
  return 0;
}

static int tear_down(void **state) {
  char command[128];
  (void)state;
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command);
}

static void make_image(const char *name, int width, int height) {
  char path[128];
  vlm_image image;
  FINE(vlm_image_create(&image, width, height, &error));
  memset(image.data, GREY, (size_t)width * (size_t)height * 3);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FINE(vlm_image_write_png(&image, path, &error));
  vlm_image_free(&image);
}

/* Standard output of vlm-run in the test's folder; free with vlm_free. */
static char *run(const char *image, const char *prompt, const char *more) {
  char command[2048], *text;
  snprintf(command, sizeof command, "cd %s && '%s/vlm-run' " BUNDLE " %s --prompt '%s' %s >out 2>err", folder,
           programs, image, prompt, more);
  if (system(command) != 0) fail_msg("failed: %s", command);
  snprintf(command, sizeof command, "%s/out", folder);
  FINE(vlm_file_read_text(&text, command, &error));
  return text;
}

static vlm_image draw(const char *prompt) {
  char path[128];
  vlm_image image;
  make_image("grey.png", WIDTH, HEIGHT);
  vlm_free(run("grey.png", prompt, "--draw pictures"));
  snprintf(path, sizeof path, "%s/pictures/grey.png", folder);
  FINE(vlm_image_read(&image, path, NULL, &error));
  assert_int_equal(image.width, WIDTH);
  assert_int_equal(image.height, HEIGHT);
  return image;
}

static uint32_t at(const vlm_image *image, int x, int y) {
  const uint8_t *p = image->data + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
  return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static const uint32_t PLAIN = GREY << 16 | GREY << 8 | GREY;

static bool in_table(uint32_t color) {
  bool found = false;
  for (size_t i = 0; i < VLM_DRAW_COLORS; i++) {
    vlm_color c = vlm_draw_color(i);
    found |= color == ((uint32_t)c.r << 16 | (uint32_t)c.g << 8 | c.b);
  }
  return found;
}

/* Pixels (x, y) that all have the colour of the first, which is one of the table. */
static uint32_t same_color(const vlm_image *image, const int points[][2], size_t count) {
  uint32_t color = at(image, points[0][0], points[0][1]);
  assert_true(in_table(color));
  for (size_t i = 1; i < count; i++)
    if (at(image, points[i][0], points[i][1]) != color)
      fail_msg("pixel %d, %d has another colour", points[i][0], points[i][1]);
  return color;
}
#define SAME_COLOR(image, ...) \
  same_color(image, (const int[][2])__VA_ARGS__, sizeof((const int[][2])__VA_ARGS__) / sizeof(int[2]))

static int count_of(const vlm_image *image, vlm_area area, uint32_t color) {
  int count = 0;
  for (int64_t y = area.top; y < area.top + area.height; y++)
    for (int64_t x = area.left; x < area.left + area.width; x++) count += at(image, (int)x, (int)y) == color;
  return count;
}

/* Letters are white or black. */
static int ink_of(const vlm_image *image, vlm_area area) {
  return count_of(image, area, 0xffffff) + count_of(image, area, 0);
}

/* ---- tests ---- */

/* Text, ids and objects of every task, character for character; one image side is 1000, so coordinates are bins plus a half. */
static void json_is_the_table(void **state) {
  char *expected, *line, *rest;
  int lines = 0;
  (void)state;
  make_image("square.png", 1000, 1000);
  FINE(vlm_file_read_text(&expected, BUNDLE "/expected.jsonl", &error));
  for (line = strtok_r(expected, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++) {
    char prompt[128];
    assert_int_equal(sscanf(line, "{\"task\": \"%100[^\"]", prompt), 1);
    if (strstr(prompt, "EXPRESSION")) strcat(prompt, "a star");
    char *got = run("square.png", prompt, "--json"), *wanted = strstr(line, "\"text\"");
    wanted[strlen(wanted) - 1] = 0;
    if (!strstr(got, wanted)) fail_msg("%s: got %s wanted %s", prompt, got, wanted);
    vlm_free(got);
  }
  assert_int_equal(lines, 6);
  vlm_free(expected);
}

/* (bin + 0.5) * side / 1000, in the pixel that holds it. */
static void boxes_are_where_they_are(void **state) {
  (void)state;
  vlm_image image = draw("<OD>");
  uint32_t box = SAME_COLOR(&image, {{2, 40}, {2, 60}, {100, 40}, {50, 60}, {100, 60}}),
           dog = SAME_COLOR(&image, {{104, 30}, {199, 30}, {150, 48}, {199, 48}});
  assert_int_equal(SAME_COLOR(&image, {{6, 28}, {60, 20}, {40, 32}}), box); /* the second box of the name */
  assert_int_not_equal(box, dog);
  assert_int_equal(at(&image, 50, 40), PLAIN);
  assert_int_equal(at(&image, 1, 40), PLAIN);
  assert_int_equal(at(&image, 3, 40), PLAIN);
  assert_int_equal(at(&image, 50, 61), PLAIN);
  assert_int_equal(at(&image, 150, 80), PLAIN);
  vlm_image_free(&image);
}

/* At the top there is no room above; the second label goes below the first instead of over it. */
static void labels_lie_inside_and_apart(void **state) {
  (void)state;
  vlm_image image = draw("<OD>");
  const vlm_area first = {2, 0, 19, 9}, second = {6, 15, 19, 9}, dog = {104, 0, 19, 9};
  uint32_t box = SAME_COLOR(&image, {{2, 0}, {20, 0}, {2, 8}, {6, 15}, {24, 15}, {6, 23}, {24, 23}});
  uint32_t other = SAME_COLOR(&image, {{104, 0}, {122, 0}, {104, 8}, {122, 8}});
  assert_int_equal(count_of(&image, first, box), count_of(&image, second, box));
  assert_int_equal(count_of(&image, first, box) + ink_of(&image, first), 19 * 9);
  assert_int_equal(count_of(&image, dog, other) + ink_of(&image, dog), 19 * 9);
  assert_true(ink_of(&image, first) > 20 && ink_of(&image, dog) > 20);
  assert_int_equal(at(&image, 25, 20), PLAIN);
  vlm_image_free(&image);
}

static void quadrilaterals(void **state) {
  (void)state;
  vlm_image image = draw("<OCR_WITH_REGION>");
  SAME_COLOR(&image, {{20, 10}, {80, 15}, {78, 30}, {18, 25}, {54, 28}, {18, 1}, {42, 1}});
  assert_int_equal(at(&image, 48, 20), PLAIN);
  assert_int_equal(at(&image, 19, 50), PLAIN);
  vlm_image_free(&image);
}

static void polygons_of_one_thing_have_one_color(void **state) {
  (void)state;
  vlm_image image = draw("<REFERRING_EXPRESSION_SEGMENTATION>a star");
  SAME_COLOR(&image, {{100, 10}, {180, 80}, {20, 80}, {100, 80}, {140, 15}, {170, 15}, {155, 15}, {155, 30}});
  assert_int_equal(at(&image, 100, 50), PLAIN);
  assert_int_equal(at(&image, 155, 20), PLAIN);
  vlm_image_free(&image);
}

static void boxes_without_label_have_their_own_color(void **state) {
  (void)state;
  vlm_image image = draw("<REGION_PROPOSAL>");
  assert_int_not_equal(SAME_COLOR(&image, {{2, 2}, {50, 2}, {100, 60}}),
                       SAME_COLOR(&image, {{104, 4}, {199, 48}}));
  assert_int_equal(at(&image, 4, 0), PLAIN);
  vlm_image_free(&image);
}

static void no_object_gives_the_plain_image(void **state) {
  (void)state;
  vlm_image image = draw("<DENSE_REGION_CAPTION>");
  assert_int_equal(count_of(&image, (vlm_area){0, 0, WIDTH, HEIGHT}, PLAIN), WIDTH * HEIGHT);
  vlm_image_free(&image);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(json_is_the_table),
      cmocka_unit_test(boxes_are_where_they_are),
      cmocka_unit_test(labels_lie_inside_and_apart),
      cmocka_unit_test(quadrilaterals),
      cmocka_unit_test(polygons_of_one_thing_have_one_color),
      cmocka_unit_test(boxes_without_label_have_their_own_color),
      cmocka_unit_test(no_object_gives_the_plain_image),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
