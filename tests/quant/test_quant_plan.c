/* From a graph and statistics to a plan, a plan file and a quantized graph: what is decided and why, and that what runs keeps the promise. */
#include <unistd.h>

#include "calib/accumulate.h"
#include "quant/plan.h"
#include "quant/report.h"
#include "runtime/base/file.h"
#include "runtime/lower/lower.h"
#include "tests/exec/graph_program.h"

enum { ROWS = 40, WIDTH = 32 };

#define NET                         \
  "in x float32 ?,32\n"             \
  "const w1 float32 32,64 rand 1\n" \
  "const b1 float32 64 rand 2\n"    \
  "const w2 float32 64,32 rand 3\n" \
  "const few float32 32,2 rand 4\n" \
  "MatMul x w1 -> h\n"              \
  "Add h b1 -> hb\n"                \
  "Relu hb -> r\n"                  \
  "MatMul r w2 -> y\n"              \
  "MatMul y few -> z\n"             \
  "out y\n"                         \
  "out z\n"

static float inputs[ROWS * WIDTH];

static vlm_tensor input(void) {
  uint32_t seed = 99;
  for (int i = 0; i < ROWS * WIDTH; i++) inputs[i] = (float)program_noise(&seed) * 2;
  return vlm_tensor_make(VLM_F32, 2, (int64_t[]){ROWS, WIDTH}, inputs);
}

/* ---- statistics by a run of the graph ---- */

typedef struct {
  vlm_stats *stats;
  const char *role;
} collector;

static vlm_status collect(void *user, const vlm_graph *graph, vlm_value_id value, const vlm_tensor *tensor,
                          vlm_error *err) {
  collector *c = user;
  vlm_tensor_stats *t;
  const vlm_token_layout layout = {.rest = VLM_TOKEN_IMAGE};
  vlm_status st = vlm_stats_entry(&t, c->stats, c->role, graph->values[value].name, err);
  return st == VLM_OK ? vlm_accumulate(t, tensor, &layout, (vlm_digest){.low = 1}, NULL, err) : st;
}

/* Runs and copies output `output`; with a collector every value is counted. */
static void run(const vlm_graph *graph, collector *c, int32_t output, float *out) {
  vlm_context *context;
  vlm_session *session;
  const vlm_session_opts opts = {.tap = c ? collect : NULL, .tap_user = c};
  const vlm_tensor in = input();
  FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = 1}, &error));
  FINE(vlm_session_create(&session, context, graph, &opts, &error));
  FINE(vlm_session_run(session, &in, 1, &error));
  const vlm_tensor *y = vlm_session_output(session, output);
  if (out) memcpy(out, y->data, vlm_tensor_bytes(y));
  vlm_session_free(session);
  vlm_context_free(context);
}

static vlm_stats *stats_of_role(const vlm_graph *graph, const char *role) {
  collector c = {.role = role};
  FINE(vlm_stats_create(&c.stats, (vlm_digest){.low = 5}, "", &error));
  run(graph, &c, 0, NULL);
  return c.stats;
}

/* ---- plans ---- */

typedef struct {
  vlm_graph *graph;
  vlm_stats *stats;
  vlm_quant_plan *plan;
  vlm_quant_opts opts;
  const char *role;
} job_of;

static vlm_status make(job_of *j, const char *text, const char *role, bool with_stats, vlm_quant_opts opts) {
  *j = (job_of){.graph = graph_of(text), .opts = opts, .role = role};
  if (with_stats) j->stats = stats_of_role(j->graph, role);
  const vlm_quant_graph g = {role, j->graph};
  return vlm_quant_plan_make(&j->plan, &g, 1, j->stats, &j->opts, &error);
}

static void start(job_of *j, const char *text, const char *role, bool with_stats, vlm_quant_opts opts) {
  FINE(make(j, text, role, with_stats, opts));
}

static void finish(job_of *j) {
  vlm_quant_plan_free(j->plan);
  vlm_graph_free(j->graph);
  vlm_stats_free(j->stats);
}

static const vlm_node_plan *find(const job_of *j, const char *node) {
  for (int32_t i = 0; i < j->plan->count; i++)
    if (!strcmp(j->plan->nodes[i].node, node)) return &j->plan->nodes[i];
  fail_msg("node %s is not in the plan", node);
  return NULL;
}

static void expect_decision(const job_of *j, const char *node, vlm_decision wanted) {
  const vlm_node_plan *n = find(j, node);
  if (n->decision != wanted)
    fail_msg("%s is %s (%s), wanted %s", node, vlm_decision_name(n->decision), n->reason,
             vlm_decision_name(wanted));
  assert_true(n->reason && *n->reason);
}

/* ---- placement ---- */

static void test_decisions_by_role_and_mode(void **state) {
  (void)state;
  static const struct {
    const char *role;
    bool stats;
    vlm_activation_mode mode;
    vlm_decision wanted;
  } CASES[] = {
      {"vision", true, VLM_ACTIVATIONS_AUTO, VLM_DECIDE_STATIC},
      {"encoder", true, VLM_ACTIVATIONS_AUTO, VLM_DECIDE_STATIC},
      {"decoder_step", true, VLM_ACTIVATIONS_AUTO, VLM_DECIDE_DYNAMIC},
      {"decoder_step", true, VLM_ACTIVATIONS_STATIC, VLM_DECIDE_STATIC},
      {"vision", true, VLM_ACTIVATIONS_DYNAMIC, VLM_DECIDE_DYNAMIC},
      {"vision", true, VLM_ACTIVATIONS_NONE, VLM_DECIDE_WEIGHT_ONLY},
      {"vision", false, VLM_ACTIVATIONS_AUTO, VLM_DECIDE_DYNAMIC},
      {"vision", false, VLM_ACTIVATIONS_NONE, VLM_DECIDE_WEIGHT_ONLY},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    job_of j;
    int32_t counts[VLM_DECIDE_COUNT];
    start(&j, NET, CASES[i].role, CASES[i].stats, (vlm_quant_opts){.activations = CASES[i].mode});
    expect_decision(&j, "MatMul_0", CASES[i].wanted);
    expect_decision(&j, "MatMul_3", CASES[i].wanted);
    expect_decision(&j, "MatMul_4", VLM_DECIDE_FLOAT); /* small */
    assert_true(find(&j, "MatMul_0")->has_range == (CASES[i].wanted == VLM_DECIDE_STATIC));
    vlm_quant_plan_count(j.plan, counts);
    assert_int_equal(counts[CASES[i].wanted], 2);
    assert_int_equal(counts[VLM_DECIDE_FLOAT], j.plan->count - 2);
    finish(&j);
  }
}

static void test_kept_nodes_stay_float(void **state) {
  (void)state;
  static const char *const KEEP[] = {"nothing", "*_3"};
  job_of j;
  start(&j, NET, "vision", true, (vlm_quant_opts){.keep = KEEP, .n_keep = 2});
  expect_decision(&j, "MatMul_0", VLM_DECIDE_STATIC);
  expect_decision(&j, "MatMul_3", VLM_DECIDE_FLOAT);
  assert_non_null(strstr(find(&j, "MatMul_3")->reason, "kept"));
  finish(&j);
}

/* A range that is too coarse is given up, unless static ranges were asked for. */
static void test_the_least_sqnr(void **state) {
  (void)state;
  job_of j;
  start(&j, NET, "vision", true, (vlm_quant_opts){.min_sqnr_db = 90});
  expect_decision(&j, "MatMul_0", VLM_DECIDE_DYNAMIC);
  assert_false(find(&j, "MatMul_0")->has_range);
  finish(&j);
  start(&j, NET, "vision", true, (vlm_quant_opts){.min_sqnr_db = 90, .activations = VLM_ACTIVATIONS_STATIC});
  expect_decision(&j, "MatMul_0", VLM_DECIDE_STATIC);
  finish(&j);
}

/* ---- ranges and weights in the plan ---- */

static void test_ranges_are_those_of_the_method(void **state) {
  (void)state;
  for (int m = VLM_RANGE_AUTO; m < VLM_RANGE_COUNT; m++) {
    job_of j;
    vlm_range wanted;
    start(&j, NET, "vision", true, (vlm_quant_opts){.range = (vlm_range_method)m});
    const vlm_node_plan *n = find(&j, "MatMul_3");
    assert_string_equal(n->input, "r");
    FINE(vlm_range_choose(&wanted, vlm_stats_find(j.stats, "vision", "r"), (vlm_range_method)m, 0, &error));
    assert_true(n->range.low == wanted.low && n->range.high == wanted.high &&
                n->range.zero_point == wanted.zero_point);
    finish(&j);
  }
}

/* Noise in the weights of one channel size: one scale for all is worse once a channel is a hundred times as large. */
static void test_scales_per_channel_are_better(void **state) {
  (void)state;
  double db[2];
  for (int per_tensor = 0; per_tensor < 2; per_tensor++) {
    job_of j = {.graph = graph_of(NET), .opts = {.per_tensor_weights = per_tensor}};
    vlm_tensor *w = &j.graph->values[vlm_graph_find(j.graph, "w1")].tensor;
    for (int i = 0; i < 32; i++) ((float *)w->data)[i * 64] *= 100;
    FINE(vlm_quant_plan_make(&j.plan, &(const vlm_quant_graph){"vision", j.graph}, 1, NULL, &j.opts, &error));
    db[per_tensor] = find(&j, "MatMul_0")->weight_sqnr_db;
    finish(&j);
  }
  assert_true(db[0] > 40);
  assert_true(db[1] < db[0]);
}

static void test_broken_weights_are_named(void **state) {
  (void)state;
  job_of j = {.graph = graph_of(NET)};
  ((float *)j.graph->values[vlm_graph_find(j.graph, "w2")].tensor.data)[77] = NAN;
  FAILS(VLM_INPUT,
        vlm_quant_plan_make(&j.plan, &(const vlm_quant_graph){"vision", j.graph}, 1, NULL, &j.opts, &error));
  assert_non_null(strstr(error.text, "MatMul_3"));
  assert_null(j.plan);
  finish(&j);
}

/* ---- applied ---- */

static double sqnr(const float *want, const float *got, int n) {
  double signal = 0, wrong = 0;
  for (int i = 0; i < n; i++) {
    signal += (double)want[i] * (double)want[i];
    wrong += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
  }
  return 10 * log10(signal / wrong);
}

static void apply(job_of *j) {
  const vlm_quant_graph g = {j->role, j->graph};
  FINE(vlm_quant_apply(&g, j->plan, j->stats, &j->opts, &error));
  FINE(vlm_graph_resolve(j->graph, &error));
}

/* Every form: the quantized graph, as it is and lowered, is as near as the plan says, give or take what two layers add up to. What ranges
 * per row cost is not told. */
static void test_what_runs_keeps_the_promise(void **state) {
  (void)state;
  static const vlm_activation_mode MODES[] = {VLM_ACTIVATIONS_AUTO, VLM_ACTIVATIONS_DYNAMIC,
                                              VLM_ACTIVATIONS_NONE};
  static const double SLACK[] = {5, 8, 5};
  static float want[ROWS * WIDTH], got[ROWS * WIDTH], lowered[ROWS * WIDTH];
  for (size_t m = 0; m < sizeof MODES / sizeof *MODES; m++) {
    job_of j;
    start(&j, NET, "vision", true, (vlm_quant_opts){.activations = MODES[m]});
    run(j.graph, NULL, 0, want);
    const double told = fmin(find(&j, "MatMul_0")->local_db, find(&j, "MatMul_3")->local_db);
    apply(&j);
    run(j.graph, NULL, 0, got);
    FINE(vlm_graph_lower(j.graph, NULL, &error));
    run(j.graph, NULL, 0, lowered);
    if (sqnr(want, got, ROWS * WIDTH) < told - SLACK[m])
      fail_msg("%.1f dB, %.1f were told", sqnr(want, got, ROWS * WIDTH), told);
    if (sqnr(want, lowered, ROWS * WIDTH) < told - SLACK[m])
      fail_msg("lowered %.1f dB, %.1f were told", sqnr(want, lowered, ROWS * WIDTH), told);
    finish(&j);
  }
}

/* No constant of the float weights is left, and nothing changes where nothing was decided. */
static void test_float_weights_go(void **state) {
  (void)state;
  job_of j;
  start(&j, NET, "vision", true, (vlm_quant_opts){0});
  apply(&j);
  FINE(vlm_graph_sweep(j.graph, &error));
  int floats = 0, bytes = 0;
  for (int32_t i = 0; i < j.graph->n_values; i++) {
    const vlm_tensor *t = &j.graph->values[i].tensor;
    if (j.graph->values[i].kind != VLM_VALUE_CONSTANT || t->rank != 2) continue;
    floats += t->dtype == VLM_F32 && vlm_tensor_count(t) >= 1024;
    bytes += t->dtype == VLM_S8;
  }
  assert_int_equal(floats, 0);
  assert_int_equal(bytes, 2);
  finish(&j);

  static const char *const ALL[] = {"*"};
  static float want[ROWS * WIDTH], got[ROWS * WIDTH];
  start(&j, NET, "vision", true, (vlm_quant_opts){.keep = ALL, .n_keep = 1});
  run(j.graph, NULL, 0, want);
  const int32_t nodes = j.graph->n_nodes;
  apply(&j);
  assert_int_equal(j.graph->n_nodes, nodes);
  run(j.graph, NULL, 0, got);
  assert_memory_equal(want, got, sizeof want);
  finish(&j);
}

/* ---- plan files ---- */

static void write_text(const char *path, const char *text) {
  vlm_writer *w;
  FINE(vlm_writer_open(&w, path, &error));
  FINE(vlm_writer_write(w, text, strlen(text), &error));
  FINE(vlm_writer_commit(w, &error));
  vlm_writer_free(w);
}

static void write_plan(const char *path, const vlm_quant_plan *plan) {
  vlm_json_writer *w;
  const char *text;
  FINE(vlm_json_writer_create(&w, 1, &error));
  vlm_json_open_object(w, NULL);
  vlm_quant_plan_put(w, plan);
  vlm_json_close_object(w);
  FINE(vlm_json_writer_text(w, &text, NULL, &error));
  write_text(path, text);
  vlm_json_writer_free(w);
}

static void test_a_plan_file_brings_the_plan_back(void **state) {
  (void)state;
  static const char *const KEEP[] = {"MatMul_0"};
  char path[] = "/tmp/test_quant_plan_XXXXXX";
  job_of from, to;
  close(mkstemp(path));
  start(&from, NET, "vision", true, (vlm_quant_opts){.range = VLM_RANGE_MINMAX, .keep = KEEP, .n_keep = 1});
  start(&to, NET, "vision", true, (vlm_quant_opts){0});
  write_plan(path, from.plan);
  FINE(vlm_quant_plan_override(to.plan, path, &error));
  expect_decision(&to, "MatMul_0", VLM_DECIDE_FLOAT);
  assert_string_equal(find(&to, "MatMul_0")->reason, "taken from the plan file");
  const vlm_node_plan *a = find(&from, "MatMul_3"), *b = find(&to, "MatMul_3");
  assert_int_equal(b->decision, VLM_DECIDE_STATIC);
  assert_true(a->range.scale == b->range.scale && a->range.zero_point == b->range.zero_point);
  finish(&from);
  finish(&to);
  unlink(path);
}

static void test_plan_files_are_checked(void **state) {
  (void)state;
  static const struct {
    const char *text, *words;
  } CASES[] = {
      {"{}", "graphs"},
      {"{\"graphs\": {\"vision\": 1}}", "list of nodes"},
      {"{\"graphs\": {\"vision\": [{\"decision\": \"float\"}]}}", "node"},
      {"{\"graphs\": {\"vision\": [{\"node\": \"MatMul_0\"}]}}", "decision"},
      {"{\"graphs\": {\"vision\": [{\"node\": \"MatMul_9\", \"decision\": \"float\"}]}}", "MatMul_9"},
      {"{\"graphs\": {\"encoder\": [{\"node\": \"MatMul_0\", \"decision\": \"float\"}]}}", "encoder"},
      {"{\"graphs\": {\"vision\": [{\"node\": \"MatMul_0\", \"decision\": \"int4\"}]}}", "int4"},
      {"{\"graphs\": {\"vision\": [{\"node\": \"MatMul_0\", \"decision\": \"static\"}]}}", "no range"},
      {"{\"graphs\": {\"vision\": [{\"node\": \"MatMul_0\", \"decision\": \"static\", \"range\": [1]}]}}",
       "[low, high]"},
      {"{\"graphs\": {\"vision\": [{\"node\": \"MatMul_0\", \"decision\": \"static\", \"range\": [2, 1]}]}}",
       "above high"},
      {"{\"graphs\": {\"vision\": [{\"node\": \"MatMul_0\", \"decision\": \"static\", \"range\": [0, "
       "1e39]}]}}",
       "bound"},
  };
  char path[] = "/tmp/test_quant_plan_XXXXXX";
  close(mkstemp(path));
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    job_of j;
    start(&j, NET, "vision", false, (vlm_quant_opts){0});
    write_text(path, CASES[i].text);
    FAILS(VLM_INPUT, vlm_quant_plan_override(j.plan, path, &error));
    if (!strstr(error.text, CASES[i].words) || !strstr(error.text, path))
      fail_msg("\"%s\" lacks \"%s\"", error.text, CASES[i].words);
    finish(&j);
  }
  unlink(path);
}

static void test_names_of_decisions(void **state) {
  (void)state;
  vlm_decision d;
  for (int i = 0; i < VLM_DECIDE_COUNT; i++) {
    assert_true(vlm_decision_parse(&d, vlm_decision_name((vlm_decision)i)));
    assert_int_equal(d, i);
  }
  assert_false(vlm_decision_parse(&d, "Float"));
  assert_false(vlm_decision_parse(&d, ""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decisions_by_role_and_mode),
      cmocka_unit_test(test_kept_nodes_stay_float),
      cmocka_unit_test(test_the_least_sqnr),
      cmocka_unit_test(test_ranges_are_those_of_the_method),
      cmocka_unit_test(test_scales_per_channel_are_better),
      cmocka_unit_test(test_broken_weights_are_named),
      cmocka_unit_test(test_what_runs_keeps_the_promise),
      cmocka_unit_test(test_float_weights_go),
      cmocka_unit_test(test_a_plan_file_brings_the_plan_back),
      cmocka_unit_test(test_plan_files_are_checked),
      cmocka_unit_test(test_names_of_decisions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
