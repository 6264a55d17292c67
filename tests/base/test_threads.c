#define _DEFAULT_SOURCE /* usleep */
/* The thread pool: every item of every region runs once, on a worker of its own number, and is done when the call returns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/threads.h"
#include "tests/fine.h"

enum { MOST = 1000, REGIONS = 20000, THREADS = 4 };

typedef struct {
  vlm_threads *pool;
  int runs[MOST]; /* by whoever claimed the item: no two threads write one */
  int workers[MOST];
  int64_t inner; /* items of a nested call */
} board;

static void mark(void *user, int64_t i, int worker) {
  board *b = user;
  b->runs[i]++;
  b->workers[i] = worker;
}

static void add(void *user, int64_t i, int worker) {
  (void)worker;
  *(int64_t *)user += i;
}

/* A call within a region runs inline. */
static void mark_nested(void *user, int64_t i, int worker) {
  board *b = user;
  int64_t sum = 0;
  vlm_threads_run(b->pool, b->inner, add, &sum);
  b->runs[i] += sum == b->inner * (b->inner - 1) / 2;
  b->workers[i] = worker;
}

static void check(board *b, int64_t n, int threads) {
  for (int64_t i = 0; i < n; i++) {
    if (b->runs[i] != 1) fail_msg("item %lld of %lld ran %d times", (long long)i, (long long)n, b->runs[i]);
    assert_in_range(b->workers[i], 0, threads - 1);
  }
  memset(b->runs, 0, (size_t)n * sizeof *b->runs);
}

static void every_item_once(void **state) {
  static board b;
  uint32_t seed = 1;
  (void)state;
  for (int threads = 1; threads <= THREADS; threads++) {
    FINE(vlm_threads_create(&b.pool, threads, &error));
    assert_int_equal(vlm_threads_count(b.pool), threads);
    for (int r = 0; r < REGIONS / threads; r++) {
      seed = seed * 1664525 + 1013904223;
      int64_t n = seed >> 28 ? seed >> 24 & 15 : seed % MOST;
      b.inner = n;
      vlm_threads_run(b.pool, n, r % 64 ? mark : mark_nested, &b);
      check(&b, n, threads);
      if (r % 1000 == 0) usleep(300); /* workers fall asleep */
    }
    vlm_threads_free(b.pool);
  }
}

static void mark_range(void *user, int64_t begin, int64_t end, int worker) {
  for (int64_t i = begin; i < end; i++) mark(user, i, worker);
}

static void ranges_cover_everything(void **state) {
  static board b;
  static const int64_t grains[] = {0, 1, 7, 64, MOST, 5 * MOST};
  (void)state;
  FINE(vlm_threads_create(&b.pool, 2, &error));
  for (size_t g = 0; g < sizeof grains / sizeof *grains; g++)
    for (int64_t n = 0; n <= MOST; n += n < 20 ? 1 : 97) {
      vlm_threads_range(b.pool, n, grains[g], mark_range, &b);
      check(&b, n, 2);
    }
  vlm_threads_free(b.pool);
}

static void no_pool_is_one_thread(void **state) {
  static board b;
  (void)state;
  assert_int_equal(vlm_threads_count(NULL), 1);
  vlm_threads_run(NULL, 9, mark, &b);
  check(&b, 9, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_item_once),
                                     cmocka_unit_test(ranges_cover_everything),
                                     cmocka_unit_test(no_pool_is_one_thread)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
