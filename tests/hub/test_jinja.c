/* Chat templates against Python's jinja2 (tests/oracles/make_chat.py), and templates that are up to no good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/jinja.h"
#include "runtime/base/buffer.h"
#include "tests/fine.h"

static vlm_status render(char **out, const char *source, vlm_json variables) {
  vlm_arena *arena = NULL;
  const vlm_jinja_value *values = NULL;
  FINE(vlm_arena_create(&arena, &error));
  FINE(vlm_jinja_from_json(&values, arena, variables, &error));
  const vlm_status st = vlm_jinja_render(out, source, "chat_template.jinja", values, arena, &error);
  vlm_arena_free(arena);
  return st;
}

static void check_case(vlm_json one) {
  const char *source = NULL, *expected = NULL;
  char *said = NULL;
  FINE(vlm_json_get_text(&source, one, "template", VLM_JSON_REQUIRED, &error));
  FINE(vlm_json_get_text(&expected, one, "expected", VLM_JSON_OPTIONAL, &error));
  const vlm_status st = render(&said, source, vlm_json_member(one, "variables"));
  if (expected && st != VLM_OK) fail_msg("%s\n%s", source, error.text);
  if (!expected && st == VLM_OK) fail_msg("%s\nsaid: %s", source, said);
  if (!expected) assert_non_null(strstr(error.text, "chat_template.jinja: line "));
  if (expected && strcmp(said, expected) != 0) fail_msg("%s\nsaid: %s\nwant: %s", source, said, expected);
  vlm_free(said);
}

static void test_says_what_python_says(void **state) {
  vlm_json_doc *doc = NULL;
  (void)state;
  FINE(vlm_json_load(&doc, VLMQ_SOURCE_DIR "/tests/hub/data/chat.json", 0, &error));
  size_t count = vlm_json_size(vlm_json_root(doc));
  assert_true(count >= 80);
  for (size_t i = 0; i < count; i++) check_case(vlm_json_at(vlm_json_root(doc), i));
  vlm_json_free(doc);
}

static vlm_status run(const char *source) {
  char *said = NULL;
  vlm_json_doc *doc = NULL;
  FINE(vlm_json_parse(&doc, "{\"messages\": []}", 16, "variables", &error));
  const vlm_status st = render(&said, source, vlm_json_root(doc));
  vlm_free(said);
  vlm_json_free(doc);
  return st;
}

static char *repeated(const char *part, int count, const char *tail) {
  vlm_text text = {0};
  for (int i = 0; i < count; i++) FINE(vlm_text_append(&text, part, strlen(part), &error));
  FINE(vlm_text_append(&text, tail, strlen(tail), &error));
  return text.data;
}

/* Small templates that would take for ever, or all memory, or the stack. */
static void test_bounds(void **state) {
  static const char *const bombs[] = {
      "{% set n = namespace(x=1, y=1) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, "
      "n.y] %}"
      "{% endfor %}{{ n.x == n.y }}",
      "{% set n = namespace(x=1, y=1) %}{% for i in range(60000) %}{% set n.x = [n.x] %}{% set n.y = [n.y] %}"
      "{% endfor %}{{ n.x == n.y }}",
      "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
      "{% set n = namespace(x=[1, 2]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% for a in range(900000) %}{{ 'aaaaaaaaaaaaaaaa' }}{% endfor %}",
      "{{ range(999999999999) | length }}",
      "{% set n = namespace(x=1) %}{% for i in range(200) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | tojson "
      "}}",
  };
  static const struct {
    const char *part, *tail;
  } deep[] = {{"(", "1"}, {"[", "1"}, {"{'a':", "1"}, {"not ", "1"}, {"-", "1"}, {"1 if ", "1"}};
  (void)state;
  for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) FAILS(VLM_LIMIT, run(bombs[i]));
  for (size_t i = 0; i < sizeof deep / sizeof deep[0]; i++) {
    char *inside = repeated(deep[i].part, 100000, deep[i].tail), *source = repeated("{{ ", 1, inside);
    assert_int_not_equal(run(source), VLM_OK);
    vlm_free(inside);
    vlm_free(source);
  }
  char *nested = repeated("{% if true %}", 100000, "");
  FAILS(VLM_LIMIT, run(nested));
  vlm_free(nested);
  char *chain = repeated("{% elif true %}", 100000, ""), *whole = repeated("{% if true %}", 1, chain);
  FAILS(VLM_LIMIT, run(whole));
  vlm_free(chain);
  vlm_free(whole);
}

/* Whatever is cut off or altered ends in an answer or an error. */
static void test_damage(void **state) {
  vlm_json_doc *doc = NULL;
  (void)state;
  FINE(vlm_json_load(&doc, VLMQ_SOURCE_DIR "/tests/hub/data/chat.json", 0, &error));
  for (size_t i = 0; i < vlm_json_size(vlm_json_root(doc)); i++) {
    const char *source = NULL;
    char *copy = NULL;
    FINE(vlm_json_get_text(&source, vlm_json_at(vlm_json_root(doc), i), "template", VLM_JSON_REQUIRED,
                           &error));
    FINE(vlm_strdup(&copy, source, &error));
    for (size_t n = strlen(copy); n-- > 0;) {
      static const char WITH[] = "{}%#|'-[(:.~ a1";
      char kept = copy[n];
      copy[n] = WITH[n % (sizeof WITH - 1)];
      (void)run(copy);
      copy[n] = kept;
      if (n % 3 == 0) {
        copy[n] = 0;
        (void)run(copy);
        copy[n] = kept;
      }
    }
    vlm_free(copy);
  }
  vlm_json_free(doc);
}

static void test_allocation_failures(void **state) {
  (void)state;
  for (long n = 1; n < 200; n++) {
    char *said = NULL;
    vlm_arena *arena = NULL;
    const vlm_jinja_value *values = NULL;
    vlm_json_doc *doc = NULL;
    FINE(vlm_json_parse(&doc, "{\"a\": [1, \"b\"]}", 15, "variables", &error));
    vlm_memory_fail_after(n);
    vlm_status st = vlm_arena_create(&arena, &error);
    if (st == VLM_OK) st = vlm_jinja_from_json(&values, arena, vlm_json_root(doc), &error);
    if (st == VLM_OK)
      st = vlm_jinja_render(&said, "{% for x in a %}{{ x ~ 'y' | upper }}{{ {'q': a} | tojson }}{% endfor %}",
                            "t", values, arena, &error);
    vlm_memory_fail_after(0);
    if (st != VLM_OK) assert_int_equal(st, VLM_MEMORY);
    else assert_string_equal(said, "1Y{\"q\": [1, \"b\"]}bY{\"q\": [1, \"b\"]}");
    vlm_free(said);
    vlm_arena_free(arena);
    vlm_json_free(doc);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_says_what_python_says),
      cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_damage),
      cmocka_unit_test(test_allocation_failures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
