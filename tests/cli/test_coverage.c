/* docs/coverage.md is what placement makes of the models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/coverage_page.h"
#include "runtime/base/file.h"
#include "tests/fine.h"

#define MODELS VLMQ_SOURCE_DIR "/../shared/data/models"

/* The models that are not in the repository close the page: without them their part cannot be compared. */
static void page_is_up_to_date(void **state) {
  vlm_text text = {0};
  vlm_file file = {0};
  vlm_context *context;
  (void)state;
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_coverage_page(&text, context, VLMQ_SOURCE_DIR, &error));
  bool whole = vlm_file_is_folder(MODELS);
  if (whole) FINE(vlm_coverage_page_models(&text, context, MODELS, &error));
  FINE(vlm_file_map(&file, VLMQ_SOURCE_DIR "/docs/coverage.md", &error));
  if (file.bytes < text.bytes || (whole && file.bytes != text.bytes) ||
      memcmp(file.data, text.data, text.bytes) != 0)
    fail_msg("docs/coverage.md differs from what is placed; run: cmake --build build --target coverage_md");
  vlm_file_unmap(&file);
  vlm_context_free(context);
  vlm_text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(page_is_up_to_date)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
