/* Shapes of the largest run: the same in any order and from any split, kept in the statistics file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <string.h>

#include "calib/shapes.h"
#include "tests/fine.h"

static const vlm_input_shape RUNS[][2] = {
    {{"model", "x", 2, {3, 64}}, {"model", "mask", 1, {3}}},
    {{"model", "x", 2, {7, 64}}, {"model", "mask", 1, {7}}},
    {{"model", "x", 3, {7, 2, 32}}, {"model", "mask", 1, {7}}}, /* as many elements, more dims */
    {{"model", "x", 2, {1, 64}}, {"model", "mask", 1, {1}}},
};
enum { N_RUNS = sizeof RUNS / sizeof RUNS[0] };

static void expect_largest(const vlm_shape_list *list) {
  assert_int_equal(list->count, 2);
  assert_string_equal(list->items[0].name, "x");
  const vlm_input_shape *x = vlm_shape_list_find(list, "model", "x");
  assert_int_equal(x->rank, 3);
  assert_int_equal(x->dims[1], 2);
  assert_int_equal(vlm_shape_list_find(list, "model", "mask")->dims[0], 7);
  assert_null(vlm_shape_list_find(list, "vision", "x"));
}

static void any_order_gives_the_largest_run(void **state) {
  (void)state;
  for (int first = 0; first < N_RUNS; first++) {
    vlm_shape_list a = {0}, b = {0};
    for (int i = 0; i < N_RUNS; i++)
      FINE(vlm_shape_list_see(i % 2 ? &a : &b, RUNS[(first + i) % N_RUNS], 2, &error));
    FINE(vlm_shape_list_merge(&a, &b, &error));
    expect_largest(&a);
    vlm_shape_list_free(&a);
    vlm_shape_list_free(&b);
  }
}

static void other_inputs_are_refused(void **state) {
  static const vlm_input_shape other[] = {{"model", "y", 1, {3}}, {"model", "mask", 1, {3}}};
  vlm_shape_list a = {0};
  (void)state;
  FINE(vlm_shape_list_see(&a, RUNS[0], 2, &error));
  FAILS(VLM_INPUT, vlm_shape_list_see(&a, other, 2, &error));
  FAILS(VLM_INPUT, vlm_shape_list_see(&a, RUNS[0] + 1, 1, &error));
  vlm_shape_list_free(&a);
}

static void the_file_keeps_them(void **state) {
  char path[] = "/tmp/vlmq-shapes-XXXXXX";
  vlm_stats *stats, *back;
  (void)state;
  close(mkstemp(path));
  FINE(vlm_stats_create(&stats, (vlm_digest){1, 2}, "", &error));
  for (int with = 0; with < 2; with++) {
    if (with) FINE(vlm_shape_list_see(vlm_stats_shapes(stats), RUNS[2], 2, &error));
    FINE(vlm_stats_save(stats, path, &error));
    FINE(vlm_stats_open(&back, path, &error));
    if (with) expect_largest(vlm_stats_seen_shapes(back));
    else assert_int_equal(vlm_stats_seen_shapes(back)->count, 0);
    vlm_stats_free(back);
  }
  vlm_stats_free(stats);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(any_order_gives_the_largest_run),
                                     cmocka_unit_test(other_inputs_are_refused),
                                     cmocka_unit_test(the_file_keeps_them)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
