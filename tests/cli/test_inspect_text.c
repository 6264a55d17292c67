/* How vlm-inspect shows numbers, names and histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/inspect.h"
#include "runtime/base/file.h"
#include "tests/fine.h"
#include "tests/flow/spread.h"

/* ---- numbers and names for people ---- */

static void numbers_for_people(void **state) {
  (void)state;
  static const struct {
    int64_t n;
    const char *text;
  } counts[] = {{0, "0"},
                {812, "812"},
                {999, "999"},
                {1000, "1.0 K"},
                {999949, "999.9 K"},
                {999950, "1.0 M"},
                {190342000000, "190.3 G"},
                {INT64_MAX, "too many"}};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
    assert_string_equal(vlm_show_count(counts[i].n).text, counts[i].text);
  assert_string_equal(vlm_show_bytes(35).text, "35 B");
  assert_string_equal(vlm_show_bytes(365.2e6).text, "365.2 MB");
  assert_string_equal(vlm_show_share(0).text, "0");
  assert_string_equal(vlm_show_share(1e-6).text, "< 0.01 %");
  assert_string_equal(vlm_show_share(0.0804).text, "8.04 %");
  assert_string_equal(vlm_show_share(0.412).text, "41.2 %");
}

static void names_for_people(void **state) {
  char out[64];
  (void)state;
  assert_string_equal(vlm_show_cell(out, sizeof out, "conv", 6), "conv  ");
  assert_string_equal(vlm_show_cell(out, sizeof out, "conv", -6), "conv");
  assert_string_equal(vlm_show_cell(out, sizeof out, "a\x1b[31m\n", 8), "a?[31m? ");
  assert_string_equal(vlm_show_cell(out, sizeof out, "0123456789abcdef", 9), "01…abcdef");
  assert_string_equal(vlm_show_cell(out, sizeof out, "éééé", 5), "éééé ");
  assert_string_equal(vlm_show_cell(out, sizeof out, "éééééééé", 5), "é…ééé");
  assert_string_equal(vlm_show_clean(out, 4, "aéé"), "aé"); /* never half a character */
}

/* ---- plots ---- */

static char *read_plot(const char *folder, const char *name) {
  char path[600], *text;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FINE(vlm_file_read_text(&text, path, &error));
  assert_int_equal(unlink(path), 0);
  return text;
}

/* A name of the file is neither markup nor a path; the same statistics draw the same bytes. */
static void plots(void **state) {
  vlm_stats *stats;
  vlm_stats_view v;
  char folder[] = "/tmp/vlm-plot-XXXXXX", *texts[2];
  (void)state;
  assert_non_null(mkdtemp(folder));
  FINE(vlm_stats_create(&stats, (vlm_digest){7, 7}, "", &error));
  spread(entry(stats, "../<b>&\"x\""), 3200, 0.99f);
  for (int k = 0; k < 2; k++) {
    FINE(vlm_stats_view_make(&v, stats, NULL, &error));
    FINE(vlm_stats_view_plot(&v, folder, &error));
    texts[k] = read_plot(folder, "0000_vision_..__b___x_.svg");
    vlm_stats_view_free(&v);
  }
  assert_string_equal(texts[0], texts[1]);
  assert_non_null(strstr(texts[0], "vision/../&lt;b&gt;&amp;&quot;x&quot;"));
  assert_null(strstr(texts[0], "<b>"));
  assert_non_null(strstr(texts[0], "3201 elements"));
  for (int k = 0; k < 2; k++) vlm_free(texts[k]);
  assert_int_equal(rmdir(folder), 0);
  vlm_stats_free(stats);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_for_people), cmocka_unit_test(names_for_people),
                                     cmocka_unit_test(plots)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
