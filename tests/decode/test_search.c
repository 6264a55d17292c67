/* Search against the recorded results of tests/oracles/make_search.py, and its contract. */
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
#include "runtime/decode/search.h"
#include "runtime/decode/search_rules.h"
#include "tests/fine.h"

/* ---- the scripted model ---- */

typedef struct toy {
  uint64_t seed;
  int64_t memory, vocab;
  double eos_bias;
  const vlm_generation *generation;
} toy;

static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

static void toy_logits(const toy *t, const int32_t *ids, size_t count, float *logits) {
  uint64_t h = t->seed;
  for (size_t i = count > (size_t)t->memory ? count - (size_t)t->memory : 0; i < count; i++)
    h = mix(h * 31 + (uint64_t)ids[i] + 0x9E3779B97F4A7C15u);
  for (int64_t v = 0; v < t->vocab; v++)
    logits[v] = (float)((double)(mix(h + (uint64_t)v * 0xD1342543DE82EF95u) >> 44) / 65536.0 - 8.0);
  for (int32_t e = 0; e < t->generation->n_eos; e++) logits[t->generation->eos[e]] += (float)t->eos_bias;
}

/* Runs a search with the scripted model, which keeps a "cache" of ids per row to prove that parents and tokens are right. */
static void run(vlm_search *search, const toy *t, const int32_t *prompt, size_t n_prompt) {
  enum { ROWS = 8, LENGTH = 64 };
  static int32_t cache[2][ROWS][LENGTH];
  size_t length = n_prompt;
  int now = 0;
  float *logits = test_malloc((size_t)(ROWS * t->vocab) * sizeof *logits);
  memcpy(cache[0][0], prompt, n_prompt * sizeof *prompt);
  assert_int_equal(vlm_search_rows(search), 1);
  for (bool first = true; !vlm_search_done(search); first = false) {
    const int32_t rows = vlm_search_rows(search);
    assert_in_range(rows, 1, ROWS);
    if (!first) {
      for (int32_t r = 0; r < rows; r++) {
        const vlm_search_row row = vlm_search_get_row(search, r);
        memcpy(cache[!now][r], cache[now][row.parent], length * sizeof(int32_t));
        cache[!now][r][length] = row.token;
      }
      now = !now;
      length++;
    }
    for (int32_t r = 0; r < rows; r++) {
      const int32_t *ids;
      size_t count;
      vlm_search_row_ids(search, r, &ids, &count);
      assert_int_equal(count, length);
      assert_memory_equal(ids, cache[now][r], count * sizeof *ids);
      toy_logits(t, cache[now][r], length, logits + r * t->vocab);
    }
    FINE(vlm_search_step(search, logits, &error));
  }
  test_free(logits);
}

/* ---- recorded cases ---- */

static void read_list(int32_t *out, int32_t *count, vlm_json c, const char *key) {
  vlm_json array = {0};
  FINE(vlm_json_get_array(&array, c, key, VLM_JSON_REQUIRED, &error));
  for (*count = 0; (size_t)*count < vlm_json_size(array); ++*count) {
    int64_t id;
    FINE(vlm_json_as_int(&id, vlm_json_at(array, (size_t)*count), &error));
    out[*count] = (int32_t)id;
  }
}

static void read_case(vlm_json c, vlm_generation *g, toy *t, vlm_search_opts *o, int32_t *prompt) {
  int64_t seed = 0;
  int32_t n = 0;
  FINE(vlm_generation_read(g, NULL, NULL, &error));
  FINE(vlm_generation_overlay(g, c, &error));
  read_list(g->suppressed, &g->n_suppressed, c, "suppressed");
  read_list(g->bad_words, &g->n_bad_words, c, "bad_words");
  read_list(prompt, &n, c, "prompt");
  FINE(vlm_json_get_int(&seed, c, "seed", VLM_JSON_REQUIRED, &error));
  FINE(vlm_json_get_int(&t->memory, c, "memory", VLM_JSON_REQUIRED, &error));
  FINE(vlm_json_get_int(&t->vocab, c, "vocab", VLM_JSON_REQUIRED, &error));
  FINE(vlm_json_get_double(&t->eos_bias, c, "eos_bias", VLM_JSON_REQUIRED, &error));
  t->seed = (uint64_t)seed;
  t->generation = g;
  *o = (vlm_search_opts){.generation = g, .vocab = t->vocab, .prompt = prompt, .n_prompt = (size_t)n};
  o->max_length = vlm_generation_max_length(g, n, 0);
}

static void recorded_cases_agree(void **state) {
  (void)state;
  vlm_json_doc *doc;
  FINE(vlm_json_load(&doc, VLMQ_SOURCE_DIR "/tests/decode/data/search.json", 0, &error));
  const vlm_json cases = vlm_json_root(doc);
  int wrong = 0;
  assert_true(vlm_json_size(cases) > 300);
  for (size_t i = 0; i < vlm_json_size(cases); i++) {
    const vlm_json c = vlm_json_at(cases, i);
    vlm_generation g;
    toy t;
    vlm_search_opts o;
    vlm_search *search;
    int32_t prompt[8], want[64], n_want;
    const int32_t *ids;
    size_t count;
    double score, want_score = 0;
    read_case(c, &g, &t, &o, prompt);
    FINE(vlm_search_create(&search, &o, &error));
    run(search, &t, prompt, o.n_prompt);
    FINE(vlm_search_result(search, &ids, &count, &score, &error));
    read_list(want, &n_want, c, "ids");
    FINE(vlm_json_get_double(&want_score, c, "score", VLM_JSON_REQUIRED, &error));
    const bool same = count == (size_t)n_want && memcmp(ids, want, count * sizeof *ids) == 0;
    if (!same) fprintf(stderr, "case %zu: %zu ids, wanted %d\n", i, count, n_want);
    if (!same) wrong++;
    else if (g.beams > 1) assert_true(fabs(score - want_score) <= 1e-4 + 1e-5 * fabs(want_score));
    vlm_search_free(search);
  }
  assert_int_equal(wrong, 0);
  vlm_json_free(doc);
}

/* ---- rules, one by one ---- */

static vlm_generation defaults(void) {
  vlm_generation g;
  FINE(vlm_generation_read(&g, NULL, NULL, &error));
  g.eos[0] = 2;
  g.n_eos = 1;
  return g;
}

static void rules_do_what_they_say(void **state) {
  (void)state;
  vlm_generation g = defaults();
  const int32_t ids[] = {2, 0, 5, 6, 5};
  vlm_search_state s = {
      .generation = &g, .ids = ids, .count = 5, .n_prompt = 1, .max_length = 10, .vocab = 8};
  float x[8] = {1, 1, 1, 1, 1, 1, 1, -1};
  g.no_repeat_ngram = 2; /* 5 was followed by 6 */
  vlm_search_rules_apply(&s, x);
  assert_true(isinf(x[6]) && x[5] == 1 && x[2] == 1);
  g.no_repeat_ngram = 0;
  g.repetition_penalty = 2;
  float y[8] = {1, 1, 4, 1, 1, -3, 1, -1};
  vlm_search_rules_apply(&s, y);
  assert_true(y[2] == 2 && y[5] == -6 && y[6] == 0.5f && y[7] == -1 && y[1] == 1);
  g.repetition_penalty = 1;
  g.min_length = 6;
  float z[8] = {0};
  vlm_search_rules_apply(&s, z);
  assert_true(isinf(z[2]) && z[1] == 0);
  g.forced_eos = 2; /* wins over min_length, which comes before it */
  s.max_length = 6;
  float w[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  vlm_search_rules_apply(&s, w);
  assert_true(w[2] == 0 && isinf(w[0]) && isinf(w[7]));
}

static void log_softmax_is_right(void **state) {
  (void)state;
  float x[4] = {1, 2, 3, -INFINITY};
  vlm_search_log_softmax(x, 4);
  assert_true(fabs(x[0] + 2.4076059644443806) < 1e-6 && fabs(x[1] + 1.4076059644443806) < 1e-6 &&
              fabs(x[2] + 0.4076059644443806) < 1e-6);
  assert_true(isinf(x[3]));
  assert_true(vlm_search_length_power(7, 0) == 1 && vlm_search_length_power(7, 1) == 7 &&
              vlm_search_length_power(7, 2) == 49);
  assert_true(vlm_search_length_power(4, -1) == 0.25f &&
              fabs(vlm_search_length_power(10, 0.6) - 3.9810717) < 1e-5);
}

/* ---- contract ---- */

static void first_step_has_one_row(void **state) {
  (void)state;
  vlm_generation g = defaults();
  const int32_t prompt[] = {2};
  vlm_search *search;
  float logits[3 * 5] = {0, 5, -9, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  g.beams = 3;
  const vlm_search_opts o = {.generation = &g, .vocab = 5, .prompt = prompt, .n_prompt = 1, .max_length = 4};
  FINE(vlm_search_create(&search, &o, &error));
  assert_int_equal(vlm_search_rows(search), 1);
  assert_int_equal(vlm_search_get_row(search, 0).token, 2);
  FINE(vlm_search_step(search, logits, &error));
  assert_int_equal(vlm_search_rows(search), 3);
  assert_int_equal(vlm_search_get_row(search, 0).token, 1);
  assert_int_equal(vlm_search_get_row(search, 1).token, 3);
  assert_int_equal(vlm_search_get_row(search, 2).token, 4);
  vlm_search_stop(search);
  const int32_t *ids;
  size_t count;
  FINE(vlm_search_result(search, &ids, &count, NULL, &error));
  assert_int_equal(count, 2);
  assert_int_equal(ids[1], 1);
  vlm_search_free(search);
}

static void forced_start_keeps_one_row(void **state) {
  (void)state;
  vlm_generation g = defaults();
  const int32_t prompt[] = {2};
  vlm_search *search;
  float logits[3 * 5] = {0};
  g.beams = 3;
  g.forced_bos = 0;
  const vlm_search_opts o = {.generation = &g, .vocab = 5, .prompt = prompt, .n_prompt = 1, .max_length = 4};
  FINE(vlm_search_create(&search, &o, &error));
  FINE(vlm_search_step(search, logits, &error));
  assert_int_equal(vlm_search_rows(search), 1); /* all beams begin <s>: the model runs once */
  assert_int_equal(vlm_search_get_row(search, 0).token, 0);
  vlm_search_free(search);
}

static void ties_go_to_the_lower_token(void **state) {
  (void)state;
  vlm_generation g = defaults();
  const int32_t prompt[] = {2};
  vlm_search *search;
  const float logits[4] = {NAN, 3, 1, 3};
  const vlm_search_opts o = {.generation = &g, .vocab = 4, .prompt = prompt, .n_prompt = 1, .max_length = 3};
  FINE(vlm_search_create(&search, &o, &error));
  FINE(vlm_search_step(search, logits, &error));
  assert_int_equal(vlm_search_get_row(search, 0).token, 1);
  vlm_search_free(search);
}

static void bad_options_are_refused(void **state) {
  (void)state;
  vlm_generation g = defaults();
  const int32_t prompt[] = {2};
  vlm_search *search;
  vlm_search_opts o = {.generation = &g, .vocab = 4, .prompt = prompt, .n_prompt = 1, .max_length = 1};
  FAILS(VLM_INPUT, vlm_search_create(&search, &o, &error));
  o.max_length = 1 << 20;
  FAILS(VLM_LIMIT, vlm_search_create(&search, &o, &error));
  o.max_length = 4;
  o.n_prompt = 0;
  FAILS(VLM_INPUT, vlm_search_create(&search, &o, &error));
  assert_non_null(strstr(error.text, "decoder_start_token_id"));
  o.n_prompt = 1;
  for (long n = 1; n < 12; n++) {
    vlm_memory_fail_after(n);
    const vlm_status st = vlm_search_create(&search, &o, &error);
    vlm_memory_fail_after(0);
    if (st == VLM_OK) vlm_search_free(search);
    else assert_int_equal(st, VLM_MEMORY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(recorded_cases_agree),       cmocka_unit_test(rules_do_what_they_say),
      cmocka_unit_test(log_softmax_is_right),       cmocka_unit_test(first_step_has_one_row),
      cmocka_unit_test(forced_start_keeps_one_row), cmocka_unit_test(ties_go_to_the_lower_token),
      cmocka_unit_test(bad_options_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
