#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/decode/generation.h"
#include "tests/fine.h"

static vlm_json_doc *parse(const char *text) {
  vlm_json_doc *doc;
  FINE(vlm_json_parse(&doc, text, strlen(text), "generation_config.json", &error));
  return doc;
}

static void defaults_are_documented(void **state) {
  (void)state;
  vlm_generation g;
  FINE(vlm_generation_read(&g, NULL, NULL, &error));
  assert_int_equal(g.start, -1);
  assert_int_equal(g.forced_eos, -1);
  assert_int_equal(g.n_eos, 0);
  assert_int_equal(g.beams, 1);
  assert_true(g.length_penalty == 1 && g.repetition_penalty == 1);
  assert_int_equal(vlm_generation_max_length(&g, 1, 0), 1 + VLM_DEFAULT_NEW_TOKENS);
  assert_int_equal(vlm_generation_max_length(&g, 1, 64), 64);
}

static void later_sources_win(void **state) {
  (void)state;
  vlm_generation g;
  vlm_json_doc *config = parse(
      "{\"bos_token_id\": 5, \"num_beams\": 2, \"text_config\": {\"bos_token_id\": 1, \"eos_token_id\": 9, "
      "\"forced_bos_token_id\": 0,"
      "\"decoder_start_token_id\": 2, \"max_length\": 20}}");
  vlm_json_doc *generation = parse(
      "{\"eos_token_id\": [2, 3], \"num_beams\": 3, \"no_repeat_ngram_size\": 3, \"early_stopping\": "
      "\"never\", \"max_new_tokens\": 7,"
      "\"forced_bos_token_id\": null, \"suppress_tokens\": [4, 6], \"bad_words_ids\": [[8]], \"min_length\": "
      "2, \"do_sample\": false, \"_from_model_config\": true}");
  FINE(vlm_generation_read(&g, config, generation, &error));
  assert_int_equal(g.start, 2);
  assert_int_equal(g.bos, 5);
  assert_int_equal(g.n_eos, 2);
  assert_true(vlm_generation_is_eos(&g, 2) && vlm_generation_is_eos(&g, 3) && !vlm_generation_is_eos(&g, 9));
  assert_int_equal(g.forced_bos, 0); /* null says nothing */
  assert_int_equal(g.beams, 3);
  assert_int_equal(g.no_repeat_ngram, 3);
  assert_int_equal(g.early_stopping, VLM_EARLY_NEVER);
  assert_int_equal(g.n_suppressed, 2);
  assert_int_equal(g.n_bad_words, 1);
  assert_int_equal(vlm_generation_max_length(&g, 1, 0), 8); /* max_new_tokens wins over max_length 20 */
  vlm_json_doc *manifest = parse(
      "{\"start\": 7, \"forced_bos\": null, \"eos\": 4, \"beams\": 1, \"no_repeat_ngram\": 0, "
      "\"length_penalty\": 0.5}");
  FINE(vlm_generation_overlay(&g, vlm_json_root(manifest), &error));
  assert_int_equal(g.start, 7);
  assert_int_equal(g.forced_bos, -1); /* null in a manifest takes it away */
  assert_true(g.n_eos == 1 && g.eos[0] == 4 && g.beams == 1 && g.no_repeat_ngram == 0 &&
              g.length_penalty == 0.5);
  vlm_json_free(manifest);
  vlm_json_free(config);
  vlm_json_free(generation);
}

/* A file of its own says how to search; config.json then gives ids alone. */
static void config_gives_ids_alone(void **state) {
  (void)state;
  vlm_generation g;
  vlm_json_doc *config = parse(
      "{\"pad_token_id\": 1, \"text_config\": {\"max_length\": 8, \"num_beams\": 3, "
      "\"no_repeat_ngram_size\": 3, "
      "\"forced_bos_token_id\": 0, \"eos_token_id\": 2, \"decoder_start_token_id\": 2, \"pad_token_id\": "
      "-1}}");
  vlm_json_doc *generation = parse("{\"bos_token_id\": 0}");
  FINE(vlm_generation_read(&g, config, generation, &error));
  assert_true(g.bos == 0 && g.start == 2 && g.pad == 1 && vlm_generation_is_eos(&g, 2));
  assert_true(g.max_length == 0 && g.beams == 1 && g.no_repeat_ngram == 0 && g.forced_bos == -1);
  FINE(vlm_generation_read(&g, config, NULL, &error));
  assert_true(g.max_length == 8 && g.beams == 3 && g.no_repeat_ngram == 3 && g.forced_bos == 0);
  vlm_json_free(config);
  vlm_json_free(generation);
}

static void negative_ids_are_none(void **state) {
  (void)state;
  vlm_generation g;
  vlm_json_doc *generation = parse(
      "{\"pad_token_id\": -1, \"bos_token_id\": -1, \"eos_token_id\": [-1, 7], \"suppress_tokens\": [-1], "
      "\"forced_eos_token_id\": [9, 7]}");
  FINE(vlm_generation_read(&g, NULL, generation, &error));
  assert_true(g.pad == -1 && g.bos == -1 && g.n_eos == 1 && g.eos[0] == 7 && g.n_suppressed == 0);
  assert_int_equal(g.forced_eos, 7); /* the first of those that are equally likely */
  vlm_json_free(generation);
}

static void start_falls_back_to_bos(void **state) {
  (void)state;
  vlm_generation g;
  vlm_json_doc *generation = parse("{\"bos_token_id\": 1, \"eos_token_id\": 2}");
  FINE(vlm_generation_read(&g, NULL, generation, &error));
  assert_int_equal(g.start, 1);
  vlm_json_free(generation);
}

static void bad_values_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"{\"eos_token_id\": \"x\"}",
                                    "{\"num_beams\": 0}",
                                    "{\"num_beams\": 100000}",
                                    "{\"repetition_penalty\": 0}",
                                    "{\"max_length\": 0}",
                                    "{\"early_stopping\": 3}",
                                    "{\"bos_token_id\": 1e30}",
                                    "{\"bad_words_ids\": [[1, 2]]}",
                                    "{\"bad_words_ids\": [3]}",
                                    "{\"length_penalty\": \"1\"}",
                                    "{\"eos_token_id\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    vlm_generation g;
    vlm_json_doc *doc = parse(bad[i]);
    assert_int_not_equal(vlm_generation_read(&g, NULL, doc, &error), VLM_OK);
    assert_non_null(strstr(error.text, "generation_config.json"));
    vlm_json_free(doc);
  }
}

static void florence2_is_read(void **state) {
  (void)state;
  static const char folder[] = VLMQ_SOURCE_DIR "/../shared/data/florence2-base-shape/";
  char path[512];
  vlm_json_doc *config, *generation;
  vlm_generation g;
  if (!vlm_file_is_folder(folder)) skip();
  snprintf(path, sizeof path, "%sconfig.json", folder);
  FINE(vlm_json_load(&config, path, 0, &error));
  snprintf(path, sizeof path, "%sgeneration_config.json", folder);
  FINE(vlm_json_load(&generation, path, 0, &error));
  FINE(vlm_generation_read(&g, config, generation, &error));
  assert_true(g.start == 2 && g.bos == 0 && g.pad == 1 && g.n_eos == 1 && g.eos[0] == 2 &&
              g.forced_bos == 0 && g.forced_eos == 2);
  assert_true(g.beams == 3 && g.no_repeat_ngram == 3 && g.early_stopping == VLM_EARLY_TRUE);
  vlm_json_free(config);
  vlm_json_free(generation);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_documented), cmocka_unit_test(later_sources_win),
      cmocka_unit_test(config_gives_ids_alone),  cmocka_unit_test(negative_ids_are_none),
      cmocka_unit_test(start_falls_back_to_bos), cmocka_unit_test(bad_values_are_refused),
      cmocka_unit_test(florence2_is_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
