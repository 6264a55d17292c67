/* Damaged statistics: every third byte with a bit turned over, every length. Refused, or the content is the same to the byte.
 * VLMQ_LONG=1 in the environment: every bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

#include "calib/kept.h"
#include "calib/stats.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

static char folder[64];
static char good[96], damaged[96], again[96];

static void add_sample(vlm_stats *s, uint64_t n) {
  static const char *const NAMES[] = {"x"};
  float x[3] = {(float)n, 1, 2};
  const vlm_tensor tensor = vlm_tensor_make(VLM_F32, 1, (int64_t[]){3}, x);
  const vlm_digest digest = {n * 0x9e3779b97f4a7c15u, n};
  vlm_kept_sample *sample;
  FINE(vlm_stats_add_sample(s, digest, n == 1 ? "one.npz" : "two.npz", &error));
  FINE(vlm_kept_sample_make(&sample, digest, false, NAMES, &tensor, 1, &error));
  vlm_kept_add(vlm_stats_kept(s), sample);
}

static int make_file(void **state) {
  vlm_stats *s;
  vlm_tensor_stats *entry;
  (void)state;
  /* Thousands of files are written and flushed. */
  snprintf(folder, sizeof folder, "%s/vlmq-stats-XXXXXX", access("/dev/shm", W_OK) ? P_tmpdir : "/dev/shm");
  if (!mkdtemp(folder)) return 1;
  snprintf(good, sizeof good, "%s/good.h5", folder);
  snprintf(damaged, sizeof damaged, "%s/bad.h5", folder);
  snprintf(again, sizeof again, "%s/again.h5", folder);
  FINE(vlm_stats_create(&s, (vlm_digest){1, 2}, "{}", &error));
  FINE(vlm_stats_entry(&entry, s, "model", "x", &error));
  for (uint64_t n = 1; n <= 2; n++) add_sample(s, n);
  FINE(vlm_stats_save(s, good, &error));
  vlm_stats_free(s);
  return 0;
}

static int remove_files(void **state) {
  (void)state;
  unlink(good);
  unlink(damaged);
  unlink(again);
  return rmdir(folder);
}

static vlm_file map_good(void) {
  vlm_file file;
  FINE(vlm_file_map(&file, good, &error));
  return file;
}

/* What the damaged file is read as, written again: the good bytes, or it is refused. */
static void check(const vlm_file *want, const char *what, size_t at) {
  vlm_error err = {0};
  vlm_stats *s = NULL;
  vlm_file got;
  const vlm_status st = vlm_stats_open(&s, damaged, &err);
  if (st == VLM_OK) {
    FINE(vlm_stats_save(s, again, &error));
    FINE(vlm_file_map(&got, again, &error));
    if (got.bytes != want->bytes || memcmp(got.data, want->data, got.bytes))
      fail_msg("%s %zu: read as other content", what, at);
    vlm_file_unmap(&got);
  } else if (st != VLM_INTEGRITY && st != VLM_INPUT && st != VLM_UNSUPPORTED && st != VLM_LIMIT)
    fail_msg("%s %zu: %s: %s", what, at, vlm_status_name(st), err.text);
  vlm_stats_free(s);
}

static void flipped_bits_are_found(void **state) {
  vlm_file file = map_good();
  const bool all = getenv("VLMQ_LONG") != NULL;
  (void)state;
  FINE(vlm_file_write(damaged, file.data, file.bytes, &error));
  const int fd = open(damaged, O_WRONLY);
  for (size_t at = 0; at < file.bytes; at++)
    for (unsigned bit = 0; bit < 8; bit++) {
      if (!all && (at * 5 + bit) % 24) continue;
      const unsigned char byte = (unsigned char)(file.data[at] ^ 1u << bit);
      assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
      check(&file, "bit of byte", at);
      assert_int_equal(pwrite(fd, &file.data[at], 1, (off_t)at), 1);
    }
  close(fd);
  vlm_file_unmap(&file);
}

static void every_length_is_found(void **state) {
  vlm_file file = map_good();
  vlm_stats *s;
  (void)state;
  FINE(vlm_file_write(damaged, file.data, file.bytes, &error));
  for (size_t bytes = file.bytes; bytes-- > 0;) {
    assert_int_equal(truncate(damaged, (off_t)bytes), 0);
    if (vlm_stats_open(&s, damaged, &error) == VLM_OK) fail_msg("%zu bytes are read", bytes);
  }
  vlm_file_unmap(&file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(flipped_bits_are_found),
      cmocka_unit_test(every_length_is_found),
  };
  return cmocka_run_group_tests(tests, make_file, remove_files);
}
