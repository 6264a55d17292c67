/* Blocks that are filled while somebody holds them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/lazy.h"
#include "runtime/base/pages.h"
#include "tests/fine.h"

enum { BLOCKS = 4 };
static const size_t SIZES[BLOCKS] = {1, 5000, 4096, 100000};

typedef struct {
  int fills[BLOCKS];
  bool fails;
} filler;

static vlm_status fill(void *user, int32_t i, void *block, vlm_error *err) {
  filler *f = user;
  f->fills[i]++;
  if (f->fails) return vlm_fail(err, VLM_INTEGRITY, "block %d is damaged", (int)i);
  memset(block, 1 + i, SIZES[i]);
  return VLM_OK;
}

static void test_blocks_are_filled_while_held(void **state) {
  (void)state;
  filler f = {{0}, false};
  vlm_lazy *lazy;
  FINE(vlm_lazy_create(&lazy, SIZES, BLOCKS, fill, &f, &error));
  assert_int_equal(vlm_lazy_filled(lazy), 0);
  for (int32_t i = 0; i < BLOCKS; i++) {
    unsigned char *data = vlm_lazy_block(lazy, i);
    assert_int_equal((uintptr_t)data % vlm_page_bytes(), 0);
    FINE(vlm_lazy_take(lazy, data, &error));
    FINE(vlm_lazy_take(lazy, data + SIZES[i] - 1, &error)); /* any byte of it names the block */
    assert_true(data[0] == 1 + i && data[SIZES[i] - 1] == 1 + i);
    vlm_lazy_give(lazy, data);
    assert_true(data[0] == 1 + i); /* one holder is left */
    assert_int_equal(f.fills[i], 1);
    vlm_lazy_give(lazy, data);
    assert_int_equal(vlm_lazy_filled(lazy), 0);
    FINE(vlm_lazy_take(lazy, data, &error));
    assert_true(data[SIZES[i] - 1] == 1 + i && f.fills[i] == 2);
    vlm_lazy_give(lazy, data);
  }
  vlm_lazy_free(lazy);
}

static void test_other_addresses_are_left_alone(void **state) {
  (void)state;
  filler f = {{0}, false};
  vlm_lazy *lazy, *none;
  char mine = 0;
  FINE(vlm_lazy_create(&lazy, SIZES, BLOCKS, fill, &f, &error));
  FINE(vlm_lazy_create(&none, NULL, 0, fill, &f, &error));
  vlm_lazy *const all[] = {lazy, none, NULL};
  const void *const addresses[] = {&mine, NULL};
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 2; k++) {
      assert_false(vlm_lazy_holds(all[i], addresses[k]));
      FINE(vlm_lazy_take(all[i], addresses[k], &error));
      vlm_lazy_give(all[i], addresses[k]);
      assert_int_equal(vlm_lazy_filled(all[i]), 0);
    }
  vlm_lazy_free(lazy);
  vlm_lazy_free(none);
  vlm_lazy_free(NULL);
}

static void test_a_failed_fill_leaves_the_block_empty(void **state) {
  (void)state;
  filler f = {{0}, true};
  vlm_lazy *lazy;
  FINE(vlm_lazy_create(&lazy, SIZES, BLOCKS, fill, &f, &error));
  FAILS(VLM_INTEGRITY, vlm_lazy_take(lazy, vlm_lazy_block(lazy, 2), &error));
  assert_string_equal(error.text, "block 2 is damaged");
  assert_int_equal(vlm_lazy_filled(lazy), 0);
  f.fails = false;
  FINE(vlm_lazy_take(lazy, vlm_lazy_block(lazy, 2), &error));
  assert_int_equal(*(unsigned char *)vlm_lazy_block(lazy, 2), 3);
  vlm_lazy_give(lazy, vlm_lazy_block(lazy, 2));
  vlm_lazy_free(lazy);
}

/* Not a wrong number, but the end of the process. */
static void test_reading_what_nobody_holds(void **state) {
  (void)state;
  filler f = {{0}, false};
  vlm_lazy *lazy;
  int status = 0;
  FINE(vlm_lazy_create(&lazy, SIZES, BLOCKS, fill, &f, &error));
  const volatile unsigned char *data = vlm_lazy_block(lazy, 1);
  FINE(vlm_lazy_take(lazy, vlm_lazy_block(lazy, 1), &error));
  vlm_lazy_give(lazy, vlm_lazy_block(lazy, 1));
  pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL); /* the test runner would take it for a failed test */
    _exit(*data == 99 ? 1 : 0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  vlm_lazy_free(lazy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_blocks_are_filled_while_held),
      cmocka_unit_test(test_other_addresses_are_left_alone),
      cmocka_unit_test(test_a_failed_fill_leaves_the_block_empty),
      cmocka_unit_test(test_reading_what_nobody_holds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
