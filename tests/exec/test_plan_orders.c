/* Moves that undo one another: graphs as text give the same bits when every value is tapped, which leaves every move in place, and the plan
 * says how many are left otherwise. */
#include "runtime/lower/lower.h"
#include "tests/exec/graph_program.h"

typedef struct {
  const char *what;
  int moves; /* Transposes that run */
  const char *text;
} order_case;

#define MAP "in i float32 2,6,4,5\nRelu i -> x\n"
#define TOKENS "const s int64 3 2 6 -1\nconst t int64 4 2 6 4 5\n"

static const order_case CASES[] = {
    {"one move", 1, MAP "Transpose x -> t perm=0,2,3,1\nTanh t -> y\nout y\n"},
    {"there and back", 0,
     MAP "Transpose x -> t perm=0,2,3,1\nTranspose t -> b perm=0,3,1,2\nTanh b -> y\nout y\n"},
    {"there and back, read on the way", 1,
     MAP "Transpose x -> t perm=0,2,3,1\nTranspose t -> b perm=0,3,1,2\nTanh b -> y\nTanh t -> z\nout y\nout "
         "z\n"},
    {"three of one cycle", 0,
     MAP "Transpose x -> a perm=1,2,3,0\nTranspose a -> b perm=1,2,3,0\nTranspose b -> c perm=2,3,0,1\n"
         "Tanh c -> y\nout y\n"},
    {"two of one cycle", 2,
     MAP "Transpose x -> a perm=1,2,3,0\nTranspose a -> b perm=1,2,3,0\nTanh b -> y\nout y\n"},
    {"channels last, to a map, to tokens", 0,
     "in i float32 2,4,5,6\nRelu i -> x\n" TOKENS
     "Transpose x -> m perm=0,3,1,2\nReshape m s -> f\nTranspose f -> k perm=0,2,1\nTanh k -> y\nout y\n"},
    {"and back", 0,
     "in i float32 2,20,6\nRelu i -> x\n" TOKENS
     "Transpose x -> f perm=0,2,1\nReshape f t -> m\nTranspose m -> k perm=0,2,3,1\nTanh k -> y\nout y\n"},
    {"a cut through what lies apart", 2,
     "in i float32 2,20,6\nRelu i -> x\nconst t int64 4 2 4 6 5\n"
     "Transpose x -> f perm=0,2,1\nReshape f t -> m\nTranspose m -> k perm=0,2,3,1\nTanh k -> y\nout y\n"},
    {"dims of 1 on the way", 0,
     MAP
     "const u int64 6 2 1 4 5 1 6\nconst e int64 4 2 4 5 6\nTranspose x -> t perm=0,2,3,1\nReshape t u -> v\n"
     "Reshape v e -> w\nTranspose w -> b perm=0,3,1,2\nTanh b -> y\nout y\n"},
    {"windows and back", 0,
     MAP "const w int64 6 2 6 2 2 5 1\nconst e int64 4 2 6 4 5\nReshape x w -> a\nTranspose a -> b "
         "perm=0,2,4,3,5,1\n"
         "Transpose b -> c perm=0,5,1,3,2,4\nReshape c e -> d\nTanh d -> y\nout y\n"},
    {"an output of the graph", 0,
     MAP "Transpose x -> t perm=0,2,3,1\nTranspose t -> y perm=0,3,1,2\nout y\n"},
    {"an input of the graph stays where it is", 2,
     "in x float32 2,6,4,5\nTranspose x -> t perm=0,2,3,1\nTranspose t -> b perm=0,3,1,2\nTanh b -> y\nout "
     "y\n"},
    {"memory that is written again", 0,
     MAP "Transpose x -> t perm=0,2,3,1\nTranspose t -> b perm=0,3,1,2\nTanh b -> c\nRelu x -> d\nAdd c d -> "
         "y\nout "
         "y\n"},
    {"nothing in it", 2,
     "in i float32 2,0,4\nRelu i -> x\nTranspose x -> t perm=0,2,1\nTranspose t -> b perm=0,2,1\n"
     "Tanh b -> y\nout y\n"},
};

static bool everything(void *user, const vlm_graph *graph, vlm_value_id value) {
  (void)user, (void)graph, (void)value;
  return true;
}

static vlm_status look(void *user, const vlm_graph *graph, vlm_value_id value, const vlm_tensor *tensor,
                       vlm_error *err) {
  (void)user, (void)graph, (void)value, (void)tensor, (void)err;
  return VLM_OK;
}

static void count_move(void *user, const vlm_graph *graph, const vlm_node *node,
                       const vlm_tensor *const *out) {
  (void)graph, (void)out;
  *(int *)user += !strcmp(node->op_type, "Transpose");
}

/* All outputs one behind the other. */
static int64_t run(const vlm_graph *g, bool tapped, float *out, int *moves) {
  static float noise[1 << 10];
  const vlm_session_opts opts = {.tap = tapped ? look : NULL, .tap_wants = everything};
  vlm_context *context;
  vlm_session *session;
  int64_t total = 0;
  vlm_tensor in = g->values[g->inputs[0]].tensor;
  in.data = noise;
  for (int k = 0; k < 1 << 10; k++) noise[k] = sinf((float)k * 0.37f) * 2;
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_session_create(&session, context, g, &opts, &error));
  for (int twice = 0; twice < 2; twice++) FINE(vlm_session_run(session, &in, 1, &error));
  *moves = 0;
  vlm_session_visit_steps(session, count_move, moves);
  for (int32_t i = 0; i < g->n_outputs; i++) {
    const vlm_tensor *y = vlm_session_output(session, i);
    memcpy(out + total, y->data, (size_t)vlm_tensor_count(y) * sizeof *out);
    total += vlm_tensor_count(y);
  }
  vlm_session_free(session);
  vlm_context_free(context);
  return total;
}

static void moves_that_undo_one_another_go(void **state) {
  static float plain[1 << 12], seen[1 << 12];
  (void)state;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    const order_case *k = &CASES[i];
    int all, left;
    vlm_graph *g = graph_of(k->text);
    const int64_t n = run(g, true, plain, &all);
    if (run(g, false, seen, &left) != n) fail_msg("%s: another number of outputs", k->what);
    if (memcmp(plain, seen, (size_t)n * sizeof *plain)) fail_msg("%s: other values", k->what);
    if (left != k->moves) fail_msg("%s: %d moves, wanted %d", k->what, left, k->moves);
    vlm_graph_free(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(moves_that_undo_one_another_go)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
