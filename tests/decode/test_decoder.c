/* The decoder alone: caches appended to in place or copied, rows that part, join and go, buffers that grow; caches that are no cache are refused. */
#include "runtime/decode/decoder.h"

#include "tests/exec/graph_program.h"

/* Embeds ids as [id, 1], keeps them as keys and values, and attends with scale 0: the mean of all values, id first. */
#define EMBED(rows, shape_of_x)     \
  "in input_ids int64 " rows        \
  ",?\n"                            \
  "const axes int64 1 1\n"          \
  "const last int64 1 3\n"          \
  "const shape int64 4 " shape_of_x \
  "\n"                              \
  "Cast input_ids -> f to=1\n"      \
  "Reshape f shape -> x\n"          \
  "Div x x -> one\n"                \
  "Concat x one -> kv axis=3\n"

#define FIRST(rows)                             \
  EMBED("1", "1 1 -1 1")                        \
  rows "ReduceMean kv middle -> m keepdims=0\n" \
       "Unsqueeze m axes -> logits\n"           \
       "out logits\n"                           \
       "out present.0.decoder.key\n"            \
       "out present.0.decoder.value\n"

#define SAME \
  "const middle int64 1 2\nIdentity kv -> present.0.decoder.key\nIdentity kv -> present.0.decoder.value\n"
#define TWICE                                      \
  "const middle int64 1 2\n"                       \
  "Concat kv kv -> present.0.decoder.key axis=2\n" \
  "Concat kv kv -> present.0.decoder.value axis=2\n"

#define PAST(rows)                                 \
  "in past_key_values.0.decoder.key float32 " rows \
  ",1,?,2\n"                                       \
  "in past_key_values.0.decoder.value float32 " rows ",1,?,2\n"

/* rows: the first dim as it is declared; shape_of_x: what the graph makes of it */
#define STEP(rows, shape_of_x)                                                                \
  EMBED(rows, shape_of_x)                                                                     \
  PAST(rows)                                                                                  \
  "in cache_capacity int64 -\n"                                                               \
  "const zero float32 1 0\n"                                                                  \
  "Mul kv zero -> q\n"                                                                        \
  "vlm:CacheAttention q kv kv past_key_values.0.decoder.key past_key_values.0.decoder.value " \
  "cache_capacity -> a\n"                                                                     \
  "Squeeze a axes -> logits\n"                                                                \
  "out logits\n"

/* The same with caches that each step gives anew. */
#define COPYING_STEP(rows, shape_of_x)                                            \
  EMBED(rows, shape_of_x)                                                         \
  PAST(rows)                                                                      \
  "const middle int64 1 2\n"                                                      \
  "Concat past_key_values.0.decoder.key kv -> present.0.decoder.key axis=2\n"     \
  "Concat past_key_values.0.decoder.value kv -> present.0.decoder.value axis=2\n" \
  "ReduceMean present.0.decoder.value middle -> logits keepdims=0\n"              \
  "out logits\n"                                                                  \
  "out present.0.decoder.key\n"                                                   \
  "out present.0.decoder.value\n"

typedef struct {
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_session *first, *step;
  vlm_decoder *decoder;
} setup;

static setup start(const char *first, const char *step) {
  setup s = {0};
  const vlm_session_opts opts = {.caches_have_room = true, .keeps_rows = true};
  FINE(vlm_bundle_create(&s.bundle, "test", &error));
  s.bundle->family = VLM_FAMILY_DECODER_ONLY;
  s.bundle->graphs[VLM_ROLE_DECODER_FIRST] = graph_of(first);
  s.bundle->graphs[VLM_ROLE_DECODER_STEP] = graph_of(step);
  FINE(vlm_context_create(&s.context, &(vlm_context_opts){.threads = 1}, &error));
  FINE(vlm_session_create(&s.first, s.context, s.bundle->graphs[VLM_ROLE_DECODER_FIRST], NULL, &error));
  FINE(vlm_session_create(&s.step, s.context, s.bundle->graphs[VLM_ROLE_DECODER_STEP], &opts, &error));
  FINE(vlm_decoder_create(&s.decoder, s.bundle, s.first, s.step, NULL, &error));
  vlm_decoder_begin(s.decoder, &(const vlm_decoder_context){.encoder_states = NULL});
  return s;
}

static void finish(setup *s) {
  vlm_decoder_free(s->decoder);
  vlm_session_free(s->first);
  vlm_session_free(s->step);
  vlm_context_free(s->context);
  vlm_bundle_free(s->bundle);
}

/* The first graph over ids 1 to n. */
static vlm_status run_first(setup *s, int64_t n, vlm_cache **cache) {
  int64_t ids[300];
  vlm_logits logits;
  for (int64_t i = 0; i < n; i++) ids[i] = i + 1;
  return vlm_decoder_first(s->decoder, ids, NULL, n, cache, &logits, &error);
}

/* A token per row; `sums` are of all tokens of each row so far and become those of the new rows, whose means must come out. */
static void step(setup *s, vlm_cache *cache, const vlm_search_row *rows, int32_t n, double *sums) {
  vlm_logits logits;
  double next[8];
  FINE(vlm_decoder_step(s->decoder, rows, n, cache, &logits, &error));
  assert_int_equal(logits.vocab, 2);
  for (int32_t r = 0; r < n; r++) {
    next[r] = sums[rows[r].parent] + rows[r].token;
    const double mean = next[r] / (double)vlm_cache_length(cache);
    assert_float_equal(logits.data[2 * r], mean, (float)(1e-4 * mean));
    assert_float_equal(logits.data[2 * r + 1], 1, 1e-5);
  }
  memcpy(sums, next, (size_t)n * sizeof *sums);
}

/* Far beyond the capacity that was expected: buffers grow and keep their rows. */
static void test_steps_append_and_grow(void **state) {
  (void)state;
  for (int32_t n = 1; n <= 3; n += 2) {
    setup s = start(FIRST(SAME), STEP("?", "-1 1 1 1"));
    vlm_cache *cache;
    double sums[8] = {1 + 2 + 3};
    vlm_decoder_expect(s.decoder, 8, 1);
    FINE(run_first(&s, 3, &cache));
    for (int32_t id = 4; id < 300; id++) {
      const vlm_search_row rows[] = {{id, 0}, {2 * id, id == 4 ? 0 : 1}, {3 * id, id == 4 ? 0 : 2}};
      step(&s, cache, rows, n, sums);
      assert_int_equal(vlm_cache_length(cache), id);
    }
    vlm_cache_release(s.decoder, cache);
    finish(&s);
  }
}

/* Rows that part, cross, continue one of them all, go and come back do not see each other's tokens. */
static void play_rows(const char *step_graph, bool joined) {
  static const struct {
    int32_t n;
    vlm_search_row rows[4];
  } steps[] = {
      {2, {{10, 0}, {30, 0}}},       {3, {{5, 1}, {7, 0}, {9, 1}}},
      {3, {{2, 2}, {3, 1}, {4, 0}}}, {4, {{6, 2}, {7, 2}, {8, 2}, {9, 0}}},
      {2, {{11, 3}, {12, 3}}},       {1, {{1, 1}}},
      {3, {{3, 0}, {4, 0}, {5, 0}}}, {2, {{6, 2}, {7, 0}}},
  };
  setup s = start(FIRST(SAME), step_graph);
  for (int answer = 0; answer < 2; answer++) {
    double sums[8] = {1 + 2};
    vlm_cache *cache;
    vlm_decoder_expect(s.decoder, 8, 2);
    FINE(run_first(&s, 2, &cache));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
      step(&s, cache, steps[i].rows, steps[i].n, sums);
    vlm_cache_release(s.decoder, cache);
  }
  assert_int_equal(vlm_decoder_joins_rows(s.decoder), joined);
  finish(&s);
}

static void test_rows_part(void **state) {
  (void)state;
  play_rows(STEP("?", "-1 1 1 1"), true);
  play_rows(COPYING_STEP("?", "-1 1 1 1"), true);
}

/* One row by declaration, or only by a constant inside. */
static void test_rows_one_by_one(void **state) {
  (void)state;
  play_rows(STEP("1", "1 1 -1 1"), false);
  play_rows(COPYING_STEP("1", "1 1 -1 1"), false);
  play_rows(STEP("?", "1 1 -1 1"), false);
  play_rows(COPYING_STEP("?", "1 1 -1 1"), false);
}

/* Each number of rows has plans of its own: none is made with the number live, and none for a length that was never before. */
static void test_plans_of_rows(void **state) {
  (void)state;
  setup s = start(FIRST(SAME), STEP("?", "-1 1 1 1"));
  int64_t plans[2];
  for (int round = 0; round < 2; round++) {
    double sums[8] = {1 + 2};
    vlm_cache *cache;
    vlm_decoder_expect(s.decoder, 64, 3);
    FINE(run_first(&s, 2, &cache));
    for (int32_t i = 0; i < 24; i++) {
      const vlm_search_row rows[] = {{3, 0}, {4, 0}, {5, 0}};
      step(&s, cache, rows, 1 + i % 3, sums);
    }
    vlm_cache_release(s.decoder, cache);
    plans[round] = vlm_session_get_stats(s.step).plans;
  }
  assert_true(plans[0] <= 9);
  assert_int_equal(plans[0], plans[1]);
  finish(&s);
}

/* A first graph may give anything: rows for tokens that were not there would be written behind the buffer. */
static void test_rows_without_tokens_are_refused(void **state) {
  (void)state;
  setup s = start(FIRST(TWICE), STEP("?", "-1 1 1 1"));
  vlm_cache *cache = NULL;
  FAILS(VLM_INPUT, run_first(&s, 200, &cache));
  assert_null(cache);
  assert_non_null(strstr(error.text, "present.0.decoder.key has 400 rows, more than the 200 tokens"));
  finish(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps_append_and_grow),
      cmocka_unit_test(test_rows_part),
      cmocka_unit_test(test_rows_one_by_one),
      cmocka_unit_test(test_plans_of_rows),
      cmocka_unit_test(test_rows_without_tokens_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
