/* docs/targets.md is what the tables of targets say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/targets_page.h"
#include "runtime/base/file.h"
#include "tests/fine.h"

static void page_is_up_to_date(void **state) {
  vlm_text text = {0};
  vlm_file file = {0};
  (void)state;
  FINE(vlm_targets_page(&text, &error));
  FINE(vlm_file_map(&file, VLMQ_SOURCE_DIR "/docs/targets.md", &error));
  if (file.bytes != text.bytes || memcmp(file.data, text.data, text.bytes) != 0)
    fail_msg("docs/targets.md differs from the tables; run: cmake --build build --target targets_md");
  vlm_file_unmap(&file);
  vlm_text_free(&text);
}

static void rows_are_readable(void **state) {
  vlm_text text = {0};
  (void)state;
  FINE(vlm_targets_page(&text, &error));
  assert_non_null(strstr(text.data, "\n## NNAPI\n"));
  assert_non_null(strstr(text.data, "\n| MatMul | "));
  assert_non_null(strstr(text.data, "\n| `NNAPI_FLAG_CPU_DISABLED` | "));
  vlm_text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(page_is_up_to_date),
                                     cmocka_unit_test(rows_are_readable)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
