/* Tokenizer: one row per rule, streams, and the public strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "eval/ptb_classes.h"
#include "eval/ptb_scanner.h"
#include "eval/ptb_tokenize.h"
#include "tests/eval/public_data.h"
#include "tests/fine.h"

/* Tokenizes captions as one stream; out[i] is what was wanted, all punctuation kept. */
static void check_stream(const char *const *texts, const char *const *wanted, int n) {
  vlm_arena *arena = NULL;
  const char *got[64];
  assert_true(n <= 64);
  FINE(vlm_arena_create(&arena, &error));
  FINE(vlm_ptb_tokenize(got, arena, texts, n, &(vlm_ptb_opts){.keep_punctuation = true}, &error));
  for (int i = 0; i < n; i++) {
    if (strcmp(got[i], wanted[i]) != 0)
      fail_msg("\"%s\": got \"%s\", wanted \"%s\"", texts[i], got[i], wanted[i]);
  }
  vlm_arena_free(arena);
}

static void check_one(const char *text, const char *wanted) {
  const char *texts[] = {text, "a dog"}, *wants[] = {wanted, "a dog"};
  check_stream(texts, wants, 2);
}

static const struct {
  const char *text, *tokens;
} rows[] = {
    {"", ""},
    {"A zebra grazes, quietly.", "a zebra grazes , quietly ."},
    {"C++ and F# books", "c++ and f# books"},
    {"I cannot; they're gonna", "i can not ; they 're gon na"},
    {"'twas late", "'t was late"},
    {"<em class=\"a b\"> x </em>",
     "<em\xC2\xA0"
     "class=\"a\xC2\xA0"
     "b\"> x </em>"},
    {"<3 hearts>", "< 3 hearts >"},
    {"wide \xE2\x80\x94 open", "wide -- open"},
    {"salt &amp; ice", "salt & ice"},
    {"a horse's shoe isn't new", "a horse 's shoe is n't new"},
    {"the horses' shoes", "the horses ' shoes"},
    {"end.Start now", "end.start now"},
    {"rock 'n' roll o'clock O'Neill", "rock 'n' roll o'clock o'neill"},
    {"see http://ab.cd/e?f, then", "see http://ab.cd/e?f , then"},
    {"write to me@home.org.", "write to me@home.org ."},
    {"3,500 geese at 12:05pm on 12/25/2014", "3,500 geese at 12:05 pm on 12/25/2014"},
    {"2 3/4 cups",
     "2\xC2\xA0"
     "3/4 cups"},
    {"H\xE2\x82\x82O and 5\xC2\xB2", "h \xE2\x82\x82 o and 5 \xC2\xB2"},
    {"cat/dog/owl/emu", "cat/dog/owl / emu"},
    {"US$5 or \xE2\x82\xAC"
     "5 or 5\xC2\xA2",
     "us$ 5 or $ 5 or 5 cents"},
    {"page no. 7, no. way", "page no. 7 , no . way"},
    {"plums, figs etc. In town", "plums , figs etc. . in town"},
    {"plums, figs etc. in town", "plums , figs etc. in town"},
    {"Dr. Who in the U.S. today", "dr. who in the u.s. today"},
    {"a van., a bus", "a van. , a bus"},
    {"(555) 123-4567",
     "-lrb-555-rrb-\xC2\xA0"
     "123-4567"},
    {"a \"red\" bus \" now", "a `` red '' bus '' now"},
    {"happy :) face", "happy :-rrb- face"},
    {"{a} [b] (c)", "-lcb- a -rcb- -lsb- b -rsb- -lrb- c -rrb-"},
    {"on ---- off ----- up", "on -- off ----- up"},
    {"wait...... what?!", "wait ... . what ?!"},
    {"a well-known 3-year-old snake_case -x", "a well-known 3-year-old snake_case - x"},
    {"R&B and a&b", "r&b and a & b"},
    {"a 'Taxi' sign", "a ` taxi ' sign"},
    {"\xE2\x80\x9Chi\xE2\x80\x9D it\xE2\x80\x99s", "`` hi '' it 's"},
    {"a \xF0\x9F\x90\xB6 runs", "a runs"},
    {"\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3 \xC4\xB0", "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82 i\xCC\x87"},
    {"soft\xC2\xADhyphen \xC2\xAD", "softhyphen -"},
    {"a dog\r\nruns\vfar", "a dog runs far"},
};

static void test_rules(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) check_one(rows[i].text, rows[i].tokens);
}

/* What follows a caption changes its last token. */
static void test_stream(void **state) {
  (void)state;
  const char *texts[] = {"vitamin C.", "A jar",          "vitamin C.", "a jar",  "some wall art.",
                         "3 frames",   "some wall art.", "frames",     "they've"};
  const char *wanted[] = {"vitamin c .", "a jar",           "vitamin c.", "a jar",    "some wall art.",
                          "3 frames",    "some wall art .", "frames",     "they ` ve"};
  check_stream(texts, wanted, 9);
}

static void test_punctuation_is_dropped(void **state) {
  (void)state;
  vlm_arena *arena = NULL;
  const char *text = "... \"A dog\" (brown) - ran, fast!! Yes! `so` -- ; : ?", *got;
  FINE(vlm_arena_create(&arena, &error));
  FINE(vlm_ptb_tokenize(&got, arena, &text, 1, NULL, &error));
  assert_string_equal(got, "a dog -lrb- brown -rrb- ran fast !! yes so");
  vlm_arena_free(arena);
}

static void test_bad_text(void **state) {
  (void)state;
  vlm_arena *arena = NULL;
  const char *texts[] = {"fine", "not \xC3( fine"}, *got[2];
  FINE(vlm_arena_create(&arena, &error));
  FAILS(VLM_INPUT, vlm_ptb_tokenize(got, arena, texts, 2, NULL, &error));
  assert_string_equal(error.text, "caption 1 is not valid UTF-8 at byte 4");
  vlm_arena_free(arena);
}

/* Scanner: longest match with look-ahead, earlier rule on a tie, latest split. */
static void test_scanner(void **state) {
  (void)state;
  static const vlm_ptb_rule table[] = {
      {"ab", NULL}, {"a", "bc"}, {"[a-c]+", NULL}, {"x+", "x{2,3}"}, {"(ab|cd){2}e?", NULL}};
  static const struct {
    const char *text;
    int rule, length;
  } cases[] = {{"ab", 0, 2}, {"abc", 1, 1},    {"abca", 2, 4}, {"xxxx", 3, 2},
               {"x", -1, 1}, {"abcdef", 4, 5}, {"?", -1, 1}};
  vlm_ptb_scanner *scanner = NULL;
  FINE(vlm_ptb_scanner_create(&scanner, table, 5, &error));
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int32_t rule;
    int64_t length;
    const char *t = cases[i].text;
    FINE(vlm_ptb_scan(scanner, &rule, &length, (const unsigned char *)t, (int64_t)strlen(t), &error));
    assert_int_equal(rule, cases[i].rule);
    assert_int_equal(length, cases[i].length);
  }
  vlm_ptb_scanner_free(scanner);
  static const vlm_ptb_rule broken = {"(a", NULL};
  FAILS(VLM_INTERNAL, vlm_ptb_scanner_create(&scanner, &broken, 1, &error));
}

/* Each string of a public file, followed by another caption. */
static void check_public(const char *path, size_t expected) {
  vlm_arena *arena = NULL;
  vlm_file file;
  char room[4096];
  size_t n = 0;
  static const char *texts[16384], *wanted[8192], *got[16384];
  FINE(vlm_arena_create(&arena, &error));
  FINE(vlm_file_map(&file, path, &error));
  const char *line = (const char *)file.data, *end = line + file.bytes;
  for (const char *stop; (stop = memchr(line, '\n', (size_t)(end - line))) != NULL; line = stop + 1, n++) {
    vlm_json_doc *doc = NULL;
    FINE(vlm_json_parse(&doc, line, (size_t)(stop - line), path, &error));
    FINE(vlm_arena_strdup(arena, &texts[2 * n],
                          text_of(vlm_json_member(vlm_json_root(doc), "text"), room, sizeof(room)), &error));
    FINE(vlm_arena_strdup(arena, &wanted[n],
                          text_of(vlm_json_member(vlm_json_root(doc), "line"), room, sizeof(room)), &error));
    texts[2 * n + 1] = "a dog";
    vlm_json_free(doc);
  }
  assert_int_equal(n, expected);
  FINE(
      vlm_ptb_tokenize(got, arena, texts, 2 * (int64_t)n, &(vlm_ptb_opts){.keep_punctuation = true}, &error));
  for (size_t i = 0; i < n; i++) {
    if (strcmp(got[2 * i], wanted[i]) != 0)
      fail_msg("\"%s\": got \"%s\", wanted \"%s\"", texts[2 * i], got[2 * i], wanted[i]);
  }
  vlm_file_unmap(&file);
  vlm_arena_free(arena);
}

static void test_public_strings(void **state) {
  (void)state;
  SKIP_WITHOUT_DATA();
  check_public(METRICS "tokenizer/own.jsonl", 869);
  check_public(METRICS "tokenizer/coco.jsonl", 4010);
}

static void test_public_stream(void **state) {
  (void)state;
  SKIP_WITHOUT_DATA();
  vlm_json_doc *doc = load(METRICS "tokenizer/stream.json");
  const vlm_json lines = vlm_json_member(vlm_json_root(doc), "lines"),
                 out = vlm_json_member(vlm_json_root(doc), "out");
  const char *texts[64], *wanted[64];
  const int n = (int)vlm_json_size(lines);
  assert_true(n > 40 && n <= 64);
  for (int i = 0; i < n; i++) {
    FINE(vlm_json_as_text(&texts[i], vlm_json_at(lines, (size_t)i), &error));
    FINE(vlm_json_as_text(&wanted[i], vlm_json_at(out, (size_t)i), &error));
  }
  check_stream(texts, wanted, n);
  vlm_json_free(doc);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rules),
      cmocka_unit_test(test_stream),
      cmocka_unit_test(test_punctuation_is_dropped),
      cmocka_unit_test(test_bad_text),
      cmocka_unit_test(test_scanner),
      cmocka_unit_test(test_public_strings),
      cmocka_unit_test(test_public_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
