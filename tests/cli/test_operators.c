/* docs/operators.md is what the operator table says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/operators_text.h"
#include "runtime/base/file.h"
#include "tests/fine.h"

static void page_is_up_to_date(void **state) {
  vlm_text text = {0};
  vlm_file file = {0};
  (void)state;
  FINE(vlm_operators_text(&text, &error));
  FINE(vlm_file_map(&file, VLMQ_SOURCE_DIR "/docs/operators.md", &error));
  if (file.bytes != text.bytes || memcmp(file.data, text.data, text.bytes) != 0)
    fail_msg(
        "docs/operators.md differs from the operator table; run: cmake --build build --target operators_md");
  vlm_file_unmap(&file);
  vlm_text_free(&text);
}

static void rows_are_readable(void **state) {
  vlm_text text = {0};
  (void)state;
  FINE(vlm_operators_text(&text, &error));
  assert_non_null(strstr(text.data, "\n## com.microsoft\n"));
  assert_non_null(strstr(text.data, "\n| Mod | 10+ | 2 | 1 | float int | fmod int=0 |\n"));
  assert_non_null(strstr(text.data, "\n| Einsum | 12+ | 1+ | 1 | number | **equation** string |\n"));
  vlm_text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(page_is_up_to_date),
                                     cmocka_unit_test(rows_are_readable)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
