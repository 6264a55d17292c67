/* Constants of operators without an integer form, tables, constants with several readers, bodies of If and
 * Loop: stored in 8 bits, reported, and computed as the quantized graph says. */
#include "tests/lower/lower_graph.h"

/* ---- one node with one or two stored constants ---- */

typedef struct {
  const char *op;
  int n_inputs;
  struct {
    int rank;
    int64_t dims[4];
    int axis;       /* -1 = an input of the graph */
    vlm_dtype type; /* of a graph input; constants are s8 */
  } in[4];
  const char *text_attr, *text;
  struct {
    const char *name;
    int64_t value;
  } ints[2];
  const char *lowered; /* "domain:operator" that runs it; NULL = itself */
} stored_case;

static const stored_case CASES[] = {
    {.op = "ConvTranspose",
     2,
     {{4, {1, 4, 5, 5}, -1, VLM_F32}, {4, {4, 3, 3, 3}, 1, VLM_S8}},
     .lowered = "vlm:ConvTranspose"},
    {.op = "DeformConv",
     3,
     {{4, {1, 4, 5, 5}, -1, VLM_F32}, {4, {6, 4, 3, 3}, 0, VLM_S8}, {4, {1, 18, 3, 3}, -1, VLM_F32}}},
    {.op = "Einsum",
     2,
     {{3, {2, 3, 5}, -1, VLM_F32}, {3, {3, 5, 4}, 2, VLM_S8}},
     .text_attr = "equation",
     .text = "bhi,hij->bhj"},
    {.op = "LSTM",
     3,
     {{3, {4, 2, 5}, -1, VLM_F32}, {3, {1, 24, 5}, 1, VLM_S8}, {3, {1, 24, 6}, 1, VLM_S8}},
     .ints = {{"hidden_size", 6}}},
    {.op = "GRU",
     3,
     {{3, {4, 2, 5}, -1, VLM_F32}, {3, {1, 18, 5}, 1, VLM_S8}, {3, {1, 18, 6}, 1, VLM_S8}},
     .ints = {{"hidden_size", 6}}},
    {.op = "RNN",
     3,
     {{3, {4, 2, 5}, -1, VLM_F32}, {3, {1, 6, 5}, 1, VLM_S8}, {3, {1, 6, 6}, 1, VLM_S8}},
     .ints = {{"hidden_size", 6}}},
    {.op = "Gather", 2, {{2, {9, 5}, 0, VLM_S8}, {2, {2, 3}, -1, VLM_S64}}, .lowered = "vlm:QGather"},
    {.op = "Gather", 2, {{3, {9, 5, 2}, 0, VLM_S8}, {1, {4}, -1, VLM_S64}}, .lowered = "vlm:QGather"},
    {.op = "Gather", 2, {{2, {5, 9}, 1, VLM_S8}, {2, {2, 3}, -1, VLM_S64}}, .ints = {{"axis", 1}}},
};

typedef struct {
  float x[2][MAX_ELEMENTS];
  int64_t ids[64];
  vlm_tensor in[2];
  int32_t n_in;
} samples;

static vlm_graph *build(const stored_case *k, samples *x) {
  vlm_graph *g = new_graph();
  vlm_value_id in[4];
  vlm_attr attrs[4] = {{0}};
  weights *w = malloc(sizeof *w);
  int n = 0;
  x->n_in = 0;
  for (int i = 0; i < k->n_inputs; i++) {
    if (k->in[i].axis >= 0) {
      make_weights(w, k->in[i].rank, k->in[i].dims, k->in[i].axis);
      in[i] = add_stored_weights(g, w);
      continue;
    }
    vlm_tensor *t = &x->in[x->n_in];
    *t = vlm_tensor_make(k->in[i].type, k->in[i].rank, k->in[i].dims,
                         k->in[i].type == VLM_S64 ? (void *)x->ids : (void *)x->x[x->n_in]);
    draw_all(x->x[x->n_in++], MAX_ELEMENTS);
    in[i] = add_input(g, NULL, t->dtype, t->rank, t->dims);
  }
  for (int i = 0; i < 64; i++) x->ids[i] = i * 5 % 9 - (i % 3 == 1 ? 9 : 0);
  if (k->text_attr) attrs[n++] = (vlm_attr){.name = k->text_attr, .kind = VLM_ATTR_STRING, .u.s = k->text};
  for (int i = 0; i < 2 && k->ints[i].name; i++)
    attrs[n++] = (vlm_attr){.name = k->ints[i].name, .kind = VLM_ATTR_INT, .u.i = k->ints[i].value};
  finish_graph(g, add_node(g, "it", k->op, k->n_inputs, in, attrs));
  free(w);
  return g;
}

static void stored_constants_are_reported(void **state) {
  (void)state;
  samples *x = malloc(sizeof *x);
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    float expected[MAX_ELEMENTS], values[MAX_ELEMENTS];
    char what[128], domain[16] = "";
    vlm_lower_report report = {0};
    const stored_case *k = &CASES[i];
    snprintf(what, sizeof what, "%s, case %zu", k->op, i);
    vlm_graph *g = build(k, x);
    vlm_tensor want = run_graph(g, x->in, x->n_in, expected);
    FINE(vlm_graph_lower(g, &report, &error));
    vlm_tensor got = run_graph(g, x->in, x->n_in, values);
    expect_close(what, &got, &want, 1e-6f);
    expect_report(what, &report, "it", VLM_FORM_WEIGHT_ONLY);
    const char *colon = k->lowered ? strchr(k->lowered, ':') : NULL;
    if (colon) snprintf(domain, sizeof domain, "%.*s", (int)(colon - k->lowered), k->lowered);
    if (count_ops(g, domain, colon ? colon + 1 : k->op) != 1) fail_msg("%s: the operator is not there", what);
    vlm_lower_report_free(&report);
    vlm_graph_free(g);
  }
  free(x);
}

/* A float constant: every form that the traits name, or not, has its answer. */
static void answers_follow_the_traits(void **state) {
  static const vlm_form FORMS[] = {VLM_FORM_STATIC, VLM_FORM_ROW, VLM_FORM_IMAGE, VLM_FORM_WEIGHT_ONLY};
  samples *x = malloc(sizeof *x);
  (void)state;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    vlm_graph *g = build(&CASES[i], x);
    const vlm_node *node = &g->nodes[g->n_nodes - 1];
    vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
    assert_string_equal(node->name, "it");
    assert_true(node->traits->weights(g, node, slots) > 0);
    for (int f = 0; f < 4; f++) {
      const char *why = NULL;
      bool can = vlm_lower_can(g, node, &slots[0], FORMS[f], &why);
      if (can != (FORMS[f] == VLM_FORM_WEIGHT_ONLY))
        fail_msg("%s in form %d: %d", CASES[i].op, (int)FORMS[f], can);
      assert_true(can || (why && *why));
    }
    vlm_graph_free(g);
  }
  free(x);
}

/* ---- one constant, several readers ---- */

/* x W and x W': W is read by columns and by rows. Each reader has scales of its own, or one of them stays
 * stored. */
static void two_readers_with_different_axes(void **state) {
  enum { SIZE = 12 };
  (void)state;
  for (int shared = 0; shared < 2; shared++) {
    float expected[MAX_ELEMENTS], values[MAX_ELEMENTS], x[3 * SIZE];
    weights *w = malloc(sizeof *w);
    vlm_lower_report report = {0};
    const vlm_attr trans[] = {{.name = "transB", .kind = VLM_ATTR_INT, .u.i = 1}, {0}};
    vlm_graph *g = new_graph();
    vlm_value_id in = add_input(g, "x", VLM_F32, 2, (int64_t[]){3, SIZE}),
                 q = through(g, in, 1.0f / 128, VLM_U8, 128);
    make_weights(w, 2, (int64_t[]){SIZE, SIZE}, 1);
    vlm_value_id columns = add_stored_weights(g, w), rows = columns;
    w->axis = 0;
    if (!shared) rows = add_stored_weights(g, w);
    vlm_value_id a = add_node(g, "a", "MatMul", 2, (vlm_value_id[]){q, columns}, NULL);
    vlm_value_id b = add_node(g, "b", "Gemm", 2, (vlm_value_id[]){q, rows}, trans);
    finish_graph(g, add_node(g, "sum", "Add", 2, (vlm_value_id[]){a, b}, NULL));
    draw_all(x, 3 * SIZE);
    const vlm_tensor t = vlm_tensor_make(VLM_F32, 2, (int64_t[]){3, SIZE}, x);
    vlm_tensor want = run_graph(g, &t, 1, expected);
    FINE(vlm_graph_lower(g, &report, &error));
    vlm_tensor got = run_graph(g, &t, 1, values);
    expect_close(shared ? "scales of the other axis" : "scales of both axes", &got, &want, 1e-5f);
    assert_int_equal(report.count, 2);
    assert_string_equal(report.items[0].node, "a");
    assert_int_equal(report.items[0].form, VLM_FORM_STATIC);
    assert_int_equal(report.items[1].form, shared ? VLM_FORM_WEIGHT_ONLY : VLM_FORM_STATIC);
    vlm_lower_report_free(&report);
    vlm_graph_free(g);
    free(w);
  }
}

/* ---- bodies ---- */

typedef enum {
  OWN,
  CAPTURED_PARTS,
  CAPTURED_FLOATS
} where; /* the constant and its DequantizeLinear lie in the body; only the latter; neither */

static vlm_value_id capture(vlm_graph *body, vlm_value_id outer) {
  vlm_value_id id;
  FINE(vlm_graph_add_value(body, &id, NULL, VLM_VALUE_CAPTURE, &error));
  body->values[id].parent_value = outer;
  return id;
}

static vlm_value_id body_weights(vlm_graph *body, vlm_graph *outer, const weights *w, where place) {
  const vlm_attr axis[] = {{.name = "axis", .kind = VLM_ATTR_INT, .u.i = w->axis}, {0}};
  if (place == OWN) return add_stored_weights(body, w);
  if (place == CAPTURED_FLOATS) return capture(body, add_stored_weights(outer, w));
  vlm_value_id data = add_constant(outer, VLM_S8, w->rank, w->dims, w->data),
               scale = add_constant(outer, VLM_F32, 1, &w->channels, w->scale);
  return add_node(body, NULL, "DequantizeLinear", 2,
                  (vlm_value_id[]){capture(body, data), capture(body, scale)}, axis);
}

/* if (c) x W else x W + x W */
static vlm_graph *branches(const weights *w, where place) {
  vlm_graph *g = new_graph(), *body[2];
  vlm_attr attrs[3] = {{0}};
  vlm_value_id x = add_input(g, "x", VLM_F32, 2, (int64_t[]){3, 12}),
               c = add_input(g, "c", VLM_BOOL, 0, NULL);
  for (int b = 0; b < 2; b++) {
    FINE(vlm_graph_create_sub(&body[b], g, "body", &error));
    vlm_value_id in = through(body[b], capture(body[b], x), 1.0f / 128, VLM_U8, 128);
    vlm_value_id y = add_node(body[b], b ? "else" : "then", "MatMul", 2,
                              (vlm_value_id[]){in, body_weights(body[b], g, w, place)}, NULL);
    if (b) y = add_node(body[b], "twice", "Add", 2, (vlm_value_id[]){y, y}, NULL);
    FINE(vlm_graph_add_output(body[b], y, &error));
    attrs[b] = (vlm_attr){.name = b ? "else_branch" : "then_branch", .kind = VLM_ATTR_GRAPH, .u.g = body[b]};
  }
  finish_graph(g, add_node(g, "if", "If", 1, &c, attrs));
  return g;
}

static void bodies_are_lowered(void **state) {
  weights *w = malloc(sizeof *w);
  float x[36];
  (void)state;
  make_weights(w, 2, (int64_t[]){12, 9}, 1);
  draw_all(x, 36);
  for (where place = OWN; place <= CAPTURED_FLOATS; place++)
    for (int c = 0; c < 2; c++) {
      float expected[MAX_ELEMENTS], values[MAX_ELEMENTS];
      vlm_lower_report report = {0};
      bool yes = c;
      const vlm_tensor in[] = {vlm_tensor_make(VLM_F32, 2, (int64_t[]){3, 12}, x),
                               vlm_tensor_make(VLM_BOOL, 0, NULL, &yes)};
      vlm_graph *g = branches(w, place);
      vlm_tensor want = run_graph(g, in, 2, expected);
      FINE(vlm_graph_lower(g, &report, &error));
      vlm_tensor got = run_graph(g, in, 2, values);
      expect_close("branches", &got, &want, 1e-5f);
      assert_int_equal(report.count, 2);
      for (int i = 0; i < 2; i++) {
        assert_string_equal(report.items[i].node, i ? "else" : "then");
        assert_int_equal(report.items[i].form, VLM_FORM_STATIC);
        assert_int_equal(count_ops(report.items[i].graph, "vlm", "QMatMul"), 1);
      }
      assert_int_equal(count_ops(g, "", "DequantizeLinear"), 0);
      vlm_lower_report_free(&report);
      vlm_graph_free(g);
    }
  free(w);
}

/* y = x; n times: y = y W. The state is quantized inside; W lies inside or outside. */
static vlm_graph *loop(const weights *w, where place) {
  vlm_graph *g = new_graph(), *body;
  int64_t times = 3;
  bool yes = true;
  vlm_value_id x = add_input(g, "x", VLM_F32, 2, (int64_t[]){3, 12}), in[3];
  in[0] = add_constant(g, VLM_S64, 0, NULL, &times);
  in[1] = add_constant(g, VLM_BOOL, 0, NULL, &yes);
  in[2] = x;
  FINE(vlm_graph_create_sub(&body, g, "body", &error));
  add_input(body, "i", VLM_S64, 0, NULL);
  vlm_value_id go = add_input(body, "go", VLM_BOOL, 0, NULL),
               state = add_input(body, "state", VLM_F32, 2, (int64_t[]){3, 12});
  vlm_value_id q = through(body, state, 1.0f / 64, VLM_S8, -3);
  vlm_value_id y =
      add_node(body, "step", "MatMul", 2, (vlm_value_id[]){q, body_weights(body, g, w, place)}, NULL);
  FINE(vlm_graph_add_output(body, add_node(body, NULL, "Identity", 1, &go, NULL), &error));
  FINE(vlm_graph_add_output(body, y, &error));
  const vlm_attr attrs[] = {{.name = "body", .kind = VLM_ATTR_GRAPH, .u.g = body}, {0}};
  finish_graph(g, add_node(g, "loop", "Loop", 3, in, attrs));
  return g;
}

static void loops_are_lowered(void **state) {
  weights *w = malloc(sizeof *w);
  float x[36];
  (void)state;
  make_weights(w, 2, (int64_t[]){12, 12}, 1);
  draw_all(x, 36);
  for (where place = OWN; place <= CAPTURED_FLOATS; place++) {
    float expected[MAX_ELEMENTS], values[MAX_ELEMENTS];
    vlm_lower_report report = {0};
    const vlm_tensor in = vlm_tensor_make(VLM_F32, 2, (int64_t[]){3, 12}, x);
    vlm_graph *g = loop(w, place);
    vlm_tensor want = run_graph(g, &in, 1, expected);
    FINE(vlm_graph_lower(g, &report, &error));
    vlm_tensor got = run_graph(g, &in, 1, values);
    expect_close("loop", &got, &want, 1e-5f);
    expect_report("loop", &report, "step", VLM_FORM_STATIC);
    vlm_lower_report_free(&report);
    vlm_graph_free(g);
  }
  free(w);
}

/* ---- int8 activations ---- */

/* x -> MaxPool -> Conv, with int8 at the places that `fixed` names: 1 = the graph's input, 2 = its output, 3
 * = both. */
static vlm_graph *bytes(const weights *w, int fixed) {
  vlm_graph *g = new_graph();
  const int64_t two[] = {2, 2}, dims[] = {1, 4, 6, 6};
  const vlm_attr kernel[] = {{.name = "kernel_shape", .kind = VLM_ATTR_INTS, .count = 2, .u.ints = two}, {0}};
  vlm_value_id x = add_input(g, "x", fixed & 1 ? VLM_S8 : VLM_F32, 4, dims);
  if (!(fixed & 1)) x = quantized(g, x, 1.0f / 64, VLM_S8, 5);
  x = dequantized(g, add_node(g, "pool", "MaxPool", 1, &x, kernel), 1.0f / 64, VLM_S8, 5);
  vlm_value_id y = add_node(g, "it", "Conv", 2, (vlm_value_id[]){x, add_stored_weights(g, w)}, NULL);
  y = quantized(g, y, 0.05f, VLM_S8, -20);
  finish_graph(g, fixed & 2 ? y : dequantized(g, y, 0.05f, VLM_S8, -20));
  return g;
}

static void signed_activations_move_where_they_can(void **state) {
  weights *w = malloc(sizeof *w);
  float x[144];
  int8_t codes[144];
  (void)state;
  make_weights(w, 4, (int64_t[]){6, 4, 3, 3}, 0);
  draw_all(x, 144);
  for (int i = 0; i < 144; i++) codes[i] = (int8_t)rintf(x[i] * 120);
  for (int fixed = 0; fixed < 4; fixed++) {
    float expected[MAX_ELEMENTS], values[MAX_ELEMENTS];
    vlm_lower_report report = {0};
    bool s8 = fixed & 1;
    const vlm_tensor in =
        vlm_tensor_make(s8 ? VLM_S8 : VLM_F32, 4, (int64_t[]){1, 4, 6, 6}, s8 ? (void *)codes : (void *)x);
    vlm_graph *g = bytes(w, fixed);
    vlm_tensor want = run_graph(g, &in, 1, expected);
    FINE(vlm_graph_lower(g, &report, &error));
    vlm_tensor got = run_graph(g, &in, 1, values);
    for (int64_t i = 0; i < vlm_tensor_count(&want); i++)
      if (fabsf(values[i] - expected[i]) > (fixed & 2 ? 1 : 0.0501f))
        fail_msg("fixed %d: %g, wanted %g", fixed, (double)values[i], (double)expected[i]);
    assert_int_equal(got.dtype, want.dtype);
    expect_report("int8", &report, "it", VLM_FORM_STATIC);
    assert_int_equal(count_ops(g, "vlm", "QConv"), 1);
    /* What cannot move is dequantized in front of the product, or quantized behind it. */
    assert_int_equal(count_ops(g, "", "DequantizeLinear"), (fixed & 1 ? 1 : 0) + (fixed & 2 ? 0 : 1));
    assert_int_equal(count_ops(g, "", "QuantizeLinear"), (fixed & 1 ? 0 : 1) + (fixed & 2 ? 1 : 0));
    vlm_lower_report_free(&report);
    vlm_graph_free(g);
  }
  free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(stored_constants_are_reported),
                                     cmocka_unit_test(answers_follow_the_traits),
                                     cmocka_unit_test(two_readers_with_different_axes),
                                     cmocka_unit_test(bodies_are_lowered),
                                     cmocka_unit_test(loops_are_lowered),
                                     cmocka_unit_test(signed_activations_move_where_they_can)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
