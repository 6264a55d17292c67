/* The use cases give what the programs give: the same statistics, packed file, figures, tokens and arrays. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "calib/npy.h"
#include "flow/answers.h"
#include "flow/evaluate.h"
#include "flow/run_graph.h"
#include "flow/verify.h"
#include "runtime/base/json.h"
#include "tests/flow/use_cases.h"

#define GRAPH VLMQ_SOURCE_DIR "/tests/onnx/data/unsorted.onnx"
#define IMAGE CALIBRATION "/calibration_0000.png"

/* ---- statistics and packed file ---- */

static void statistics_and_pack(void **state) {
  char command[2048];
  (void)state;
  make_statistics("flow.h5");
  snprintf(command, sizeof command,
           "vlm-calibrate " BUNDLE " --images " CALIBRATION " --limit %d -o program.h5", SAMPLES);
  run_program(command);
  assert_same_file("flow.h5", "program.h5");
  make_pack("flow.vlmq", "flow.h5");
  snprintf(command, sizeof command, "vlm-quantize " BUNDLE " --calib program.h5 --level %d -o program.vlmq",
           LEVEL);
  run_program(command);
  assert_same_file("flow.vlmq", "program.vlmq");
}

static void parts_merge_to_the_whole(void **state) {
  static const char *const PARTS[] = {"part0.h5", "part1.h5"};
  vlm_stats *merged;
  (void)state;
  for (int k = 0; k < 2; k++) {
    char command[2048];
    snprintf(command, sizeof command,
             "vlm-calibrate " BUNDLE " --images " CALIBRATION " --limit %d --shard %d/2 -o %s", SAMPLES, k,
             PARTS[k]);
    run_program(command);
  }
  FINE(vlm_flow_merge(&merged, PARTS, 2, &error));
  assert_int_equal(vlm_stats_samples(merged), SAMPLES);
  FINE(vlm_stats_save(merged, "merged.h5", &error));
  assert_same_file("merged.h5", "flow.h5");
  vlm_stats_free(merged);
}

static void verified(void **state) {
  vlm_context *context;
  vlm_verify_result result;
  (void)state;
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_flow_verify(&result, context, "flow.vlmq", NULL, &error));
  assert_int_equal(result.passed, 1);
  assert_int_equal(result.not_run, 0);
  vlm_context_free(context);
}

/* ---- figures ---- */

static double figure(vlm_json root, const char *object, const char *key) {
  double value;
  vlm_json in = object ? vlm_json_member(root, object) : root;
  FINE(vlm_json_get_double(&value, in, key, VLM_JSON_REQUIRED, &error));
  return value;
}

static void assert_figure(double got, vlm_json root, const char *object, const char *key) {
  double wanted = figure(root, object, key);
  if (fabs(got - wanted) > 1e-12 * fabs(wanted))
    fail_msg("%s: %.17g, the program says %.17g", key, got, wanted);
}

static vlm_json_doc *program_json(const char *command) {
  vlm_json_doc *doc;
  char *text;
  run_program(command);
  FINE(vlm_file_read_text(&text, "out.txt", &error));
  FINE(vlm_json_parse(&doc, text, strlen(text), command, &error));
  vlm_free(text);
  return doc;
}

static void figures_of_a_pipeline(void **state) {
  use u;
  vlm_bundle *candidate;
  vlm_caption_set captions;
  vlm_flow_evaluation e;
  char command[2048];
  static const char *const PATHS[] = {CALIBRATION};
  const vlm_flow_open_opts ready = {.lower = true};
  (void)state;
  begin(&u, true);
  vlm_dataset_free(u.set);
  FINE(vlm_caption_set_load(&captions, VLMQ_SOURCE_DIR "/datasets/screens/calibration.json", NULL, &error));
  const vlm_flow_data_opts data = {.paths = PATHS, .n_paths = 1, .limit = SAMPLES, .captions = &captions};
  FINE(vlm_flow_data(&u.set, u.bundle, &data, &error));
  FINE(vlm_flow_open(&candidate, "flow.vlmq", &ready, &error));
  const vlm_flow_evaluate_opts opts = {.bootstrap = {.seed = 1}, .budget = {.max_drop_percent = {true, 1e6}}};
  FINE(vlm_flow_evaluate(&e, u.context, u.bundle, candidate, u.set, &opts, &error));
  snprintf(command, sizeof command,
           "vlm-eval " BUNDLE " flow.vlmq --images " CALIBRATION " --limit %d --refs " VLMQ_SOURCE_DIR
           "/datasets/screens/calibration.json --json",
           SAMPLES);
  vlm_json_doc *doc = program_json(command);
  vlm_json root = vlm_json_root(doc), scores = vlm_json_member(root, "scores");
  assert_figure((double)e.answers.images, root, NULL, "images");
  assert_figure(e.answers.prompts[0].scores[0].cider_d, scores, "reference", "cider_d");
  assert_figure(e.answers.prompts[0].scores[1].cider_d, scores, "candidate", "cider_d");
  assert_figure(e.answers.prompts[0].scores[1].rouge_l, scores, "candidate", "rouge_l");
  assert_figure(e.answers.prompts[0].drop.percent, root, "drop", "percent");
  assert_figure(vlm_agreement_exact_percent(&e.answers.agreement), root, "agreement", "exact_captions");
  assert_figure(vlm_sqnr_db(&e.answers.sqnr[VLM_ROLE_VISION]), root, "sqnr_db", "vision");
  assert_figure(e.answers.kl_mean, root, "kl_per_token", "mean");
  assert_figure((double)e.size_bytes[0], root, "size_bytes", "reference");
  assert_figure((double)e.size_bytes[1], root, "size_bytes", "candidate");
  assert_figure(vlm_coverage_macs_percent(&e.macs), root, NULL, "macs_int8_percent");
  assert_int_equal(e.verdict, VLM_VERDICT_PASS);
  vlm_json_free(doc);
  vlm_flow_evaluation_free(&e);
  vlm_bundle_free(candidate);
  finish(&u);
  vlm_caption_set_free(&captions);
}

/* ---- a single graph ---- */

static void write_array(const char *folder, const char *path, float a, float b) {
  float data[2] = {a, b};
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 1, (int64_t[]){2}, data);
  FINE(vlm_folder_make(folder, &error));
  FINE(vlm_npy_write(&t, path, &error));
}

static void arrays_of_a_graph(void **state) {
  static const vlm_input_file FILES[] = {{"x", "in/x.npy"}};
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_graph_run run = {0};
  vlm_file_names names;
  (void)state;
  write_array("in", "in/x.npy", 1, -2);
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_flow_open(&bundle, GRAPH, NULL, &error));
  FINE(vlm_graph_run_read(&run, bundle->graphs[VLM_ROLE_MODEL], FILES, 1, &error));
  FINE(vlm_graph_run_start(&run, context, false, &error));
  FINE(vlm_output_names(&names, run.graph, &error));
  FINE(vlm_graph_run_write(&run, "flow", &names, &error));
  run_program("vlm-run " GRAPH " --input x=in/x.npy --output-dir program");
  for (int i = 0; i < names.count; i++) {
    char a[64], b[64];
    snprintf(a, sizeof a, "flow/%s", names.items[i]);
    snprintf(b, sizeof b, "program/%s", names.items[i]);
    assert_same_file(a, b);
  }
  vlm_graph_run_free(&run);
  vlm_file_names_free(&names);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
}

static void inputs_are_named(void **state) {
  static const vlm_input_file TWICE[] = {{"x", "in/x.npy"}, {"x", "in/x.npy"}};
  vlm_bundle *bundle;
  vlm_graph_run run = {0};
  (void)state;
  FINE(vlm_flow_open(&bundle, GRAPH, NULL, &error));
  FAILS(VLM_INPUT, vlm_graph_run_read(&run, bundle->graphs[VLM_ROLE_MODEL], NULL, 0, &error));
  vlm_graph_run_free(&run);
  FAILS(VLM_USAGE, vlm_graph_run_read(&run, bundle->graphs[VLM_ROLE_MODEL], TWICE, 2, &error));
  vlm_graph_run_free(&run);
  vlm_bundle_free(bundle);
}

static void figures_of_a_graph(void **state) {
  static const char *const PATHS[] = {"in"};
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_dataset *set;
  vlm_flow_evaluation e;
  const vlm_flow_data_opts data = {.paths = PATHS, .n_paths = 1};
  vlm_flow_evaluate_opts opts = {.budget = {.min_agreement_percent = {true, 100}}};
  (void)state;
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_flow_open(&bundle, GRAPH, NULL, &error));
  FINE(vlm_flow_data(&set, bundle, &data, &error));
  FINE(vlm_flow_evaluate(&e, context, bundle, bundle, set, &opts, &error));
  vlm_json_doc *doc = program_json("vlm-eval " GRAPH " " GRAPH " --inputs in --json");
  assert_true(e.graph && e.compared);
  assert_figure((double)e.outputs.samples, vlm_json_root(doc), NULL, "samples");
  assert_figure((double)e.size_bytes[0], vlm_json_root(doc), "size_bytes", "reference");
  assert_int_equal(e.verdict, VLM_VERDICT_PASS);
  vlm_json_free(doc);
  vlm_flow_evaluation_free(&e);
  opts.budget.min_speedup = (vlm_limit){true, 1e9};
  FINE(vlm_flow_evaluate(&e, context, bundle, bundle, set, &opts, &error));
  assert_int_equal(e.verdict, VLM_VERDICT_SLOWER);
  vlm_flow_evaluation_free(&e);
  FINE(vlm_flow_evaluate(&e, context, bundle, NULL, set, &opts, &error));
  assert_int_equal(e.verdict, VLM_VERDICT_NO_BUDGET); /* nothing was compared */
  vlm_flow_evaluation_free(&e);
  vlm_dataset_free(set);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
}

/* ---- answers ---- */

typedef struct {
  vlm_json ids;
  char text[512], streamed[512];
  int answers;
} heard;

static vlm_status hear_text(void *user, const char *text, vlm_error *err) {
  heard *h = user;
  (void)err;
  size_t n = strlen(h->streamed);
  snprintf(h->streamed + n, sizeof h->streamed - n, "%s", text);
  return VLM_OK;
}

static vlm_status hear_answer(void *user, const vlm_flow_answer *a, vlm_error *err) {
  heard *h = user;
  h->answers++;
  snprintf(h->text, sizeof h->text, "%s", vlm_text_get(&a->answer->text));
  assert_int_equal(vlm_json_size(h->ids), a->answer->ids.count);
  for (size_t i = 0; i < a->answer->ids.count; i++) {
    int64_t id;
    vlm_status st = vlm_json_as_int(&id, vlm_json_at(h->ids, i), err);
    if (st != VLM_OK) return st;
    assert_int_equal(id, a->answer->ids.data[i]);
  }
  return VLM_OK;
}

static void answer_to_an_image(void **state) {
  static const char *const IMAGES[] = {IMAGE}, *const PROMPTS[] = {"<CAPTION>"};
  vlm_context *context;
  vlm_bundle *bundle;
  heard h = {.answers = 0};
  const char *text;
  const vlm_flow_open_opts ready = {.lower = true};
  vlm_dataset *set;
  vlm_flow_answers_opts opts = {
      .prompts = PROMPTS, .n_prompts = 1, .on_text = hear_text, .on_answer = hear_answer, .user = &h};
  (void)state;
  vlm_json_doc *doc = program_json("vlm-run flow.vlmq " IMAGE " --prompt '<CAPTION>' --json");
  h.ids = vlm_json_member(vlm_json_root(doc), "token_ids");
  FINE(vlm_json_get_text(&text, vlm_json_root(doc), "text", VLM_JSON_REQUIRED, &error));
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_flow_open(&bundle, "flow.vlmq", &ready, &error));
  FINE(vlm_flow_data(&set, bundle, &(vlm_flow_data_opts){.paths = IMAGES, .n_paths = 1}, &error));
  opts.set = set;
  FINE(vlm_flow_answers(context, bundle, &opts, &error));
  vlm_dataset_free(set);
  assert_int_equal(h.answers, 1);
  assert_string_equal(h.text, text);
  assert_non_null(strstr(h.streamed, text));
  vlm_json_free(doc);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
}

/* ---- opening ---- */

static void files_are_told_apart(void **state) {
  vlm_file_kind kind;
  (void)state;
  FINE(vlm_file_kind_of(&kind, BUNDLE, &error));
  assert_int_equal(kind, VLM_FILE_MODEL);
  FINE(vlm_file_kind_of(&kind, GRAPH, &error));
  assert_int_equal(kind, VLM_FILE_MODEL);
  FINE(vlm_file_kind_of(&kind, "flow.vlmq", &error));
  assert_int_equal(kind, VLM_FILE_PACKED);
  FINE(vlm_file_kind_of(&kind, "flow.h5", &error));
  assert_int_equal(kind, VLM_FILE_STATISTICS);
  FAILS(VLM_INPUT, vlm_file_kind_of(&kind, "nowhere", &error));
}

static void shapes_are_bound(void **state) {
  static const vlm_shape_binding SHAPES[] = {{"nothing", 1}};
  const vlm_flow_open_opts opts = {.shapes = SHAPES, .n_shapes = 1};
  vlm_bundle *bundle;
  (void)state;
  FAILS(VLM_USAGE, vlm_flow_open(&bundle, BUNDLE, &opts, &error));
  assert_null(bundle);
  FAILS(VLM_INPUT, vlm_flow_open(&bundle, GRAPH, &opts, &error));
  assert_null(bundle);
  assert_non_null(strstr(error.text, "no input has a dimension named \"nothing\""));
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
  /* In this order: later ones read what earlier ones wrote. */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(statistics_and_pack),
      cmocka_unit_test(parts_merge_to_the_whole),
      cmocka_unit_test(verified),
      cmocka_unit_test(figures_of_a_pipeline),
      cmocka_unit_test(arrays_of_a_graph),
      cmocka_unit_test(inputs_are_named),
      cmocka_unit_test(figures_of_a_graph),
      cmocka_unit_test(answer_to_an_image),
      cmocka_unit_test(files_are_told_apart),
      cmocka_unit_test(shapes_are_bound),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
