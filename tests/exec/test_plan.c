/* What planning decides: what is folded, what shares bytes, how much memory there is, when one plan serves all sizes. */
#include "runtime/exec/session_private.h"
#include "tests/exec/graph_program.h"

static void run_one(opened *o, const char *dims, const float *x) {
  const vlm_tensor in = floats(dims, x);
  FINE(vlm_session_run(o->session, &in, 1, &error));
}

/* ---- folding ---- */

static void test_constants_fold(void **state) {
  (void)state;
  opened o = open_program(
      "in x float32 ?\n"
      "const a float32 3 1 2 3\n"
      "const b float32 3 10 20 30\n"
      "Mul a b -> ab\n"
      "Neg ab -> n\n"
      "Add x n -> y\n"
      "Add n a -> folded\n"
      "out y\n"
      "out folded\n",
      NULL);
  run_one(&o, "3", (float[]){1, 2, 3});
  assert_int_equal(steps_of(&o, NULL), 1);
  expect(&o, 0, "3", (double[]){-9, -38, -87});
  expect(&o, 1, "3", (double[]){-9, -38, -87});
  close_program(&o);
}

/* The shape of an input is known when planning, and so is all that is computed from it. */
static void test_shape_arithmetic_folds(void **state) {
  (void)state;
  opened o = open_program(
      "in x float32 ?,?,2\n"
      "const zero int64 - 0\n"
      "const one int64 - 1\n"
      "const rest int64 1 -1\n"
      "const axis int64 1 0\n"
      "Shape x -> s\n"
      "Size x -> size\n"
      "Gather s zero -> b axis=0\n"
      "Gather s one -> t axis=0\n"
      "Mul b t -> bt\n"
      "Unsqueeze bt axis -> list\n"
      "Concat list rest -> target axis=0\n"
      "Reshape x target -> r\n"
      "Relu r -> y\n"
      "out y\n"
      "out size\n",
      NULL);
  static const float x[12] = {1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6};
  static const double wanted[12] = {1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0};
  run_one(&o, "3,2,2", x);
  expect(&o, 0, "6,2", wanted);
  expect(&o, 1, "-", (double[]){12});
  assert_int_equal(steps_of(&o, "Relu"), 1);
  for (int i = 0; i < 5; i++)
    assert_int_equal(steps_of(&o, (const char *[]){"Shape", "Size", "Gather", "Concat", "Mul"}[i]), 0);
  run_one(&o, "1,4,2", x);
  expect(&o, 0, "4,2", wanted);
  expect(&o, 1, "-", (double[]){8});
  close_program(&o);
}

/* Steps that no output needs are not made. */
static void test_unused_nodes_do_not_run(void **state) {
  (void)state;
  opened o = open_program(
      "in x float32 ?\n"
      "Neg x -> unused\n"
      "Exp unused -> unused_too\n"
      "Abs x -> y\n"
      "out y\n",
      NULL);
  run_one(&o, "2", (float[]){-1, 2});
  assert_int_equal(steps_of(&o, NULL), 1);
  expect(&o, 0, "2", (double[]){1, 2});
  close_program(&o);
}

/* ---- memory ---- */

/* A chain needs two buffers however long it is. */
static void test_a_chain_shares_two_buffers(void **state) {
  (void)state;
  char text[2000];
  static const float x[256] = {1};
  size_t n = (size_t)snprintf(text, sizeof text, "in x float32 ?\nNeg x -> v0\n");
  for (int i = 1; i <= 21; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, "Neg v%d -> v%d\n", i - 1, i);
  snprintf(text + n, sizeof text - n, "out v21\n");
  opened o = open_program(text, NULL);
  run_one(&o, "256", x);
  assert_int_equal(steps_of(&o, "Neg"), 22);
  assert_true(vlm_session_get_stats(o.session).arena_bytes <= 2 * sizeof x);
  assert_true(vlm_tensor_get(vlm_session_output(o.session, 0), 0) == 1);
  close_program(&o);
}

/* A view keeps the bytes of what it views alive after that value's own last use, through other views too. */
static void test_views_keep_their_bytes(void **state) {
  (void)state;
  opened o = open_program(
      "in x float32 4\n"
      "const shape int64 2 2 2\n"
      "const flat int64 1 -1\n"
      "Neg x -> a\n"
      "Reshape a shape -> b\n"
      "Identity b -> c\n"
      "Reshape c flat -> d\n"
      "Abs a -> e\n"
      "Exp e -> f\n"
      "Sign f -> g\n"
      "Neg g -> h\n"
      "Add d h -> y\n"
      "out y\n"
      "out b\n",
      NULL);
  run_one(&o, "4", (float[]){1, 2, 3, 4});
  expect(&o, 0, "4", (double[]){-2, -3, -4, -5});
  expect(&o, 1, "2,2", (double[]){-1, -2, -3, -4});
  close_program(&o);
}

/* Views of inputs, constants and other outputs as outputs: they hold until the next run, whatever happens to the inputs. */
static void test_outputs_outlive_inputs(void **state) {
  (void)state;
  opened o = open_program(
      "in x float32 2\n"
      "const c float32 2 7 8\n"
      "Identity x -> same\n"
      "Identity c -> constant\n"
      "Neg x -> n\n"
      "out x\n"
      "out same\n"
      "out constant\n"
      "out n\n"
      "out n\n"
      "out c\n",
      NULL);
  float x[2] = {1, 2};
  run_one(&o, "2", x);
  x[0] = x[1] = 99;
  for (int i = 0; i < 2; i++) expect(&o, i, "2", (double[]){1, 2});
  expect(&o, 2, "2", (double[]){7, 8});
  for (int i = 3; i < 5; i++) expect(&o, i, "2", (double[]){-1, -2});
  expect(&o, 5, "2", (double[]){7, 8});
  close_program(&o);
}

/* ---- many sizes ---- */

#define MLP            \
  "in x float32 ?,?\n" \
  "Neg x -> a\n"       \
  "Abs a -> b\n"       \
  "Add a b -> c\n"     \
  "Mul c x -> d\n"     \
  "Sub d b -> y\n"     \
  "out y\n"

static void check_size(opened *o, int rows, int columns) {
  static float x[4096];
  static double wanted[4096];
  char dims[32];
  snprintf(dims, sizeof dims, "%d,%d", rows, columns);
  for (int i = 0; i < rows * columns; i++) {
    x[i] = (float)(i % 7 - 3);
    wanted[i] = (fabs((double)x[i]) - (double)x[i]) * (double)x[i] - fabs((double)x[i]);
  }
  run_one(o, dims, x);
  expect(o, 0, dims, wanted);
}

/* Two sets of shapes get plans of their own, the third makes one for all others that differ in the same dim. */
static void test_the_third_size_makes_a_plan_for_all(void **state) {
  (void)state;
  opened o = open_program(MLP, NULL);
  for (int rows = 1; rows <= 40; rows++) check_size(&o, rows, 8);
  assert_int_equal(vlm_session_get_stats(o.session).plans, 3);
  for (int columns = 1; columns <= 12; columns++) check_size(&o, 3, columns);
  assert_true(vlm_session_get_stats(o.session).plans <= 6);
  for (int i = 0; i < 200; i++) check_size(&o, 1 + i * 7 % 50, 1 + i * 11 % 60);
  assert_true(vlm_session_get_stats(o.session).plans <= 8);
  check_size(&o, 1, 8);
  check_size(&o, 0, 8);
  check_size(&o, 5, 0);
  close_program(&o);
}

/* In a plan for all sizes values give their memory back at their last use, and the same size again takes none. */
static void test_live_sizes_reuse_memory(void **state) {
  (void)state;
  char text[4000];
  size_t n = (size_t)snprintf(text, sizeof text, "in x float32 ?\nNeg x -> v0\n");
  for (int i = 1; i <= 60; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, "Neg v%d -> v%d\n", i - 1, i);
  snprintf(text + n, sizeof text - n, "out v60\n");
  static const float x[1100] = {3};
  opened o = open_program(text, NULL);
  char dims[16];
  for (int size = 1000; size < 1010; size++) {
    snprintf(dims, sizeof dims, "%d", size);
    run_one(&o, dims, x);
    assert_true(vlm_tensor_get(vlm_session_output(o.session, 0), 0) == -3);
  }
  const vlm_session_stats after = vlm_session_get_stats(o.session);
  assert_true(after.heap_bytes <= 6 * 1100 * sizeof(float));
  for (int i = 0; i < 10; i++) run_one(&o, "1005", x);
  assert_int_equal(vlm_session_get_stats(o.session).allocations, after.allocations);
  close_program(&o);
}

/* Shapes that depend on data are found when the node is reached. */
static void test_shapes_from_data(void **state) {
  (void)state;
  opened o = open_program(
      "in x float32 ?\n"
      "const axes int64 1 0\n"
      "NonZero x -> at\n"
      "Squeeze at axes -> flat\n"
      "Gather x flat -> kept axis=0\n"
      "Neg kept -> y\n"
      "out y\n"
      "out flat\n",
      NULL);
  run_one(&o, "5", (float[]){0, 3, 0, 5, 6});
  expect(&o, 0, "3", (double[]){-3, -5, -6});
  expect(&o, 1, "3", (double[]){1, 3, 4});
  run_one(&o, "5", (float[]){0, 0, 0, 0, 0});
  expect(&o, 0, "0", NULL);
  run_one(&o, "5", (float[]){1, 2, 3, 4, 5});
  expect(&o, 0, "5", (double[]){-1, -2, -3, -4, -5});
  close_program(&o);
}

/* ---- planning alone ---- */

static void test_planning_without_data(void **state) {
  (void)state;
  opened o = open_program(MLP, NULL);
  static const float x[6] = {1, 2, 3, 4, 5, 6};
  vlm_tensor in = floats("2,3", NULL);
  FINE(vlm_session_plan(o.session, &in, 1, &error));
  assert_int_equal(steps_of(&o, NULL), 5);
  assert_int_equal(vlm_session_get_stats(o.session).plans, 1);
  run_one(&o, "2,3", x);
  assert_int_equal(vlm_session_get_stats(o.session).plans, 1);
  close_program(&o);
}

static void test_nothing_is_visited_before_a_plan(void **state) {
  (void)state;
  opened o = open_program(MLP, NULL);
  assert_int_equal(steps_of(&o, NULL), 0);
  assert_int_equal(vlm_session_get_stats(o.session).plans, 0);
  close_program(&o);
}

/* ---- the rules of plans ---- */

/* A good plan, and what is said of it when one of its numbers is wrong. */
static void test_broken_plans_are_told(void **state) {
  (void)state;
  opened o = open_program("in x float32 ?,4\nRelu x -> a\nNeg a -> b\nAdd a b -> y\nout y\n", NULL);
  run_one(&o, "2,4", (float[]){1, 2, 3, 4, 5, 6, 7, 8});
  vlm_plan *plan = o.session->root->plan;
  vlm_plan_value *a = &plan->values[vlm_graph_find(o.graph, "a")];
  const vlm_plan_value good = *a;
  assert_null(vlm_plan_broken(plan, o.graph));
  a->last = a->first - 1;
  assert_string_equal(vlm_plan_broken(plan, o.graph), "a value dies before it is made");
  *a = good;
  a->last = plan->n_steps;
  assert_string_equal(vlm_plan_broken(plan, o.graph), "a value dies behind the last step");
  *a = good;
  a->offset += 4;
  assert_string_equal(vlm_plan_broken(plan, o.graph), "a place in the arena is not aligned");
  a->offset = (plan->arena_bytes + VLM_ALIGN) / VLM_ALIGN * VLM_ALIGN;
  assert_string_equal(vlm_plan_broken(plan, o.graph), "a place is outside the arena");
  *a = good;
  a->first = plan->n_steps - 1;
  assert_string_equal(vlm_plan_broken(plan, o.graph), "a step reads what is not there yet");
  *a = good;
  a->shape_known = false;
  assert_string_equal(vlm_plan_broken(plan, o.graph), "a value of unknown size has a place in the arena");
  *a = good;
  assert_null(vlm_plan_broken(plan, o.graph));
  close_program(&o);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_constants_fold),
      cmocka_unit_test(test_shape_arithmetic_folds),
      cmocka_unit_test(test_unused_nodes_do_not_run),
      cmocka_unit_test(test_a_chain_shares_two_buffers),
      cmocka_unit_test(test_views_keep_their_bytes),
      cmocka_unit_test(test_outputs_outlive_inputs),
      cmocka_unit_test(test_the_third_size_makes_a_plan_for_all),
      cmocka_unit_test(test_live_sizes_reuse_memory),
      cmocka_unit_test(test_shapes_from_data),
      cmocka_unit_test(test_planning_without_data),
      cmocka_unit_test(test_nothing_is_visited_before_a_plan),
      cmocka_unit_test(test_broken_plans_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
