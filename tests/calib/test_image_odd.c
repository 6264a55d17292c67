/* Pictures as people bring them, against Pillow's usual way of opening them (tests/oracles/make_odd_images.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "calib/image.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/calib/data/odd/"

typedef struct odd_case {
  char name[64], path[512];
  int width, height, orientation;
  unsigned crc;
  char status[32], words[128];
} odd_case;

static bool can_read(const char *name) {
#ifdef VLMQ_WEBP
  (void)name;
  return true;
#else
  return !strstr(name, "webp");
#endif
}

static int each(const char *kind, void (*visit)(const odd_case *)) {
  char *text = NULL, *rest = NULL;
  int count = 0;
  FINE(vlm_file_read_text(&text, DATA "cases.txt", &error));
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    odd_case c = {.orientation = 1};
    char word[16];
    int at = 0;
    assert_int_equal(sscanf(line, "%15s %63s%n", word, c.name, &at), 2);
    if (strcmp(word, kind) != 0) continue;
    snprintf(c.path, sizeof c.path, DATA "%s", c.name);
    if (strcmp(kind, "bad") == 0)
      assert_int_equal(sscanf(line + at, " %31s %127[^\n]", c.status, c.words), 2);
    else assert_true(sscanf(line + at, "%d %d %x %d", &c.width, &c.height, &c.crc, &c.orientation) >= 3);
    if (can_read(c.name)) visit(&c);
    count++;
  }
  vlm_free(text);
  return count;
}

static void same(const odd_case *c, const vlm_image_opts *opts) {
  vlm_image image;
  FINE(vlm_image_read(&image, c->path, opts, &error));
  uint32_t crc = (uint32_t)crc32(0, image.data, (uInt)image.width * (uInt)image.height * 3);
  if (image.width != c->width || image.height != c->height || crc != c->crc)
    fail_msg("%s: %d x %d %08x, Pillow has %d x %d %08x", c->name, image.width, image.height, crc, c->width,
             c->height, c->crc);
  vlm_image_free(&image);
}

static void visit_good(const odd_case *c) {
  vlm_image_info info;
  same(c, NULL);
  FINE(vlm_image_look(&info, c->path, NULL, &error));
  assert_int_equal(info.orientation, c->orientation);
  assert_false(info.endless);
  bool turned = c->orientation > 4;
  assert_int_equal(info.width, turned ? c->height : c->width);
  assert_int_equal(info.height, turned ? c->width : c->height);
}

static void visit_white(const odd_case *c) { same(c, &(vlm_image_opts){.on_white = true}); }

static void visit_endless(const odd_case *c) {
  vlm_image_info info;
  same(c, NULL);
  FINE(vlm_image_look(&info, c->path, NULL, &error));
  if (!info.endless) fail_msg("%s: the missing end is not told", c->name);
}

static void visit_bad(const odd_case *c) {
  vlm_image image;
  vlm_image_info info;
  for (int look = 0; look < 2; look++) {
    vlm_status st =
        look ? vlm_image_look(&info, c->path, NULL, &error) : vlm_image_read(&image, c->path, NULL, &error);
    if (strcmp(vlm_status_name(st), c->status) != 0) fail_msg("%s: %s", c->name, vlm_status_name(st));
    if (!strstr(error.text, c->words) || !strstr(error.text, c->name))
      fail_msg("\"%s\" lacks \"%s\"", error.text, c->words);
    if (st == VLM_UNSUPPORTED) assert_null(strstr(error.text, "damaged"));
  }
}

static void test_pictures_equal_pillow(void **state) {
  (void)state;
  assert_true(each("good", visit_good) >= 110);
}

static void test_transparency_on_white(void **state) {
  (void)state;
  assert_true(each("white", visit_white) >= 10);
}

static void test_missing_ends_are_read_and_told(void **state) {
  (void)state;
  assert_true(each("endless", visit_endless) >= 15);
}

static void test_bad_pictures_are_told_by_a_look(void **state) {
  (void)state;
  assert_true(each("bad", visit_bad) >= 20);
}

static void test_orientation_can_be_left_alone(void **state) {
  vlm_image image;
  const vlm_image_opts opts = {.as_stored = true};
  (void)state;
  FINE(vlm_image_read(&image, DATA "o6be.jpg", &opts, &error));
  assert_int_equal(image.width, 13);
  assert_int_equal(image.height, 9);
  vlm_image_free(&image);
}

/* A scan that is too short for its picture is refused before the pixels are there. */
static void test_a_cut_picture_takes_no_memory(void **state) {
  vlm_image image;
  (void)state;
  vlm_memory_fail_after(2); /* the first block is the reader's own, the second would be the image */
  vlm_status st = vlm_image_read(&image, DATA "short-scan.jpg", NULL, &error);
  vlm_memory_fail_after(0);
  assert_int_equal(st, VLM_INPUT);
}

/* Every byte changed, every length: an error or an image, never a crash or a leak (the sanitizer build sees both). */
static void damage(const char *name) {
  char path[512];
  vlm_file file;
  vlm_image image;
  vlm_image_info info;
  unsigned char *copy = NULL;
  snprintf(path, sizeof path, DATA "%s", name);
  FINE(vlm_file_map(&file, path, &error));
  FINE(vlm_new(&copy, file.bytes, &error));
  for (size_t i = 0; i < file.bytes; i++) {
    memcpy(copy, file.data, file.bytes);
    copy[i] ^= (unsigned char)(1 + i * 37 % 255);
    if (vlm_image_decode(&image, copy, file.bytes, name, NULL, &error) == VLM_OK) vlm_image_free(&image);
    (void)vlm_image_look_at(&info, copy, file.bytes, name, NULL, &error);
    if (vlm_image_decode(&image, copy, i, name, NULL, &error) == VLM_OK) vlm_image_free(&image);
  }
  vlm_free(copy);
  vlm_file_unmap(&file);
}

static void test_damaged_pictures_never_crash(void **state) {
  (void)state;
  static const char *const names[] = {
      "o6be.jpg",        "o6le.png",        "o6le.webp",       "alpha.webp",      "moving.webp",
      "raw-profile.png", "xmp-element.jpg", "xmp-element.png", "every-alpha.png", "short-scan.jpg"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) damage(names[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pictures_equal_pillow),
      cmocka_unit_test(test_transparency_on_white),
      cmocka_unit_test(test_missing_ends_are_read_and_told),
      cmocka_unit_test(test_bad_pictures_are_told_by_a_look),
      cmocka_unit_test(test_orientation_can_be_left_alone),
      cmocka_unit_test(test_a_cut_picture_takes_no_memory),
      cmocka_unit_test(test_damaged_pictures_never_crash),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
