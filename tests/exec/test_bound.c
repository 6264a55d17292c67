/* Plans: what is guessed and checked, what is shared, what is let go, and no limit where none belongs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/exec/context_private.h"
#include "runtime/exec/release.h"
#include "runtime/exec/session.h"
#include "runtime/ops/resolve.h"
#include "tests/fine.h"

static vlm_context *context;

static int set_up(void **state) {
  const vlm_context_opts opts = {.threads = 2};
  (void)state;
  return vlm_context_create(&context, &opts, &error) == VLM_OK ? 0 : 1;
}
static int tear_down(void **state) {
  (void)state;
  vlm_context_free(context);
  return 0;
}

/* ---- graphs ---- */

static vlm_graph *new_graph(void) {
  vlm_graph *g;
  FINE(vlm_graph_create(&g, "test", "test.onnx", &error));
  g->opset = 17;
  return g;
}

static vlm_value_id input(vlm_graph *g, const char *name, vlm_dtype type, int rank) {
  vlm_value_id id;
  FINE(vlm_graph_add_value(g, &id, name, VLM_VALUE_INPUT, &error));
  g->values[id].tensor = vlm_tensor_make(type, rank, (int64_t[]){-1, -1, -1, -1}, NULL);
  FINE(vlm_graph_add_input(g, id, &error));
  return id;
}

static vlm_value_id constant(vlm_graph *g, vlm_dtype type, int rank, const int64_t *dims, const void *data,
                             bool copy) {
  vlm_value_id id;
  vlm_tensor t = vlm_tensor_make(type, rank, dims, (void *)(uintptr_t)data);
  FINE(vlm_graph_add_constant(g, &id, NULL, &t, copy, &error));
  return id;
}
static vlm_value_id number(vlm_graph *g, int64_t value) {
  return constant(g, VLM_S64, 0, NULL, &value, true);
}

static vlm_node *node(vlm_graph *g, const char *op, const vlm_value_id *in, int n_in, vlm_value_id *out,
                      int n_out, int n_attrs) {
  int32_t n;
  const char *domain = !strcmp(op, "MatMulNBits") ? "com.microsoft" : "";
  FINE(vlm_graph_add_node(g, &n,
                          &(vlm_node){.domain = domain,
                                      .op_type = op,
                                      .opset = *domain ? 1 : 17,
                                      .n_inputs = n_in,
                                      .n_outputs = n_out,
                                      .n_attrs = n_attrs},
                          &error));
  for (int k = 0; k < n_in; k++) g->nodes[n].inputs[k] = in[k];
  for (int k = 0; k < n_out; k++) {
    FINE(vlm_graph_add_value(g, &out[k], NULL, VLM_VALUE_NODE, &error));
    g->values[out[k]].tensor.rank = -1;
    vlm_node_set_output(g, n, k, out[k]);
  }
  return &g->nodes[n];
}
static vlm_value_id apply(vlm_graph *g, const char *op, const vlm_value_id *in, int n_in) {
  vlm_value_id out;
  node(g, op, in, n_in, &out, 1, 0);
  return out;
}

static vlm_session *open_session(vlm_graph *g, vlm_value_id output, const vlm_session_opts *opts) {
  vlm_session *s;
  FINE(vlm_graph_add_output(g, output, &error));
  FINE(vlm_graph_resolve(g, &error));
  FINE(vlm_session_create(&s, context, g, opts, &error));
  return s;
}

static const vlm_tensor *run_floats(vlm_session *s, const float *x, int rank, const int64_t *dims) {
  const vlm_tensor t = vlm_tensor_make(VLM_F32, rank, dims, (void *)(uintptr_t)x);
  FINE(vlm_session_run(s, &t, 1, &error));
  return vlm_session_output(s, 0);
}

/* ---- guessed shapes ---- */

/* 0, 1, .. min(n, 4) - 1 for x of n values: the length is 4 in every plan until a short x comes. */
static vlm_value_id counting_to_four(vlm_graph *g, vlm_value_id x) {
  vlm_value_id n = apply(g, "Size", &x, 1);
  vlm_value_id least = apply(g, "Min", (vlm_value_id[]){n, number(g, 4)}, 2);
  return apply(g, "Range", (vlm_value_id[]){number(g, 0), least, number(g, 1)}, 3);
}

static void a_wrong_guess_runs_again(void **state) {
  static const float x[16];
  static const int64_t sizes[] = {5, 6, 7, 8, 9, 2, 3, 10, 4};
  (void)state;
  for (int shape = 0; shape < 2;
       shape++) { /* the values, or the shape alone, which is folded from the guess */
    vlm_graph *g = new_graph();
    vlm_value_id range = counting_to_four(g, input(g, "x", VLM_F32, 1));
    vlm_session *s = open_session(
        g, shape ? apply(g, "Shape", &range, 1) : apply(g, "Mul", (vlm_value_id[]){range, number(g, 3)}, 2),
        NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      const vlm_tensor *y = run_floats(s, x, 1, &sizes[i]);
      int64_t n = sizes[i] < 4 ? sizes[i] : 4;
      if (sizes[i] == 9) assert_int_equal(vlm_session_get_stats(s).plans, 3);
      if (shape) {
        assert_int_equal(vlm_tensor_get_int(y, 0), n);
        continue;
      }
      assert_int_equal(vlm_tensor_count(y), n);
      for (int64_t k = 0; k < n; k++) assert_int_equal(vlm_tensor_get_int(y, k), 3 * k);
    }
    assert_int_equal(vlm_session_get_stats(s).plans, 4); /* two fixed, the guess, the generic one without */
    vlm_session_free(s);
    vlm_graph_free(g);
  }
}

/* ---- in place ---- */

static void results_take_the_place_of_inputs(void **state) {
  enum { N = 100000 };
  static float x[N];
  const int64_t dims[] = {N};
  (void)state;
  for (int i = 0; i < N; i++) x[i] = (float)i;
  vlm_graph *g = new_graph();
  vlm_value_id a = input(g, "x", VLM_F32, 1), b = apply(g, "Neg", &a, 1), c = apply(g, "Abs", &b, 1);
  vlm_value_id d = apply(g, "Sub", (vlm_value_id[]){a, c}, 2),
               e = apply(g, "Add", (vlm_value_id[]){d, d}, 2); /* d twice: a place of its own */
  vlm_session *s = open_session(g, apply(g, "Mul", (vlm_value_id[]){e, c}, 2), NULL);
  const vlm_tensor *y = run_floats(s, x, 1, dims);
  for (int i = 0; i < N; i++) assert_true(((const float *)y->data)[i] == 0);
  assert_true(vlm_session_get_stats(s).arena_bytes <= 3 * sizeof x + 3 * VLM_ALIGN);
  vlm_session_free(s);
  vlm_graph_free(g);
}

/* ---- many inputs and outputs ---- */

enum { MANY = 100 };

static void many_inputs(void **state) {
  (void)state;
  for (int fold = 0; fold < 2; fold++) {
    vlm_graph *g = new_graph();
    vlm_value_id x = input(g, "x", VLM_F32, 1), in[MANY];
    for (int i = 0; i < MANY; i++) in[i] = constant(g, VLM_F32, 1, (int64_t[]){1}, &(float){(float)i}, true);
    if (!fold) in[MANY / 2] = x;
    vlm_value_id parts[2] = {apply(g, "Sum", in, MANY), 0};
    node(g, "Concat", in, MANY, &parts[1], 1, 1)->attrs[0] =
        (vlm_attr){.name = "axis", .kind = VLM_ATTR_INT, .u.i = 0};
    vlm_session *s =
        open_session(g, apply(g, "Add", (vlm_value_id[]){apply(g, "Add", parts, 2), x}, 2), NULL);
    const vlm_tensor *y = run_floats(s, (float[]){7}, 1, (int64_t[]){1});
    assert_int_equal(vlm_tensor_count(y), MANY);
    int middle = fold ? MANY / 2 : 7, sum = MANY * (MANY - 1) / 2 - MANY / 2 + middle;
    assert_int_equal((int)vlm_tensor_get(y, 3), sum + 3 + 7);
    assert_int_equal((int)vlm_tensor_get(y, MANY / 2), sum + middle + 7);
    vlm_session_free(s);
    vlm_graph_free(g);
  }
}

/* A loop that carries MANY values and adds its number to each, three times. */
static void many_loop_values(void **state) {
  vlm_graph *g = new_graph(), *body;
  vlm_value_id x = input(g, "x", VLM_F32, 1),
               in[MANY + 2] = {number(g, 3), constant(g, VLM_BOOL, 0, NULL, &(uint8_t){1}, true)}, out[MANY];
  (void)state;
  FINE(vlm_graph_create_sub(&body, g, "body", &error));
  body->opset = 17;
  input(body, "i", VLM_S64, 0);
  vlm_value_id go = input(body, "go", VLM_BOOL, 0), next;
  node(body, "Identity", &go, 1, &next, 1, 0);
  FINE(vlm_graph_add_output(body, next, &error));
  for (int i = 0; i < MANY; i++) {
    char name[16];
    snprintf(name, sizeof name, "v%d", i);
    vlm_value_id v = input(body, name, VLM_F32, 1),
                 step = constant(body, VLM_F32, 1, (int64_t[]){1}, &(float){(float)i}, true);
    FINE(vlm_graph_add_output(body, apply(body, "Add", (vlm_value_id[]){v, step}, 2), &error));
    in[2 + i] = x;
  }
  node(g, "Loop", in, MANY + 2, out, MANY, 1)->attrs[0] =
      (vlm_attr){.name = "body", .kind = VLM_ATTR_GRAPH, .u.g = body};
  vlm_session *s = open_session(g, out[MANY - 1], NULL);
  FINE(vlm_session_run(s, &(vlm_tensor){.dtype = VLM_F32, .rank = 1, .dims = {1}, .data = &(float){5}}, 1,
                       &error));
  assert_int_equal((int)vlm_tensor_get(vlm_session_output(s, 0), 0), 5 + 3 * (MANY - 1));
  vlm_session_free(s);
  vlm_graph_free(g);
}

/* ---- packed weights ---- */

enum { K = 64, N = 96 };

static vlm_session *product_session(vlm_graph **g, const float *w, const vlm_session_opts *opts) {
  *g = new_graph();
  vlm_value_id x = input(*g, "x", VLM_F32, 2), id = constant(*g, VLM_F32, 2, (int64_t[]){K, N}, w, false);
  return open_session(*g, apply(*g, "MatMul", (vlm_value_id[]){x, id}, 2), opts);
}

static void expect_product(vlm_session *s, const float *w, int64_t rows) {
  static float x[8 * K];
  for (int64_t i = 0; i < rows * K; i++) x[i] = (float)(i % 5) - 2;
  const vlm_tensor *y = run_floats(s, x, 2, (int64_t[]){rows, K});
  for (int64_t i = 0; i < rows * N; i++) {
    float sum = 0;
    for (int64_t p = 0; p < K; p++) sum += x[i / N * K + p] * w[p * N + i % N];
    assert_true(((const float *)y->data)[i] == sum);
  }
}

static void fill(float *w, int seed) {
  for (int i = 0; i < K * N; i++) w[i] = (float)((i * 7 + seed) % 11) - 5;
}

/* Another model's constant comes to lie where one lay before: same place, size and form, other numbers. */
static void an_address_used_again(void **state) {
  static float w[K * N];
  (void)state;
  for (int model = 0; model < 4; model++) {
    vlm_graph *g;
    fill(w, model % 2 ? 1 : 4);
    w[K * N / 2 + 1] = (float)model;
    vlm_session *s = product_session(&g, w, NULL);
    expect_product(s, w, 2);
    assert_int_equal(vlm_weights_count(context->weights), 1);
    vlm_session_free(s);
    assert_int_equal(vlm_weights_count(context->weights), 0);
    vlm_graph_free(g);
  }
}

static void sessions_share_a_form(void **state) {
  static float w[K * N];
  vlm_graph *g, *other;
  vlm_session *again;
  (void)state;
  fill(w, 3);
  vlm_session *s = product_session(&g, w, NULL), *t = product_session(&other, w, NULL);
  FINE(vlm_session_create(&again, context, g, NULL, &error));
  for (int64_t rows = 1; rows <= 6; rows++) { /* fixed plans, then a generic one */
    expect_product(s, w, rows);
    expect_product(t, w, rows);
    expect_product(again, w, rows);
  }
  assert_int_equal(vlm_weights_count(context->weights), 1);
  vlm_session_free(s);
  expect_product(t, w, 3);
  vlm_session_free(t);
  vlm_session_free(again);
  assert_int_equal(vlm_weights_count(context->weights), 0);
  vlm_graph_free(g);
  vlm_graph_free(other);
}

/* Codes shared by two nodes with scales of their own: the form depends on every input it is made of. */
static void forms_depend_on_all_inputs(void **state) {
  enum { CODES = 4, BLOCK = 16 };
  static const uint8_t b[CODES * BLOCK / 2] = {0x9a, 0x9a, 0x9a, 0x9a};
  static const float scales[2][CODES] = {{1, 1, 1, 1}, {10, 10, 10, 10}};
  vlm_graph *g = new_graph();
  vlm_value_id x = input(g, "x", VLM_F32, 2),
               codes = constant(g, VLM_U8, 3, (int64_t[]){CODES, 1, BLOCK / 2}, b, true), y[2];
  (void)state;
  for (int i = 0; i < 2; i++) {
    vlm_value_id scale = constant(g, VLM_F32, 1, (int64_t[]){CODES}, scales[i], true);
    vlm_attr *a = node(g, "MatMulNBits", (vlm_value_id[]){x, codes, scale}, 3, &y[i], 1, 4)->attrs;
    a[0] = (vlm_attr){.name = "K", .kind = VLM_ATTR_INT, .u.i = BLOCK};
    a[1] = (vlm_attr){.name = "N", .kind = VLM_ATTR_INT, .u.i = CODES};
    a[2] = (vlm_attr){.name = "bits", .kind = VLM_ATTR_INT, .u.i = 4};
    a[3] = (vlm_attr){.name = "block_size", .kind = VLM_ATTR_INT, .u.i = BLOCK};
  }
  vlm_session *s = open_session(g, apply(g, "Sub", (vlm_value_id[]){y[1], y[0]}, 2), NULL);
  float ones[BLOCK];
  for (int i = 0; i < BLOCK; i++) ones[i] = 1;
  const vlm_tensor *d = run_floats(s, ones, 2, (int64_t[]){1, BLOCK});
  assert_int_equal(vlm_weights_count(context->weights), 2);
  assert_true(((const float *)d->data)[0] == 9 * ((10 - 8) * 4 + (9 - 8) * 4 - 8 * (BLOCK - 8)));
  vlm_session_free(s);
  vlm_graph_free(g);
}

/* ---- letting go ---- */

static void packed_constants_are_let_go(void **state) {
  static _Alignas(4096) float w[K * N];
  float copy[K * N];
  vlm_graph *g;
  vlm_release *release;
  vlm_session *second;
  (void)state;
  fill(w, 2);
  memcpy(copy, w, sizeof w);
  vlm_session *s = product_session(&g, w, NULL);
  vlm_session_free(s);
  FINE(vlm_release_create(&release, (vlm_graph *[]){g, NULL, g}, 3, &error));
  const vlm_session_opts opts = {.release = release};
  FINE(vlm_session_create(&s, context, g, &opts, &error));
  assert_int_equal(vlm_release_bytes(release), 0);
  for (int64_t rows = 1; rows <= 6; rows++) expect_product(s, copy, rows);
  assert_int_equal(vlm_release_bytes(release), sizeof w);
  assert_true(w[0] == 0 && w[K * N - 1] == 0); /* whole pages of it, here */
  FAILS(VLM_USAGE, vlm_session_create(&second, context, g, NULL, &error));
  assert_non_null(strstr(error.text, "let go"));
  vlm_session_free(s);
  vlm_release_free(release);
  assert_int_equal(vlm_weights_count(context->weights), 0);
  vlm_graph_free(g);
}

/* A constant that something still reads stays: here a row of it is picked by a size that is known when planning in some plans only. */
static void constants_in_use_stay(void **state) {
  static _Alignas(4096) float w[K * N];
  vlm_graph *g = new_graph();
  vlm_release *release;
  vlm_session *s;
  (void)state;
  fill(w, 2);
  vlm_value_id x = input(g, "x", VLM_F32, 2), id = constant(g, VLM_F32, 2, (int64_t[]){K, N}, w, false);
  vlm_value_id product = apply(g, "MatMul", (vlm_value_id[]){x, id}, 2), shape = apply(g, "Shape", &x, 1);
  vlm_value_id rows = apply(g, "ReduceMin", &shape, 1),
               row = apply(g, "Gather", (vlm_value_id[]){id, rows}, 2);
  FINE(vlm_graph_add_output(g, apply(g, "Add", (vlm_value_id[]){product, row}, 2), &error));
  FINE(vlm_graph_resolve(g, &error));
  FINE(vlm_release_create(&release, &g, 1, &error));
  FINE(vlm_session_create(&s, context, g, &(vlm_session_opts){.release = release}, &error));
  for (int64_t n = 1; n <= 6; n++) {
    const float zeros[6 * K] = {0};
    const vlm_tensor *y = run_floats(s, zeros, 2, (int64_t[]){n, K});
    for (int64_t i = 0; i < n * N; i++) assert_true(((const float *)y->data)[i] == w[n * N + i % N]);
  }
  assert_int_equal(vlm_release_bytes(release), 0);
  vlm_session_free(s);
  vlm_release_free(release);
  vlm_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_wrong_guess_runs_again),
      cmocka_unit_test(results_take_the_place_of_inputs),
      cmocka_unit_test(many_inputs),
      cmocka_unit_test(many_loop_values),
      cmocka_unit_test(an_address_used_again),
      cmocka_unit_test(sessions_share_a_form),
      cmocka_unit_test(forms_depend_on_all_inputs),
      cmocka_unit_test(packed_constants_are_let_go),
      cmocka_unit_test(constants_in_use_stay),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
