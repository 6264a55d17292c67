/* Which file an address belongs to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/base/mapped.h"
#include "tests/fine.h"

#define FIRST VLMQ_SOURCE_DIR "/README.md"
#define SECOND VLMQ_SOURCE_DIR "/test.sh"

static void test_addresses_have_paths(void **state) {
  (void)state;
  vlm_file a, b;
  char mine = 0;
  FINE(vlm_file_map(&a, FIRST, &error));
  FINE(vlm_file_map(&b, SECOND, &error));
  assert_string_equal(vlm_mapped_path(a.data), FIRST);
  assert_string_equal(vlm_mapped_path(a.data + a.bytes - 1), FIRST);
  assert_string_equal(vlm_mapped_path(b.data + b.bytes / 2), SECOND);
  assert_null(vlm_mapped_path(&mine));
  assert_null(vlm_mapped_path(NULL));
  const unsigned char *gone = a.data;
  vlm_file_unmap(&a);
  assert_null(vlm_mapped_path(gone));
  assert_string_equal(vlm_mapped_path(b.data), SECOND);
  vlm_file_unmap(&b);
}

/* More files than are listed: those that are have their names, and places are used again. */
static void test_many_files(void **state) {
  (void)state;
  vlm_file files[100];
  int named = 0;
  for (int round = 0; round < 2; round++, named = 0) {
    for (int i = 0; i < 100; i++) FINE(vlm_file_map(&files[i], FIRST, &error));
    for (int i = 0; i < 100; i++) named += vlm_mapped_path(files[i].data) != NULL;
    assert_in_range(named, 32, 100);
    for (int i = 0; i < 100; i++) vlm_file_unmap(&files[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses_have_paths),
                                     cmocka_unit_test(test_many_files)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
