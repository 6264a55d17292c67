/* Where weights are put and why: tables by where their rows go, operators by what lowering can, options by
 * what was asked for. */
#include "quant/placement.h"
#include "tests/quant/quant_graph.h"

typedef struct {
  const char *what;
  vlm_graph *(*make)(void);
  const char *role, *node;
  vlm_activation_mode mode;
  vlm_decision decision;
  const char *reason; /* a part of it */
} placement_case;

static vlm_value_id rows_of(vlm_graph *g, int64_t rows, int64_t columns) {
  return add_two(g, "rows", "Gather", add_weight(g, rows, columns),
                 add_input(g, "ids", VLM_S64, 1, (int64_t[]){4}), NULL);
}
static vlm_graph *finished(vlm_graph *g, vlm_value_id y) {
  finish_graph(g, y);
  return g;
}

/* ---- rows that are results ---- */

static vlm_graph *anchors(void) {
  vlm_graph *g = new_graph();
  return finished(g, rows_of(g, 3000, 4));
}
static vlm_graph *decoded_boxes(void) {
  vlm_graph *g = new_graph();
  vlm_value_id offsets = add_input(g, "x", VLM_F32, 2, (int64_t[]){4, 4}), grid = rows_of(g, 400, 4);
  vlm_value_id size = add_node(g, NULL, "Exp", 1, &offsets, NULL);
  return finished(g, add_two(g, NULL, "Add", add_two(g, NULL, "Mul", size, grid, NULL), grid, NULL));
}
static vlm_graph *compared(void) {
  vlm_graph *g = new_graph();
  return finished(g, add_two(g, NULL, "Greater", rows_of(g, 300, 8),
                             add_input(g, "x", VLM_F32, 2, (int64_t[]){4, 8}), NULL));
}
static vlm_graph *positions_only(void) {
  vlm_graph *g = new_graph();
  return finished(g, add_node(g, NULL, "Softmax", 1, (vlm_value_id[]){rows_of(g, 200, 64)}, NULL));
}

/* ---- rows that are multiplied ---- */

static vlm_value_id multiplied(vlm_graph *g, vlm_value_id x) {
  return add_two(g, "product", "MatMul", x, add_weight(g, 64, 64), NULL);
}

static vlm_graph *embedding(void) {
  vlm_graph *g = new_graph();
  return finished(g, multiplied(g, rows_of(g, 20, 64)));
}
static vlm_graph *added_and_normed(void) {
  vlm_graph *g = new_graph();
  vlm_value_id x = add_input(g, "x", VLM_F32, 2, (int64_t[]){4, 64});
  x = add_two(g, NULL, "Add", x, rows_of(g, 100, 64), NULL);
  x = add_two(g, NULL, "LayerNormalization", x, add_drawn(g, VLM_F32, 1, (int64_t[]){64}), NULL);
  return finished(g, multiplied(g, x));
}
static vlm_graph *joined(void) {
  vlm_graph *g = new_graph();
  const vlm_attr axis[] = {{.name = "axis", .kind = VLM_ATTR_INT, .u.i = 0}, {.name = NULL}};
  vlm_value_id x = add_input(g, "x", VLM_F32, 2, (int64_t[]){4, 64});
  return finished(g, multiplied(g, add_two(g, NULL, "Concat", x, rows_of(g, 100, 64), axis)));
}
static vlm_graph *multiplied_in_a_body(void) {
  vlm_graph *g = new_graph(), *yes, *no;
  vlm_value_id c = add_input(g, "c", VLM_BOOL, 0, NULL), x = rows_of(g, 100, 64), own;
  FINE(vlm_graph_create_sub(&yes, g, "yes", &error));
  FINE(vlm_graph_create_sub(&no, g, "no", &error));
  FINE(vlm_graph_capture(yes, &own, (vlm_origin){g, x}, &error));
  FINE(vlm_graph_add_output(yes, multiplied(yes, own), &error));
  FINE(vlm_graph_capture(no, &own, (vlm_origin){g, x}, &error));
  FINE(vlm_graph_add_output(no, add_node(no, NULL, "Neg", 1, &own, NULL), &error));
  const vlm_attr branches[] = {{.name = "then_branch", .kind = VLM_ATTR_GRAPH, .u.g = yes},
                               {.name = "else_branch", .kind = VLM_ATTR_GRAPH, .u.g = no},
                               {.name = NULL}};
  return finished(g, add_node(g, NULL, "If", 1, &c, branches));
}
static vlm_graph *endless_rows(void) {
  vlm_graph *g = new_graph();
  vlm_value_id ids = add_input(g, "ids", VLM_S64, 1, (int64_t[]){4}), e = add_weight(g, 100, 64);
  ((float *)g->values[e].tensor.data)[77] = -INFINITY;
  return finished(g, multiplied(g, add_two(g, "rows", "Gather", e, ids, NULL)));
}

/* ---- products and convolutions ---- */

static vlm_graph *product(void) {
  vlm_graph *g = new_graph();
  return finished(g, multiplied(g, add_input(g, "x", VLM_F32, 2, (int64_t[]){4, 64})));
}
/* Beside so many products with 16,384 weights each. */
static void add_aside(vlm_graph *g, int products) {
  vlm_value_id y = add_input(g, "y", VLM_F32, 2, (int64_t[]){1, 128});
  for (int k = 0; k < products; k++) y = add_two(g, NULL, "MatMul", y, add_weight(g, 128, 128), NULL);
  if (products) FINE(vlm_graph_add_output(g, y, &error));
}
static vlm_graph *small_product(int others) {
  vlm_graph *g = new_graph();
  add_aside(g, others);
  return finished(g, add_two(g, "product", "MatMul", add_input(g, "x", VLM_F32, 2, (int64_t[]){4, 16}),
                             add_weight(g, 16, 16), NULL));
}
static vlm_graph *small_alone(void) { return small_product(0); }
static vlm_graph *small_aside(void) { return small_product(1); }
/* None is worth its error alone; together they are the model. */
static vlm_graph *all_small(void) {
  vlm_graph *g = new_graph();
  vlm_value_id y = add_input(g, "x", VLM_F32, 2, (int64_t[]){4, 16});
  for (int k = 0; k < 100; k++)
    y = add_two(g, k ? NULL : "product", "MatMul", y, add_weight(g, 16, 16), NULL);
  return finished(g, y);
}
static vlm_value_id convolved(vlm_graph *g, vlm_value_id x, const char *name, int64_t out, int64_t in,
                              int64_t group) {
  const vlm_attr attrs[] = {{.name = "group", .kind = VLM_ATTR_INT, .u.i = group}, {.name = NULL}};
  return add_two(g, name, "Conv", x, add_drawn(g, VLM_F32, 4, (int64_t[]){out, in, 3, 3}), attrs);
}
static vlm_graph *convolutions_beside(int products) {
  vlm_graph *g = new_graph();
  vlm_value_id x = add_input(g, "x", VLM_F32, 4, (int64_t[]){1, 3, 12, 12});
  add_aside(g, products);
  x = convolved(g, x, "first", 128, 3, 1);
  x = convolved(g, x, "depthwise", 128, 1, 128);
  x = convolved(g, x, "inner", 12, 128, 1);
  return finished(g, convolved(g, x, "last", 8, 12, 1));
}
static vlm_graph *convolutions(void) { return convolutions_beside(0); }
static vlm_graph *convolutions_aside(void) { return convolutions_beside(18); }
static vlm_graph *recurrent(void) {
  const vlm_attr hidden[] = {{.name = "hidden_size", .kind = VLM_ATTR_INT, .u.i = 24}, {.name = NULL}};
  vlm_graph *g = new_graph();
  const vlm_value_id in[] = {add_input(g, "x", VLM_F32, 3, (int64_t[]){5, 2, 24}),
                             add_drawn(g, VLM_F32, 3, (int64_t[]){1, 96, 24}),
                             add_drawn(g, VLM_F32, 3, (int64_t[]){1, 96, 24})};
  return finished(g, add_node(g, "cell", "LSTM", 3, in, hidden));
}

static vlm_graph *upsampled(int products) {
  static const int64_t TWO[] = {2, 2};
  const vlm_attr strides[] = {{.name = "strides", .kind = VLM_ATTR_INTS, .count = 2, .u.ints = TWO},
                              {.name = NULL}};
  vlm_graph *g = new_graph();
  vlm_value_id x = add_input(g, "x", VLM_F32, 4, (int64_t[]){1, 24, 6, 6});
  x = add_two(g, "up", "ConvTranspose", x, add_drawn(g, VLM_F32, 4, (int64_t[]){24, 24, 2, 2}), strides);
  add_aside(g, products);
  return finished(g, x);
}
static vlm_graph *upsampled_alone(void) { return upsampled(1); }
static vlm_graph *upsampled_aside(void) { return upsampled(16); }

static vlm_graph *added_too(void) {
  vlm_graph *g = new_graph();
  vlm_value_id x = add_input(g, "x", VLM_F32, 2, (int64_t[]){64, 64}), w = add_weight(g, 64, 64);
  return finished(g, add_two(g, NULL, "Add", add_two(g, "product", "MatMul", x, w, NULL), w, NULL));
}
/* A table of results is the transposed weight of a product. */
static vlm_graph *results_too(void) {
  const vlm_attr turned[] = {{.name = "transB", .kind = VLM_ATTR_INT, .u.i = 1}, {.name = NULL}};
  vlm_graph *g = new_graph();
  vlm_value_id ids = add_input(g, "ids", VLM_S64, 1, (int64_t[]){4}), e = add_weight(g, 100, 64),
               x = add_input(g, "x", VLM_F32, 2, (int64_t[]){4, 64});
  FINE(vlm_graph_add_output(g, add_two(g, "rows", "Gather", e, ids, NULL), &error));
  return finished(g, add_two(g, "product", "Gemm", x, e, turned));
}

#define STATIC VLM_DECIDE_STATIC
#define DYNAMIC VLM_DECIDE_DYNAMIC
#define WEIGHTS VLM_DECIDE_WEIGHT_ONLY
#define FLOAT VLM_DECIDE_FLOAT

static const placement_case CASES[] = {
    {"anchors are results", anchors, "model", "rows", VLM_ACTIVATIONS_AUTO, FLOAT, "of results"},
    {"a grid meets box arithmetic", decoded_boxes, "model", "rows", VLM_ACTIVATIONS_AUTO, FLOAT,
     "of results"},
    {"thresholds are compared", compared, "model", "rows", VLM_ACTIVATIONS_AUTO, FLOAT, "of results"},
    {"what is neither arranged nor scaled ends the way", positions_only, "model", "rows",
     VLM_ACTIVATIONS_AUTO, FLOAT, "of results"},
    {"an embedding graph's result is multiplied elsewhere", anchors, "embed", "rows", VLM_ACTIVATIONS_AUTO,
     WEIGHTS, "embedding"},
    {"rows are multiplied, small as the table is", embedding, "model", "rows", VLM_ACTIVATIONS_AUTO, WEIGHTS,
     "embedding"},
    {"positions are added and normalised first", added_and_normed, "model", "rows", VLM_ACTIVATIONS_AUTO,
     WEIGHTS, "embedding"},
    {"rows stand beside others first", joined, "model", "rows", VLM_ACTIVATIONS_AUTO, WEIGHTS, "embedding"},
    {"the product is in a body", multiplied_in_a_body, "model", "rows", VLM_ACTIVATIONS_AUTO, WEIGHTS,
     "embedding"},
    {"a table with an infinity", endless_rows, "model", "rows", VLM_ACTIVATIONS_AUTO, FLOAT, "not finite"},
    {"a product", product, "model", "product", VLM_ACTIVATIONS_AUTO, STATIC, "matrix product"},
    {"a product of a decoder", product, "decoder_step", "product", VLM_ACTIVATIONS_AUTO, DYNAMIC, "decoder"},
    {"a product, dynamic", product, "model", "product", VLM_ACTIVATIONS_DYNAMIC, DYNAMIC, "asked for"},
    {"a product, weights alone", product, "model", "product", VLM_ACTIVATIONS_NONE, WEIGHTS, "asked for"},
    {"a small product", small_aside, "model", "product", VLM_ACTIVATIONS_AUTO, FLOAT, "small"},
    {"a small product alone", small_alone, "model", "product", VLM_ACTIVATIONS_AUTO, STATIC,
     "matrix product"},
    {"many small products", all_small, "model", "product", VLM_ACTIVATIONS_AUTO, STATIC, "matrix product"},
    {"the first convolution", convolutions, "model", "first", VLM_ACTIVATIONS_AUTO, WEIGHTS, "raw pixels"},
    {"a depthwise convolution", convolutions, "model", "depthwise", VLM_ACTIVATIONS_AUTO, WEIGHTS,
     "depthwise"},
    {"a small convolution", convolutions, "model", "last", VLM_ACTIVATIONS_AUTO, WEIGHTS, "small"},
    {"a first convolution that is next to nothing", convolutions_aside, "model", "first",
     VLM_ACTIVATIONS_AUTO, FLOAT, "tiny first convolution"},
    {"a depthwise one that is next to nothing", convolutions_aside, "model", "depthwise",
     VLM_ACTIVATIONS_AUTO, FLOAT, "depthwise"},
    {"a convolution", convolutions, "model", "inner", VLM_ACTIVATIONS_AUTO, STATIC, "convolution"},
    {"a convolution without ranges", convolutions, "model", "inner", VLM_ACTIVATIONS_NONE, WEIGHTS,
     "weight-only was asked for"},
    {"a convolution with ranges at run time", convolutions, "model", "inner", VLM_ACTIVATIONS_DYNAMIC,
     DYNAMIC, "asked for"},
    {"a recurrent layer", recurrent, "model", "cell", VLM_ACTIVATIONS_AUTO, WEIGHTS, "no integer form"},
    {"a weight that is added too, for speed", added_too, "model", "product", VLM_ACTIVATIONS_AUTO, STATIC,
     "matrix product"},
    {"a weight that is added too, for size", added_too, "model", "product", VLM_ACTIVATIONS_NONE, FLOAT,
     "another node reads"},
    {"a table of results, for size", results_too, "model", "product", VLM_ACTIVATIONS_NONE, FLOAT,
     "another node reads"},
    {"a transposed convolution", upsampled_alone, "model", "up", VLM_ACTIVATIONS_AUTO, STATIC, "transposed"},
    {"a small one of a large model", upsampled_aside, "model", "up", VLM_ACTIVATIONS_AUTO, FLOAT,
     "transposed"},
};

static const vlm_node_plan *find_node(const vlm_quant_plan *plan, const char *name) {
  for (int32_t i = 0; i < plan->count; i++)
    if (!strcmp(plan->nodes[i].node, name)) return &plan->nodes[i];
  fail_msg("node %s is not in the plan", name);
  return NULL;
}

static void place(void **state) {
  const placement_case *c = *state;
  const vlm_quant_opts opts = {.activations = c->mode, .placement_only = true};
  const vlm_quant_graph graph = {c->role, c->make()};
  vlm_quant_plan *plan;
  FINE(vlm_quant_plan_make(&plan, &graph, 1, NULL, &opts, &error));
  const vlm_node_plan *n = find_node(plan, c->node);
  if (n->decision != c->decision || !strstr(n->reason, c->reason))
    fail_msg("%s: %s, wanted %s, \"%s\"", vlm_decision_name(n->decision), n->reason,
             vlm_decision_name(c->decision), c->reason);
  vlm_quant_plan_free(plan);
  vlm_graph_free(graph.graph);
}

static void kept_by_name(void **state) {
  static const char *const KEEP[] = {"pro*"};
  const vlm_quant_opts opts = {
      .activations = VLM_ACTIVATIONS_NONE, .keep = KEEP, .n_keep = 1, .placement_only = true};
  const vlm_quant_graph graph = {"model", product()};
  vlm_quant_plan *plan;
  (void)state;
  FINE(vlm_quant_plan_make(&plan, &graph, 1, NULL, &opts, &error));
  assert_int_equal(plan->count, 1);
  assert_int_equal(plan->nodes[0].decision, FLOAT);
  assert_string_equal(plan->nodes[0].reason, "kept by --keep");
  vlm_quant_plan_free(plan);
  vlm_graph_free(graph.graph);
}

/* A report that says another thing than the plan is told, node by node. */
static void differences_are_named(void **state) {
  const vlm_quant_opts opts = {.activations = VLM_ACTIVATIONS_DYNAMIC};
  const vlm_quant_graph graph = {"model", product()};
  vlm_quant_plan *plan;
  vlm_lowered entry = {graph.graph, "product", VLM_FORM_WEIGHT_ONLY};
  const vlm_lower_report none = {0}, other = {&entry, 1, 1};
  vlm_difference_list differences = {0};
  (void)state;
  FINE(vlm_quant_plan_make(&plan, &graph, 1, NULL, &opts, &error));
  FINE(vlm_quant_compare(&differences, plan, &graph, &none, &error));
  assert_int_equal(differences.count, 1);
  assert_int_equal(differences.items[0].got, FLOAT);
  FINE(vlm_quant_compare(&differences, plan, &graph, &other, &error));
  assert_int_equal(differences.count, 2);
  assert_int_equal(differences.items[1].planned, DYNAMIC);
  assert_int_equal(differences.items[1].got, WEIGHTS);
  assert_int_equal(vlm_differences_fail(&differences, &error), VLM_INTERNAL);
  assert_non_null(strstr(error.text, "node \"product\" (MatMul): planned dynamic, got float"));
  entry.form = VLM_FORM_ROW;
  vlm_differences_free(&differences);
  FINE(vlm_quant_compare(&differences, plan, &graph, &other, &error));
  assert_int_equal(differences.count, 0);
  vlm_differences_free(&differences);
  vlm_quant_plan_free(plan);
  vlm_graph_free(graph.graph);
}

enum { N_CASES = sizeof CASES / sizeof CASES[0] };

int main(void) {
  struct CMUnitTest tests[N_CASES + 2] = {cmocka_unit_test(kept_by_name),
                                          cmocka_unit_test(differences_are_named)};
  for (size_t i = 0; i < N_CASES; i++)
    tests[i + 2] = (struct CMUnitTest){
        .name = CASES[i].what, .test_func = place, .initial_state = (void *)(uintptr_t)&CASES[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
