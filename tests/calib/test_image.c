/* Image files against Pillow (tests/oracles/make_images.py), damaged files, and the PNG writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "calib/image.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/calib/data/images/"

static uint32_t image_crc(const vlm_image *image) {
  return (uint32_t)crc32(0, image->data, (uInt)image->width * (uInt)image->height * 3);
}

static int each_case(const char *kind, void (*visit)(const char *)) {
  char *text = NULL, *rest = NULL;
  int count = 0;
  FINE(vlm_file_read_text(&text, DATA "cases.txt", &error));
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    if (strncmp(line, kind, strlen(kind)) != 0) continue;
    visit(line + strlen(kind));
    count++;
  }
  vlm_free(text);
  return count;
}

static void path_of(char path[512], const char *name) { snprintf(path, 512, DATA "%s", name); }

static void visit_good(const char *line) {
  char name[64], path[512];
  int width, height;
  unsigned want;
  vlm_image image;
  assert_int_equal(sscanf(line, "%63s %d %d %x", name, &width, &height, &want), 4);
  path_of(path, name);
  FINE(vlm_image_read(&image, path, NULL, &error));
  assert_int_equal(image.width, width);
  assert_int_equal(image.height, height);
  if (image_crc(&image) != want) fail_msg("%s: pixels differ from Pillow's", name);
  vlm_image_free(&image);
}

static void visit_bad(const char *line) {
  char name[64], path[512], status[32], words[64];
  vlm_image image;
  assert_int_equal(sscanf(line, "%63s %31s %63[^\n]", name, status, words), 3);
  path_of(path, name);
  vlm_status st = vlm_image_read(&image, path, NULL, &error);
  assert_null(image.data);
  assert_string_equal(vlm_status_name(st), status);
  if (!strstr(error.text, words) || !strstr(error.text, name))
    fail_msg("message \"%s\" lacks \"%s\" or the file name", error.text, words);
}

static void test_files_equal_pillow(void **state) {
  (void)state;
  assert_true(each_case("good ", visit_good) >= 25);
}

static void test_bad_files_are_described(void **state) {
  (void)state;
  assert_true(each_case("bad ", visit_bad) >= 12);
}

static void test_limits(void **state) {
  (void)state;
  vlm_image image;
  vlm_image_opts few = {.max_pixels = 100}, narrow = {.max_side = 16};
  FAILS(VLM_LIMIT, vlm_image_read(&image, DATA "rgb.png", &few, &error));
  FAILS(VLM_LIMIT, vlm_image_read(&image, DATA "rgb.jpg", &few, &error));
  FAILS(VLM_LIMIT, vlm_image_read(&image, DATA "rgb.png", &narrow, &error));
  assert_non_null(strstr(error.text, "19 x 13"));
  FAILS(VLM_INPUT, vlm_image_read(&image, DATA "missing.png", NULL, &error));
  FAILS(VLM_INPUT, vlm_image_read(&image, DATA, NULL, &error));
}

/* Cut anywhere: an error, or behind the last pixel the whole image. */
static void cut(const vlm_file *file, const char *name) {
  vlm_image whole, image;
  FINE(vlm_image_decode(&whole, file->data, file->bytes, name, NULL, &error));
  for (size_t n = 0; n < file->bytes; n++) {
    if (vlm_image_decode(&image, file->data, n, name, NULL, &error) != VLM_OK) continue;
    bool same =
        image.width == whole.width && image.height == whole.height && image_crc(&image) == image_crc(&whole);
    if (!same || n + 40 < file->bytes) fail_msg("%s cut at %zu of %zu was read", name, n, file->bytes);
    vlm_image_free(&image);
  }
  vlm_image_free(&whole);
}

/* Every cut and many flipped bytes: an error or an image, never a crash or a leak (the sanitizer build sees both). */
static void damage(const char *name) {
  char path[512];
  vlm_file file;
  vlm_image image;
  path_of(path, name);
  FINE(vlm_file_map(&file, path, &error));
  cut(&file, name);
  unsigned char *copy = malloc(file.bytes);
  for (size_t i = 0; i < file.bytes; i++) {
    memcpy(copy, file.data, file.bytes);
    copy[i] ^= (unsigned char)(1 + i * 37 % 255);
    if (vlm_image_decode(&image, copy, file.bytes, name, NULL, &error) == VLM_OK) vlm_image_free(&image);
  }
  free(copy);
  vlm_file_unmap(&file);
}

static void test_damaged_files_never_crash(void **state) {
  (void)state;
  static const char *const names[] = {"palette4.png",    "interlaced.png", "rgba.png", "one.jpg",
                                      "progressive.jpg", "cmyk.jpg",       "rgb.npy"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) damage(names[i]);
}

static void test_allocation_failures(void **state) {
  (void)state;
  static const char *const names[] = {"interlaced.png", "rgb.jpg", "rgb.npy"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[512];
    vlm_image image;
    vlm_status st = VLM_MEMORY;
    path_of(path, names[i]);
    for (long n = 1; n < 100 && st != VLM_OK; n++) {
      vlm_memory_fail_after(n);
      st = vlm_image_read(&image, path, NULL, &error);
      vlm_memory_fail_after(0);
      if (st != VLM_OK) assert_int_equal(st, VLM_MEMORY);
    }
    FINE(st);
    vlm_image_free(&image);
  }
}

static void test_written_png_reads_back(void **state) {
  (void)state;
  vlm_image image, back;
  char path[64];
  snprintf(path, sizeof path, P_tmpdir "/vlmq-test-image-%ld.png", (long)getpid());
  FINE(vlm_image_read(&image, DATA "rgb.jpg", NULL, &error));
  FINE(vlm_image_write_png(&image, path, &error));
  FINE(vlm_image_read(&back, path, NULL, &error));
  assert_int_equal(back.width, image.width);
  assert_int_equal(back.height, image.height);
  assert_memory_equal(back.data, image.data, (size_t)image.width * (size_t)image.height * 3);
  unlink(path);
  FAILS(VLM_IO, vlm_image_write_png(&image, "/nonexistent-folder/x.png", &error));
  vlm_image_free(&image);
  vlm_image_free(&back);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_files_equal_pillow),
      cmocka_unit_test(test_bad_files_are_described),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_damaged_files_never_crash),
      cmocka_unit_test(test_allocation_failures),
      cmocka_unit_test(test_written_png_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
