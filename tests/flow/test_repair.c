/* Samples kept apart, and a plan chosen at the output: a planted sensitive layer is found and the rest is left alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "calib/accumulate.h"
#include "calib/npy.h"
#include "flow/calibrate.h"
#include "flow/data.h"
#include "flow/open.h"
#include "flow/quantize.h"
#include "flow/repair.h"
#include "tests/lower/lower_graph.h"

#define MODEL VLMQ_SOURCE_DIR "/tests/cli/data/quant/outlier_rare/model.onnx"

enum { SAMPLES = 60, WIDTH = 64, TOKENS = 8 };

/* ---- kept apart ---- */

static void write_samples(const char *folder) {
  static float x[4 * WIDTH];
  char path[200];
  seed = 5;
  for (int s = 0; s < SAMPLES; s++) {
    const vlm_tensor t = vlm_tensor_make(VLM_F32, 2, (int64_t[]){4, WIDTH}, x);
    draw_all(x, 4 * WIDTH);
    snprintf(path, sizeof path, "%s/%02d", folder, s);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/%02d/x.npy", folder, s);
    FINE(vlm_npy_write(&t, path, &error));
  }
}

static void remove_samples(const char *folder) {
  char path[200];
  for (int s = 0; s < SAMPLES; s++) {
    snprintf(path, sizeof path, "%s/%02d/x.npy", folder, s);
    unlink(path);
    snprintf(path, sizeof path, "%s/%02d", folder, s);
    rmdir(path);
  }
  rmdir(folder);
}

static void calibrate(const char *folder, size_t limit, double holdout, vlm_stats **stats,
                      vlm_calibrate_report *report) {
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_dataset *set;
  const vlm_flow_data_opts data = {.paths = &folder, .n_paths = 1, .limit = limit};
  const vlm_flow_calibrate_opts opts = {.holdout = holdout};
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_flow_open(&bundle, MODEL, &(vlm_flow_open_opts){.lower = false}, &error));
  FINE(vlm_flow_data(&set, bundle, &data, &error));
  FINE(vlm_flow_statistics(stats, bundle, NULL, NULL, &error));
  FINE(vlm_flow_calibrate(*stats, context, bundle, set, &opts, report, &error));
  vlm_dataset_free(set);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
}

static void a_share_is_kept_apart(void **state) {
  char folder[] = "/tmp/vlmq-apart-XXXXXX";
  vlm_stats *stats;
  vlm_calibrate_report report;
  (void)state;
  assert_non_null(mkdtemp(folder));
  write_samples(folder);
  calibrate(folder, 0, 40, &stats, &report);
  assert_int_equal(report.samples + report.held_out, SAMPLES);
  assert_in_range(report.held_out, SAMPLES / 5, SAMPLES * 3 / 5);
  assert_int_equal(vlm_stats_held_out(stats), report.held_out);
  assert_int_equal(vlm_stats_at(stats, 0)->runs, report.samples);
  const vlm_kept_list *kept = vlm_stats_kept_samples(stats);
  assert_int_equal(kept->count, 2 * VLM_KEPT_MOST);
  for (int32_t i = 0; i < kept->count; i++)
    assert_int_equal(vlm_stats_is_held_out(stats, kept->items[i]->digest), i < VLM_KEPT_MOST);
  vlm_stats_free(stats);
  calibrate(folder, 0, -1, &stats, &report);
  assert_int_equal(report.samples, SAMPLES);
  assert_false(report.too_few);
  vlm_stats_free(stats);
  calibrate(folder, VLM_HOLDOUT_LEAST - 1, 40, &stats, &report);
  assert_int_equal(report.samples, VLM_HOLDOUT_LEAST - 1);
  assert_true(report.too_few);
  vlm_stats_free(stats);
  remove_samples(folder);
}

/* ---- repair ---- */

/* Two convolutions side by side. The input of the first carries 2,000 in one channel, whose part is taken off again
 * behind it: with one range for all its result is noise. */
typedef struct {
  vlm_context *context;
  vlm_graph *graph;
  vlm_stats *stats;
  vlm_quant_plan *plan;
  vlm_trials *trials;
  vlm_kept_sample *samples[3];
  float data[3][WIDTH * TOKENS];
} planted;

static vlm_value_id convolve(vlm_graph *g, const char *name, vlm_value_id x) {
  static float w[WIDTH * WIDTH];
  draw_all(w, WIDTH * WIDTH);
  vlm_value_id weight = add_constant(g, VLM_F32, 4, (int64_t[]){WIDTH, WIDTH, 1, 1}, w);
  return add_node(g, name, "Conv", 2, (vlm_value_id[]){x, weight}, NULL);
}

static vlm_graph *planted_graph(void) {
  static float spike[WIDTH];
  vlm_graph *g = new_graph();
  seed = 3;
  for (int c = 0; c < WIDTH; c++) spike[c] = c == 7 ? 2000 : 0;
  vlm_value_id x = add_input(g, "x", VLM_F32, 4, (int64_t[]){1, WIDTH, TOKENS, 1});
  vlm_value_id rest = add_constant(g, VLM_F32, 4, (int64_t[]){1, WIDTH, 1, 1}, spike);
  vlm_value_id relu = add_node(g, NULL, "Relu", 1, &x, NULL);
  vlm_value_id a = convolve(g, "first", add_node(g, NULL, "Add", 2, (vlm_value_id[]){relu, rest}, NULL));
  vlm_value_id b = convolve(g, "second", add_node(g, NULL, "Relu", 1, &x, NULL));
  (void)a;
  static float off[WIDTH];
  const float *w = NULL;
  for (int32_t n = 0; n < g->n_nodes; n++)
    if (!strcmp(g->nodes[n].name, "first")) w = g->values[g->nodes[n].inputs[1]].tensor.data;
  for (int c = 0; c < WIDTH; c++) off[c] = -2000 * w[c * WIDTH + 7];
  vlm_value_id minus = add_constant(g, VLM_F32, 4, (int64_t[]){1, WIDTH, 1, 1}, off);
  vlm_value_id back = add_node(g, NULL, "Add", 2, (vlm_value_id[]){a, minus}, NULL);
  vlm_value_id y = add_node(g, NULL, "Add", 2, (vlm_value_id[]){back, b}, NULL);
  FINE(vlm_graph_add_output(g, y, &error));
  FINE(vlm_graph_resolve(g, &error));
  return g;
}

static vlm_status observe(void *user, const vlm_graph *graph, vlm_value_id value, const vlm_tensor *t,
                          vlm_error *err) {
  vlm_tensor_stats *e;
  vlm_status st = vlm_stats_entry(&e, user, "model", graph->values[value].name, err);
  return st == VLM_OK ? vlm_accumulate(e, t, NULL, (vlm_digest){1, 1}, NULL, err) : st;
}

/* One convolution of a peaked input, whose result is brought to unit length: quiet images count as much as loud ones. */
static vlm_graph *levelled_graph(void) {
  vlm_graph *g = new_graph();
  seed = 3;
  vlm_value_id x = add_input(g, "x", VLM_F32, 4, (int64_t[]){1, WIDTH, TOKENS, 1});
  vlm_value_id relu = add_node(g, NULL, "Relu", 1, &x, NULL);
  vlm_value_id peaked = add_node(g, NULL, "Pow", 2, (vlm_value_id[]){relu, add_scalar(g, 9)}, NULL);
  vlm_value_id a = convolve(g, "it", peaked);
  const vlm_attr axis[] = {{.name = "axis", .kind = VLM_ATTR_INT, .u.i = 1}, {.name = NULL}};
  vlm_value_id y = add_node(g, NULL, "LpNormalization", 1, &a, axis);
  FINE(vlm_graph_add_output(g, y, &error));
  FINE(vlm_graph_resolve(g, &error));
  return g;
}

/* Sample s is `quieter` times as loud as the one before. */
static void plant_in(planted *p, vlm_graph *g, float quieter) {
  static const char *const NAMES[] = {"x"};
  vlm_session *session;
  float loud = 1;
  p->graph = g;
  FINE(vlm_context_create(&p->context, NULL, &error));
  FINE(vlm_stats_create(&p->stats, (vlm_digest){0, 0}, "", &error));
  const vlm_session_opts opts = {.tap = observe, .tap_user = p->stats};
  FINE(vlm_session_create(&session, p->context, p->graph, &opts, &error));
  for (int s = 0; s < 3; s++) {
    const vlm_tensor x = vlm_tensor_make(VLM_F32, 4, (int64_t[]){1, WIDTH, TOKENS, 1}, p->data[s]);
    draw_all(p->data[s], WIDTH * TOKENS);
    for (int i = 0; i < WIDTH * TOKENS; i++) p->data[s][i] *= loud;
    loud *= quieter;
    FINE(vlm_session_run(session, &x, 1, &error));
    FINE(vlm_kept_sample_make(&p->samples[s], (vlm_digest){0, (uint64_t)s}, true, NAMES, &x, 1, &error));
  }
  vlm_session_free(session);
  const vlm_quant_graph graph = {"model", p->graph};
  const vlm_quant_opts quant = {.everything = false, .activations = VLM_ACTIVATIONS_STATIC};
  FINE(vlm_quant_plan_make(&p->plan, &graph, 1, p->stats, &quant, &error));
  for (int i = 0; i < p->plan->count; i++) assert_int_equal(p->plan->nodes[i].decision, VLM_DECIDE_STATIC);
  FINE(vlm_trials_open(&p->trials, p->context, p->graph, p->samples, 3, &error));
}

static void plant(planted *p) {
  plant_in(p, planted_graph(), 1);
  assert_int_equal(p->plan->count, 2);
}

static void dig_up(planted *p) {
  vlm_trials_free(p->trials);
  vlm_quant_plan_free(p->plan);
  vlm_stats_free(p->stats);
  for (int s = 0; s < 3; s++) vlm_kept_sample_free(p->samples[s]);
  vlm_graph_free(p->graph);
  vlm_context_free(p->context);
}

static double repair(planted *p, const vlm_repair_opts *how, int32_t *changed) {
  vlm_repair_result r;
  const vlm_quant_graph graph = {"model", p->graph};
  FINE(vlm_repair(&r, p->trials, p->plan, &graph, p->stats, &(vlm_quant_opts){.everything = false}, how,
                  &error));
  assert_int_equal(r.n_outputs, 1);
  double db = vlm_trial_db(&r.outputs[0]);
  *changed = r.changed;
  vlm_repair_free(&r);
  return db;
}

static const vlm_node_plan *named(const planted *p, const char *name) {
  for (int32_t i = 0; i < p->plan->count; i++)
    if (!strcmp(p->plan->nodes[i].node, name)) return &p->plan->nodes[i];
  return NULL;
}

static void the_planted_layer_is_found(void **state) {
  static planted p;
  int32_t changed;
  (void)state;
  plant(&p);
  double before =
      repair(&p, &(vlm_repair_opts){.target_db = 30, .floor_db = 25, .only_measure = true}, &changed);
  assert_true(before < 20);
  assert_int_equal(changed, 0);
  assert_true(named(&p, "first")->measured && named(&p, "first")->output_db < 20);
  assert_true(named(&p, "second")->measured && named(&p, "second")->output_db > 30);
  double after =
      repair(&p, &(vlm_repair_opts){.target_db = 30, .floor_db = 25, .at_any_price = true}, &changed);
  assert_true(after >= 30);
  assert_int_equal(changed, 1);
  assert_int_equal(named(&p, "second")->decision, VLM_DECIDE_STATIC);
  assert_int_not_equal(named(&p, "first")->decision, VLM_DECIDE_STATIC);
  dig_up(&p);
}

static void what_is_good_stays(void **state) {
  static planted p;
  int32_t changed;
  (void)state;
  plant(&p);
  repair(&p, &(vlm_repair_opts){.target_db = -60, .floor_db = -60, .at_any_price = true}, &changed);
  assert_int_equal(changed, 0);
  dig_up(&p);
}

/* Images that differ in extent have a range each, where it is measured to help and may be. */
static void images_have_ranges_of_their_own(void **state) {
  static planted p;
  int32_t changed;
  (void)state;
  plant_in(&p, levelled_graph(), 0.6f);
  const vlm_repair_opts fixed = {.target_db = -60, .floor_db = -60},
                        own = {.target_db = -60, .floor_db = -60, .may_free = true};
  double before = repair(&p, &fixed, &changed);
  assert_int_equal(changed, 0);
  assert_true(before < 20);
  double after = repair(&p, &own, &changed);
  assert_int_equal(changed, 1);
  assert_int_equal(named(&p, "it")->decision, VLM_DECIDE_DYNAMIC);
  assert_true(after > before + 15);
  dig_up(&p);
  plant_in(&p, levelled_graph(), 0.99f);
  repair(&p, &own, &changed);
  assert_int_equal(changed, 0);
  repair(&p, &(vlm_repair_opts){.target_db = -60, .floor_db = -60, .may_free = true, .known_samples = true},
         &changed);
  assert_int_equal(changed, 1); /* as good, on samples that flatter fixed ranges */
  dig_up(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_share_is_kept_apart),
      cmocka_unit_test(the_planted_layer_is_found),
      cmocka_unit_test(what_is_good_stays),
      cmocka_unit_test(images_have_ranges_of_their_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
