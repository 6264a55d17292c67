/* A budget kept in few evaluations: one sensitive layer of many, a loss that is spread, one that no plan keeps; and a layer planted into the
 * captioner, found by its answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow/calibrate.h"
#include "flow/data.h"
#include "flow/open.h"
#include "flow/quantize.h"
#include "flow/plan_search.h"
#include "tests/fine.h"

enum { NODES = 120 };

/* ---- made up ---- */

typedef struct {
  vlm_node_plan nodes[NODES];
  vlm_quant_plan plan;
  double cost[NODES]; /* of a node in integers */
  double dynamic;     /* times the cost when its range is found at run time */
  int evaluations;
} made_up;

static double share_of(const made_up *m, int i) {
  switch (m->nodes[i].decision) {
    case VLM_DECIDE_STATIC: return m->cost[i];
    case VLM_DECIDE_DYNAMIC: return m->cost[i] * m->dynamic;
    case VLM_DECIDE_WEIGHT_ONLY: return m->cost[i] / 100;
    default: return 0;
  }
}

static vlm_status evaluate(void *user, const vlm_quant_plan *plan, vlm_plan_search_point *out,
                           vlm_error *err) {
  made_up *m = user;
  int32_t integers = 0;
  (void)err;
  m->evaluations++;
  assert_ptr_equal(plan, &m->plan);
  for (int i = 0; i < NODES; i++) {
    out->noise += share_of(m, i);
    integers += m->nodes[i].decision == VLM_DECIDE_STATIC || m->nodes[i].decision == VLM_DECIDE_DYNAMIC;
  }
  out->loss = out->noise;
  out->macs_percent = 100.0 * integers / NODES;
  for (int i = 0; i < NODES; i++) out->bytes += m->nodes[i].decision == VLM_DECIDE_FLOAT ? 4 : 1;
  return VLM_OK;
}

static void make(made_up *m, int32_t forms, double each) {
  memset(m, 0, sizeof *m);
  m->plan = (vlm_quant_plan){.nodes = m->nodes, .count = NODES};
  m->dynamic = 1;
  for (int i = 0; i < NODES; i++) {
    m->nodes[i] = (vlm_node_plan){
        .graph = "model", .node = "n", .forms = forms, .decision = VLM_DECIDE_STATIC, .reason = ""};
    m->cost[i] = each;
  }
}

static vlm_plan_search_result look(made_up *m, double limit) {
  vlm_plan_search_result r;
  FINE(vlm_plan_search_run(&r, &m->plan, NULL, 0, &(vlm_plan_search_opts){limit, evaluate, m}, &error));
  assert_int_equal(r.count, m->evaluations);
  assert_in_range(r.count, 1, VLM_PLAN_SEARCH_MOST);
  int32_t chosen = 0;
  for (int32_t i = 0; i < r.count; i++) chosen += r.points[i].chosen;
  assert_int_equal(chosen, r.met);
  return r;
}

static int32_t not_static(const made_up *m) {
  int32_t n = 0;
  for (int i = 0; i < NODES; i++) n += m->nodes[i].decision != VLM_DECIDE_STATIC;
  return n;
}

enum { FORMS = VLM_FORM_STATIC | VLM_FORM_ROW | VLM_FORM_WEIGHT_ONLY };

/* Wherever it is; what is left in integers is all but its neighbours. */
static void one_layer_is_found(void **state) {
  static made_up m;
  (void)state;
  for (int at = 0; at < NODES; at++) {
    make(&m, VLM_FORM_STATIC | VLM_FORM_WEIGHT_ONLY, 1e-4);
    m.cost[at] = 5;
    const vlm_plan_search_result r = look(&m, 1);
    if (!r.met) fail_msg("layer %d: not found in %d evaluations", at, r.count);
    assert_int_equal(m.nodes[at].decision, VLM_DECIDE_WEIGHT_ONLY);
    assert_in_range(not_static(&m), 1, 4);
    assert_int_equal(r.changed, not_static(&m));
  }
}

static void ranges_at_run_time_come_first(void **state) {
  static made_up m;
  (void)state;
  make(&m, FORMS, 1e-4);
  m.cost[7] = 5;
  m.dynamic = 0.01;
  const vlm_plan_search_result r = look(&m, 1);
  assert_true(r.met);
  assert_int_equal(r.count, 2);
  for (int i = 0; i < NODES; i++) assert_int_equal(m.nodes[i].decision, VLM_DECIDE_DYNAMIC);
}

static void a_loss_that_is_spread(void **state) {
  static made_up m;
  (void)state;
  make(&m, FORMS, 0.01);
  vlm_plan_search_result r = look(&m, 0.7);
  assert_true(r.met);
  assert_in_range(not_static(&m), NODES / 3, NODES);
  make(&m, FORMS, 1);
  r = look(&m, 1.5);
  assert_true(r.met);
  assert_int_equal(not_static(&m), NODES);
}

static void what_nobody_keeps(void **state) {
  static made_up m;
  (void)state;
  make(&m, FORMS, 1);
  const vlm_plan_search_result r = look(&m, -1);
  assert_false(r.met);
  assert_int_equal(r.changed, 0);
  assert_int_equal(not_static(&m), 0);
}

static void what_is_kept_stays(void **state) {
  static made_up m;
  (void)state;
  make(&m, FORMS, 0.001);
  const vlm_plan_search_result r = look(&m, 1);
  assert_true(r.met);
  assert_int_equal(r.count, 1);
  assert_int_equal(r.changed, 0);
}

/* ---- planted ---- */

#define BUNDLE VLMQ_SOURCE_DIR "/datasets/captioner/bundle"
#define CALIBRATED VLMQ_SOURCE_DIR "/datasets/screens/calibration"
#define JUDGED VLMQ_SOURCE_DIR "/datasets/screens/validation"

static vlm_node *find_node(vlm_graph *g, const char *part) {
  for (int32_t n = 0; n < g->n_nodes; n++)
    if (strstr(g->nodes[n].name, part) && !strcmp(g->nodes[n].op_type, "MatMul")) return &g->nodes[n];
  fail_msg("no product %s", part);
  return NULL;
}

static float *writable(vlm_graph *g, vlm_value_id id) {
  vlm_tensor *t = &g->values[id].tensor;
  float *copy;
  FINE(vlm_arena_new(g->arena, &copy, (size_t)vlm_tensor_count(t), &error));
  memcpy(copy, t->data, vlm_tensor_bytes(t));
  t->data = copy;
  return copy;
}

/* A hidden unit of one block becomes 100,000 times as large, what reads it as much smaller: a range for all of them, or for a row, leaves the
 * others no levels. */
static void plant(vlm_bundle *bundle) {
  const float times = 100000;
  vlm_graph *g = bundle->graphs[VLM_ROLE_VISION];
  vlm_node *up = find_node(g, "stages.2.2/mlp/fc1"), *down = find_node(g, "stages.2.2/mlp/fc2");
  float *a = writable(g, up->inputs[1]), *b = writable(g, down->inputs[1]);
  const int64_t *dims = g->values[up->inputs[1]].tensor.dims;
  for (int64_t i = 0; i < dims[0]; i++) a[i * dims[1] + 5] *= times;
  for (int64_t i = 0; i < dims[0]; i++) b[5 * dims[0] + i] /= times;
}

static vlm_dataset *images(const vlm_bundle *bundle, const char *folder, size_t count) {
  vlm_dataset *set;
  FINE(vlm_flow_data(&set, bundle, &(vlm_flow_data_opts){.paths = &folder, .n_paths = 1, .limit = count},
                     &error));
  return set;
}

static void calibrate(vlm_context *context, const vlm_bundle *bundle, const char *file) {
  vlm_stats *stats;
  vlm_calibrate_report report;
  vlm_dataset *set = images(bundle, CALIBRATED, 8);
  FINE(vlm_flow_statistics(&stats, bundle, NULL, NULL, &error));
  FINE(vlm_flow_calibrate(stats, context, bundle, set, &(vlm_flow_calibrate_opts){.output = file}, &report,
                          &error));
  vlm_stats_free(stats);
  vlm_dataset_free(set);
}

static void a_planted_layer_of_the_captioner(void **state) {
  char file[] = "/tmp/vlmq-search-XXXXXX";
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_quantization *work;
  (void)state;
  assert_true(close(mkstemp(file)) == 0 && unlink(file) == 0);
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_flow_open(&bundle, BUNDLE, &(vlm_flow_open_opts){.lower = false}, &error));
  plant(bundle);
  calibrate(context, bundle, file);
  vlm_flow_quantize_opts opts = {.calib = file, .samples = images(bundle, JUDGED, 8), .target_db = 30};
  FINE(vlm_flow_quantize_plan(&work, context, bundle, &opts, &error));
  const vlm_flow_quantize_result *r = vlm_quantization_result(work);
  assert_non_null(r->search);
  print_message("%d evaluations, %.1f dB as planned\n", r->search->count, r->search->points[0].db);
  assert_true(r->search->points[0].db < 28); /* 40 without it */
  assert_true(r->search->met);
  assert_in_range(r->search->count, 2, VLM_PLAN_SEARCH_MOST);
  assert_in_range(r->changed, 1, 4);
  for (int32_t i = 0; i < r->plan->count; i++)
    if (strstr(r->plan->nodes[i].node, "stages.2.2/mlp/fc2"))
      assert_int_not_equal(r->plan->nodes[i].decision, VLM_DECIDE_STATIC);
  for (int32_t i = 0; i < r->n_outputs; i++) assert_true(vlm_trial_db(&r->outputs[i]) >= 30);
  vlm_quantization_free(work);
  vlm_dataset_free(opts.samples);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
  unlink(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_layer_is_found),    cmocka_unit_test(ranges_at_run_time_come_first),
      cmocka_unit_test(a_loss_that_is_spread), cmocka_unit_test(what_nobody_keeps),
      cmocka_unit_test(what_is_kept_stays),    cmocka_unit_test(a_planted_layer_of_the_captioner),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
