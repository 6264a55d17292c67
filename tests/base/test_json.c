#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "runtime/base/memory.h"
#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"
#include "tests/fine.h"

static vlm_json_doc *parse(const char *text) {
  vlm_json_doc *doc;
  FINE(vlm_json_parse(&doc, text, strlen(text), "file.json", &error));
  return doc;
}

static void values_are_read(void **state) {
  (void)state;
  vlm_json_doc *doc = parse(
      "\xEF\xBB\xBF{\"i\": -7, \"r\": 2.5, \"w\": 3.0, \"b\": true, \"t\": \"h\\u00e9\\ud83d\\ude00\", "
      "\"n\": null, \"a\": [1, [2]], "
      "\"o\": {\"z\": 1, \"y\": 2}}");
  const vlm_json root = vlm_json_root(doc);
  int64_t i = 0;
  double r = 0;
  bool b = false;
  const char *t = NULL;
  FINE(vlm_json_get_int(&i, root, "i", VLM_JSON_REQUIRED, &error));
  assert_int_equal(i, -7);
  FINE(vlm_json_get_int(&i, root, "w", VLM_JSON_REQUIRED, &error));
  assert_int_equal(i, 3);
  FINE(vlm_json_get_double(&r, root, "r", VLM_JSON_REQUIRED, &error));
  assert_true(r == 2.5);
  FINE(vlm_json_get_bool(&b, root, "b", VLM_JSON_REQUIRED, &error));
  assert_true(b);
  FINE(vlm_json_get_text(&t, root, "t", VLM_JSON_REQUIRED, &error));
  assert_string_equal(t, "h\xC3\xA9\xF0\x9F\x98\x80");
  i = 42;
  FINE(vlm_json_get_int(&i, root, "n", VLM_JSON_OPTIONAL, &error));
  FINE(vlm_json_get_int(&i, root, "missing", VLM_JSON_OPTIONAL, &error));
  assert_int_equal(i, 42);
  assert_int_equal(vlm_json_size(vlm_json_member(root, "a")), 2);
  FINE(vlm_json_as_int(&i, vlm_json_at(vlm_json_at(vlm_json_member(root, "a"), 1), 0), &error));
  assert_int_equal(i, 2);
  vlm_json_iter it = {0};
  assert_true(vlm_json_next(vlm_json_member(root, "o"), &it));
  assert_string_equal(it.key, "z"); /* file order */
  assert_true(vlm_json_next(vlm_json_member(root, "o"), &it));
  assert_false(vlm_json_next(vlm_json_member(root, "o"), &it));
  vlm_json_free(doc);
}

static void absent_values_are_harmless(void **state) {
  (void)state;
  vlm_json_doc *doc = parse("[1]");
  const vlm_json none = vlm_json_member(vlm_json_member(vlm_json_root(doc), "a"), "b");
  vlm_json_iter it = {0};
  assert_int_equal(vlm_json_type(none), VLM_JSON_ABSENT);
  assert_int_equal(vlm_json_type(vlm_json_at(vlm_json_root(doc), 9)), VLM_JSON_ABSENT);
  assert_int_equal(vlm_json_size(none), 0);
  assert_false(vlm_json_next(none, &it));
  assert_true(vlm_json_is_null((vlm_json){0}));
  vlm_json_free(doc);
}

static void messages_name_file_and_path(void **state) {
  (void)state;
  vlm_json_doc *doc = parse("{\"model\": {\"merges\": [\"a b\", 5], \"k\": 1.5, \"z\": \"a\\u0000b\"}}");
  const vlm_json model = vlm_json_member(vlm_json_root(doc), "model");
  const char *text;
  int64_t i = 0;
  FAILS(VLM_INPUT, vlm_json_as_text(&text, vlm_json_at(vlm_json_member(model, "merges"), 1), &error));
  assert_string_equal(error.text, "file.json: model.merges[1]: got an integer, wanted text");
  FAILS(VLM_INPUT, vlm_json_get_int(&i, model, "k", VLM_JSON_REQUIRED, &error));
  assert_string_equal(error.text, "file.json: model.k: got 1.5, wanted an integer");
  FAILS(VLM_INPUT, vlm_json_get_int(&i, model, "vocab", VLM_JSON_REQUIRED, &error));
  assert_string_equal(error.text, "file.json: model: member \"vocab\" is missing");
  FAILS(VLM_INPUT, vlm_json_get_text(&text, model, "z", VLM_JSON_REQUIRED, &error));
  assert_non_null(strstr(error.text, "zero character"));
  vlm_json_doc *small = parse("{\"n\": 9}");
  FAILS(VLM_INPUT, vlm_json_get_int_in(&i, vlm_json_root(small), "n", (vlm_json_range){0, 8},
                                       VLM_JSON_REQUIRED, &error));
  assert_string_equal(error.text, "file.json: n: got 9, wanted 0 to 8");
  vlm_json_free(small);
  vlm_json_free(doc);
}

static void huge_integers_become_reals(void **state) {
  (void)state;
  vlm_json_doc *doc = parse("{\"model_max_length\": 1000000000000000019884624838656, \"id\": 50265}");
  double length = 0;
  int64_t id = 0;
  FINE(vlm_json_get_double(&length, vlm_json_root(doc), "model_max_length", VLM_JSON_REQUIRED, &error));
  assert_true(length == 1e30);
  FINE(vlm_json_get_int(&id, vlm_json_root(doc), "id", VLM_JSON_REQUIRED, &error));
  assert_int_equal(id, 50265);
  FAILS(VLM_INPUT, vlm_json_get_int(&id, vlm_json_root(doc), "model_max_length", VLM_JSON_REQUIRED, &error));
  vlm_json_free(doc);
}

static void hostile_text_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",          "{",   "{\"a\":}", "[1,]",    "\"\\ud800\"",       "\"\xFF\"",
      "{\"a\" 1}", "nul", "1 2",      "[1e999]", "{\"a\\u0000b\": 1}"};
  vlm_json_doc *doc;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    FAILS(VLM_INPUT, vlm_json_parse(&doc, bad[i], strlen(bad[i]), "file.json", &error));
    assert_null(doc);
    assert_non_null(strstr(error.text, "file.json: line "));
  }
  char *deep = test_malloc(200001);
  memset(deep, '[', 200000);
  deep[200000] = 0;
  FAILS(VLM_INPUT, vlm_json_parse(&doc, deep, 200000, "deep", &error));
  test_free(deep);
  FAILS(VLM_LIMIT, vlm_json_load(&doc, VLMQ_SOURCE_DIR "/tests/decode/data/search.json", 10, &error));
  assert_int_not_equal(vlm_json_load(&doc, VLMQ_SOURCE_DIR "/no such file", 0, &error), VLM_OK);
}

/* ---- writer ---- */

static void put_sample(vlm_json_writer *w) {
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "t\"", "a\n\x01\\ \xC3\xA9 \xFF");
  vlm_json_open_array(w, "a");
  vlm_json_put_int(w, NULL, -5);
  vlm_json_put_double(w, NULL, 0.1);
  vlm_json_put_double(w, NULL, 1e300);
  vlm_json_put_double(w, NULL, NAN);
  vlm_json_put_bool(w, NULL, true);
  vlm_json_put_null(w, NULL);
  vlm_json_close_array(w);
  vlm_json_open_object(w, "e");
  vlm_json_close_object(w);
  vlm_json_put_text(w, "n", NULL);
  vlm_json_close_object(w);
}

static void writer_writes(void **state) {
  (void)state;
  vlm_json_writer *w;
  const char *text;
  size_t bytes;
  FINE(vlm_json_writer_create(&w, 0, &error));
  put_sample(w);
  FINE(vlm_json_writer_text(w, &text, &bytes, &error));
  assert_string_equal(text,
                      "{\"t\\\"\": \"a\\n\\u0001\\\\ \xC3\xA9 \xEF\xBF\xBD\", \"a\": [-5, 0.1, 1e+300, null, "
                      "true, null], \"e\": {}, \"n\": null}");
  assert_int_equal(bytes, strlen(text));
  vlm_json_doc *doc = parse(text);
  vlm_json_free(doc);
  vlm_json_writer_free(w);
  FINE(vlm_json_writer_create(&w, 2, &error));
  vlm_json_open_array(w, NULL);
  vlm_json_put_int(w, NULL, 1);
  vlm_json_open_object(w, NULL);
  vlm_json_put_int(w, "b", 2);
  vlm_json_close_object(w);
  vlm_json_close_array(w);
  FINE(vlm_json_writer_text(w, &text, NULL, &error));
  assert_string_equal(text, "[\n  1,\n  {\n    \"b\": 2\n  }\n]");
  vlm_json_writer_reset(w);
  vlm_json_put_int(w, NULL, 7);
  FINE(vlm_json_writer_text(w, &text, NULL, &error));
  assert_string_equal(text, "7");
  vlm_json_writer_free(w);
}

static void doubles_round_trip(void **state) {
  (void)state;
  static const double values[] = {
      0, -0.0, 1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789.123, 2.439159870147705, 1e22};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    vlm_json_writer *w;
    const char *text;
    FINE(vlm_json_writer_create(&w, 0, &error));
    vlm_json_put_double(w, NULL, values[i]);
    FINE(vlm_json_writer_text(w, &text, NULL, &error));
    assert_true(strtod(text, NULL) == values[i]);
    vlm_json_writer_free(w);
  }
}

static void writer_notices_misuse(void **state) {
  (void)state;
  const char *text;
  for (int misuse = 0; misuse < 5; misuse++) {
    vlm_json_writer *w;
    FINE(vlm_json_writer_create(&w, 0, &error));
    if (misuse == 0) vlm_json_open_object(w, NULL);
    if (misuse == 1) vlm_json_close_array(w);
    if (misuse == 2) vlm_json_put_int(w, "key", 1);
    if (misuse == 3) vlm_json_put_int(w, NULL, 1), vlm_json_put_int(w, NULL, 1);
    if (misuse == 4) {
      for (int i = 0; i < 100; i++) vlm_json_open_array(w, NULL);
    }
    FAILS(VLM_INTERNAL, vlm_json_writer_text(w, &text, NULL, &error));
    vlm_json_writer_free(w);
  }
}

static void failing_memory_is_reported(void **state) {
  (void)state;
  for (long n = 1; n < 8; n++) {
    vlm_json_doc *doc = NULL;
    vlm_json_writer *w = NULL;
    const char *text;
    vlm_memory_fail_after(n);
    vlm_status st = vlm_json_parse(&doc, "{\"a\": 1}", 8, "x", &error);
    if (st == VLM_OK) st = vlm_json_writer_create(&w, 0, &error);
    if (st == VLM_OK) {
      put_sample(w);
      st = vlm_json_writer_text(w, &text, NULL, &error);
    }
    vlm_memory_fail_after(0);
    assert_true(st == VLM_OK || st == VLM_MEMORY);
    if (n < 4) assert_int_equal(st, VLM_MEMORY);
    vlm_json_writer_free(w);
    vlm_json_free(doc);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_read),
      cmocka_unit_test(absent_values_are_harmless),
      cmocka_unit_test(messages_name_file_and_path),
      cmocka_unit_test(huge_integers_become_reals),
      cmocka_unit_test(hostile_text_is_refused),
      cmocka_unit_test(writer_writes),
      cmocka_unit_test(doubles_round_trip),
      cmocka_unit_test(writer_notices_misuse),
      cmocka_unit_test(failing_memory_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
