/* Rows by extent: what is counted, that order and merging do not matter, the file and its digest. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "calib/accumulate.h"
#include "calib/rows.h"
#include "tests/fine.h"

enum { ROWS = 64, WIDTH = 21 };

/* Row r reaches from -2^r/2 to 2^r/2 somewhere, and less elsewhere. */
static vlm_tensor ramp(float *x, int first, int count) {
  for (int r = 0; r < count; r++)
    for (int i = 0; i < WIDTH; i++) {
      float extent = ldexpf(1, first + r);
      x[r * WIDTH + i] = i == 20 ? extent / 2 : i == r % 20 ? -extent / 2 : extent / 8;
    }
  return vlm_tensor_make(VLM_F32, 3, (int64_t[]){1, count, WIDTH}, x);
}

static void rows_are_counted_by_extent(void **state) {
  static float x[ROWS * WIDTH];
  vlm_tensor_stats s = {0};
  (void)state;
  vlm_tensor t = ramp(x, -10, 21);
  assert_true(vlm_rows_extent(&s, 0.5) == 0);
  vlm_rows_add(&s, &t);
  /* an extent of 2^k lies below 2^(k + 1/2) */
  assert_true(fabs(vlm_rows_extent(&s, 0) / ldexp(M_SQRT2, -10) - 1) < 1e-6);
  assert_true(fabs(vlm_rows_extent(&s, 0.5) / M_SQRT2 - 1) < 1e-6);
  assert_true(fabs(vlm_rows_extent(&s, 1) / ldexp(M_SQRT2, 10) - 1) < 1e-6);
}

static void strange_rows_are_left_out(void **state) {
  static float x[4 * WIDTH];
  vlm_tensor_stats s = {0};
  int64_t all = 0;
  (void)state;
  vlm_tensor t = ramp(x, 0, 4);
  x[3] = NAN;
  x[WIDTH + 20] = INFINITY;
  memset(x + 2 * WIDTH, 0, WIDTH * sizeof *x);
  vlm_rows_add(&s, &t);
  for (int b = 0; b < VLM_ROW_BINS; b++) all += s.rows[b];
  assert_int_equal(all, 1);
  t.dtype = VLM_S32;
  vlm_rows_add(&s, &t);
  t = vlm_tensor_make(VLM_F32, 0, NULL, x);
  vlm_rows_add(&s, &t);
  assert_int_equal(s.rows[0], 0);
}

/* ---- collections ---- */

static void fill(vlm_stats **out, uint64_t sample, int first, int count, bool rows) {
  static float x[ROWS * WIDTH];
  vlm_tensor_stats *e;
  vlm_tensor t = ramp(x, first, count);
  FINE(vlm_stats_create(out, (vlm_digest){1, 2}, "", &error));
  FINE(vlm_stats_entry(&e, *out, "model", "x", &error));
  FINE(vlm_accumulate(e, &t, NULL, (vlm_digest){0, sample}, NULL, &error));
  if (rows) vlm_rows_add(e, &t);
  FINE(vlm_stats_add_sample(*out, (vlm_digest){0, sample}, "s", &error));
}

static vlm_digest digest_of(const vlm_stats *s) {
  vlm_digest d;
  FINE(vlm_stats_digest(&d, s, VLM_STATS_WHOLE, &error));
  return d;
}

static void merging_adds_and_files_keep(void **state) {
  char path[] = "/tmp/vlmq-rows-XXXXXX";
  vlm_stats *a, *b, *c, *d, *read;
  (void)state;
  fill(&a, 1, 0, 3, true);
  fill(&b, 2, 2, 5, true);
  fill(&c, 2, 2, 5, true);
  fill(&d, 1, 0, 3, true);
  FINE(vlm_stats_merge(a, b, &error));
  FINE(vlm_stats_merge(c, d, &error));
  vlm_digest one = digest_of(a), other = digest_of(c);
  assert_memory_equal(&one, &other, sizeof one);
  close(mkstemp(path));
  FINE(vlm_stats_save(a, path, &error));
  FINE(vlm_stats_open(&read, path, &error));
  assert_memory_equal(vlm_stats_at(read, 0)->rows, vlm_stats_at(c, 0)->rows, sizeof vlm_stats_at(c, 0)->rows);
  vlm_stats_free(read);
  unlink(path);
  vlm_stats_free(a);
  vlm_stats_free(b);
  vlm_stats_free(c);
  vlm_stats_free(d);
}

static void the_digest_covers_rows(void **state) {
  vlm_stats *with, *without;
  (void)state;
  fill(&with, 1, 0, 3, true);
  fill(&without, 1, 0, 3, false);
  vlm_digest a = digest_of(with), b = digest_of(without);
  assert_memory_not_equal(&a, &b, sizeof a);
  vlm_stats_free(with);
  vlm_stats_free(without);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_counted_by_extent),
      cmocka_unit_test(strange_rows_are_left_out),
      cmocka_unit_test(merging_adds_and_files_keep),
      cmocka_unit_test(the_digest_covers_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
