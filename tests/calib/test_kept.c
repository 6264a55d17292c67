/* Samples that statistics keep: which ones, whatever the order, parts and files; damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "calib/kept.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

enum { SAMPLES = 20 };

static void add(vlm_stats *s, uint64_t n, bool held_out) {
  static const char *const NAMES[] = {"x", "ids"};
  float x[6] = {(float)n, 1, 2, 3, 4, 5};
  int64_t ids[2] = {(int64_t)n, 7};
  const vlm_tensor tensors[] = {vlm_tensor_make(VLM_F32, 2, (int64_t[]){2, 3}, x),
                                vlm_tensor_make(VLM_S64, 1, (int64_t[]){2}, ids)};
  const vlm_digest digest = {n * 0x9e3779b97f4a7c15u, n};
  vlm_kept_sample *sample;
  FINE(vlm_stats_add_sample(s, digest, "s", &error));
  if (held_out) vlm_stats_hold_out(s, digest);
  FINE(vlm_kept_sample_make(&sample, digest, held_out, NAMES, tensors, 2, &error));
  vlm_kept_add(vlm_stats_kept(s), sample);
}

static vlm_stats *empty(void) {
  vlm_stats *s;
  FINE(vlm_stats_create(&s, (vlm_digest){1, 2}, "", &error));
  return s;
}

static vlm_digest digest_of(const vlm_stats *s) {
  vlm_digest d;
  FINE(vlm_kept_digest(&d, vlm_stats_kept_samples(s), &error));
  return d;
}

/* `held` of the samples are held out; forward, backward and in two parts. */
static void any_order(int held) {
  vlm_stats *a = empty(), *b = empty(), *c = empty(), *d = empty();
  for (int i = 1; i <= SAMPLES; i++) {
    add(a, (uint64_t)i, i <= held);
    add(b, (uint64_t)(SAMPLES + 1 - i), SAMPLES + 1 - i <= held);
    add(i % 3 ? c : d, (uint64_t)i, i <= held);
  }
  FINE(vlm_stats_merge(c, d, &error));
  vlm_digest x = digest_of(a), y = digest_of(b), z = digest_of(c);
  assert_memory_equal(&x, &y, sizeof x);
  assert_memory_equal(&x, &z, sizeof x);
  assert_int_equal(vlm_stats_held_out(c), held);
  const vlm_kept_list *list = vlm_stats_kept_samples(a);
  int least = held < VLM_KEPT_MOST ? held : VLM_KEPT_MOST;
  assert_int_equal(list->count, least + VLM_KEPT_MOST);
  for (int i = 0; i < list->count; i++) assert_int_equal(list->items[i]->held_out, i < least);
  vlm_stats_free(a);
  vlm_stats_free(b);
  vlm_stats_free(c);
  vlm_stats_free(d);
}

static void order_and_parts_do_not_matter(void **state) {
  (void)state;
  any_order(0);
  any_order(3);
  any_order(VLM_KEPT_MOST);
  any_order(VLM_KEPT_MOST + 3);
}

/* Of a pipeline those that were calibrated with stay, however many are held out: weights are rounded with them. */
static void add_image(vlm_stats *s, uint64_t n, bool held_out) {
  static const char *const IMAGE[] = {VLM_KEPT_IMAGE, VLM_KEPT_PROMPT};
  uint8_t bytes[2] = {(uint8_t)n, 1};
  const vlm_tensor tensors[] = {vlm_tensor_make(VLM_U8, 1, (int64_t[]){2}, bytes),
                                vlm_tensor_make(VLM_U8, 1, (int64_t[]){1}, bytes)};
  const vlm_digest digest = {n * 0x9e3779b97f4a7c15u, n};
  vlm_kept_sample *sample;
  FINE(vlm_stats_add_sample(s, digest, "s", &error));
  if (held_out) vlm_stats_hold_out(s, digest);
  FINE(vlm_kept_sample_make(&sample, digest, held_out, IMAGE, tensors, 2, &error));
  vlm_stats_kept(s)->images = true;
  vlm_kept_add(vlm_stats_kept(s), sample);
}

static void images_that_were_calibrated_with_stay(void **state) {
  char path[] = "/tmp/vlmq-kept-XXXXXX";
  enum { IMAGES = 90, HELD = 12 };
  vlm_stats *a = empty(), *b = empty(), *c = empty(), *read;
  (void)state;
  for (int i = 1; i <= IMAGES; i++) {
    add_image(a, (uint64_t)i, i <= HELD);
    add_image(i % 2 ? b : c, (uint64_t)(IMAGES + 1 - i), IMAGES + 1 - i <= HELD);
  }
  FINE(vlm_stats_merge(b, c, &error));
  close(mkstemp(path));
  FINE(vlm_stats_save(b, path, &error));
  FINE(vlm_stats_open(&read, path, &error));
  vlm_digest x = digest_of(a), y = digest_of(b), z = digest_of(read);
  assert_memory_equal(&x, &y, sizeof x);
  assert_memory_equal(&x, &z, sizeof x);
  assert_int_equal(vlm_stats_kept_samples(a)->count, VLM_KEPT_MOST + VLM_KEPT_IMAGES);
  assert_true(vlm_stats_kept_samples(read)->images);
  assert_false(vlm_kept_wants(vlm_stats_kept_samples(a), (vlm_digest){0, 0}, true, VLM_KEPT_IMAGE_BYTES + 1));
  vlm_stats_free(a);
  vlm_stats_free(b);
  vlm_stats_free(c);
  vlm_stats_free(read);
  unlink(path);
}

static void large_samples_are_not_kept(void **state) {
  const vlm_kept_list none = {.count = 0};
  (void)state;
  assert_true(vlm_kept_wants(&none, (vlm_digest){1, 1}, false, VLM_KEPT_BYTES));
  assert_false(vlm_kept_wants(&none, (vlm_digest){1, 1}, true, VLM_KEPT_BYTES + 1));
}

static void files_hold_them(void **state) {
  char path[] = "/tmp/vlmq-kept-XXXXXX";
  vlm_stats *s = empty(), *read;
  (void)state;
  for (int i = 1; i <= 5; i++) add(s, (uint64_t)i, i == 2);
  close(mkstemp(path));
  FINE(vlm_stats_save(s, path, &error));
  FINE(vlm_stats_open(&read, path, &error));
  vlm_digest a = digest_of(s), b = digest_of(read);
  assert_memory_equal(&a, &b, sizeof a);
  assert_int_equal(vlm_stats_held_out(read), 1);
  const vlm_kept_sample *first = vlm_stats_kept_samples(read)->items[0];
  assert_true(first->held_out);
  assert_string_equal(first->names[1], "ids");
  assert_int_equal(((const int64_t *)first->tensors[1].data)[0], 2);
  vlm_stats_free(read);
  vlm_stats_free(s);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_and_parts_do_not_matter),
      cmocka_unit_test(large_samples_are_not_kept),
      cmocka_unit_test(images_that_were_calibrated_with_stay),
      cmocka_unit_test(files_hold_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
