/* File names of values: unique, the same every time, inside the folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "flow/file_names.h"

static void expect(const char *const *names, const char *const *files, int count) {
  vlm_file_names made;
  vlm_error error = {0};
  assert_int_equal(vlm_file_names_make(&made, names, count, &error), VLM_OK);
  for (int k = 0; k < count; k++) assert_string_equal(made.items[k], files[k]);
  vlm_file_names_free(&made);
}
#define EXPECT(names, ...) \
  expect(names, (const char *const[]){__VA_ARGS__}, (int)(sizeof names / sizeof names[0]))

static void plain_names_are_kept(void **state) {
  (void)state;
  static const char *const names[] = {"y", "Y", "logits:0", "..", "a b"};
  EXPECT(names, "y.npy", "Y.npy", "logits:0.npy", "...npy", "a b.npy");
}

static void a_name_of_its_own_wins(void **state) {
  (void)state;
  static const char *const names[] = {"y/z", "y_z", "y\nz", "y_z-2", "../y"};
  EXPECT(names, "y_z-3.npy", "y_z.npy", "y_z-4.npy", "y_z-2.npy", ".._y.npy");
}

static void long_names_are_cut(void **state) {
  (void)state;
  char text[3][400];
  const char *const names[3] = {text[0], text[1], text[2]};
  vlm_file_names made;
  vlm_error error = {0};
  for (int k = 0; k < 3; k++) snprintf(text[k], sizeof text[k], "%0300d%d", 0, k);
  assert_int_equal(vlm_file_names_make(&made, names, 3, &error), VLM_OK);
  for (int k = 0; k < 3; k++) {
    assert_true(strlen(made.items[k]) < 230);
    for (int j = 0; j < k; j++) assert_string_not_equal(made.items[k], made.items[j]);
  }
  vlm_file_names_free(&made);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_names_are_kept),
      cmocka_unit_test(a_name_of_its_own_wins),
      cmocka_unit_test(long_names_are_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
