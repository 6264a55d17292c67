/* What reaches a terminal: text stays text, control characters come out as escapes that JSON reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/terminal.h"

static void expect(const char *text, size_t bytes, const char *wanted, size_t left) {
  char out[256];
  size_t used, n = vlm_clean_text(out, text, bytes, &used);
  out[n] = 0;
  assert_string_equal(out, wanted);
  assert_int_equal(bytes - used, left);
}

static void test_text(void **state) {
  (void)state;
  expect("plain, \xc3\xa9\xe2\x9c\x93\tand\n", 15, "plain, \xc3\xa9\xe2\x9c\x93\tan", 0);
  expect("\x1b]0;t\x07\r\x7f", 8, "\\u001b]0;t\\u0007\\u000d\\u007f", 0);
  expect(
      "\xc2\x9b"
      "2J \x9b",
      6, "\\u009b2J \\u009b", 0); /* both forms of the 8-bit CSI */
  expect(
      "\xe2\x80\xae"
      "gpj.exe",
      10, "\\u202egpj.exe", 0);           /* right to left */
  expect("caf\xe9 x", 6, "caf\xe9 x", 0); /* another encoding */
  expect("a\0b", 3, "a\\u0000b", 0);
}

static void test_cut(void **state) {
  (void)state;
  expect("ab\xe2\x9c", 4, "ab", 2);
  expect("ab\xc2", 3, "ab", 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_cut)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
