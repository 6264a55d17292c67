/* Plans as text and back: bodies, several weights of a node, nodes of one name. */
#include "quant/report.h"
#include "quant/tied.h"
#include "tests/quant/quant_graph.h"

#include <unistd.h>

static vlm_graph *make(void) {
  const vlm_attr hidden[] = {{.name = "hidden_size", .kind = VLM_ATTR_INT, .u.i = 24}, {.name = NULL}};
  vlm_graph *g = new_graph(), *yes, *no;
  vlm_value_id own, c = add_input(g, "c", VLM_BOOL, 0, NULL),
                    x = add_input(g, "x", VLM_F32, 3, (int64_t[]){5, 2, 24});
  const vlm_value_id in[] = {x, add_drawn(g, VLM_F32, 3, (int64_t[]){1, 96, 24}),
                             add_drawn(g, VLM_F32, 3, (int64_t[]){1, 96, 24})};
  x = add_node(g, "cell", "LSTM", 3, in, hidden);
  x = add_two(g, "twice", "MatMul", x, add_weight(g, 24, 64), NULL);
  x = add_two(g, "twice", "MatMul", x, add_weight(g, 64, 64), NULL);
  FINE(vlm_graph_create_sub(&yes, g, "yes", &error));
  FINE(vlm_graph_create_sub(&no, g, "no", &error));
  FINE(vlm_graph_capture(yes, &own, (vlm_origin){g, x}, &error));
  FINE(
      vlm_graph_add_output(yes, add_two(yes, "inner", "MatMul", own, add_weight(yes, 64, 64), NULL), &error));
  FINE(vlm_graph_capture(no, &own, (vlm_origin){g, x}, &error));
  FINE(vlm_graph_add_output(no, add_node(no, NULL, "Neg", 1, &own, NULL), &error));
  const vlm_attr branches[] = {{.name = "then_branch", .kind = VLM_ATTR_GRAPH, .u.g = yes},
                               {.name = "else_branch", .kind = VLM_ATTR_GRAPH, .u.g = no},
                               {.name = NULL}};
  finish_graph(g, add_node(g, "choice", "If", 1, &c, branches));
  return g;
}

static vlm_quant_plan *plan_of(vlm_graph *g, vlm_activation_mode mode) {
  vlm_quant_plan *plan;
  const vlm_quant_opts opts = {.activations = mode};
  const vlm_quant_graph graph = {"model", g};
  FINE(vlm_quant_plan_make(&plan, &graph, 1, NULL, &opts, &error));
  return plan;
}

/* *text: of the plan as an object. Free the writer. */
static vlm_json_writer *write_plan(const vlm_quant_plan *plan, const char **text) {
  vlm_json_writer *w;
  FINE(vlm_json_writer_create(&w, 0, &error));
  vlm_json_open_object(w, NULL);
  vlm_quant_plan_put(w, plan);
  vlm_json_close_object(w);
  FINE(vlm_json_writer_text(w, text, NULL, &error));
  return w;
}

static void save(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static void plans_come_back(void **state) {
  char path[64];
  const char *text;
  vlm_graph *g = make();
  vlm_quant_plan *saved = plan_of(g, VLM_ACTIVATIONS_NONE), *plan = plan_of(g, VLM_ACTIVATIONS_DYNAMIC);
  (void)state;
  snprintf(path, sizeof path, "/tmp/vlmq-report-%ld.json", (long)getpid());
  assert_int_equal(saved->count, 5);
  assert_string_equal(saved->nodes[4].graph, "model/choice.then_branch");
  /* R of the cell, the second of two nodes of one name */
  saved->nodes[1].decision = saved->nodes[3].decision = VLM_DECIDE_FLOAT;
  vlm_json_writer *w = write_plan(saved, &text);
  save(path, text);
  FINE(vlm_quant_plan_override(plan, path, &error));
  for (int32_t i = 0; i < plan->count; i++) {
    assert_int_equal(plan->nodes[i].decision, saved->nodes[i].decision);
    assert_string_equal(plan->nodes[i].weight, saved->nodes[i].weight);
  }
  int32_t counts[VLM_DECIDE_COUNT];
  vlm_quant_plan_count(plan, counts);
  assert_true(counts[VLM_DECIDE_FLOAT] == 2 && counts[VLM_DECIDE_WEIGHT_ONLY] == 3);
  unlink(path);
  vlm_json_writer_free(w);
  vlm_quant_plan_free(saved);
  vlm_quant_plan_free(plan);
  vlm_graph_free(g);
}

static void what_a_node_cannot_be_is_refused(void **state) {
  static const struct {
    const char *text, *message;
  } PLANS[] = {
      {"{\"graphs\": {\"model\": [{\"node\": \"cell\", \"decision\": \"dynamic\"}]}}",
       "LSTM cannot be dynamic"},
      {"{\"graphs\": {\"model\": [{\"node\": \"cell\", \"decision\": \"static\", \"range\": [0, 1]}]}}",
       "LSTM cannot be static"},
      {"{\"graphs\": {\"model/choice.then_branch\": [{\"node\": \"twice\", \"decision\": \"float\"}]}}",
       "has no quantizable node \"twice\""},
      {"{\"graphs\": {\"model/choice.then_branch\": [{\"node\": \"inner\", \"decision\": \"static\"}]}}",
       "is static but has no range"},
  };
  char path[64];
  (void)state;
  snprintf(path, sizeof path, "/tmp/vlmq-report-%ld.json", (long)getpid());
  for (size_t k = 0; k < sizeof PLANS / sizeof PLANS[0]; k++) {
    vlm_graph *g = make();
    vlm_quant_plan *plan = plan_of(g, VLM_ACTIVATIONS_NONE);
    save(path, PLANS[k].text);
    assert_int_equal(vlm_quant_plan_override(plan, path, &error), VLM_INPUT);
    if (!strstr(error.text, PLANS[k].message)) fail_msg("%s", error.text);
    vlm_quant_plan_free(plan);
    vlm_graph_free(g);
  }
  unlink(path);
}

/* A table and its transposed head: the head is turned as long as both are quantized. */
static void ties_follow_decisions(void **state) {
  vlm_graph *g = new_graph();
  vlm_value_id ids = add_input(g, "ids", VLM_S64, 1, (int64_t[]){4}), e = add_weight(g, 100, 64);
  vlm_value_id h = add_two(g, "rows", "Gather", e, ids, NULL);
  (void)state;
  finish_graph(g, add_two(g, "head", "MatMul", h, add_turned(g, e), NULL));
  vlm_quant_plan *plan = plan_of(g, VLM_ACTIVATIONS_NONE);
  assert_int_equal(plan->count, 2);
  assert_true(plan->nodes[1].turned && !plan->nodes[0].turned);
  plan->nodes[0].decision = VLM_DECIDE_FLOAT;
  vlm_quant_plan_tie(plan);
  assert_false(plan->nodes[1].turned);
  vlm_quant_plan_free(plan);
  vlm_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(plans_come_back),
                                     cmocka_unit_test(what_a_node_cannot_be_is_refused),
                                     cmocka_unit_test(ties_follow_decisions)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
