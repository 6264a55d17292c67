/* Scores: small cases by hand, and the public tokenized cases to 1e-9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "eval/metrics_only.h"
#include "eval/ptb_tokenize.h"
#include "tests/eval/public_data.h"
#include "tests/fine.h"

static vlm_scores score(const vlm_score_image *images, int64_t n, vlm_scores *per_image,
                        vlm_bleu_counts *counts) {
  vlm_scores corpus;
  FINE(vlm_scores_compute(&corpus, per_image, counts, images, n, NULL, &error));
  return corpus;
}

#define IMAGE(hyp, ...)                                                   \
  {                                                                       \
    hyp, (const char *const[]){__VA_ARGS__},                              \
        (int32_t)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)) \
  }

static void test_perfect_captions(void **state) {
  (void)state;
  const vlm_score_image images[] = {IMAGE("a red bus", "a red bus"), IMAGE("two grey cats", "two grey cats")};
  vlm_scores each[2];
  const vlm_scores s = score(images, 2, each, NULL);
  near(s.cider_d, 7.5, 1e-12, "no 4-grams: three of four orders");
  near(s.cider, 7.5, 1e-12, "plain CIDEr");
  near(s.rouge_l, 1, 1e-12, "ROUGE-L");
  near(s.bleu[0], 1 - 2.0 / 6e9, 1e-12, "BLEU-1 is one but for 1e-9, here and in the length ratio");
  near(s.bleu[3], pow(1e-6, 0.25), 1e-8, "an order without n-grams counts 1e-6");
  near(each[0].bleu[3], pow(1e-6, 0.25), 1e-8, "per image the same");
}

static void test_bleu_clips_and_takes_the_closest_length(void **state) {
  (void)state;
  const vlm_score_image image = IMAGE("the the the owl", "the owl flies", "the owl and the emu run");
  vlm_bleu_counts c;
  score(&image, 1, NULL, &c);
  assert_int_equal(c.candidate_words, 4);
  assert_int_equal(c.reference_words, 3); /* 3 is closer than 6 */
  assert_int_equal(c.guesses[0], 4);
  assert_int_equal(c.correct[0], 3); /* "the" at most twice, "owl" once */
  assert_int_equal(c.correct[1], 1);
  assert_int_equal(c.guesses[3], 1);
}

static void test_rouge(void **state) {
  (void)state;
  const struct {
    vlm_score_image image;
    double p, r;
  } cases[] = {{IMAGE("a b c d", "a x c y"), 0.5, 0.5},
               {IMAGE("a b", "b a c", "a b d e"), 1, 0.5},
               {IMAGE("", "a"), 0, 0},
               {IMAGE("", ""), 1, 1}};
  for (size_t i = 0; i < 4; i++) {
    double got;
    const double p = cases[i].p, r = cases[i].r, want = p > 0 ? (1 + 1.44) * p * r / (r + 1.44 * p) : 0;
    FINE(vlm_rouge_l(&got, &cases[i].image, &error));
    near(got, want, 1e-12, "ROUGE-L");
  }
}

/* One shared word in two sentences: worked out by hand. */
static void test_cider_by_hand(void **state) {
  (void)state;
  const vlm_score_image images[] = {IMAGE("emu", "emu owl"), IMAGE("fox", "fox")};
  vlm_scores each[2];
  score(images, 2, each, NULL);
  /* Unigrams: weights ln 2 each; norms ln 2 and sqrt(2) ln 2; length factor exp(-1/72) (0 and 1 bigrams); 10/4 of it. */
  near(each[0].cider_d, 2.5 / sqrt(2) * exp(-1.0 / 72), 1e-12, "CIDEr-D");
  near(each[0].cider, 2.5 / sqrt(2), 1e-12, "CIDEr");
  near(each[1].cider_d, 2.5, 1e-12, "a perfect word");
}

static void test_bad_calls(void **state) {
  (void)state;
  vlm_scores s;
  const vlm_score_image none = {"a", NULL, 0};
  FAILS(VLM_INPUT, vlm_scores_compute(&s, NULL, NULL, &none, 0, NULL, &error));
  FAILS(VLM_INPUT, vlm_scores_compute(&s, NULL, NULL, &none, 1, NULL, &error));
  assert_string_equal(error.text, "image 0 has no reference caption");
}

/* ---- public cases ---- */

static const char *const columns[] = {"Bleu_1",  "Bleu_2", "Bleu_3",     "Bleu_4",
                                      "ROUGE_L", "CIDEr",  "CIDEr_plain"};

static void check_scores(const vlm_scores *s, vlm_json want, const char *name) {
  const double got[] = {s->bleu[0], s->bleu[1], s->bleu[2], s->bleu[3], s->rouge_l, s->cider_d, s->cider};
  for (int k = 0; k < 7; k++) {
    char what[128];
    snprintf(what, sizeof(what), "%s %s", name, columns[k]);
    near(got[k], number(want, columns[k]), 1e-9, what);
  }
}

/* Rows print 12 digits. */
static void check_rows(const vlm_scores *each, vlm_json rows, const char *name) {
  for (size_t i = 0; i < vlm_json_size(rows); i++) {
    const vlm_scores *s = &each[i];
    const double got[] = {s->bleu[0], s->bleu[1], s->bleu[2], s->bleu[3], s->rouge_l, s->cider_d, s->cider};
    for (size_t k = 0; k < 7; k++) near(got[k], number_at(vlm_json_at(rows, i), k + 1), 1e-9, name);
  }
}

static void check_counts(const vlm_bleu_counts *each, int64_t n, vlm_json want) {
  vlm_bleu_counts sum = {0};
  for (int64_t i = 0; i < n; i++) vlm_bleu_add_counts(&sum, &each[i]);
  assert_int_equal(sum.candidate_words, (int64_t)number(want, "testlen"));
  assert_int_equal(sum.reference_words, (int64_t)number(want, "reflen"));
  for (size_t k = 0; k < 4; k++) {
    assert_int_equal(sum.guesses[k], (int64_t)number_at(vlm_json_member(want, "guess"), k));
    assert_int_equal(sum.correct[k], (int64_t)number_at(vlm_json_member(want, "correct"), k));
  }
}

/* Puts the texts of a case into images; raw ones are tokenized as two streams. */
static void read_case(vlm_json c, vlm_arena *arena, vlm_score_image *images, const char **refs,
                      const char **hyps) {
  const vlm_json list = vlm_json_member(c, "images");
  const size_t n = vlm_json_size(list);
  size_t used = 0;
  for (size_t i = 0; i < n; i++) {
    const vlm_json r = vlm_json_member(vlm_json_at(list, i), "refs");
    images[i].refs = refs + used;
    images[i].n_refs = (int32_t)vlm_json_size(r);
    for (size_t k = 0; k < vlm_json_size(r); k++)
      FINE(vlm_json_as_text(&refs[used++], vlm_json_at(r, k), &error));
    FINE(vlm_json_get_text(&hyps[i], vlm_json_at(list, i), "hyp", VLM_JSON_REQUIRED, &error));
  }
  bool tokenized = false;
  FINE(vlm_json_get_bool(&tokenized, c, "pretokenized", VLM_JSON_REQUIRED, &error));
  if (!tokenized) {
    FINE(vlm_ptb_tokenize(refs, arena, refs, (int64_t)used, NULL, &error));
    FINE(vlm_ptb_tokenize(hyps, arena, hyps, (int64_t)n, NULL, &error));
  }
  for (size_t i = 0; i < n; i++) images[i].candidate = hyps[i];
}

static void check_cases(const char *path, size_t at_least) {
  vlm_json_doc *doc = load(path);
  const vlm_json cases = vlm_json_member(vlm_json_root(doc), "cases");
  assert_true(vlm_json_size(cases) >= at_least);
  for (size_t i = 0; i < vlm_json_size(cases); i++) {
    const vlm_json c = vlm_json_at(cases, i);
    vlm_arena *arena = NULL;
    vlm_score_image images[64];
    const char *refs[512], *hyps[64], *name = "";
    vlm_scores each[64];
    vlm_bleu_counts counts[64];
    const size_t n = vlm_json_size(vlm_json_member(c, "images"));
    assert_true(n <= 64);
    vlm_json_get_text(&name, c, "name", VLM_JSON_REQUIRED, &error);
    FINE(vlm_arena_create(&arena, &error));
    read_case(c, arena, images, refs, hyps);
    const vlm_scores corpus = score(images, (int64_t)n, each, counts);
    check_scores(&corpus, vlm_json_member(c, "corpus"), name);
    check_rows(each, vlm_json_member(c, "per_image"), name);
    check_counts(counts, (int64_t)n, vlm_json_member(c, "bleu_counts"));
    vlm_arena_free(arena);
  }
  vlm_json_free(doc);
}

static void test_public_cases(void **state) {
  (void)state;
  SKIP_WITHOUT_DATA();
  check_cases(METRICS "small/cases.json", 24);
  check_cases(METRICS "small/published_by_others.json", 1);
}

/* Raw files against a table of values. */
static void check_files(const char *results, const char *annotations, vlm_json want,
                        const vlm_metrics_opts *opts) {
  vlm_metrics m;
  FINE(vlm_metrics_score_files(&m, results, annotations, opts, &error));
  assert_int_equal(m.set.n, (int64_t)number(want, "n_images"));
  assert_int_equal(m.set.n_refs, (int64_t)number(want, "n_refs"));
  check_scores(&m.corpus, vlm_json_member(want, "corpus"), results);
  assert_int_equal(vlm_json_size(vlm_json_member(want, "per_image")), (size_t)m.set.n);
  check_rows(m.per_image, vlm_json_member(want, "per_image"), results);
  check_counts(m.counts, m.set.n, vlm_json_member(want, "bleu_counts"));
  vlm_metrics_free(&m);
}

static void check_set(const char *results, const char *annotations, const char *expected) {
  vlm_json_doc *doc = load(expected);
  check_files(results, annotations, vlm_json_root(doc), NULL);
  vlm_json_free(doc);
}

static void test_public_sets(void **state) {
  (void)state;
  SKIP_WITHOUT_DATA();
  check_set(METRICS "coco-fakecap-500a/results.json", METRICS "coco-fakecap-500a/annotations.json",
            METRICS "coco-fakecap-500a/expected.json");
  check_set(METRICS "coco-fakecap-500a/results_int8.json", METRICS "coco-fakecap-500a/annotations.json",
            METRICS "coco-fakecap-500a/expected_int8.json");
  check_set(METRICS "val2017-human-2500a/results.json", METRICS "val2017-human-2500a/annotations.json",
            METRICS "val2017-human-2500a/expected.json");
}

static void test_public_formats(void **state) {
  (void)state;
  SKIP_WITHOUT_DATA();
  vlm_json_doc *doc = load(METRICS "formats/expected.json");
  const vlm_json root = vlm_json_root(doc), ok = vlm_json_member(root, "ok");
  const char *const refs[] = {METRICS "formats/coco_annotations.json", METRICS "formats/karpathy_split.json",
                              METRICS "formats/refs_list.json"};
  const char *const hyps[] = {METRICS "formats/coco_results.json", METRICS "formats/results.jsonl",
                              METRICS "formats/bad_string_ids.json"};
  for (int r = 0; r < 3; r++) {
    for (int h = 0; h < 3; h++) check_files(hyps[h], refs[r], ok, NULL);
  }
  check_files(METRICS "formats/odd_escapes_results.json", refs[0], vlm_json_member(root, "odd_escapes"),
              NULL);
  check_files(METRICS "formats/bad_missing_id.json", refs[0],
              vlm_json_member(root, "missing_id_limited_to_results"),
              &(vlm_metrics_opts){.only_with_results = true});
  vlm_json_free(doc);
}

/* Document frequencies of all val2014 images; the first 200 results. */
static void test_public_precomputed_df(void **state) {
  (void)state;
  SKIP_WITHOUT_DATA();
  vlm_json_doc *doc = load(METRICS "coco-fakecap-500a/expected_precomputed_df.json");
  const vlm_json root = vlm_json_root(doc), rows = vlm_json_member(root, "per_image");
  vlm_df_file df;
  vlm_metrics m;
  vlm_scores corpus, each[200];
  FINE(vlm_df_file_load(&df, METRICS "coco-fakecap-500a/df_coco_val2014_subset.tsv", &error));
  assert_int_equal(df.table.n_images, 40504);
  FINE(vlm_metrics_score_files(&m, METRICS "coco-fakecap-500a/results.json",
                               METRICS "coco-fakecap-500a/annotations.json", NULL, &error));
  FINE(
      vlm_scores_compute(&corpus, each, NULL, m.set.images, 200, &(vlm_score_opts){.df = &df.table}, &error));
  near(corpus.cider_d, number(vlm_json_member(root, "corpus"), "CIDErD"), 1e-9, "CIDErD");
  near(corpus.cider, number(vlm_json_member(root, "corpus"), "CIDEr_plain"), 1e-9, "CIDEr_plain");
  for (size_t i = 0; i < 200; i++) {
    near(each[i].cider_d, number_at(vlm_json_at(rows, i), 1), 1e-9, "CIDErD of an image");
    near(each[i].cider, number_at(vlm_json_at(rows, i), 2), 1e-9, "CIDEr_plain of an image");
  }
  vlm_metrics_free(&m);
  vlm_df_file_free(&df);
  vlm_json_free(doc);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_perfect_captions),
      cmocka_unit_test(test_bleu_clips_and_takes_the_closest_length),
      cmocka_unit_test(test_rouge),
      cmocka_unit_test(test_cider_by_hand),
      cmocka_unit_test(test_bad_calls),
      cmocka_unit_test(test_public_cases),
      cmocka_unit_test(test_public_sets),
      cmocka_unit_test(test_public_formats),
      cmocka_unit_test(test_public_precomputed_df),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
