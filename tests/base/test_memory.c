/* The allocator: zeroed, aligned, checked; typed macros; injected failures; the arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "tests/fine.h"

typedef struct {
  double wide;
  char name[13];
} item;

static bool is_zero(const void *data, size_t bytes) {
  const unsigned char *p = data;
  for (size_t i = 0; i < bytes; i++)
    if (p[i]) return false;
  return true;
}

static void test_new(void **state) {
  (void)state;
  for (size_t n = 0; n < 200; n += 33) {
    item *items = (item *)16;
    FINE(vlm_new(&items, n, &error));
    assert_non_null(items);
    assert_int_equal((uintptr_t)items % VLM_ALIGN, 0);
    assert_true(is_zero(items, n * sizeof *items));
    memset(items, 7, n * sizeof *items);
    vlm_free(items);
  }
}

static void test_new_refuses_what_cannot_be(void **state) {
  (void)state;
  item *items = (item *)16;
  FAILS(VLM_LIMIT, vlm_new(&items, SIZE_MAX / sizeof *items + 2, &error));
  assert_null(items);
  assert_non_null(strstr(error.text, "exceed the address space"));
  items = (item *)16;
  FAILS(VLM_LIMIT, vlm_new(&items, (int64_t)-1, &error));
  assert_null(items);
}

static void test_more_keeps_and_zeroes(void **state) {
  (void)state;
  const char **names = NULL; /* elements that are pointers to const */
  FINE(vlm_more(&names, 0, 3, &error));
  for (int i = 0; i < 3; i++) names[i] = "kept";
  FINE(vlm_more(&names, 3, 1000, &error));
  for (int i = 0; i < 3; i++) assert_string_equal(names[i], "kept");
  assert_true(is_zero(names + 3, 997 * sizeof *names));
  FINE(vlm_more(&names, 1000, 2, &error)); /* smaller is fine too */
  assert_string_equal(names[1], "kept");
  vlm_free(names);
}

/* A failure leaves the old block where it was. */
static void test_more_fails_unchanged(void **state) {
  (void)state;
  int *numbers = NULL;
  FINE(vlm_more(&numbers, 0, 4, &error));
  int *const before = numbers;
  numbers[3] = 42;
  vlm_memory_fail_after(1);
  FAILS(VLM_MEMORY, vlm_more(&numbers, 4, 8, &error));
  vlm_memory_fail_after(0);
  assert_ptr_equal(numbers, before);
  assert_int_equal(numbers[3], 42);
  vlm_free(numbers);
}

static void test_injected_failure_hits_the_nth(void **state) {
  (void)state;
  for (long nth = 1; nth <= 3; nth++) {
    vlm_memory_fail_after(nth);
    for (long k = 1; k <= 4; k++) {
      char *text = (char *)16;
      assert_int_equal(vlm_new(&text, 9, &error), k == nth ? VLM_MEMORY : VLM_OK);
      assert_true((text == NULL) == (k == nth));
      vlm_free(text);
    }
    vlm_memory_fail_after(0);
  }
}

/* The address of the pointer is computed once, whatever the macro does with it. */
static void test_macros_evaluate_once(void **state) {
  (void)state;
  char *texts[3] = {NULL, NULL, NULL};
  int at = 0;
  FINE(vlm_new(&texts[at++], 5, &error));
  FINE(vlm_more(&texts[at++], 0, 5, &error));
  assert_int_equal(at, 2);
  assert_non_null(texts[0]);
  assert_non_null(texts[1]);
  assert_null(texts[2]);
  vlm_free(texts[0]);
  vlm_free(texts[1]);
}

static void test_arena(void **state) {
  (void)state;
  vlm_arena *arena;
  item *items[100];
  FINE(vlm_arena_create(&arena, &error));
  for (int i = 0; i < 100; i++) {
    FINE(vlm_arena_new(arena, &items[i], i * i, &error));
    assert_true(is_zero(items[i], (size_t)(i * i) * sizeof(item)));
    assert_int_equal((uintptr_t)items[i] % ((size_t)(i * i) * sizeof(item) >= VLM_ALIGN ? VLM_ALIGN : 16), 0);
    memset(items[i], i, (size_t)(i * i) * sizeof(item));
  }
  for (int i = 1; i < 100; i++) /* nobody wrote into a neighbour */
    for (size_t k = 0; k < (size_t)(i * i) * sizeof(item); k++)
      assert_int_equal(((unsigned char *)items[i])[k], i);
  item *none = (item *)16;
  FAILS(VLM_LIMIT, vlm_arena_new(arena, &none, SIZE_MAX / 8, &error));
  assert_null(none);
  vlm_arena_free(arena);
}

static void test_sizes(void **state) {
  (void)state;
  size_t got;
  assert_true(vlm_size_mul(SIZE_MAX / 2, 2, &got));
  assert_false(vlm_size_mul(SIZE_MAX / 2 + 1, 2, &got));
  assert_true(vlm_size_add(SIZE_MAX - 1, 1, &got));
  assert_false(vlm_size_add(SIZE_MAX, 1, &got));
  assert_int_equal(vlm_size_align(0), 0);
  assert_int_equal(vlm_size_align(1), VLM_ALIGN);
  assert_int_equal(vlm_size_align(VLM_ALIGN), VLM_ALIGN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new),
      cmocka_unit_test(test_new_refuses_what_cannot_be),
      cmocka_unit_test(test_more_keeps_and_zeroes),
      cmocka_unit_test(test_more_fails_unchanged),
      cmocka_unit_test(test_injected_failure_hits_the_nth),
      cmocka_unit_test(test_macros_evaluate_once),
      cmocka_unit_test(test_arena),
      cmocka_unit_test(test_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
