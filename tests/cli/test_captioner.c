/* The committed captioner end to end: our tokens and logits against those that PyTorch gave (datasets/captioner/fixtures). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "calib/npy.h"
#include "tests/cli/captioner.h"
#include "tests/fine.h"

#define PROMPT "<CAPTION>"

static void tokens_equal_pytorch(void **state) {
  captioner c;
  (void)state;
  open_captioner(&c, BUNDLE, NULL, VLM_DECODER_MERGED);
  assert_int_equal(compare_tokens(&c, PROMPT, STRIDE), 400 / STRIDE);
  close_captioner(&c);
}

static void separate_decoders_give_the_same(void **state) {
  captioner c;
  (void)state;
  open_captioner(&c, BUNDLE, NULL, VLM_DECODER_SEPARATE);
  assert_null(c.bundle->merged);
  assert_int_equal(compare_tokens(&c, PROMPT, STRIDE), 400 / STRIDE);
  close_captioner(&c);
}

static void portable_kernels_give_the_same(void **state) {
  captioner c;
  (void)state;
  open_captioner(&c, BUNDLE, "c", VLM_DECODER_MERGED);
  assert_true(compare_tokens(&c, PROMPT, 100) > 0);
  close_captioner(&c);
}

/* ---- logits ---- */

typedef struct {
  const float *expected;
  int64_t rows, vocab, seen;
  double worst; /* largest difference over largest magnitude of the row */
} logits_check;

static double magnitude(double v) { return v < 0 ? -v : v; }

static vlm_status check_row(void *user, int64_t step, const float *logits, int64_t vocab, vlm_error *err) {
  logits_check *k = user;
  (void)err;
  assert_int_equal(vocab, k->vocab);
  if (step >= k->rows) return VLM_OK;
  double difference = 0, largest = 0;
  for (int64_t i = 0; i < vocab; i++) {
    double wanted = (double)k->expected[step * vocab + i], off = magnitude((double)logits[i] - wanted);
    difference = off > difference ? off : difference;
    largest = magnitude(wanted) > largest ? magnitude(wanted) : largest;
  }
  k->worst = difference / largest > k->worst ? difference / largest : k->worst;
  k->seen++;
  return VLM_OK;
}

static void logits_equal_pytorch(void **state) {
  captioner c;
  vlm_npz *npz;
  vlm_json_doc *doc;
  (void)state;
  open_captioner(&c, BUNDLE, NULL, VLM_DECODER_MERGED);
  FINE(vlm_npz_open(&npz, FIXTURES "/logits20.npz", &error));
  FINE(vlm_json_load(&doc, FIXTURES "/expected_tokens.json", 0, &error));
  assert_int_equal(vlm_npz_count(npz), 20);
  double worst = 0;
  for (size_t i = 0; i < vlm_npz_count(npz); i++) {
    char file[256];
    vlm_tensor t;
    int32_t forced[256];
    vlm_answer a = {0};
    snprintf(file, sizeof file, "%s.png", vlm_npz_name(npz, i));
    FINE(vlm_npz_read(&t, npz, i, &error));
    vlm_json ids = vlm_json_member(vlm_json_root(doc), file);
    size_t n = vlm_json_size(ids) - 1;
    for (size_t k = 0; k < n; k++) {
      int64_t id;
      FINE(vlm_json_as_int(&id, vlm_json_at(ids, k + 1), &error));
      forced[k] = (int32_t)id;
    }
    logits_check check = {.expected = t.data, .rows = t.dims[t.rank - 2], .vocab = t.dims[t.rank - 1]};
    const vlm_answer_opts opts = {.forced = forced, .n_forced = n, .on_logits = check_row, .user = &check};
    answer(&c, file, PROMPT, &opts, &a);
    assert_true(check.seen > 5);
    worst = check.worst > worst ? check.worst : worst;
    vlm_answer_free(&a);
    vlm_free(t.data);
  }
  print_message("largest relative difference of logits: %.2e\n", worst);
  assert_true(worst < 1e-4);
  vlm_json_free(doc);
  vlm_npz_free(npz);
  close_captioner(&c);
}

/* ---- the decode step ---- */

static void steps_allocate_nothing(void **state) {
  captioner c;
  vlm_answer a = {0};
  (void)state;
  open_captioner(&c, BUNDLE, NULL, VLM_DECODER_MERGED);
  int32_t in_place = 0;
  const vlm_graph *step = c.bundle->graphs[VLM_ROLE_DECODER_STEP];
  for (int32_t n = 0; n < step->n_nodes; n++) in_place += !strcmp(step->nodes[n].op_type, "CacheAttention");
  assert_int_equal(in_place, 2); /* one per layer */
  for (int32_t i = 0; i < step->n_outputs; i++)
    assert_null(strstr(step->values[step->outputs[i]].name, "decoder.key"));
  answer(&c, "test_0000.png", PROMPT, NULL, &a);
  answer(&c, "test_0001.png", PROMPT, NULL, &a);
  vlm_session_stats before = vlm_session_get_stats(vlm_model_session(c.model, VLM_ROLE_DECODER_STEP));
  answer(&c, "test_0000.png", PROMPT, NULL, &a);
  vlm_session_stats after = vlm_session_get_stats(vlm_model_session(c.model, VLM_ROLE_DECODER_STEP));
  assert_int_equal(after.plans, before.plans);
  assert_int_equal(after.allocations, before.allocations);
  vlm_answer_free(&a);
  close_captioner(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tokens_equal_pytorch),           cmocka_unit_test(separate_decoders_give_the_same),
      cmocka_unit_test(portable_kernels_give_the_same), cmocka_unit_test(logits_equal_pytorch),
      cmocka_unit_test(steps_allocate_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
