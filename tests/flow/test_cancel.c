/* A cancelled use case ends with VLM_INTERRUPTED and leaves nothing half done behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/answers.h"
#include "flow/evaluate.h"
#include "tests/flow/use_cases.h"

/* What was measured before is whole and can be gone on with: the bytes are those of a run without a break. */
static void calibration_keeps_whole_samples(void **state) {
  use u;
  vlm_stats *stats;
  vlm_calibrate_report report;
  patience p = {.units = 1};
  vlm_flow_calibrate_opts opts = {.output = "broken.h5", .watch = watch_with(&p)};
  (void)state;
  begin(&u, false);
  FINE(vlm_flow_statistics(&stats, u.bundle, NULL, NULL, &error));
  FAILS(VLM_INTERRUPTED, vlm_flow_calibrate(stats, u.context, u.bundle, u.set, &opts, &report, &error));
  assert_non_null(strstr(error.text, "broken.h5 holds 1 sample, and --resume"));
  assert_int_equal(vlm_stats_samples(stats), 1);
  vlm_stats_free(stats);
  assert_int_equal(files_here(), 1); /* no temporary file */
  FINE(vlm_flow_statistics(&stats, u.bundle, "broken.h5", NULL, &error));
  assert_int_equal(vlm_stats_samples(stats), 1);
  p = (patience){.units = 1000};
  FINE(vlm_flow_calibrate(stats, u.context, u.bundle, u.set, &opts, &report, &error));
  assert_int_equal(p.seen, SAMPLES);
  assert_int_equal(report.resumed, 1);
  vlm_stats_free(stats);
  finish(&u);
  make_statistics("whole.h5");
  assert_same_file("broken.h5", "whole.h5");
}

static void statistics_in_memory_make_no_file(void **state) {
  use u;
  vlm_stats *stats;
  vlm_calibrate_report report;
  patience p = {.units = 1};
  const vlm_flow_calibrate_opts opts = {.watch = watch_with(&p)};
  int before = files_here();
  (void)state;
  begin(&u, false);
  FINE(vlm_flow_statistics(&stats, u.bundle, NULL, NULL, &error));
  FAILS(VLM_INTERRUPTED, vlm_flow_calibrate(stats, u.context, u.bundle, u.set, &opts, &report, &error));
  vlm_stats_free(stats);
  finish(&u);
  assert_int_equal(files_here(), before);
}

/* Asked inside stages as well, as often as there are nodes and batches of tensors. */
static bool is_over_soon(void *user) { return ++((patience *)user)->asked > ((patience *)user)->units; }

static void quantizing_stops_inside(void **state) {
  int before = files_here();
  int64_t asked = 1;
  bool done = false;
  (void)state;
  for (int64_t units = 0; !done; units = units * 2 + 1) {
    use u;
    vlm_quantization *q;
    patience p = {.units = units};
    const vlm_flow_quantize_opts opts = {
        .calib = "whole.h5", .pack = {.level = LEVEL}, .watch = {.cancelled = is_over_soon, .user = &p}};
    begin(&u, false);
    vlm_status st = vlm_flow_quantize_plan(&q, u.context, u.bundle, &opts, &error);
    if (st == VLM_OK) st = vlm_flow_quantize_apply(q, &error);
    if (st == VLM_OK) st = vlm_flow_quantize_write(q, "inside.vlmq", &error);
    done = st == VLM_OK;
    if (!done) assert_int_equal(st, VLM_INTERRUPTED);
    if (!done) assert_int_equal(files_here(), before);
    asked = p.asked;
    vlm_quantization_free(q);
    finish(&u);
  }
  assert_true(asked > 50 + VLM_QUANTIZE_STAGES);
  assert_int_equal(unlink("inside.vlmq"), 0);
}

/* After each stage but the last, which is the file. */
static void quantizing_writes_nothing(void **state) {
  int before = files_here();
  (void)state;
  for (int units = 1; units < VLM_QUANTIZE_STAGES; units++) {
    use u;
    vlm_quantization *q;
    patience p = {.units = units};
    const vlm_flow_quantize_opts opts = {
        .calib = "whole.h5", .pack = {.level = LEVEL}, .watch = watch_with(&p)};
    begin(&u, false);
    vlm_status st = vlm_flow_quantize_plan(&q, u.context, u.bundle, &opts, &error);
    if (st == VLM_OK) st = vlm_flow_quantize_apply(q, &error);
    if (st == VLM_OK) st = vlm_flow_quantize_write(q, "never.vlmq", &error);
    assert_int_equal(st, VLM_INTERRUPTED);
    assert_int_equal(p.seen, units);
    vlm_quantization_free(q);
    finish(&u);
    assert_int_equal(files_here(), before);
  }
}

static void nothing_is_written_before_it_is_applied(void **state) {
  use u;
  vlm_quantization *q;
  const vlm_flow_quantize_opts opts = {.quant = {.activations = VLM_ACTIVATIONS_NONE}};
  (void)state;
  begin(&u, false);
  FINE(vlm_flow_quantize_plan(&q, u.context, u.bundle, &opts, &error));
  FAILS(VLM_USAGE, vlm_flow_quantize_write(q, "never.vlmq", &error));
  vlm_quantization_free(q);
  finish(&u);
  assert_false(vlm_file_exists("never.vlmq"));
}

static void evaluation_is_empty(void **state) {
  use u;
  vlm_flow_evaluation e;
  patience p = {.units = 1};
  const vlm_flow_evaluate_opts opts = {.watch = watch_with(&p)};
  (void)state;
  begin(&u, true);
  FAILS(VLM_INTERRUPTED, vlm_flow_evaluate(&e, u.context, u.bundle, u.bundle, u.set, &opts, &error));
  assert_int_equal(p.seen, 1);
  assert_null(e.answers.arena);
  vlm_flow_evaluation_free(&e); /* harmless */
  finish(&u);
}

static vlm_status count_answer(void *user, const vlm_flow_answer *answer, vlm_error *err) {
  (void)answer;
  (void)err;
  ++*(int *)user;
  return VLM_OK;
}

/* Asked after each token: not even the first answer comes. */
static void answers_stop_inside(void **state) {
  static const char *const PROMPTS[] = {"<CAPTION>"};
  use u;
  int answers = 0;
  patience p = {.units = 0};
  vlm_flow_answers_opts opts = {.prompts = PROMPTS,
                                .n_prompts = 1,
                                .on_answer = count_answer,
                                .user = &answers,
                                .watch = watch_with(&p)};
  (void)state;
  begin(&u, true);
  opts.set = u.set;
  FAILS(VLM_INTERRUPTED, vlm_flow_answers(u.context, u.bundle, &opts, &error));
  assert_int_equal(answers, 0);
  assert_int_equal(p.seen, 0);
  finish(&u);
}

static int set_up(void **state) {
  (void)state;
  enter_new_folder();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  leave_folder();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(calibration_keeps_whole_samples),
      cmocka_unit_test(statistics_in_memory_make_no_file),
      cmocka_unit_test(quantizing_stops_inside),
      cmocka_unit_test(quantizing_writes_nothing),
      cmocka_unit_test(nothing_is_written_before_it_is_applied),
      cmocka_unit_test(evaluation_is_empty),
      cmocka_unit_test(answers_stop_inside),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
