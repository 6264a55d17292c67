/* Running: branches, loops, scans, captures; taps; what is refused, and with which words; what a failure leaves behind. */
#include "runtime/base/memory.h"
#include "tests/exec/graph_program.h"

/* x, and a condition of one element. */
static void run_if(opened *o, const float *x, uint8_t condition) {
  const vlm_tensor in[] = {floats("2", x), vlm_tensor_make(VLM_BOOL, 0, NULL, &condition)};
  FINE(vlm_session_run(o->session, in, 2, &error));
}

/* ---- If ---- */

#define CHOICE                                     \
  "in x float32 ?\n"                               \
  "in c bool -\n"                                  \
  "const w float32 2 10 20\n"                      \
  "Neg x -> outer\n"                               \
  "body yes\n"                                     \
  "Add outer w -> sum\n"                           \
  "Abs sum -> a\n"                                 \
  "out a\n"                                        \
  "out outer\n"                                    \
  "end\n"                                          \
  "body no\n"                                      \
  "const k float32 3 1 2 3\n"                      \
  "Exp k -> unused\n"                              \
  "out k\n"                                        \
  "out x\n"                                        \
  "end\n"                                          \
  "If c -> y z then_branch=@yes else_branch=@no\n" \
  "Neg z -> nz\n"                                  \
  "out y\n"                                        \
  "out nz\n"

static void test_the_branch_of_the_condition_runs(void **state) {
  (void)state;
  opened o = open_program(CHOICE, NULL);
  for (int round = 0; round < 4; round++) {
    run_if(&o, (float[]){3, 50}, 1);
    expect(&o, 0, "2", (double[]){7, 30});
    expect(&o, 1, "2", (double[]){3, 50});
    run_if(&o, (float[]){3, 50}, 0);
    expect(&o, 0, "3", (double[]){1, 2, 3});
    expect(&o, 1, "2", (double[]){-3, -50});
  }
  close_program(&o);
}

static void test_branches_in_branches(void **state) {
  (void)state;
  opened o = open_program(
      "in x float32 2\n"
      "in c bool -\n"
      "body yes\n"
      "Neg x -> n\n"
      "Not c -> d\n"
      "body inner_yes\n"
      "Add n n -> twice\n"
      "out twice\n"
      "end\n"
      "body inner_no\n"
      "Mul n x -> square\n"
      "out square\n"
      "end\n"
      "If d -> r then_branch=@inner_yes else_branch=@inner_no\n"
      "out r\n"
      "end\n"
      "body no\n"
      "out x\n"
      "end\n"
      "If c -> y then_branch=@yes else_branch=@no\n"
      "out y\n",
      NULL);
  run_if(&o, (float[]){3, 4}, 1);
  expect(&o, 0, "2", (double[]){-9, -16});
  run_if(&o, (float[]){3, 4}, 0);
  expect(&o, 0, "2", (double[]){3, 4});
  close_program(&o);
}

/* ---- Loop ---- */

/* sum += x + i, and what it was each time; ends when the sum reaches 100 or after n rounds. */
#define SUMS                                     \
  "in n int64 -\n"                               \
  "in x float32 ?\n"                             \
  "const start float32 1 0\n"                    \
  "const limit float32 1 100\n"                  \
  "body step\n"                                  \
  "in i int64 -\n"                               \
  "in go bool -\n"                               \
  "in sum float32 *\n"                           \
  "Cast i -> f to=1\n"                           \
  "Add sum x -> s1\n"                            \
  "Add s1 f -> next\n"                           \
  "Less next limit -> below\n"                   \
  "Squeeze below -> again\n"                     \
  "Identity next -> shown\n"                     \
  "out again\n"                                  \
  "out next\n"                                   \
  "out shown\n"                                  \
  "end\n"                                        \
  "Loop n none start -> total each body=@step\n" \
  "out total\n"                                  \
  "out each\n"

static vlm_status run_loop(opened *o, int64_t n, float x) {
  const vlm_tensor in[] = {vlm_tensor_make(VLM_S64, 0, NULL, &n), floats("1", &x)};
  return vlm_session_run(o->session, in, 2, &error);
}

static void test_loops(void **state) {
  (void)state;
  opened o = open_program(SUMS, NULL);
  for (int round = 0; round < 3; round++) {
    FINE(run_loop(&o, 4, 2));
    expect(&o, 0, "1", (double[]){14});
    expect(&o, 1, "4,1", (double[]){2, 5, 9, 14});
    FINE(run_loop(&o, 1000, 40));
    expect(&o, 0, "1", (double[]){123});
    expect(&o, 1, "3,1", (double[]){40, 81, 123});
    FINE(run_loop(&o, 0, 5));
    expect(&o, 0, "1", (double[]){0});
    assert_int_equal(vlm_session_output(o.session, 1)->dims[0], 0);
  }
  close_program(&o);
}

/* A carried value that grows has another shape in every round. */
static void test_a_carried_value_grows(void **state) {
  (void)state;
  opened o = open_program(
      "in n int64 -\n"
      "in x float32 ?\n"
      "body step\n"
      "in i int64 -\n"
      "in go bool -\n"
      "in list float32 *\n"
      "Concat list list -> twice axis=0\n"
      "out go\n"
      "out twice\n"
      "end\n"
      "Loop n none x -> y body=@step\n"
      "out y\n",
      NULL);
  double wanted[64];
  for (int i = 0; i < 64; i++) wanted[i] = 3;
  static const char *const DIMS[] = {"1", "2", "4", "8", "16", "32", "64"};
  for (int64_t n = 6; n >= 0; n--) {
    FINE(run_loop(&o, n, 3));
    expect(&o, 0, DIMS[n], wanted);
  }
  close_program(&o);
}

static void test_the_rounds_of_all_bodies_are_limited(void **state) {
  (void)state;
  opened o = open_limited(SUMS, NULL, 10);
  FINE(run_loop(&o, 10, 0));
  FAILS(VLM_LIMIT, run_loop(&o, 11, 0));
  assert_non_null(strstr(error.text, "test.onnx"));
  assert_non_null(strstr(error.text, "Loop"));
  FINE(run_loop(&o, 10, 0));
  close_program(&o);
}

/* ---- taps ---- */

typedef struct {
  char seen[400]; /* "GRAPH/VALUE=FIRST " */
  const char *only, *stop;
} tapped;

static vlm_status note(void *user, const vlm_graph *graph, vlm_value_id value, const vlm_tensor *tensor,
                       vlm_error *err) {
  tapped *t = user;
  const size_t n = strlen(t->seen);
  const char *name = graph->values[value].name;
  snprintf(t->seen + n, sizeof t->seen - n, "%s/%s=%g ", graph->name, name, vlm_tensor_get(tensor, 0));
  return t->stop && !strcmp(t->stop, name) ? vlm_fail(err, VLM_IO, "stopped at %s", name) : VLM_OK;
}

static bool wants(void *user, const vlm_graph *graph, vlm_value_id value) {
  const tapped *t = user;
  return !t->only || !strcmp(t->only, graph->values[value].name);
}

static void test_taps_see_every_value_in_order(void **state) {
  (void)state;
  tapped t = {.only = NULL};
  const vlm_session_opts opts = {.tap = note, .tap_user = &t};
  opened o = open_program(CHOICE, &opts);
  run_if(&o, (float[]){3, 50}, 1);
  assert_string_equal(t.seen,
                      "main/x=3 main/c=1 main/outer=-3 yes/sum=7 yes/a=7 main/y=7 main/z=-3 main/nz=3 ");
  t.seen[0] = 0;
  run_if(&o, (float[]){4, 50}, 0);
  assert_string_equal(t.seen, "main/x=4 main/c=0 main/outer=-4 main/y=1 main/z=4 main/nz=-4 ");
  close_program(&o);
}

static void test_taps_of_some_values(void **state) {
  (void)state;
  tapped t = {.only = "a"};
  const vlm_session_opts opts = {.tap = note, .tap_user = &t, .tap_wants = wants};
  opened o = open_program(CHOICE, &opts);
  run_if(&o, (float[]){3, 50}, 1);
  run_if(&o, (float[]){3, 50}, 0);
  run_if(&o, (float[]){0, 50}, 1);
  assert_string_equal(t.seen, "yes/a=7 yes/a=10 ");
  close_program(&o);
}

static void test_a_tap_stops_the_run(void **state) {
  (void)state;
  tapped t = {.stop = "sum"};
  const vlm_session_opts opts = {.tap = note, .tap_user = &t};
  opened o = open_program(CHOICE, &opts);
  uint8_t yes = 1;
  const float x[] = {3, 50};
  const vlm_tensor in[] = {floats("2", x), vlm_tensor_make(VLM_BOOL, 0, NULL, &yes)};
  FAILS(VLM_IO, vlm_session_run(o.session, in, 2, &error));
  assert_non_null(strstr(error.text, "stopped at sum"));
  assert_null(strstr(t.seen, "yes/a"));
  t.stop = NULL;
  run_if(&o, x, 1);
  expect(&o, 0, "2", (double[]){7, 30});
  close_program(&o);
}

/* ---- what is refused ---- */

static void test_inputs_are_checked(void **state) {
  (void)state;
  opened o = open_program("in x float32 2,?\nin k int64 -\nNeg x -> y\nout y\n", NULL);
  static const float x[6];
  static const int64_t k[3];
  const vlm_tensor scalar = vlm_tensor_make(VLM_S64, 0, NULL, (void *)(uintptr_t)k);
  const struct {
    vlm_tensor in[2];
    int32_t n;
    const char *words;
  } cases[] = {
      {{floats("2,3", x)}, 1, "got 1 inputs, wanted 2"},
      {{floats("3,2", x), scalar}, 2, "input \"x\": got shape [3, 2], wanted [2, ?]"},
      {{floats("2", x), scalar}, 2, "input \"x\": got shape [2], wanted [2, ?]"},
      {{floats("2,3", x), floats("-", x)}, 2, "input \"k\": got float32, wanted int64"},
      {{floats("2,3", x), vlm_tensor_make(VLM_S64, 1, (int64_t[]){3}, (void *)(uintptr_t)k)},
       2,
       "input \"k\": got shape [3], wanted []"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    FAILS(VLM_INPUT, vlm_session_run(o.session, cases[i].in, cases[i].n, &error));
    if (!strstr(error.text, cases[i].words) || !strstr(error.text, "test.onnx"))
      fail_msg("\"%s\" lacks \"%s\"", error.text, cases[i].words);
  }
  const vlm_tensor one = vlm_tensor_make(VLM_S64, 1, (int64_t[]){1}, (void *)(uintptr_t)k),
                   both[] = {floats("2,3", x), one};
  FINE(vlm_session_run(o.session, both, 2, &error)); /* one element is one element */
  close_program(&o);
}

static void test_memory_is_limited(void **state) {
  (void)state;
  const vlm_session_opts opts = {.max_bytes = 10000};
  static const float x[4000];
  opened o =
      open_program("in x float32 ?\nNeg x -> a\nAbs a -> the_largest\nExp the_largest -> y\nout y\n", &opts);
  const vlm_tensor small = floats("1000", x), large = floats("4000", x);
  FINE(vlm_session_run(o.session, &small, 1, &error));
  FAILS(VLM_LIMIT, vlm_session_run(o.session, &large, 1, &error));
  assert_non_null(strstr(error.text, "test.onnx"));
  FINE(vlm_session_run(o.session, &small, 1, &error));
  close_program(&o);
}

/* An operator that fails is named with its file and node, and the session goes on. */
static void test_failures_name_the_node(void **state) {
  (void)state;
  opened o = open_program(
      "in x float32 ?\n"
      "in k int64 ?\n"
      "Neg x -> n\n"
      "Gather n k -> picked axis=0\n"
      "out picked\n",
      NULL);
  const float x[] = {1, 2, 3};
  int64_t k[] = {2, 7};
  const vlm_tensor in[] = {floats("3", x), vlm_tensor_make(VLM_S64, 1, (int64_t[]){2}, k)};
  for (int round = 0; round < 2; round++) {
    FAILS(VLM_INPUT, vlm_session_run(o.session, in, 2, &error));
    assert_non_null(strstr(error.text, "test.onnx: node \"Gather_1\" (Gather)"));
    k[1] = 0;
    FINE(vlm_session_run(o.session, in, 2, &error));
    expect(&o, 0, "2", (double[]){-3, -1});
    k[1] = 7;
  }
  close_program(&o);
}

/* ---- sharing and running out ---- */

static void test_two_sessions_of_one_graph(void **state) {
  (void)state;
  opened a = open_program(CHOICE, NULL), b = a;
  FINE(vlm_session_create(&b.session, a.context, a.graph, NULL, &error));
  run_if(&a, (float[]){3, 50}, 1);
  run_if(&b, (float[]){3, 50}, 0);
  expect(&a, 0, "2", (double[]){7, 30});
  expect(&b, 0, "3", (double[]){1, 2, 3});
  vlm_session_free(b.session);
  expect(&a, 0, "2", (double[]){7, 30});
  close_program(&a);
}

/* Whatever allocation fails: the status says so, nothing leaks, and a session that was made runs later. */
static void test_every_allocation_may_fail(void **state) {
  (void)state;
  opened o = {.graph = graph_of(SUMS)};
  FINE(vlm_context_create(&o.context, &(vlm_context_opts){.threads = 1}, &error));
  vlm_status st = VLM_MEMORY;
  for (long n = 1; st != VLM_OK; n++) {
    vlm_memory_fail_after(n);
    st = vlm_session_create(&o.session, o.context, o.graph, NULL, &error);
    const vlm_status ran = st == VLM_OK ? run_loop(&o, 3, 1) : st;
    vlm_memory_fail_after(0);
    if (st != VLM_OK) assert_int_equal(st, VLM_MEMORY);
    if (st != VLM_OK) continue;
    if (ran != VLM_OK) {
      assert_int_equal(ran, VLM_MEMORY);
      FINE(run_loop(&o, 3, 1));
      st = ran;
    }
    expect(&o, 0, "1", (double[]){6});
    vlm_session_free(o.session);
    assert_true(n < 2000);
  }
  vlm_context_free(o.context);
  vlm_graph_free(o.graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_branch_of_the_condition_runs),
      cmocka_unit_test(test_branches_in_branches),
      cmocka_unit_test(test_loops),
      cmocka_unit_test(test_a_carried_value_grows),
      cmocka_unit_test(test_the_rounds_of_all_bodies_are_limited),
      cmocka_unit_test(test_taps_see_every_value_in_order),
      cmocka_unit_test(test_taps_of_some_values),
      cmocka_unit_test(test_a_tap_stops_the_run),
      cmocka_unit_test(test_inputs_are_checked),
      cmocka_unit_test(test_memory_is_limited),
      cmocka_unit_test(test_failures_name_the_node),
      cmocka_unit_test(test_two_sessions_of_one_graph),
      cmocka_unit_test(test_every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
