/* The table of options holds together, and what is read lands where its row says. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "cli/option_row.h"
#include "quant/range.h"
#include "runtime/exec/session.h"

static const vlm_program *program(char letter) {
  for (int i = 0; i < VLM_PROGRAM_COUNT; i++)
    if (vlm_programs[i].letter == letter) return &vlm_programs[i];
  fail_msg("no program %c", letter);
  return NULL;
}

enum { MOST_WORDS = 24 };

/* Splits the line at blanks; returns argc. The words point into `text`. */
static int split(char **words, char *text) {
  int n = 0;
  for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) words[n++] = word;
  assert_true(n < MOST_WORDS);
  return n;
}

/* ---- the table ---- */

/* Conditions name options, or arguments of each program that has the row. */
static void check_condition(const vlm_option_row *row, vlm_slice word) {
  const char *equals = memchr(word.data, '=', word.bytes);
  size_t length = equals ? (size_t)(equals - word.data) : word.bytes;
  if (word.data[0] == '-' && !vlm_option_find(word.data, length))
    fail_msg("%s: no option %.*s", row->name, (int)length, word.data);
  for (int i = 0; i < VLM_PROGRAM_COUNT && word.data[0] != '-'; i++)
    if (vlm_option_in(row, vlm_programs[i].letter) &&
        (!row->needs_in || strchr(row->needs_in, vlm_programs[i].letter)) &&
        !vlm_has_word(vlm_programs[i].arguments, word.data, word.bytes))
      fail_msg("%s: %s has no argument %.*s", row->name, vlm_programs[i].name, (int)word.bytes, word.data);
}

/* "A|B" is two. */
static void check_conditions(const vlm_option_row *row, const char *conditions) {
  vlm_slice word;
  while (vlm_next_word(&conditions, &word)) {
    while (word.bytes) {
      const char *bar = memchr(word.data, '|', word.bytes);
      const size_t length = bar ? (size_t)(bar - word.data) : word.bytes, behind = length + (bar != NULL);
      check_condition(row, (vlm_slice){word.data, length});
      word = (vlm_slice){word.data + behind, word.bytes - behind};
    }
  }
}

static void check_fits(const vlm_option_row *row) {
  static const char KINDS[] = "pipeline graph packed statistics";
  vlm_slice word;
  for (const char *at = row->fits; vlm_next_word(&at, &word);) {
    const vlm_option_row *other = vlm_option_find(word.data, word.bytes);
    if (!vlm_has_word(KINDS, word.data, word.bytes) && !(other && other->only))
      fail_msg("%s: fits %.*s", row->name, (int)word.bytes, word.data);
  }
}

static void test_rows(void **state) {
  (void)state;
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    vlm_args args = {.given = {false}};
    vlm_error err = {0};
    check_conditions(row, row->needs);
    check_conditions(row, row->excludes);
    check_conditions(row, row->unless);
    check_fits(row);
    assert_ptr_equal(vlm_option_find(row->name, strlen(row->name)), row); /* no name twice */
    assert_true(row->help[0] && row->programs[0]);
    assert_true((row->value != NULL) == (row->type != VLM_TYPE_flag));
    assert_false(row->standard && row->otherwise);
    if (row->type == VLM_TYPE_choice) assert_non_null(row->choices);
    if (row->standard && vlm_option_read(&args, row, row->standard, &err) != VLM_OK) fail_msg("%s", err.text);
    for (const char *c = row->programs; *c; c++) program((char)(*c | 0x20));
    vlm_args_free(&args);
  }
}

static void test_what_the_table_repeats(void **state) {
  const vlm_option_row *range = &vlm_option_rows[VLM_OPT_range];
  vlm_args args = {.given = {false}};
  vlm_slice word;
  int method = 0;
  (void)state;
  for (const char *at = range->choices; vlm_next_word(&at, &word); method++)
    assert_memory_equal(vlm_range_method_name((vlm_range_method)method), word.data, strcspn(word.data, " ["));
  assert_int_equal(method, VLM_RANGE_COUNT);
  assert_int_equal(vlm_option_read(&args, &vlm_option_rows[VLM_OPT_max_loop_runs],
                                   vlm_option_rows[VLM_OPT_max_loop_runs].standard, NULL),
                   VLM_OK);
  assert_int_equal(args.max_loop_runs, VLM_MAX_LOOP_RUNS);
}

/* ---- reading ---- */

static vlm_status parse(vlm_args *args, char letter, const char *line, vlm_error *err) {
  static char *words[MOST_WORDS], text[512]; /* what is read points into them */
  snprintf(text, sizeof text, "%s %s", program(letter)->name, line);
  *err = (vlm_error){0};
  return vlm_args_parse(args, program(letter), split(words, text), words, err);
}

static void test_values(void **state) {
  vlm_args args;
  vlm_error err;
  (void)state;
  assert_int_equal(
      parse(&args, 'e',
            "a b --images x y --limit 3 --max-drop 1.5% --min-speedup=2 --seed 9223372036854775807", &err),
      VLM_OK);
  assert_int_equal(args.positional.count, 2);
  assert_int_equal(args.images.count, 2);
  assert_int_equal(args.limit, 3);
  assert_true(args.max_drop == 1.5 && args.min_speedup == 2);
  assert_int_equal(args.seed, INT64_MAX);
  assert_int_equal(args.bootstrap, 1000);
  assert_true(VLM_OPTION_GIVEN(&args, max_drop) && !VLM_OPTION_GIVEN(&args, min_agreement) &&
              !VLM_OPTION_GIVEN(&args, bootstrap));
  vlm_args_free(&args);
  assert_int_equal(parse(&args, 'e', "a b --inputs x --min-sqnr -2.5dB", &err), VLM_OK);
  assert_true(args.min_sqnr == -2.5);
  vlm_args_free(&args);
  assert_int_equal(
      parse(&args, 'q', "m --weights s8-tensor --activations=none --range percentile:99.5 -o x --codec raw",
            &err),
      VLM_OK);
  assert_int_equal(args.weights, 1);
  assert_int_equal(args.activations, 3);
  assert_int_equal(args.codec, 1);
  assert_int_equal(args.level, 6);
  vlm_args_free(&args);
  assert_int_equal(parse(&args, 'r', "m i --json --threads 4 -- --prompt", &err), VLM_OK);
  assert_true(VLM_OPTION_GIVEN(&args, json) && !args.json);
  assert_int_equal(args.positional.count, 3);
  vlm_args_free(&args);
}

static void test_refusals(void **state) {
  static const struct {
    char letter;
    const char *line, *message;
  } CASES[] = {
      {'e', "a b --inputs x --min-sqnr 5db3", "--min-sqnr 5db3: wanted a number"},
      {'e', "a b --inputs x --min-sqnr 0x10", "--min-sqnr 0x10: wanted a number"},
      {'e', "a --images x --limit 2147483648",
       "--limit 2147483648: wanted a whole number from 1 to 2147483647"},
      {'e', "a --images x --limit 1e3", "--limit 1e3: wanted a whole number from 1 to 2147483647"},
      {'q', "m --calib c -o x --range percentile:10", "--range percentile:10: only percentile takes a value"},
      {'q', "m --calib c -o x --range mse:3",
       "--range mse:3: known are auto minmax percentile[:P] entropy mse"},
      {'q', "m --calib c -o x --range percentile:", "--range percentile:: known are"},
      {'q', "m -o x --calib c --keep a=f16", "--keep a=f16: f16 is not built yet"},
      {'c', "--merge a b -o c --prompt x --limit 3",
       "--limit and --prompt do not go with --merge, which runs no model: leave them out"},
      {'r', "m i --input x=y", "--input needs --output-dir DIR: add it"},
  };
  vlm_args args;
  vlm_error err;
  (void)state;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    assert_int_equal(parse(&args, CASES[i].letter, CASES[i].line, &err), VLM_USAGE);
    if (strncmp(err.text, CASES[i].message, strlen(CASES[i].message)) != 0)
      fail_msg("%s: %s", CASES[i].line, err.text);
    vlm_args_free(&args);
  }
}

/* ---- the record ---- */

static void records(const char *line, const char *wanted) {
  vlm_args args;
  vlm_error err;
  vlm_text text = {0};
  assert_int_equal(parse(&args, 'q', line, &err), VLM_OK);
  assert_int_equal(vlm_args_record(&text, &args, &err), VLM_OK);
  assert_string_equal(vlm_text_get(&text), wanted);
  vlm_text_free(&text);
  vlm_args_free(&args);
}

static void test_record(void **state) {
  (void)state;
  records("m --calib c -o x --threads 3 --cpu c --report r --quiet", "");
  records("m --calib c -o x --weights s8 --level 6 --range auto --activations=auto --codec zstd", "");
  records("m -o x --level 3 --weights=f32", "--weights f32 --level 3");
  records("m --level=03 --weights f32 -o x", "--weights f32 --level 3");
  records("m --calib c -o x --keep b --keep 'a*' --shape n=2 --everything --range percentile:99.9",
          "--range percentile:99.9 --everything --keep b --keep ''\\''a*'\\''' --shape n=2");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows), cmocka_unit_test(test_what_the_table_repeats),
      cmocka_unit_test(test_values), cmocka_unit_test(test_refusals), cmocka_unit_test(test_record)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
