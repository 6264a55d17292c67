/* Offsets by liveness: held against a slow planner of the same rule, and against what must hold for every plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/exec/memory_plan.h"
#include "tests/fine.h"

typedef struct {
  uint64_t state;
} dice;

static uint32_t roll(dice *d, uint32_t sides) {
  d->state = d->state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(d->state >> 33) % sides;
}

static bool alive_together(const vlm_lifetime *a, const vlm_lifetime *b) {
  return a->first <= b->last && b->first <= a->last;
}

static size_t end_of(const vlm_lifetime *item) { return item->offset + vlm_size_align(item->bytes); }

/* ---- the slow twin: largest first, the lowest offset at which nothing placed is in the way ---- */

static bool fits(const vlm_lifetime *items, const bool *placed, int32_t count, const vlm_lifetime *item,
                 size_t at) {
  for (int32_t i = 0; i < count; i++)
    if (placed[i] && alive_together(&items[i], item) && at < end_of(&items[i]) &&
        items[i].offset < at + vlm_size_align(item->bytes))
      return false;
  return true;
}

/* Places one item: at 0 or right behind another one. */
static void place_lowest(vlm_lifetime *items, const bool *placed, int32_t count, int32_t index) {
  vlm_lifetime *item = &items[index];
  size_t best = fits(items, placed, count, item, 0) ? 0 : SIZE_MAX;
  for (int32_t i = 0; i < count && best; i++)
    if (placed[i] && end_of(&items[i]) < best && fits(items, placed, count, item, end_of(&items[i])))
      best = end_of(&items[i]);
  item->offset = best;
}

static size_t slow_plan(vlm_lifetime *items, int32_t count) {
  bool *placed = calloc((size_t)count + 1, 1);
  size_t arena = 0;
  for (int32_t round = 0; round < count; round++) {
    int32_t next = -1;
    for (int32_t i = 0; i < count; i++)
      if (!placed[i] && (next < 0 || items[i].bytes > items[next].bytes)) next = i;
    place_lowest(items, placed, count, next);
    placed[next] = true;
    if (end_of(&items[next]) > arena) arena = end_of(&items[next]);
  }
  free(placed);
  return arena;
}

/* The smallest arena over all orders of placing. */
static size_t best_of_orders(vlm_lifetime *items, bool *placed, int32_t count, int32_t left, size_t arena) {
  if (left == 0) return arena;
  size_t best = SIZE_MAX;
  for (int32_t i = 0; i < count; i++) {
    if (placed[i]) continue;
    place_lowest(items, placed, count, i);
    placed[i] = true;
    const size_t end = end_of(&items[i]),
                 got = best_of_orders(items, placed, count, left - 1, end > arena ? end : arena);
    placed[i] = false;
    if (got < best) best = got;
  }
  return best;
}

/* ---- what holds for every plan ---- */

typedef struct {
  int64_t at, bytes;
} change;

static int by_time(const void *a, const void *b) {
  const change *x = a, *y = b;
  if (x->at != y->at) return x->at < y->at ? -1 : 1;
  return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The most bytes that are alive in any step. */
static size_t most_alive(const vlm_lifetime *items, int32_t count) {
  change *changes = calloc(2 * (size_t)count + 1, sizeof *changes);
  for (int32_t i = 0; i < count; i++) {
    changes[2 * i] = (change){items[i].first, (int64_t)vlm_size_align(items[i].bytes)};
    changes[2 * i + 1] = (change){(int64_t)items[i].last + 1, -changes[2 * i].bytes};
  }
  qsort(changes, 2 * (size_t)count, sizeof *changes, by_time);
  int64_t now = 0, most = 0;
  for (int32_t i = 0; i < 2 * count; i++) {
    now += changes[i].bytes;
    if (now > most) most = now;
  }
  free(changes);
  return (size_t)most;
}

static void check_bounds(const vlm_lifetime *items, int32_t count, size_t arena) {
  size_t sum = 0, highest = 0;
  for (int32_t i = 0; i < count; i++) {
    assert_int_equal(items[i].offset % VLM_ALIGN, 0);
    sum += vlm_size_align(items[i].bytes);
    if (end_of(&items[i]) > highest) highest = end_of(&items[i]);
  }
  assert_int_equal(arena, highest);
  assert_true(arena <= sum);
  assert_true(arena >= most_alive(items, count));
}

static void check_apart(const vlm_lifetime *items, int32_t count) {
  for (int32_t i = 0; i < count; i++)
    for (int32_t k = 0; k < i; k++)
      if (alive_together(&items[i], &items[k]) && items[i].offset < end_of(&items[k]) &&
          items[k].offset < end_of(&items[i]))
        fail_msg("items %d and %d share bytes", (int)k, (int)i);
}

static vlm_lifetime *random_items(dice *d, int32_t count, uint32_t steps, uint32_t longest,
                                  uint32_t largest) {
  vlm_lifetime *items = calloc((size_t)count + 1, sizeof *items);
  for (int32_t i = 0; i < count; i++) {
    const int32_t first = (int32_t)roll(d, steps);
    items[i] = (vlm_lifetime){
        .bytes = roll(d, largest), .first = first, .last = first + (int32_t)roll(d, longest), .offset = 7};
  }
  return items;
}

/* ---- tests ---- */

static void test_equals_the_slow_planner(void **state) {
  (void)state;
  dice d = {1};
  for (int round = 0; round < 300; round++) {
    const int32_t count = (int32_t)roll(&d, 60);
    vlm_lifetime *items =
        random_items(&d, count, 1 + roll(&d, 40), 1 + roll(&d, 20), 1 + roll(&d, round % 2 ? 300 : 100000));
    vlm_lifetime *slow = calloc((size_t)count + 1, sizeof *slow);
    memcpy(slow, items, (size_t)count * sizeof *slow);
    size_t arena;
    FINE(vlm_memory_plan(items, count, &arena, &error));
    assert_int_equal(arena, slow_plan(slow, count));
    for (int32_t i = 0; i < count; i++) assert_int_equal(items[i].offset, slow[i].offset);
    check_bounds(items, count, arena);
    check_apart(items, count);
    free(slow);
    free(items);
  }
}

/* No order of placing beats the plan by more than half, and none that is tried makes it worse than the best. */
static void test_near_the_best_of_all_orders(void **state) {
  (void)state;
  dice d = {2};
  for (int round = 0; round < 200; round++) {
    vlm_lifetime *items = random_items(&d, 5, 6, 4, 2000);
    bool placed[5] = {false};
    size_t arena;
    FINE(vlm_memory_plan(items, 5, &arena, &error));
    const size_t best = best_of_orders(items, placed, 5, 5, 0);
    assert_true(arena >= best);
    assert_true(arena <= best + best / 2);
    free(items);
  }
}

static void test_shares_and_separates(void **state) {
  (void)state;
  vlm_lifetime items[] = {{100, 0, 1, 0}, {100, 2, 3, 0}, {10, 1, 2, 0}, {0, 0, 9, 0}};
  size_t arena;
  FINE(vlm_memory_plan(items, 4, &arena, &error));
  assert_int_equal(items[0].offset, 0);
  assert_int_equal(items[1].offset, 0);
  assert_int_equal(items[2].offset, 128);
  assert_int_equal(arena, 192);
  FINE(vlm_memory_plan(items, 0, &arena, &error));
  assert_int_equal(arena, 0);
}

static void test_extreme_steps(void **state) {
  (void)state;
  vlm_lifetime items[] = {{64, 0, INT32_MAX, 0}, {64, INT32_MAX, INT32_MAX, 0}, {64, 5, 5, 0}, {64, 0, 4, 0}};
  size_t arena;
  FINE(vlm_memory_plan(items, 4, &arena, &error));
  check_bounds(items, 4, arena);
  check_apart(items, 4);
  assert_int_equal(arena, 128);
}

/* So many that live together that the planner stops looking for gaps. */
static void test_crowded(void **state) {
  (void)state;
  dice d = {3};
  vlm_lifetime *items = random_items(&d, 9000, 9000, 9000, 5000);
  size_t arena;
  FINE(vlm_memory_plan(items, 9000, &arena, &error));
  check_bounds(items, 9000, arena);
  check_apart(items, 9000);
  assert_true(arena < most_alive(items, 9000) * 3 / 2);
  free(items);
}

static void test_a_hundred_thousand(void **state) {
  (void)state;
  static const uint32_t longest[] = {30, 100000};
  for (int k = 0; k < 2; k++) {
    dice d = {4};
    vlm_lifetime *items = random_items(&d, 100000, 100000, longest[k], 1 << 20);
    size_t arena;
    FINE(vlm_memory_plan(items, 100000, &arena, &error));
    check_bounds(items, 100000, arena);
    assert_true(arena < most_alive(items, 100000) * (k ? 6 : 5) / 4);
    free(items);
  }
}

static void test_out_of_memory(void **state) {
  (void)state;
  vlm_lifetime item = {64, 0, 1, 0};
  size_t arena;
  for (long n = 1; n <= 8; n++) {
    vlm_memory_fail_after(n);
    FAILS(VLM_MEMORY, vlm_memory_plan(&item, 1, &arena, &error));
    vlm_memory_fail_after(0);
  }
  FINE(vlm_memory_plan(&item, 1, &arena, &error));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equals_the_slow_planner),
      cmocka_unit_test(test_near_the_best_of_all_orders),
      cmocka_unit_test(test_shares_and_separates),
      cmocka_unit_test(test_extreme_steps),
      cmocka_unit_test(test_crowded),
      cmocka_unit_test(test_a_hundred_thousand),
      cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
