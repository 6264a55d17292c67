/* Multiply-accumulates by hand-counted shapes, one operator at a time; loops and branches; memory; what cannot be profiled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/exec/profile.h"
#include "runtime/ops/resolve.h"
#include "tests/fine.h"

enum { MAX_IN = 7 };

/* ---- one node ---- */

/* "float32 2,3,4": S = scalar, "-" = absent; a leading "#" makes it a constant of ones. */
typedef struct {
  const char *domain, *op;
  int opset, n_out;
  const char *inputs[MAX_IN];
  const char *ints[4]; /* "axis=1", pairs in any number; "perm=0,2,1" is a list */
  int64_t macs;
} node_row;

static vlm_tensor parse_tensor(const char *text) {
  vlm_tensor t = {.dtype = VLM_NONE};
  char type[16] = "";
  int used = 0;
  sscanf(text, "%15s %n", type, &used);
  for (int d = 0; d < VLM_DTYPE_COUNT; d++)
    if (!strcmp(vlm_dtype_name((vlm_dtype)d), type)) t.dtype = (vlm_dtype)d;
  if (t.dtype == VLM_NONE) fail_msg("type %s", type);
  long long dim;
  int n = 0;
  for (const char *p = text + used; sscanf(p, "%lld%n", &dim, &n) == 1; p += n + (p[n] == ','))
    t.dims[t.rank++] = dim;
  return t;
}

static void set_attribute(vlm_graph *g, vlm_attr *a, const char *text) {
  char name[32];
  const char *equals = strchr(text, '=');
  int64_t values[8];
  int n = 0, used;
  long long v;
  snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
  FINE(vlm_arena_strdup(g->arena, &a->name, name, &error));
  for (const char *p = equals + 1; sscanf(p, "%lld%n", &v, &used) == 1; p += used + (p[used] == ','))
    values[n++] = v;
  if (!n) { /* a word */
    a->kind = VLM_ATTR_STRING;
    FINE(vlm_arena_strdup(g->arena, &a->u.s, equals + 1, &error));
  } else if (n == 1) {
    a->kind = VLM_ATTR_INT;
    a->u.i = values[0];
  } else {
    void *list;
    FINE(vlm_arena_alloc(g->arena, &list, (size_t)n, sizeof *values, &error));
    memcpy(list, values, (size_t)n * sizeof *values);
    a->kind = VLM_ATTR_INTS;
    a->count = n;
    a->u.ints = list;
  }
}

static vlm_graph *single_node(const node_row *row, vlm_tensor *inputs) {
  vlm_graph *g;
  int32_t n, n_in = 0, n_attrs = 0;
  char name[16];
  while (n_in < MAX_IN && row->inputs[n_in]) n_in++;
  while (n_attrs < 4 && row->ints[n_attrs]) n_attrs++;
  FINE(vlm_graph_create(&g, "one", "one.onnx", &error));
  g->opset = 22;
  FINE(vlm_graph_add_node(g, &n,
                          &(vlm_node){.name = row->op,
                                      .domain = row->domain,
                                      .op_type = row->op,
                                      .opset = row->opset,
                                      .n_inputs = n_in,
                                      .n_outputs = row->n_out,
                                      .n_attrs = n_attrs},
                          &error));
  for (int32_t k = 0; k < n_in; k++) {
    const char *text = row->inputs[k];
    vlm_value_id id;
    if (!strcmp(text, "-")) continue;
    bool constant = *text == '#';
    vlm_tensor t = parse_tensor(text + constant);
    snprintf(name, sizeof name, "x%d", k);
    if (constant) {
      FINE(vlm_arena_alloc(g->arena, &t.data, vlm_tensor_bytes(&t) + 1, 1, &error));
      for (int64_t i = 0; i < vlm_tensor_count(&t); i++) vlm_tensor_set(&t, i, 1);
      FINE(vlm_graph_add_constant(g, &id, name, &t, false, &error));
    } else {
      FINE(vlm_graph_add_value(g, &id, name, VLM_VALUE_INPUT, &error));
      g->values[id].tensor = t;
      FINE(vlm_graph_add_input(g, id, &error));
      inputs[g->n_inputs - 1] = t;
    }
    g->nodes[n].inputs[k] = id;
  }
  for (int32_t k = 0; k < row->n_out; k++) {
    vlm_value_id id;
    snprintf(name, sizeof name, "y%d", k);
    FINE(vlm_graph_add_value(g, &id, name, VLM_VALUE_NODE, &error));
    g->values[id].tensor.rank = -1;
    vlm_node_set_output(g, n, k, id);
    FINE(vlm_graph_add_output(g, id, &error));
  }
  for (int32_t a = 0; a < n_attrs; a++) set_attribute(g, &g->nodes[n].attrs[a], row->ints[a]);
  FINE(vlm_graph_resolve(g, &error));
  return g;
}

static const node_row ROWS[] = {
    {"", "MatMul", 13, 1, {"float32 5,3,4", "float32 4,7"}, {0}, 5 * 3 * 7 * 4},
    {"", "MatMul", 13, 1, {"float32 4", "float32 6,4,7"}, {0}, 6 * 7 * 4},
    {"", "MatMul", 13, 1, {"float32 3,0", "float32 0,7"}, {0}, 0},
    {"", "Gemm", 13, 1, {"float32 4,3", "float32 7,4", "float32 7"}, {"transA=1", "transB=1"}, 3 * 7 * 4},
    {"",
     "Conv",
     11,
     1,
     {"float32 2,4,9,9", "float32 6,2,3,3"},
     {"group=2", "strides=2,2"},
     2 * 6 * 4 * 4 * (2 * 3 * 3)},
    {"", "Conv", 11, 1, {"float32 1,8,5,5", "float32 8,1,3,3"}, {"group=8", "pads=1,1,1,1"}, 8 * 5 * 5 * 9},
    {"",
     "ConvTranspose",
     11,
     1,
     {"float32 1,4,5,5", "float32 4,3,2,2"},
     {"strides=2,2"},
     4 * 5 * 5 * (3 * 2 * 2)},
    {"", "ConvInteger", 10, 1, {"uint8 1,3,4,4", "int8 2,3,1,1"}, {0}, 2 * 4 * 4 * 3},
    {"", "MatMulInteger", 10, 1, {"uint8 3,4", "int8 4,5"}, {0}, 3 * 4 * 5},
    {"", "Einsum", 12, 1, {"float32 2,3,4", "float32 2,4,5"}, {"equation=bij,bjk->bik"}, 2 * 3 * 4 * 5},
    {"", "Einsum", 12, 1, {"float32 2,3"}, {"equation=ij->ji"}, 0},
    {"",
     "LSTM",
     14,
     1,
     {"float32 6,2,3", "float32 1,16,3", "float32 1,16,4"},
     {"hidden_size=4"},
     6 * 2 * (16 * 3 + 16 * 4)},
    {"",
     "Attention",
     23,
     1,
     {"float32 2,5,12", "float32 2,7,6", "float32 2,7,8"},
     {"q_num_heads=4", "kv_num_heads=2"},
     2 * 5 * 7 * (12 + 16)},
    {"",
     "Attention",
     23,
     1,
     {"float32 2,4,5,3", "float32 2,4,7,3", "float32 2,4,7,6"},
     {0},
     2 * 4 * 5 * 7 * (3 + 6)},
    {"vlm",
     "Attention",
     1,
     1,
     {"float32 2,4,5,3", "float32 2,4,3,7", "float32 2,4,7,6"},
     {0},
     2 * 4 * 5 * 7 * (3 + 6)},
    {"com.microsoft",
     "MultiHeadAttention",
     1,
     1,
     {"float32 2,5,12", "float32 2,7,12", "float32 2,7,8"},
     {"num_heads=4"},
     2 * 5 * 7 * (12 + 8)},
    {"com.microsoft",
     "MultiHeadAttention",
     1,
     3,
     {"float32 1,1,8", "float32 1,1,8", "float32 1,1,8", "-", "-", "-", "float32 1,2,9,4"},
     {"num_heads=2"},
     -1},
    {"com.microsoft",
     "Attention",
     1,
     1,
     {"float32 2,5,6", "float32 6,24"},
     {"num_heads=2"},
     2 * 5 * 6 * 24 + 2 * 5 * 5 * (8 + 8)},
    {"com.microsoft", "FusedMatMul", 1, 1, {"float32 4,3", "float32 4,7"}, {"transA=1"}, 3 * 7 * 4},
    {"com.microsoft",
     "MatMulNBits",
     1,
     1,
     {"float32 3,32", "#uint8 5,1,16", "#float32 5"},
     {"K=32", "N=5", "bits=4", "block_size=32"},
     3 * 32 * 5},
    {"", "Relu", 14, 1, {"float32 3,4"}, {0}, 0},
};

static void operators_by_hand(void **state) {
  vlm_context *context = *state;
  for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
    vlm_tensor inputs[MAX_IN];
    vlm_profile p;
    vlm_graph *g = single_node(&ROWS[i], inputs);
    vlm_status st = vlm_graph_profile(&p, context, g, inputs, &error);
    if (ROWS[i].macs < 0) { /* past keys without past values */
      assert_int_equal(st, VLM_INPUT);
      assert_non_null(strstr(error.text, "MultiHeadAttention"));
    } else {
      if (st != VLM_OK) fail_msg("row %zu: %s", i, error.text);
      if (p.macs != ROWS[i].macs)
        fail_msg("row %zu (%s): %lld, wanted %lld", i, ROWS[i].op, (long long)p.macs,
                 (long long)ROWS[i].macs);
      assert_false(p.executed);
    }
    vlm_profile_free(&p);
    vlm_graph_free(g);
  }
}

/* Sizes beyond 63 bits do not wrap around: the graph is refused or the count saturates. */
static void huge_sizes(void **state) {
  static const node_row row = {"", "MatMul", 13, 1, {"float32 1048576,1", "float32 1,1048576"}, {0}, 0};
  vlm_tensor inputs[MAX_IN];
  vlm_profile p;
  vlm_graph *g = single_node(&row, inputs);
  FAILS(VLM_LIMIT, vlm_graph_profile(&p, *state, g, inputs, &error));
  assert_non_null(strstr(error.text, "MiB"));
  vlm_profile_free(&p);
  vlm_graph_free(g);
}

/* ---- graphs ---- */

static vlm_value_id add(vlm_graph *g, vlm_value_kind kind, const char *name, const char *shape) {
  vlm_value_id id;
  FINE(vlm_graph_add_value(g, &id, name, kind, &error));
  g->values[id].tensor.rank = -1;
  if (shape) g->values[id].tensor = parse_tensor(shape);
  if (kind == VLM_VALUE_INPUT) FINE(vlm_graph_add_input(g, id, &error));
  return id;
}

static vlm_node *connect(vlm_graph *g, const char *op, vlm_value_id a, vlm_value_id b, vlm_value_id y,
                         int n_attrs) {
  int32_t n;
  int n_in = b == VLM_NO_VALUE ? 1 : 2;
  FINE(vlm_graph_add_node(
      g, &n,
      &(vlm_node){
          .name = op, .op_type = op, .opset = 17, .n_inputs = n_in, .n_outputs = 1, .n_attrs = n_attrs},
      &error));
  g->nodes[n].inputs[0] = a;
  if (n_in == 2) g->nodes[n].inputs[1] = b;
  vlm_node_set_output(g, n, 0, y);
  return &g->nodes[n];
}

/* x [4, 8] -> Relu -> Neg -> Abs: each takes the memory of the one before. */
static void memory_of_a_chain(void **state) {
  vlm_graph *g;
  vlm_profile p;
  FINE(vlm_graph_create(&g, "chain", "chain.onnx", &error));
  g->opset = 17;
  vlm_value_id x = add(g, VLM_VALUE_INPUT, "x", "float32 4,8"), a = add(g, VLM_VALUE_NODE, "a", NULL),
               b = add(g, VLM_VALUE_NODE, "b", NULL), y = add(g, VLM_VALUE_NODE, "y", NULL);
  connect(g, "Relu", x, VLM_NO_VALUE, a, 0);
  connect(g, "Neg", a, VLM_NO_VALUE, b, 0);
  connect(g, "Abs", b, VLM_NO_VALUE, y, 0);
  FINE(vlm_graph_add_output(g, y, &error));
  FINE(vlm_graph_resolve(g, &error));
  const vlm_tensor in = parse_tensor("float32 4,8");
  FINE(vlm_graph_profile(&p, *state, g, &in, &error));
  assert_int_equal(p.activation_bytes, 4 * 8 * sizeof(float));
  assert_int_equal(p.n_nodes, 0);
  assert_int_equal(p.n_outputs, 1);
  assert_int_equal(p.outputs[0].rank, 2);
  assert_int_equal(p.outputs[0].dims[1], 8);
  assert_null(p.outputs[0].data);
  vlm_profile_free(&p);
  vlm_graph_free(g);
}

/* if (c) x w (4 x 8 x 16) else -x: the branch that runs is counted; zeros take the second. */
static void only_the_branch_that_runs(void **state) {
  static float weights[8 * 16];
  static uint8_t yes = 1;
  vlm_graph *g, *bodies[2];
  vlm_profile p;
  FINE(vlm_graph_create(&g, "choice", "choice.onnx", &error));
  g->opset = 17;
  vlm_value_id c = add(g, VLM_VALUE_INPUT, "c", "bool "), x = add(g, VLM_VALUE_INPUT, "x", "float32 4,8"),
               y = add(g, VLM_VALUE_NODE, "y", NULL);
  for (int k = 0; k < 2; k++) {
    FINE(vlm_graph_create_sub(&bodies[k], g, k ? "else" : "then", &error));
    vlm_graph *b = bodies[k];
    vlm_value_id inside = add(b, VLM_VALUE_CAPTURE, "x", NULL), w = VLM_NO_VALUE,
                 out = add(b, VLM_VALUE_NODE, "out", NULL);
    b->values[inside].parent_value = x;
    const vlm_tensor t = vlm_tensor_make(VLM_F32, 2, (int64_t[]){8, 16}, weights);
    if (!k) FINE(vlm_graph_add_constant(b, &w, "w", &t, false, &error));
    connect(b, k ? "Neg" : "MatMul", inside, w, out, 0);
    FINE(vlm_graph_add_output(b, out, &error));
  }
  vlm_node *node = connect(g, "If", c, VLM_NO_VALUE, y, 2);
  node->attrs[0] = (vlm_attr){.name = "then_branch", .kind = VLM_ATTR_GRAPH, .u.g = bodies[0]};
  node->attrs[1] = (vlm_attr){.name = "else_branch", .kind = VLM_ATTR_GRAPH, .u.g = bodies[1]};
  FINE(vlm_graph_add_output(g, y, &error));
  FINE(vlm_graph_resolve(g, &error));
  vlm_tensor in[2] = {parse_tensor("bool "), parse_tensor("float32 4,8")};
  FINE(vlm_graph_profile(&p, *state, g, in, &error));
  assert_true(p.executed);
  assert_int_equal(p.macs, 0);
  assert_int_equal(p.outputs[0].dims[1], 8);
  vlm_profile_free(&p);
  in[0].data = &yes;
  FINE(vlm_graph_profile(&p, *state, g, in, &error));
  assert_int_equal(p.macs, 4 * 8 * 16);
  assert_int_equal(p.n_nodes, 1);
  assert_ptr_equal(p.nodes[0].graph, bodies[0]);
  assert_int_equal(p.outputs[0].dims[1], 16);
  vlm_profile_free(&p);
  vlm_graph_free(g);
}

static int make_context(void **state) {
  return vlm_context_create((vlm_context **)state, &(vlm_context_opts){.threads = 1}, &error) != VLM_OK;
}
static int free_context(void **state) {
  vlm_context_free(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(operators_by_hand),
      cmocka_unit_test(huge_sizes),
      cmocka_unit_test(memory_of_a_chain),
      cmocka_unit_test(only_the_branch_that_runs),
  };
  return cmocka_run_group_tests(tests, make_context, free_context);
}
