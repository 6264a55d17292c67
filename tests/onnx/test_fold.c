/* Constants behind constant operators, of every size and in bodies. */
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/onnx/graph_text.h"

static void constants_are_folded(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  input(graph, "x", 2);
  vector(graph, "a", 8, 1, 1);
  vector(graph, "b", 8, 2, 0.5f);
  node(graph, "Mul: a b -> ab", 0);
  node(graph, "Neg: ab -> n", 0);
  node(graph, "Add: x n -> y", 0);
  output(graph, "y");
  clean_and_compare(graph, 2, rows_8, 0);
  assert_int_equal(graph->n_nodes, 1);
  assert_int_equal(vlm_graph_find(graph, "ab"), VLM_NO_VALUE);
  assert_non_null(vlm_graph_constant(graph, vlm_graph_find(graph, "n")));
  vlm_graph_free(graph);
}

static void tensor(vlm_graph *graph, const char *name, vlm_dtype dtype, int rank, const int64_t *dims,
                   void *data) {
  vlm_value_id id;
  vlm_tensor t = vlm_tensor_make(dtype, rank, dims, data);
  FINE(vlm_graph_add_constant(graph, &id, name, &t, true, &error));
}

static const vlm_tensor *folded(const vlm_graph *graph, const char *name) {
  vlm_value_id id = vlm_graph_find(graph, name);
  if (id == VLM_NO_VALUE) fail_msg("\"%s\" is gone", name);
  return vlm_graph_constant(graph, id);
}

/* A table that only grows, and is added, stays what it is; one that is multiplied is a weight, whatever its size. */
static void results_may_grow_as_weights_only(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  const vlm_clean_opts small = {.max_folded_bytes = 16};
  input(graph, "x", 2);
  vector(graph, "a", 8, 1, 1);
  constant(graph, "row", 2, (int64_t[]){1, 8}, (float[]){1, 2, 3, 4, 5, 6, 7, 8});
  constant(graph, "column", 2, (int64_t[]){8, 1}, (float[]){1, 2, 3, 4, 5, 6, 7, 8});
  tensor(graph, "shape", VLM_S64, 1, (int64_t[]){2}, (int64_t[]){4, 8});
  node(graph, "Neg: a -> n", 0);
  node(graph, "Expand: n shape -> mask", 0);
  node(graph, "MatMul: column row -> low", 0);
  node(graph, "Neg: low -> w", 0);
  node(graph, "MatMul: x w -> p", 0);
  node(graph, "Add: p mask -> y", 0);
  output(graph, "y");
  FINE(vlm_graph_resolve(graph, &error));
  FINE(vlm_graph_clean(graph, &small, &error));
  assert_int_equal(graph->n_nodes, 3);
  assert_non_null(folded(graph, "n"));
  assert_null(folded(graph, "mask"));
  assert_non_null(folded(graph, "w"));
  clean_and_compare(graph, 2, rows_8, 0);
  assert_int_equal(graph->n_nodes, 2);
  vlm_graph_free(graph);
}

/* Codes of 8 bits and their DequantizeLinear are the stored form: what makes them is folded, a bias of int32 is folded too. */
static void the_quantized_form_stays_visible(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  float w[64];
  int32_t bias[8] = {100, -200, 300, 400, -500, 600, 700, 800};
  for (int k = 0; k < 64; k++) w[k] = (float)(k % 13) - 6;
  input(graph, "x", 2);
  constant(graph, "w", 2, (int64_t[]){8, 8}, w);
  scalar(graph, "half", 0.5f);
  scalar(graph, "hundredth", 0.01f);
  tensor(graph, "zero", VLM_S8, 0, NULL, (int8_t[]){0});
  tensor(graph, "b", VLM_S32, 1, (int64_t[]){8}, bias);
  node(graph, "Identity: w -> same", 0);
  node(graph, "QuantizeLinear: same half zero -> codes", 0);
  node(graph, "DequantizeLinear: codes half zero -> back", 0);
  node(graph, "DequantizeLinear: b hundredth -> wide", 0);
  node(graph, "Gemm: x back wide -> y", 0);
  output(graph, "y");
  const vlm_clean_opts small = {.max_folded_bytes = 1};
  FINE(vlm_graph_resolve(graph, &error));
  FINE(vlm_graph_clean(graph, &small, &error));
  assert_int_equal(graph->n_nodes, 2);
  assert_int_equal(count_op(graph, "DequantizeLinear"), 1);
  assert_int_equal(folded(graph, "codes")->dtype, VLM_S8);
  assert_int_equal(vlm_tensor_get_int(folded(graph, "codes"), 12), 12);
  assert_float_equal(vlm_tensor_get(folded(graph, "wide"), 1), -2, 1e-6);
  clean_and_compare(graph, 2, rows_8, 0);
  vlm_graph_free(graph);
}

/* ---- memory ---- */

enum { SIDE = 2048, BYTES = SIDE * SIDE * 4 };

static int64_t private_bytes(void) {
  char line[256];
  long long kib = -1;
  FILE *file = fopen("/proc/self/status", "r");
  assert_non_null(file);
  while (kib < 0 && fgets(line, sizeof line, file)) sscanf(line, "RssAnon: %lld", &kib);
  fclose(file);
  return kib * 1024;
}

/* A weight that the graph borrows, as from a mapped file. */
static void borrowed(vlm_graph *graph, const char *name, float *data) {
  vlm_value_id id;
  vlm_tensor t = vlm_tensor_make(VLM_F32, 2, (int64_t[]){SIDE, SIDE}, data);
  FINE(vlm_graph_add_constant(graph, &id, name, &t, false, &error));
}

static void views_are_not_copied(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  float *w = calloc(1, BYTES);
  input(graph, "x", 2);
  borrowed(graph, "w", w);
  tensor(graph, "to", VLM_S64, 1, (int64_t[]){3}, (int64_t[]){SIDE, 2, SIDE / 2});
  tensor(graph, "fro", VLM_S64, 1, (int64_t[]){2}, (int64_t[]){SIDE, SIDE});
  node(graph, "Identity: w -> a", 0);
  node(graph, "Reshape: a to -> b", 0);
  node(graph, "Reshape: b fro -> c", 0);
  node(graph, "MatMul: x c -> y", 0);
  output(graph, "y");
  FINE(vlm_graph_resolve(graph, &error));
  FINE(vlm_graph_clean(graph, NULL, &error));
  assert_int_equal(graph->n_nodes, 1);
  assert_ptr_equal(folded(graph, "c")->data, w);
  vlm_graph_free(graph);
  free(w);
}

/* The most that was resident so far, in bytes. */
static int64_t most_bytes(void) {
  struct rusage usage;
  assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
  return (int64_t)usage.ru_maxrss * 1024;
}

/* Six operators on a weight of 16 MiB leave one copy of it; the borrowed pages stay where they are. */
static void a_chain_leaves_one_copy(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  float *w = malloc(BYTES);
  for (int k = 0; k < SIDE * SIDE; k++) w[k] = (float)(k % 7);
  input(graph, "x", 2);
  borrowed(graph, "w", w);
  scalar(graph, "two", 2);
  static const int64_t perm[2] = {1, 0};
  ints(node(graph, "Transpose: w -> a", 1), 0, "perm", perm, 2);
  node(graph, "Mul: a two -> b", 0);
  node(graph, "Neg: b -> c", 0);
  node(graph, "Add: c a -> d", 0);
  node(graph, "Abs: d -> e", 0);
  ints(node(graph, "Transpose: e -> f", 1), 0, "perm", perm, 2);
  node(graph, "MatMul: x f -> y", 0);
  output(graph, "y");
  FINE(vlm_graph_resolve(graph, &error));
  int64_t before = private_bytes(), most = most_bytes();
  FINE(vlm_graph_clean(graph, NULL, &error));
  print_message("%.1f MiB more on the way, %.1f at the end\n", (double)(most_bytes() - most) / (1 << 20),
                (double)(private_bytes() - before) / (1 << 20));
#ifndef __SANITIZE_ADDRESS__                             /* which keeps freed blocks for a while */
  assert_true(most_bytes() - most < 4 * (int64_t)BYTES); /* Add reads two and makes a third */
  assert_true(private_bytes() - before < BYTES + (1 << 20));
#endif
  assert_int_equal(graph->n_nodes, 1);
  for (int k = 0; k < 9; k++)
    assert_float_equal(vlm_tensor_get(folded(graph, "f"), k * 1001), (float)(k * 1001 % 7), 0);
  vlm_graph_free(graph);
  free(w);
}

static void what_bodies_make_of_a_weight_is_kept_once(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  float w[2 * 700], two = 2;
  for (int k = 0; k < 1400; k++) w[k] = (float)k;
  vlm_value_id id;
  input(graph, "x", 2);
  constant(graph, "w", 2, (int64_t[]){2, 700}, w);
  node(graph, "ReduceMax: x -> m", 0);
  scalar(graph, "low", -100);
  node(graph, "Greater: m low -> above", 0);
  vlm_tensor one = vlm_tensor_make(VLM_S64, 1, (int64_t[]){1}, (int64_t[]){1});
  FINE(vlm_graph_add_constant(graph, &id, "one", &one, true, &error));
  node(graph, "Reshape: above one -> yes", 0);
  vlm_node *branch = node(graph, "If: yes -> y", 2);
  static const char *const names[2] = {"then_branch", "else_branch"};
  static const int64_t perm[2] = {1, 0};
  vlm_graph *bodies[2];
  for (int k = 0; k < 2; k++) {
    FINE(vlm_graph_create_sub(&bodies[k], graph, names[k], &error));
    static const char *const captured[2] = {"x", "w"};
    for (int c = 0; c < 2; c++) {
      FINE(vlm_graph_add_value(bodies[k], &id, captured[c], VLM_VALUE_CAPTURE, &error));
      bodies[k]->values[id].parent_value = vlm_graph_find(graph, captured[c]);
    }
    ints(node(bodies[k], "Transpose: w -> wt", 1), 0, "perm", perm, 2);
    constant(bodies[k], "two", 0, NULL, &two);
    node(bodies[k], "Mul: wt two -> double", 0);
    node(bodies[k], "MatMul: double x -> all", 0);
    node(bodies[k], "ReduceMax: all -> z", 0);
    output(bodies[k], "z");
    branch->attrs[k] = (vlm_attr){.name = names[k], .kind = VLM_ATTR_GRAPH, .u.g = bodies[k]};
  }
  output(graph, "y");
  clean_and_compare(graph, 2, (int64_t[]){2, 4}, 0);
  assert_int_equal(bodies[0]->n_nodes, 2);
  const vlm_tensor *first = vlm_graph_constant(bodies[0], bodies[0]->nodes[0].inputs[0]);
  const vlm_tensor *second = vlm_graph_constant(bodies[1], bodies[1]->nodes[0].inputs[0]);
  assert_non_null(first);
  assert_ptr_equal(first->data, second->data);
  assert_int_equal(first->dims[0], 700);
  assert_float_equal(vlm_tensor_get(first, 3), 2 * 701, 0);
  assert_int_equal(vlm_graph_find(graph, "w"), VLM_NO_VALUE);
  vlm_graph_free(graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(constants_are_folded),
      cmocka_unit_test(results_may_grow_as_weights_only),
      cmocka_unit_test(the_quantized_form_stays_visible),
      cmocka_unit_test(views_are_not_copied),
      cmocka_unit_test(a_chain_leaves_one_copy),
      cmocka_unit_test(what_bodies_make_of_a_weight_is_kept_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
