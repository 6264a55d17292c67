/* Kinds of models that were stored twice, left out or broken: each in several spellings and every mode. */
#include "tests/quant/quant_graph.h"

#define INT(n, value) \
  { .name = n, .kind = VLM_ATTR_INT, .u.i = value }
#define TEXT(n, value) \
  { .name = n, .kind = VLM_ATTR_STRING, .u.s = value }
#define GRAPH(n, value) \
  { .name = n, .kind = VLM_ATTR_GRAPH, .u.g = value }
#define END \
  { .name = NULL }

static vlm_graph *start(void) {
  seed = 7;
  return new_graph();
}

/* ---- one constant, read along two dims ---- */

static vlm_graph *two_axes(int v) {
  static const int64_t DIMS[][2] = {{64, 64}, {40, 72}, {72, 40}};
  const vlm_attr turned[] = {INT("transB", 1), END};
  vlm_graph *g = start();
  vlm_value_id x = add_input(g, "x", VLM_F32, 2, (int64_t[]){16, DIMS[v % 3][0]}),
               w = add_weight(g, DIMS[v % 3][0], DIMS[v % 3][1]);
  vlm_value_id h =
      add_node(g, NULL, "Relu", 1, (vlm_value_id[]){add_two(g, "first", "MatMul", x, w, NULL)}, NULL);
  finish_graph(g, add_two(g, "second", v < 3 ? "Gemm" : "com.microsoft:FusedMatMul", h, w, turned));
  return g;
}

/* ---- a table and a head tied to it ---- */

static vlm_graph *tied_table(int v) {
  const vlm_attr turned[] = {INT("transB", 1), END};
  vlm_graph *g = start();
  vlm_value_id ids = add_input(g, "ids", VLM_S64, 1, (int64_t[]){12}), e = add_weight(g, 100, 128);
  vlm_value_id h =
      add_two(g, "body", "MatMul", add_two(g, "rows", "Gather", e, ids, NULL), add_weight(g, 128, 128), NULL);
  switch (v) {
    case 0: h = add_two(g, "head", "MatMul", h, add_turned(g, e), NULL); break;
    case 1: h = add_two(g, "head", "Gemm", h, e, turned); break;
    case 2: h = add_two(g, "head", "com.microsoft:FusedMatMul", h, e, turned); break;
    default: h = add_two(g, "head", "Gemm", h, add_turned(g, e), NULL); break;
  }
  finish_graph(g, h);
  return g;
}

/* ---- weights in bodies ---- */

static vlm_graph *body_of(vlm_graph *g, const char *name) {
  vlm_graph *body;
  FINE(vlm_graph_create_sub(&body, g, name, &error));
  return body;
}
static vlm_value_id capture(vlm_graph *body, vlm_graph *g, vlm_value_id id) {
  vlm_value_id own;
  FINE(vlm_graph_capture(body, &own, (vlm_origin){g, id}, &error));
  return own;
}
static void give(vlm_graph *body, vlm_value_id id) { FINE(vlm_graph_add_output(body, id, &error)); }

static vlm_value_id add_if(vlm_graph *g, vlm_value_id c, vlm_graph *yes, vlm_graph *no) {
  const vlm_attr branches[] = {GRAPH("then_branch", yes), GRAPH("else_branch", no), END};
  return add_node(g, "choice", "If", 1, &c, branches);
}

/* The product is in the branch that is taken; the other hands x on. */
static vlm_value_id choose(vlm_graph *g, vlm_value_id c, vlm_value_id x, vlm_value_id w, bool own) {
  vlm_graph *yes = body_of(g, "yes"), *no = body_of(g, "no");
  vlm_value_id inner = own ? add_weight(yes, 64, 64) : capture(yes, g, w);
  give(yes, add_two(yes, "inner", "MatMul", capture(yes, g, x), inner, NULL));
  give(no, add_node(no, NULL, "Neg", 1, (vlm_value_id[]){capture(no, g, x)}, NULL));
  return add_if(g, c, yes, no);
}

static vlm_value_id nested(vlm_graph *g, vlm_value_id c, vlm_value_id x, vlm_value_id w) {
  vlm_graph *yes = body_of(g, "yes"), *no = body_of(g, "no");
  give(yes, choose(yes, capture(yes, g, c), capture(yes, g, x), capture(yes, g, w), false));
  give(no, add_node(no, NULL, "Neg", 1, (vlm_value_id[]){capture(no, g, x)}, NULL));
  return add_if(g, c, yes, no);
}

static vlm_value_id loop(vlm_graph *g, vlm_value_id x, vlm_value_id w) {
  const int64_t twice = 2;
  const uint8_t go = 1;
  vlm_graph *body = body_of(g, "body");
  add_input(body, "i", VLM_S64, 0, NULL);
  vlm_value_id cond = add_input(body, "on", VLM_BOOL, 0, NULL),
               state = add_input(body, "state", VLM_F32, 2, (int64_t[]){16, 64});
  give(body, add_node(body, NULL, "Identity", 1, &cond, NULL));
  give(body, add_two(body, "inner", "MatMul", state, capture(body, g, w), NULL));
  const vlm_value_id in[] = {add_constant(g, VLM_S64, 0, NULL, &twice),
                             add_constant(g, VLM_BOOL, 0, NULL, &go), x};
  const vlm_attr attrs[] = {GRAPH("body", body), END};
  return add_node(g, "loop", "Loop", 3, in, attrs);
}

static vlm_value_id scan(vlm_graph *g, vlm_value_id x) {
  vlm_graph *body = body_of(g, "body");
  vlm_value_id row = add_input(body, "row", VLM_F32, 1, (int64_t[]){64});
  give(body, add_two(body, "inner", "MatMul", row, add_weight(body, 64, 64), NULL));
  const vlm_attr attrs[] = {GRAPH("body", body), INT("num_scan_inputs", 1), END};
  return add_node(g, "scan", "Scan", 1, &x, attrs);
}

static vlm_graph *bodies(int v) {
  vlm_graph *g = start();
  vlm_value_id x = add_input(g, "x", VLM_F32, 2, (int64_t[]){16, 64}), w = add_weight(g, 64, 64),
               c = VLM_NO_VALUE, y;
  if (v < 3) c = add_input(g, "c", VLM_BOOL, 0, NULL);
  vlm_value_id h = add_two(g, "outer", "MatMul", x, w, NULL);
  switch (v) {
    case 0: y = choose(g, c, h, w, false); break;
    case 1: y = choose(g, c, h, w, true); break;
    case 2: y = nested(g, c, h, w); break;
    case 3: y = loop(g, h, w); break;
    default: y = scan(g, h); break;
  }
  finish_graph(g, y);
  return g;
}

/* ---- other floats ---- */

static vlm_graph *other_floats(int v) {
  static const vlm_dtype TYPES[] = {VLM_F16, VLM_F64, VLM_BF16};
  vlm_dtype t = TYPES[v % 3];
  vlm_graph *g = start();
  vlm_value_id w = add_drawn(g, t, 2, (int64_t[]){64, 64}), x;
  if (v < 3) x = add_input(g, "x", t, 2, (int64_t[]){16, 64});
  else
    x = add_two(g, "rows", "Gather", add_drawn(g, t, 2, (int64_t[]){50, 64}),
                add_input(g, "ids", VLM_S64, 1, (int64_t[]){16}), NULL);
  finish_graph(g, add_two(g, "product", "MatMul", x, w, NULL));
  return g;
}

/* Bias, activation and the next product behind each. */
static vlm_graph *chains_of_other_floats(int v) {
  static const vlm_dtype TYPES[] = {VLM_F16, VLM_F64, VLM_BF16};
  static const int64_t TWO[] = {2, 2};
  const vlm_attr strides[] = {{.name = "strides", .kind = VLM_ATTR_INTS, .count = 2, .u.ints = TWO}, END};
  vlm_dtype t = TYPES[v % 3];
  vlm_graph *g = start();
  vlm_value_id x, bias = add_drawn(g, t, 1, (int64_t[]){32});
  if (v < 3) {
    x = add_input(g, "x", t, 2, (int64_t[]){16, 48});
    x = add_two(g, "first", "MatMul", x, add_drawn(g, t, 2, (int64_t[]){48, 32}), NULL);
    x = add_two(g, NULL, "Add", x, bias, NULL);
    x = add_node(g, NULL, "Relu", 1, &x, NULL);
    x = add_two(g, "second", "Gemm", x, add_drawn(g, t, 2, (int64_t[]){32, 40}), NULL);
  } else {
    x = add_input(g, "x", t, 4, (int64_t[]){1, 16, 6, 6});
    x = add_node(g, NULL, "Relu", 1, &x, NULL);
    x = add_node(g, "first", "Conv", 3,
                 (vlm_value_id[]){x, add_drawn(g, t, 4, (int64_t[]){32, 16, 3, 3}), bias}, NULL);
    x = add_node(g, NULL, "Relu", 1, &x, NULL);
    x = add_node(g, "second", "ConvTranspose", 3,
                 (vlm_value_id[]){x, add_drawn(g, t, 4, (int64_t[]){32, 32, 2, 2}), bias}, strides);
  }
  finish_graph(g, x);
  return g;
}

/* ---- operators without an integer form, and odd sides ---- */

static vlm_graph *forms(int v) {
  const vlm_attr hidden[] = {INT("hidden_size", 24), END};
  const vlm_attr left[] = {TEXT("equation", "kn,bk->bn"), END},
                 right[] = {TEXT("equation", "bk,kn->bn"), END};
  vlm_graph *g = start();
  vlm_value_id x;
  switch (v) {
    case 0:
    case 1: {
      int64_t gates = v ? 3 : 4;
      x = add_input(g, "x", VLM_F32, 3, (int64_t[]){5, 2, 24});
      const vlm_value_id in[] = {x, add_drawn(g, VLM_F32, 3, (int64_t[]){1, gates * 24, 24}),
                                 add_drawn(g, VLM_F32, 3, (int64_t[]){1, gates * 24, 24})};
      x = add_node(g, "cell", v ? "GRU" : "LSTM", 3, in, hidden);
      break;
    }
    case 2:
      x = add_input(g, "x", VLM_F32, 4, (int64_t[]){1, 16, 6, 6});
      x = add_two(g, "up", "ConvTranspose", x, add_drawn(g, VLM_F32, 4, (int64_t[]){16, 24, 2, 2}), NULL);
      break;
    case 3:
      x = add_two(g, "sum", "Einsum", add_weight(g, 48, 40),
                  add_input(g, "x", VLM_F32, 2, (int64_t[]){9, 48}), left);
      break;
    case 4:
      x = add_two(g, "sum", "Einsum", add_input(g, "x", VLM_F32, 2, (int64_t[]){9, 48}),
                  add_weight(g, 48, 40), right);
      break;
    case 5:
      x = add_two(g, "left", "MatMul", add_weight(g, 48, 40),
                  add_input(g, "x", VLM_F32, 2, (int64_t[]){40, 9}), NULL);
      break;
    default:
      x = add_input(g, "x", VLM_F32, 3, (int64_t[]){3, 9, 40});
      x = add_two(g, "stack", "MatMul", x, add_drawn(g, VLM_F32, 3, (int64_t[]){3, 40, 30}), NULL);
  }
  finish_graph(g, x);
  return g;
}

/* ---- names that quantization would make up ---- */

static vlm_graph *taken_names(int v) {
  static const char *const NAMES[] = {"W_quantized",  "W_scale",     "W_dequantized", "x_scale",
                                      "x_zero_point", "x_quantized", "x_dequantized"};
  vlm_graph *g = start();
  vlm_value_id x = add_input(g, "x", VLM_F32, 2, (int64_t[]){16, 64}), w = add_weight(g, 64, 64), y;
  FINE(vlm_graph_rename(g, w, "W", &error));
  y = add_two(g, "product", "MatMul", x, w, NULL);
  for (int i = 0; i < 7; i++) {
    vlm_value_id taken =
        v ? add_node(g, NULL, "Neg", 1, &y, NULL) : add_drawn(g, VLM_F32, 1, (int64_t[]){64});
    FINE(vlm_graph_rename(g, taken, NAMES[i], &error));
    y = add_two(g, NULL, "Add", y, taken, NULL);
    if (v) y = add_two(g, NULL, "Sub", y, add_scalar(g, 0.25f), NULL);
  }
  if (v) y = add_two(g, NULL, "Add", y, add_two(g, "again", "MatMul", x, w, NULL), NULL);
  finish_graph(g, y);
  return g;
}

static void run_case(void **state) { run_quant_case(*state); }

int main(void) {
  static const quant_case CASES[] = {
      {"one constant along two dims", two_axes, 6, 35, 54, 100, 0},
      {"a table and its head", tied_table, 4, 34, 26, 100, 0},
      {"weights in bodies", bodies, 5, 34, 28, 100, 0},
      {"other floats", other_floats, 6, 34, 0, 100, 1},
      {"chains of other floats", chains_of_other_floats, 6, 30, 0, 90, 2},
      {"other operators", forms, 7, 32, 0, 90, 0},
      {"names that are taken", taken_names, 2, 20, 0, 80, 0},
  };
  struct CMUnitTest tests[sizeof CASES / sizeof CASES[0]];
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
    tests[i] = (struct CMUnitTest){
        .name = CASES[i].what, .test_func = run_case, .initial_state = (void *)(uintptr_t)&CASES[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
