/* Profiles of runs against independent figures: the multiply-adds that PyTorch counts for the committed captioner, how often each graph ran, sums of
 * times, the trace read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "calib/image.h"
#include "flow/open.h"
#include "flow/profile.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/decode/answer.h"
#include "tests/exec/graph_program.h"

#define BUNDLE VLMQ_SOURCE_DIR "/datasets/captioner/bundle"
#define IMAGE VLMQ_SOURCE_DIR "/datasets/screens/test/test_0000.png"

typedef struct {
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_model *model;
  vlm_image image;
  vlm_step_profile *profile;
  vlm_answer answer;
} setup;

/* An answer of the float captioner, one token at a time, watched. */
static void start(setup *s, bool keeps_events) {
  static const vlm_flow_open_opts ready = {.lower = true};
  const vlm_answer_opts opts = {.beams = 1, .max_new_tokens = 12};
  *s = (setup){0};
  FINE(vlm_context_create(&s->context, &(vlm_context_opts){.threads = 1}, &error));
  FINE(vlm_flow_open(&s->bundle, BUNDLE, &ready, &error));
  FINE(vlm_image_read(&s->image, IMAGE, NULL, &error));
  FINE(vlm_step_profile_start(&s->profile, s->context, keeps_events, &error));
  FINE(vlm_step_profile_name(s->profile, "float", s->bundle, &error));
  FINE(vlm_model_create(&s->model, s->context, s->bundle, NULL, &error));
  FINE(vlm_model_answer(s->model, &s->image, "<CAPTION>", &opts, &s->answer, &error));
}

static void finish(setup *s) {
  vlm_step_profile_free(s->profile);
  vlm_answer_free(&s->answer);
  vlm_image_free(&s->image);
  vlm_model_free(s->model);
  vlm_bundle_free(s->bundle);
  vlm_context_free(s->context);
}

typedef struct {
  double macs, ms;
  int64_t runs;
} sums;

static sums sums_of(const setup *s, vlm_role role, const vlm_profile_row *rows, int32_t count) {
  sums all = {0};
  for (int32_t i = 0; i < count; i++) {
    if (rows[i].graph != s->bundle->graphs[role]) continue;
    all.macs += rows[i].macs;
    all.ms += rows[i].ms;
    if (!rows[i].node) all.runs = rows[i].runs;
  }
  return all;
}

static void test_figures(void **state) {
  setup s;
  const vlm_profile_row *rows;
  int32_t count;
  double all_ms = 0, share = 0;
  (void)state;
  start(&s, false);
  FINE(vlm_step_profile_rows(s.profile, &rows, &count, &error));
  const sums vision = sums_of(&s, VLM_ROLE_VISION, rows, count),
             step = sums_of(&s, VLM_ROLE_DECODER_STEP, rows, count);
  assert_true(vision.macs == 149750784);
  assert_int_equal(vision.runs, 1);
  assert_int_equal(step.runs, s.answer.steps);
  assert_string_equal(vlm_step_profile_graph(s.profile, s.bundle->graphs[VLM_ROLE_VISION]), "float vision");
  for (int32_t i = 0; i < count; i++) {
    const vlm_profile_rate rate = vlm_step_profile_rate(s.profile, &rows[i]);
    assert_true(i == 0 || rows[i].ms <= rows[i - 1].ms);
    assert_true(rows[i].ms >= 0 && rate.share >= 0 && (!rows[i].node || rows[i].facts.kernel));
    if (!rate.memory && rate.share > share) share = rate.share;
    all_ms += rows[i].ms;
  }
  /* Each moment of a graph's run belongs to one row; no kernel is much faster than itself. */
  assert_float_equal(all_ms, vlm_step_profile_graphs_ms(s.profile), (float)(1e-6 * all_ms + 1e-6));
  assert_true(all_ms <= vlm_step_profile_wall_ms(s.profile));
  assert_true(share > 0.01 && share < 3);
  finish(&s);
}

/* Joined nodes are named, kernels are those of the level. */
static void test_words(void **state) {
  setup s;
  const vlm_profile_row *rows;
  int32_t count, gelu = 0, nhwc = 0, attention = 0;
  (void)state;
  start(&s, false);
  FINE(vlm_step_profile_rows(s.profile, &rows, &count, &error));
  for (int32_t i = 0; i < count; i++) {
    if (!rows[i].node) continue;
    gelu += strstr(rows[i].facts.joined, "bias, gelu") != NULL;
    nhwc += !strcmp(rows[i].facts.layout, "NHWC");
    attention += !strcmp(rows[i].node->op_type, "Attention") && strstr(rows[i].facts.kernel, "gemm_f32_");
  }
  assert_true(gelu > 4 && nhwc > 4 && attention > 4);
  finish(&s);
}

/* What is seen ends with the profile; the next one begins at nothing. */
static void test_watched_only_while_it_lives(void **state) {
  setup s;
  const vlm_profile_row *rows;
  int32_t count;
  (void)state;
  start(&s, false);
  vlm_step_profile_free(s.profile);
  vlm_answer_free(&s.answer);
  FINE(vlm_model_answer(s.model, &s.image, "<CAPTION>", NULL, &s.answer, &error));
  FINE(vlm_step_profile_start(&s.profile, s.context, false, &error));
  FINE(vlm_step_profile_rows(s.profile, &rows, &count, &error));
  assert_int_equal(count, 0);
  finish(&s);
}

/* It has no time, and leaves the rest in order. */
static void test_a_step_that_fails(void **state) {
  vlm_context *context;
  vlm_session *session;
  vlm_step_profile *profile;
  const vlm_profile_row *rows;
  int32_t count;
  int64_t shape[1] = {3};
  float x[4] = {1, 2, 3, 4};
  (void)state;
  vlm_graph *graph = graph_of("in x float32 4\nin s int64 1\nReshape x s -> y\nAdd y y -> z\nout z\n");
  FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = 1}, &error));
  FINE(vlm_session_create(&session, context, graph, NULL, &error));
  FINE(vlm_step_profile_start(&profile, context, true, &error));
  const vlm_tensor inputs[] = {vlm_tensor_make(VLM_F32, 1, (int64_t[]){4}, x),
                               vlm_tensor_make(VLM_S64, 1, (int64_t[]){1}, shape)};
  FAILS(VLM_INPUT, vlm_session_run(session, inputs, 2, &error));
  shape[0] = 4;
  FINE(vlm_session_run(session, inputs, 2, &error));
  FINE(vlm_step_profile_rows(profile, &rows, &count, &error));
  int64_t runs = 0;
  for (int32_t i = 0; i < count; i++) runs += rows[i].runs;
  assert_int_equal(runs, 3); /* the run, Reshape, Add */
  vlm_step_profile_free(profile);
  vlm_session_free(session);
  vlm_graph_free(graph);
  vlm_context_free(context);
}

static void test_trace(void **state) {
  setup s;
  char path[] = "/tmp/vlmq-trace-XXXXXX", *text;
  vlm_json_doc *doc;
  const char *phase;
  double from, length, last = -1;
  int64_t steps = 0, runs = 0;
  (void)state;
  start(&s, true);
  close(mkstemp(path));
  FINE(vlm_step_profile_trace(s.profile, path, &error));
  FINE(vlm_file_read_text(&text, path, &error));
  FINE(vlm_json_parse(&doc, text, strlen(text), path, &error));
  const vlm_json events = vlm_json_member(vlm_json_root(doc), "traceEvents");
  for (size_t i = 0; i < vlm_json_size(events); i++) {
    const vlm_json e = vlm_json_at(events, i);
    FINE(vlm_json_get_text(&phase, e, "ph", VLM_JSON_REQUIRED, &error));
    FINE(vlm_json_get_double(&from, e, "ts", VLM_JSON_REQUIRED, &error));
    FINE(vlm_json_get_double(&length, e, "dur", VLM_JSON_REQUIRED, &error));
    assert_string_equal(phase, "X");
    assert_true(from >= 0 && length >= 0 && from + length >= last); /* intervals are told when they end */
    last = from + length;
    if (vlm_json_is_null(vlm_json_member(e, "args"))) runs++;
    else steps++;
  }
  assert_true(runs > 3 + s.answer.steps && steps > 10 * runs);
  vlm_json_free(doc);
  vlm_free(text);
  unlink(path);
  finish(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_figures),
      cmocka_unit_test(test_words),
      cmocka_unit_test(test_watched_only_while_it_lives),
      cmocka_unit_test(test_a_step_that_fails),
      cmocka_unit_test(test_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
