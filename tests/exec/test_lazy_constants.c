/* Constants that wait: they are in memory while a step reads them, or while it packs them, and no longer. */
#include "runtime/exec/context_private.h"
#include "runtime/exec/plan.h"
#include "tests/exec/graph_program.h"

enum { SIZE = 96, BYTES = SIZE * SIZE * 4, MOST = 8 };

/* w is packed, by the graph and by a body; t is read by its rows; v is read through a view; f is folded; c is an output. */
static const char PROGRAM[] =
    "in x float32 ?,96\n"
    "in rows int64 ?\n"
    "in flag bool -\n"
    "const w float32 96,96 rand 1\n"
    "const t float32 96,96 rand 2\n"
    "const v float32 96,96 rand 3\n"
    "const f float32 96,96 rand 4\n"
    "const c float32 96,96 rand 5\n"
    "const shape int64 2 9216 1\n"
    "const wide int64 2 96 96\n"
    "MatMul x w -> p\n"
    "Gather t rows -> r axis=0\n"
    "Reshape v wide -> v2\n"
    "Transpose f -> f2 perm=1,0\n"
    "MatMul r v2 -> q\n"
    "MatMul q f2 -> s\n"
    "Add p s -> y\n"
    "body yes\n"
    "MatMul y w -> b\n"
    "out b\n"
    "end\n"
    "body no\n"
    "Identity y -> n\n"
    "out n\n"
    "end\n"
    "If flag -> z then_branch=@yes else_branch=@no\n"
    "out y\n"
    "out z\n"
    "out c\n";

typedef struct {
  const void *data[MOST]; /* as the program made it */
  int fills[MOST];
  int32_t count, fails; /* the fill with that number from now on fails; 0 = none */
  vlm_lazy *lazy;
} waiting;

static vlm_status fill(void *user, int32_t i, void *block, vlm_error *err) {
  waiting *w = user;
  if (w->fails && --w->fails == 0) return vlm_fail(err, VLM_INTEGRITY, "the constant is damaged");
  w->fills[i]++;
  memcpy(block, w->data[i], BYTES);
  return VLM_OK;
}

static void set_lazy(vlm_graph *g, vlm_lazy *lazy) {
  g->lazy = lazy;
  for (int32_t n = 0; n < g->n_nodes; n++)
    for (int32_t a = 0; a < g->nodes[n].n_attrs; a++)
      if (g->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH) set_lazy(g->nodes[n].attrs[a].u.g, lazy);
}

/* Every large constant of the graph waits from now on. */
static void make_wait(waiting *w, vlm_graph *g) {
  size_t bytes[MOST];
  *w = (waiting){.count = 0};
  for (int32_t id = 0; id < g->n_values; id++)
    if (g->values[id].kind == VLM_VALUE_CONSTANT && vlm_tensor_bytes(&g->values[id].tensor) == BYTES) {
      bytes[w->count] = BYTES;
      w->data[w->count++] = g->values[id].tensor.data;
    }
  FINE(vlm_lazy_create(&w->lazy, bytes, w->count, fill, w, &error));
  set_lazy(g, w->lazy);
  for (int32_t id = 0, i = 0; id < g->n_values; id++)
    if (g->values[id].kind == VLM_VALUE_CONSTANT && vlm_tensor_bytes(&g->values[id].tensor) == BYTES)
      g->values[id].tensor.data = vlm_lazy_block(w->lazy, i++);
}

static float x[6 * SIZE];

static vlm_status run(vlm_session *s, int64_t rows, bool flag) {
  static int64_t ids[6] = {5, 95, 0, 7, 7, 1};
  const vlm_tensor in[] = {vlm_tensor_make(VLM_F32, 2, (int64_t[]){rows, SIZE}, x),
                           vlm_tensor_make(VLM_S64, 1, &rows, ids),
                           vlm_tensor_make(VLM_BOOL, 0, NULL, &flag)};
  error.text[0] = 0;
  return vlm_session_run(s, in, 3, &error);
}

static void expect_same(const vlm_session *a, const vlm_session *b) {
  for (int i = 0; i < 3; i++) {
    const vlm_tensor *p = vlm_session_output(a, i), *q = vlm_session_output(b, i);
    assert_true(vlm_tensor_same_shape(p, q));
    assert_memory_equal(p->data, q->data, vlm_tensor_bytes(p));
  }
}

static void fill_input(void) {
  uint32_t seed = 9;
  for (int i = 0; i < 6 * SIZE; i++) x[i] = (float)program_noise(&seed);
}

static void test_runs_as_if_all_were_there(void **state) {
  (void)state;
  waiting w;
  opened there = open_program(PROGRAM, NULL);
  vlm_graph *g = graph_of(PROGRAM);
  vlm_session *first, *second;
  fill_input();
  make_wait(&w, g);
  assert_int_equal(w.count, 5);
  FINE(vlm_session_create(&first, there.context, g, NULL, &error));
  FINE(vlm_session_create(&second, there.context, g, NULL, &error)); /* both share the graph */
  assert_int_equal(vlm_lazy_filled(w.lazy), 1 * BYTES);              /* c, the output */
  for (int i = 0; i < 12; i++) {
    const int64_t rows = 1 + i % 6;
    FINE(run(there.session, rows, i % 2 == 0));
    FINE(run(first, rows, i % 2 == 0));
    expect_same(there.session, first);
  }
  assert_int_equal(vlm_lazy_filled(w.lazy), 2 * BYTES); /* c, and t, whose rows are picked */
  const int fills = w.fills[0];
  assert_in_range(fills, 1,
                  4); /* w: two forms, each for the graph and for the body, however many plans there were */
  for (int i = 0; i < 12; i++) FINE(run(first, 1 + i % 6, true));
  assert_int_equal(w.fills[0], fills);
  FINE(run(second, 3, true));
  FINE(run(there.session, 3, true));
  expect_same(there.session, second);
  vlm_session_free(first);
  assert_int_equal(vlm_lazy_filled(w.lazy), 2 * BYTES);
  vlm_session_free(second);
  assert_int_equal(vlm_lazy_filled(w.lazy), 0);
  vlm_graph_free(g);
  vlm_lazy_free(w.lazy);
  close_program(&there);
}

/* Damage that shows when a weight is wanted is told, and nothing stays held. */
static void test_failures(void **state) {
  (void)state;
  for (int n = 1; n <= 8; n++) {
    waiting w;
    vlm_context *context;
    vlm_session *s = NULL;
    vlm_graph *g = graph_of(PROGRAM);
    FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = 1}, &error));
    make_wait(&w, g);
    w.fails = n;
    vlm_status st = vlm_session_create(&s, context, g, NULL, &error);
    if (st == VLM_OK) st = run(s, 2, true);
    assert_int_equal(st, w.fails > 0 ? VLM_OK : VLM_INTEGRITY);
    if (st != VLM_OK) assert_non_null(strstr(error.text, "the constant is damaged"));
    if (s) FINE(run(s, 2, true));
    vlm_session_free(s);
    assert_int_equal(vlm_lazy_filled(w.lazy), 0);
    vlm_graph_free(g);
    vlm_lazy_free(w.lazy);
    vlm_context_free(context);
  }
}

/* A session that rests keeps its outputs and nothing of what it packed. */
static void test_rest(void **state) {
  (void)state;
  static const char TEXT[] = "in x float32 ?,96\nconst w float32 96,96 rand 1\nMatMul x w -> y\nout y\n";
  float before[2 * SIZE];
  waiting w;
  opened o = open_program(TEXT, NULL);
  vlm_session_free(o.session);
  make_wait(&w, o.graph);
  FINE(vlm_session_create(&o.session, o.context, o.graph, NULL, &error));
  for (int i = 1; i <= 3; i++) {
    const vlm_tensor in = vlm_tensor_make(VLM_F32, 2, (int64_t[]){2, SIZE}, x);
    FINE(vlm_session_run(o.session, &in, 1, &error));
    memcpy(before, vlm_session_output(o.session, 0)->data, sizeof before);
    assert_int_equal(vlm_weights_count(o.context->weights), 1);
    vlm_session_rest(o.session);
    assert_int_equal(vlm_weights_count(o.context->weights), 0);
    assert_memory_equal(vlm_session_output(o.session, 0)->data, before, sizeof before);
    assert_int_equal(w.fills[0], i);
  }
  close_program(&o);
  vlm_lazy_free(w.lazy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_runs_as_if_all_were_there),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_rest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
