/* Verdicts: what the interval shows, what it leaves open, and what was not asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "flow/verdict.h"
#include "tests/fine.h"

/* Judges a drop whose interval is [low, high] at `limit`; the check is left in *last. */
static vlm_check last;

static vlm_verdict judge(double percent, double low, double high, double limit, vlm_gate gate) {
  vlm_prompt_scores prompt = {
      .prompt = "<CAPTION>",
      .images = 100,
      .drop = {.reference = 2, .candidate = 2, .percent = percent, .low = low, .high = high}};
  vlm_evaluation e = {.compared = true, .scored = true, .images = 100, .prompts = &prompt, .n_prompts = 1};
  const vlm_budget budget = {.max_drop_percent = {true, limit}, .gate = gate};
  vlm_checks checks;
  vlm_verdict v;
  FINE(vlm_judge_answers(&v, &checks, &e, &budget, &error));
  assert_int_equal(checks.count, 1);
  last = checks.items[0];
  assert_int_equal(last.verdict, v);
  vlm_checks_free(&checks);
  return v;
}

static void test_drops(void **state) {
  (void)state;
  assert_int_equal(judge(0.2, -0.1, 0.6, 1, VLM_GATE_CI), VLM_VERDICT_PASS);
  assert_int_equal(judge(2, 1.2, 3, 1, VLM_GATE_CI), VLM_VERDICT_DROP);
  assert_int_equal(judge(2, 0.5, 3, 1, VLM_GATE_CI), VLM_VERDICT_INCONCLUSIVE);
  assert_int_equal(judge(0.5, -0.5, 1.5, 1, VLM_GATE_CI), VLM_VERDICT_INCONCLUSIVE);
  assert_int_equal(last.needed, 400); /* half the width wants four times the images */
  assert_int_equal(judge(1, 0.5, 1.5, 1, VLM_GATE_CI), VLM_VERDICT_INCONCLUSIVE);
  assert_int_equal(last.needed, 0);
  assert_int_equal(judge(2, 0.5, 3, 1, VLM_GATE_POINT), VLM_VERDICT_DROP);
  assert_int_equal(judge(0.5, -0.5, 1.5, 1, VLM_GATE_POINT), VLM_VERDICT_PASS);
  assert_int_equal(judge(0, 0, 0, 0, VLM_GATE_CI), VLM_VERDICT_PASS); /* a model against itself */
}

static void test_no_evidence(void **state) {
  vlm_prompt_scores prompt = {.prompt = "<CAPTION>", .images = 1};
  vlm_evaluation e = {.compared = true, .scored = true, .images = 1, .prompts = &prompt, .n_prompts = 1};
  const vlm_budget budget = {.max_drop_percent = {true, 1}, .gate = VLM_GATE_POINT};
  vlm_checks checks;
  vlm_verdict v;
  vlm_text text = {0};
  (void)state;
  for (int k = 0; k < 2; k++) { /* one image; references that share no word with any answer */
    prompt.images = k ? 500 : 1;
    FINE(vlm_judge_answers(&v, &checks, &e, &budget, &error));
    assert_int_equal(v, VLM_VERDICT_INCONCLUSIVE);
    assert_int_equal(vlm_status_exit_code(vlm_verdict_status(v)), 3);
    vlm_text_clear(&text);
    FINE(vlm_check_text(&text, vlm_checks_decisive(&checks, v), &error));
    assert_non_null(strstr(vlm_text_get(&text), "wanted at most 1 %"));
    assert_true((strstr(vlm_text_get(&text), "about 32 are needed") != NULL) == (k == 0));
    vlm_checks_free(&checks);
  }
  vlm_text_free(&text);
}

/* Each prompt has its own budget; the refusal names the one that is over. */
static void test_prompts(void **state) {
  vlm_prompt_scores prompts[] = {
      {.prompt = "<CAPTION>", .images = 9, .drop = {.reference = 1}},
      {.prompt = "<OCR>", .images = 9, .drop = {.reference = 1, .percent = 9, .low = 8, .high = 10}}};
  vlm_evaluation e = {.compared = true, .scored = true, .images = 18, .prompts = prompts, .n_prompts = 2};
  const vlm_budget budget = {.max_drop_percent = {true, 1}};
  vlm_checks checks;
  vlm_verdict v;
  (void)state;
  FINE(vlm_judge_answers(&v, &checks, &e, &budget, &error));
  assert_int_equal(v, VLM_VERDICT_DROP);
  assert_string_equal(vlm_checks_decisive(&checks, v)->of, "<OCR>");
  vlm_checks_free(&checks);
}

static void test_no_budget(void **state) {
  vlm_evaluation e = {.compared = true};
  vlm_checks checks;
  vlm_verdict v;
  (void)state;
  FINE(vlm_judge_answers(&v, &checks, &e, &(vlm_budget){.gate = VLM_GATE_CI}, &error));
  assert_int_equal(v, VLM_VERDICT_NO_BUDGET);
  assert_string_equal(vlm_verdict_text(v), "no budget set");
  assert_int_equal(vlm_verdict_status(v), VLM_OK);
  assert_null(vlm_checks_decisive(&checks, v));
  vlm_checks_free(&checks);
}

static void test_refusals_name_figures(void **state) {
  vlm_evaluation e = {.compared = true, .images = 6, .agreement = {.captions = 6, .exact = 5}};
  const vlm_budget budget = {.min_agreement_percent = {true, 99.9}};
  vlm_checks checks;
  vlm_verdict v;
  vlm_text text = {0};
  (void)state;
  FINE(vlm_judge_answers(&v, &checks, &e, &budget, &error));
  assert_int_equal(v, VLM_VERDICT_AGREEMENT);
  FINE(vlm_check_text(&text, vlm_checks_decisive(&checks, v), &error));
  assert_string_equal(vlm_text_get(&text), "captions unchanged 83.33 %, wanted at least 99.9 %");
  vlm_text_free(&text);
  vlm_checks_free(&checks);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_drops),
      cmocka_unit_test(test_no_evidence),
      cmocka_unit_test(test_prompts),
      cmocka_unit_test(test_no_budget),
      cmocka_unit_test(test_refusals_name_figures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
