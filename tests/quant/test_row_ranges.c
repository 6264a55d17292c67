/* Ranges per row where rows differ: what statistics of rows decide, and what it is worth at the output. */
#include "tests/quant/quant_graph.h"

enum { TOKENS = 16, WIDTH = 64 };

static vlm_graph *normalised(int huge) {
  float scales[TOKENS];
  vlm_graph *g = new_graph();
  for (int i = 0; i < TOKENS; i++) scales[i] = 1;
  if (huge) scales[3] = 1000;
  vlm_value_id x = add_input(g, "x", VLM_F32, 2, (int64_t[]){TOKENS, WIDTH});
  vlm_value_id by = add_constant(g, VLM_F32, 2, (int64_t[]){TOKENS, 1}, scales);
  vlm_value_id scaled = add_two(g, NULL, "Mul", x, by, NULL);
  vlm_value_id y = add_two(g, "product", "MatMul", scaled, add_weight(g, WIDTH, WIDTH), NULL);
  finish_graph(g, add_two(g, NULL, "Div", y, by, NULL));
  return g;
}

static double output_db(vlm_graph *g, const vlm_quant_plan *plan, const vlm_stats *stats) {
  static float want[MAX_ELEMENTS], got[MAX_ELEMENTS];
  const vlm_quant_graph graph = {"model", g};
  const vlm_tensor a = run_graph(g, case_inputs, fill_inputs(g), want);
  FINE(vlm_quant_apply(&graph, plan, stats, &(vlm_quant_opts){0}, &error));
  FINE(vlm_graph_lower(g, NULL, &error));
  const vlm_tensor b = run_graph(g, case_inputs, fill_inputs(g), got);
  return db_of(&b, &a);
}

static vlm_decision decide(vlm_graph *g, vlm_activation_mode mode, bool know_rows, double *db) {
  vlm_quant_plan *plan;
  vlm_stats *stats = observe_graph(g);
  const vlm_quant_graph graph = {"model", g};
  const vlm_quant_opts opts = {.activations = mode};
  for (int32_t i = 0; i < vlm_stats_count(stats) && !know_rows; i++) {
    vlm_tensor_stats *t;
    FINE(vlm_stats_entry(&t, stats, vlm_stats_at(stats, i)->graph, vlm_stats_at(stats, i)->name, &error));
    memset(t->rows, 0, sizeof t->rows);
  }
  FINE(vlm_quant_plan_make(&plan, &graph, 1, stats, &opts, &error));
  assert_int_equal(plan->count, 1);
  vlm_decision d = plan->nodes[0].decision;
  *db = output_db(g, plan, stats);
  vlm_quant_plan_free(plan);
  vlm_stats_free(stats);
  vlm_graph_free(g);
  return d;
}

static void a_huge_row_gets_a_range_of_its_own(void **state) {
  double db;
  (void)state;
  assert_int_equal(decide(normalised(1), VLM_ACTIVATIONS_AUTO, true, &db), VLM_DECIDE_DYNAMIC);
  assert_true(db > 35);
}

static void rows_alike_share_one(void **state) {
  double db;
  (void)state;
  assert_int_equal(decide(normalised(0), VLM_ACTIVATIONS_AUTO, true, &db), VLM_DECIDE_STATIC);
  assert_true(db > 35);
}

static void what_is_asked_for_wins(void **state) {
  double db;
  (void)state;
  assert_int_equal(decide(normalised(1), VLM_ACTIVATIONS_STATIC, true, &db), VLM_DECIDE_STATIC);
  assert_true(db < 20);
}

static void statistics_without_rows_are_read(void **state) {
  double db;
  (void)state;
  assert_int_equal(decide(normalised(0), VLM_ACTIVATIONS_AUTO, false, &db), VLM_DECIDE_STATIC);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_huge_row_gets_a_range_of_its_own),
      cmocka_unit_test(rows_alike_share_one),
      cmocka_unit_test(what_is_asked_for_wins),
      cmocka_unit_test(statistics_without_rows_are_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
