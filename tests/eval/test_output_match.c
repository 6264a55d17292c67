/* Outputs of any kind are compared in a fitting way: floats, infinities, integers, what data selects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "eval/graph_accuracy.h"
#include "eval/output_match.h"
#include "tests/exec/graph_program.h"

static vlm_tensor float_rows_of(int64_t rows, int64_t width, float *data) {
  return vlm_tensor_make(VLM_F32, 2, (int64_t[]){rows, width}, data);
}

static vlm_tensor int_rows_of(int64_t rows, int64_t width, int64_t *data) {
  return vlm_tensor_make(VLM_S64, 2, (int64_t[]){rows, width}, data);
}

static vlm_output_match match(vlm_output_match m, const vlm_tensor *a, const vlm_tensor *b) {
  FINE(vlm_output_match_add(&m, a, b, &error));
  return m;
}

static void test_infinities(void **state) {
  float r[] = {1, -INFINITY, 3, NAN}, c[] = {1, -INFINITY, 3.1f, NAN}, lost[] = {1, 2, 3, NAN},
        other[] = {1, INFINITY, 3, NAN};
  const vlm_tensor a = float_rows_of(1, 4, r), b = float_rows_of(1, 4, c), d = float_rows_of(1, 4, lost),
                   e = float_rows_of(1, 4, other);
  (void)state;
  const vlm_output_match same = match((vlm_output_match){0}, &a, &a),
                         near = match((vlm_output_match){0}, &a, &b);
  assert_true(isinf(vlm_sqnr_db(&same.sqnr)) && vlm_sqnr_db(&same.sqnr) > 0);
  assert_true(vlm_sqnr_db(&near.sqnr) > 29 && vlm_sqnr_db(&near.sqnr) < 31);
  assert_int_equal(match((vlm_output_match){0}, &a, &d).sqnr.lost, 1);
  const vlm_output_match wrong = match((vlm_output_match){0}, &a, &e);
  assert_int_equal(wrong.sqnr.lost, 1);
  assert_true(vlm_sqnr_db(&wrong.sqnr) < 0 && isinf(vlm_sqnr_db(&wrong.sqnr)));
}

static void test_rows_are_found_again(void **state) {
  float r[] = {1, 1, 9, 9, 20, 4, 25, 25, 30, 30}, c[] = {20, 4.01f, 9.01f, 9, 1, 1, 0, 5};
  const vlm_tensor a = float_rows_of(5, 2, r), b = float_rows_of(4, 2, c), none = float_rows_of(0, 2, r);
  (void)state;
  const vlm_output_match m = match((vlm_output_match){0}, &a, &b);
  assert_true(m.selected && vlm_output_match_counts(&m)); /* other shapes say so */
  assert_int_equal(m.matched, 3);
  assert_int_equal(m.items, 6);
  assert_true(vlm_sqnr_db(&m.sqnr) > 40);
  assert_true(vlm_output_match_percent(&m) == 50);
  const vlm_output_match gone = match((vlm_output_match){0}, &a, &none),
                         empty = match((vlm_output_match){0}, &none, &none);
  assert_true(vlm_output_match_percent(&gone) == 0 && vlm_output_match_percent(&empty) == 100);
}

static void test_integers(void **state) {
  int64_t r[] = {0, 0, 7, 0, 0, 3, 0, 1, 7}, c[] = {0, 1, 7, 0, 0, 3, 0, 0, 5, 0, 0, 9};
  const vlm_tensor a = int_rows_of(3, 3, r), b = int_rows_of(4, 3, c), same = int_rows_of(3, 3, c);
  (void)state;
  const vlm_output_match set = match((vlm_output_match){.form = VLM_ITEM_ROW, .selected = true}, &a, &b);
  assert_int_equal(set.matched, 2);
  assert_int_equal(set.items, 5);
  const vlm_output_match places = match((vlm_output_match){0}, &a, &same);
  assert_int_equal(places.items, 9);
  assert_int_equal(places.matched, 6);
  assert_true(vlm_output_match_counts(&places));
  /* rows of a batch are not mixed; the order within a row is free */
  int64_t p[] = {5, 6, 7, 8}, q[] = {6, 5, 9, 8};
  const vlm_tensor x = int_rows_of(2, 2, p), y = int_rows_of(2, 2, q);
  const vlm_output_match top = match((vlm_output_match){.selected = true}, &x, &y);
  assert_int_equal(top.matched, 3);
  assert_int_equal(top.items, 5);
  /* the coordinates of NonZero are columns */
  int64_t u[] = {0, 1, 2, 5, 6, 7}, v[] = {0, 2, 5, 7};
  const vlm_tensor s = int_rows_of(2, 3, u), t = int_rows_of(2, 2, v);
  const vlm_output_match found = match((vlm_output_match){.form = VLM_ITEM_COLUMN}, &s, &t);
  assert_int_equal(found.matched, 2);
  assert_int_equal(found.items, 3);
}

static void test_types(void **state) {
  float r[] = {1, 2};
  int64_t c[] = {1, 2};
  const vlm_tensor a = float_rows_of(1, 2, r), b = int_rows_of(1, 2, c);
  vlm_output_match m = {0};
  (void)state;
  FAILS(VLM_INPUT, vlm_output_match_add(&m, &a, &b, &error));
}

static void test_what_data_selects(void **state) {
  vlm_output_match m;
  (void)state;
  vlm_graph *g = graph_of(
      "in x float32 2,4\nNonZero x -> n\nCast n -> f to=1\nRelu x -> r\nAdd f f -> s\nout n\nout f\nout "
      "r\nout s\n");
  FINE(vlm_output_match_begin(&m, g, 0, &error));
  assert_true(m.selected && m.form == VLM_ITEM_COLUMN);
  FINE(vlm_output_match_begin(&m, g, 1, &error));
  assert_true(m.selected && m.form == VLM_ITEM_COLUMN);
  FINE(vlm_output_match_begin(&m, g, 2, &error));
  assert_false(m.selected);
  FINE(vlm_output_match_begin(&m, g, 3, &error));
  assert_true(m.selected && m.form == VLM_ITEM_ELEMENT);
  vlm_graph_free(g);
}

static void test_places_of_labels(void **state) {
  float scores[] = {0.1f, 0.7f, NAN, 0.7f, 0.2f, -INFINITY};
  const vlm_tensor t = float_rows_of(1, 6, scores), two = float_rows_of(2, 3, scores);
  static const int64_t WANTED[] = {3, 0, 5, 1, 2, 4};
  int64_t place;
  (void)state;
  for (int64_t i = 0; i < 6; i++) {
    FINE(vlm_label_place(&place, &t, i, &error));
    assert_int_equal(place, WANTED[i]);
  }
  FAILS(VLM_INPUT, vlm_label_place(&place, &t, 6, &error));
  FAILS(VLM_INPUT, vlm_label_place(&place, &two, 0, &error));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_infinities),        cmocka_unit_test(test_rows_are_found_again),
      cmocka_unit_test(test_integers),          cmocka_unit_test(test_types),
      cmocka_unit_test(test_what_data_selects), cmocka_unit_test(test_places_of_labels),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
