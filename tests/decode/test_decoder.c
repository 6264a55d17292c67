/* The decoder alone: caches appended to in place, copied for a second row, grown; caches that are no cache are refused. */
#include "runtime/decode/decoder.h"

#include "tests/exec/graph_program.h"

/* Embeds ids as [id, 1], keeps them as keys and values, and attends with scale 0: the mean of all values, id first. */
#define EMBED                      \
  "in input_ids int64 1,?\n"       \
  "const axes int64 1 1\n"         \
  "const last int64 1 3\n"         \
  "const ones float32 1,1,1,1 1\n" \
  "const shape int64 4 1 1 -1 1\n" \
  "Cast input_ids -> f to=1\n"     \
  "Reshape f shape -> x\n"         \
  "Div x x -> one\n"               \
  "Concat x one -> kv axis=3\n"

#define FIRST(rows)                             \
  EMBED                                         \
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

#define STEP                                                                                    \
  EMBED                                                                                         \
  "in past_key_values.0.decoder.key float32 1,1,?,2\n"                                          \
  "in past_key_values.0.decoder.value float32 1,1,?,2\n"                                        \
  "in cache_capacity int64 -\n"                                                                 \
  "const nil float32 1,1,1,2 0\n"                                                               \
  "vlm:CacheAttention nil kv kv past_key_values.0.decoder.key past_key_values.0.decoder.value " \
  "cache_capacity -> a\n"                                                                       \
  "Squeeze a axes -> logits\n"                                                                  \
  "out logits\n"

typedef struct {
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_session *first, *step;
  vlm_decoder *decoder;
} setup;

static setup start(const char *first) {
  setup s = {0};
  const vlm_session_opts opts = {.caches_have_room = true};
  FINE(vlm_bundle_create(&s.bundle, "test", &error));
  s.bundle->family = VLM_FAMILY_DECODER_ONLY;
  s.bundle->graphs[VLM_ROLE_DECODER_FIRST] = graph_of(first);
  s.bundle->graphs[VLM_ROLE_DECODER_STEP] = graph_of(STEP);
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
  int64_t ids[300], vocab;
  const float *logits;
  for (int64_t i = 0; i < n; i++) ids[i] = i + 1;
  return vlm_decoder_first(s->decoder, ids, NULL, n, cache, &logits, &vocab, &error);
}

/* One token; the mean over all tokens so far must be `mean`. */
static void step(setup *s, int64_t id, vlm_cache **past, bool keep, vlm_cache **cache, double mean) {
  const float *logits;
  int64_t vocab;
  FINE(vlm_decoder_step(s->decoder, id, past, keep, cache, &logits, &vocab, &error));
  assert_int_equal(vocab, 2);
  assert_float_equal(logits[0], mean, (float)(1e-4 * mean));
  assert_float_equal(logits[1], 1, 1e-5);
}

/* Far beyond the capacity that was expected: buffers grow and keep their rows. */
static void test_steps_append_and_grow(void **state) {
  (void)state;
  setup s = start(FIRST(SAME));
  vlm_cache *cache, *next;
  double sum = 1 + 2 + 3;
  vlm_decoder_expect(s.decoder, 8);
  FINE(run_first(&s, 3, &cache));
  for (int64_t id = 4; id < 300; id++) {
    sum += (double)id;
    step(&s, id, &cache, false, &next, sum / (double)id);
    assert_null(cache);
    assert_int_equal(vlm_cache_length(next), id);
    cache = next;
  }
  vlm_cache_release(s.decoder, cache);
  finish(&s);
}

/* Two rows that continue from one cache do not see each other's tokens. */
static void test_rows_part(void **state) {
  (void)state;
  setup s = start(FIRST(SAME));
  vlm_cache *common, *a, *b, *next;
  FINE(run_first(&s, 2, &common));
  step(&s, 10, &common, true, &a, 13.0 / 3);
  assert_non_null(common);
  step(&s, 30, &common, false, &b, 33.0 / 3);
  assert_null(common);
  step(&s, 5, &a, false, &next, 18.0 / 4);
  vlm_cache_release(s.decoder, next);
  step(&s, 7, &b, false, &next, 40.0 / 4);
  vlm_cache_release(s.decoder, next);
  finish(&s);
}

/* A first graph may give anything: rows for tokens that were not there would be written behind the buffer. */
static void test_rows_without_tokens_are_refused(void **state) {
  (void)state;
  setup s = start(FIRST(TWICE));
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
      cmocka_unit_test(test_rows_without_tokens_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
