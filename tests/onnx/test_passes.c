/* Each clean-up pass but constant folding on a small graph: what it leaves, and that results stay the same. */
#include "tests/onnx/graph_text.h"

/* If(constant) { u = Neg(x); z = u + k; returns z, z, x, k } with a name of the outer graph used again inside. */
static void a_constant_branch_takes_the_place_of_its_if(void **state) {
  (void)state;
  vlm_graph *graph = new_graph(), *body = NULL, *other = NULL;
  vlm_value_id id;
  input(graph, "x", 2);
  bool no = false;
  vlm_tensor condition = vlm_tensor_make(VLM_BOOL, 1, (int64_t[]){1}, &no);
  FINE(vlm_graph_add_constant(graph, &id, "condition", &condition, true, &error));
  node(graph, "Relu: x -> u", 0);
  int32_t n;
  FINE(vlm_graph_add_node(
      graph, &n,
      &(vlm_node){
          .name = "choice", .op_type = "If", .opset = 17, .n_inputs = 1, .n_outputs = 4, .n_attrs = 2},
      &error));
  graph->nodes[n].inputs[0] = value(graph, "condition");
  static const char *const results[4] = {"r0", "r1", "r2", "r3"};
  for (int32_t k = 0; k < 4; k++) vlm_node_set_output(graph, n, k, value(graph, results[k]));
  FINE(vlm_graph_create_sub(&body, graph, "body", &error));
  FINE(vlm_graph_create_sub(&other, graph, "other", &error));
  FINE(vlm_graph_add_value(body, &id, "x", VLM_VALUE_CAPTURE, &error));
  body->values[id].parent_value = vlm_graph_find(graph, "x");
  vector(body, "k", 8, 1, 1);
  node(body, "Neg: x -> u", 0);
  node(body, "Add: u k -> z", 0);
  static const char *const returned[4] = {"z", "z", "x", "k"};
  for (int k = 0; k < 4; k++) output(body, returned[k]);
  vector(other, "c", 8, 0, 0);
  for (int k = 0; k < 4; k++) output(other, "c");
  graph->nodes[n].attrs[0] = (vlm_attr){.name = "then_branch", .kind = VLM_ATTR_GRAPH, .u.g = other};
  graph->nodes[n].attrs[1] = (vlm_attr){.name = "else_branch", .kind = VLM_ATTR_GRAPH, .u.g = body};
  node(graph, "Sum: r0 r1 r2 r3 u -> y", 0);
  output(graph, "y");
  clean_and_compare(graph, 2, rows_8, 0);
  assert_int_equal(count_op(graph, "If"), 0);
  assert_int_equal(graph->n_nodes, 4);
  assert_int_not_equal(vlm_graph_find(graph, "choice/u"), VLM_NO_VALUE);
  vlm_graph_free(graph);
}

/* Three forms of [4, 2, 6] x weights; the turned constant folds, an input of unknown rank stays as it is. */
static void batches_are_turned_in_front_of_the_product(void **state) {
  (void)state;
  static const int64_t x_dims[] = {4, 2, 6}, w_dims[] = {6, 2, 5};
  float w[60];
  for (int k = 0; k < 60; k++) w[k] = sinf((float)k);
  for (int form = 0; form < 4; form++) {
    vlm_graph *graph = new_graph();
    input(graph, "x", 3);
    constant(graph, "w", 3, w_dims, w);
    constant(graph, "flat", 2, (int64_t[]){6, 10}, w);
    node(graph, "Relu: x -> r", 0);
    vlm_node *product = node(graph, form == 1 ? "FusedMatMul: r flat -> y" : "FusedMatMul: r w -> y", 2);
    product->domain = "com.microsoft";
    product->opset = 1;
    product->attrs[0] = (vlm_attr){.name = "transBatchA", .kind = VLM_ATTR_INT, .u.i = 1};
    product->attrs[1] =
        (vlm_attr){.name = form == 2 ? "transB" : "transBatchB", .kind = VLM_ATTR_INT, .u.i = 1};
    if (form == 2)
      graph->values[product->inputs[1]].tensor = vlm_tensor_make(VLM_F32, 3, (int64_t[]){2, 5, 6}, w);
    if (form == 3) graph->values[vlm_graph_find(graph, "x")].tensor.rank = -1;
    output(graph, "y");
    clean_and_compare(graph, 3, x_dims, 0);
    const vlm_node *last = &graph->nodes[graph->values[graph->outputs[0]].producer];
    assert_string_equal(last->op_type, "FusedMatMul");
    assert_int_equal(count_op(graph, "Transpose"), form < 3);
    assert_int_equal(vlm_node_int(last, "transBatchA", 0), form == 3);
    assert_int_equal(vlm_node_int(last, "transBatchB", 0), 0);
    vlm_graph_free(graph);
  }
}

static void no_ops_are_dropped(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  vlm_value_id id;
  input(graph, "x", 2);
  vlm_tensor pads = vlm_tensor_make(VLM_S64, 1, (int64_t[]){4}, (int64_t[]){0, 0, 0, 0});
  FINE(vlm_graph_add_constant(graph, &id, "pads", &pads, true, &error));
  node(graph, "Identity: x -> a", 0);
  node(graph, "Dropout: a -> b", 0);
  node(graph, "Relu: b -> c", 0);
  node(graph, "Pad: c pads -> d", 0);
  ints(node(graph, "Transpose: d -> e", 1), 0, "perm", (int64_t[]){0, 1}, 2);
  node(graph, "Identity: e -> y", 0);
  output(graph, "y");
  clean_and_compare(graph, 2, rows_8, 0);
  assert_int_equal(graph->n_nodes, 1);
  assert_string_equal(graph->nodes[0].op_type, "Relu");
  assert_string_equal(graph->values[graph->outputs[0]].name, "y");
  vlm_graph_free(graph);
}

static void pads_that_pad_and_outputs_that_are_inputs_stay(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  vlm_value_id id;
  input(graph, "x", 2);
  vlm_tensor pads = vlm_tensor_make(VLM_S64, 1, (int64_t[]){4}, (int64_t[]){0, 1, 0, 0});
  FINE(vlm_graph_add_constant(graph, &id, "pads", &pads, true, &error));
  node(graph, "Pad: x pads -> p", 0);
  node(graph, "Identity: x -> y", 0);
  node(graph, "Identity: p -> q", 0);
  output(graph, "y");
  output(graph, "p");
  output(graph, "q");
  clean_and_compare(graph, 2, rows_8, 0);
  assert_int_equal(count_op(graph, "Pad"), 1);
  assert_int_equal(count_op(graph, "Identity"), 2); /* x and p are names that must stay */
  vlm_graph_free(graph);
}

static void batch_norm_goes_into_conv(void **state) {
  (void)state;
  for (int transposed = 0; transposed < 2; transposed++) {
    for (int bias = 0; bias < 2; bias++) {
      vlm_graph *graph = new_graph();
      float w[2 * 3 * 4];
      for (int k = 0; k < 24; k++) w[k] = 0.1f * (float)(k % 7) - 0.2f;
      input(graph, "x", 3);
      if (transposed) constant(graph, "w", 3, (int64_t[]){2, 3, 4}, w);
      else constant(graph, "w", 3, (int64_t[]){3, 2, 4}, w);
      vector(graph, "b", 3, 0.5f, -0.25f);
      vector(graph, "s", 3, 1, 0.5f);
      vector(graph, "t", 3, -1, 1);
      vector(graph, "m", 3, 0.1f, 0.2f);
      vector(graph, "v", 3, 0.5f, 2);
      char text[64];
      snprintf(text, sizeof text, "%s: x w%s -> c", transposed ? "ConvTranspose" : "Conv", bias ? " b" : "");
      node(graph, text, 0);
      node(graph, "BatchNormalization: c s t m v -> y", 0);
      output(graph, "y");
      clean_and_compare(graph, 3, (int64_t[]){1, 2, 9}, 2e-5f);
      assert_int_equal(graph->n_nodes, 1);
      assert_string_equal(graph->values[graph->nodes[0].outputs[0]].name, "y");
      vlm_graph_free(graph);
    }
  }
}

/* The addend as it is exported, [1, C, 1] or [C, 1]; one per position stays. */
static void addends_of_channels_are_biases(void **state) {
  static const int64_t dims[3][3] = {{1, 3, 1}, {3, 1, 0}, {3, 0, 0}};
  static const int ranks[3] = {3, 2, 1};
  (void)state;
  for (int form = 0; form < 3; form++) {
    vlm_graph *graph = new_graph();
    float w[3 * 2 * 4], b[3] = {0.5f, -1, 2};
    for (int k = 0; k < 24; k++) w[k] = 0.1f * (float)(k % 7) - 0.2f;
    input(graph, "x", 3);
    constant(graph, "w", 3, (int64_t[]){3, 2, 4}, w);
    constant(graph, "b", ranks[form], dims[form], b);
    node(graph, "Conv: x w -> c", 0);
    node(graph, "Add: b c -> y", 0);
    output(graph, "y");
    clean_and_compare(graph, 3, (int64_t[]){1, 2, 6}, 0);
    assert_int_equal(graph->n_nodes, form < 2 ? 1 : 2);
    vlm_graph_free(graph);
  }
}

static void batch_norm_stays_when_the_conv_is_read_elsewhere(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  float w[6] = {1, 2, 3, 4, 5, 6};
  input(graph, "x", 3);
  constant(graph, "w", 3, (int64_t[]){3, 2, 1}, w);
  vector(graph, "s", 3, 1, 0.5f);
  node(graph, "Conv: x w -> c", 0);
  node(graph, "BatchNormalization: c s s s s -> n", 0);
  node(graph, "Add: n c -> y", 0);
  output(graph, "y");
  clean_and_compare(graph, 3, (int64_t[]){1, 2, 9}, 0);
  assert_int_equal(count_op(graph, "BatchNormalization"), 1);
  vlm_graph_free(graph);
}

/* bias: with the last Add; square: d * d instead of Pow; twice: Sub written twice, as some exporters do. */
static vlm_graph *layer_norm(bool bias, bool square, bool twice, const int64_t *axes) {
  vlm_graph *graph = new_graph();
  input(graph, "x", 2);
  scalar(graph, "two", 2);
  scalar(graph, "eps", 1e-4f);
  vector(graph, "gamma", 8, 0.5f, 0.25f);
  vector(graph, "beta", 8, -1, 0.5f);
  ints(node(graph, "ReduceMean: x -> mean", 1), 0, "axes", axes, 1);
  node(graph, "Sub: x mean -> d", 0);
  if (twice) node(graph, "Sub: x mean -> d2", 0);
  const char *d = twice ? "d2" : "d";
  char text[64];
  snprintf(text, sizeof text, square ? "Mul: %s %s -> sq" : "Pow: %s two -> sq", d, d);
  node(graph, text, 0);
  ints(node(graph, "ReduceMean: sq -> var", 1), 0, "axes", axes, 1);
  node(graph, "Add: var eps -> ve", 0);
  node(graph, "Sqrt: ve -> sd", 0);
  node(graph, "Div: d sd -> n", 0);
  node(graph, bias ? "Mul: gamma n -> g" : "Mul: n gamma -> y", 0);
  if (bias) node(graph, "Add: g beta -> y", 0);
  output(graph, "y");
  return graph;
}

static void layer_norm_is_recognised(void **state) {
  (void)state;
  for (int form = 0; form < 16; form++) {
    vlm_graph *graph = layer_norm(form & 1, form & 2, form & 4, (int64_t[]){form & 8 ? 1 : -1});
    clean_and_compare(graph, 2, rows_8, 2e-5f);
    if (graph->n_nodes != 1) fail_msg("form %d leaves %d nodes", form, graph->n_nodes);
    assert_string_equal(graph->nodes[0].op_type, "LayerNormalization");
    assert_string_equal(graph->values[graph->outputs[0]].name, "y");
    assert_int_equal(vlm_node_attr(&graph->nodes[0], "axis")->u.i, -1);
    assert_float_equal(vlm_node_attr(&graph->nodes[0], "epsilon")->u.f, 1e-4, 1e-9);
    vlm_graph_free(graph);
  }
}

static void a_norm_over_other_axes_stays(void **state) {
  (void)state;
  vlm_graph *graph = layer_norm(true, false, false, (int64_t[]){0});
  clean_and_compare(graph, 2, rows_8, 0);
  assert_int_equal(count_op(graph, "LayerNormalization"), 0);
  vlm_graph_free(graph);
}

/* Each activation as exporters write it; the constants are named after their value. */
static const struct {
  const char *nodes[10], *op, *approximate;
} activations[] = {
    {{"Div: x sqrt2 -> u", "Erf: u -> e", "Add: e one -> a", "Mul: x a -> m", "Mul: m half -> y"},
     "Gelu",
     "none"},
    {{"Mul: x rsqrt2 -> u", "Erf: u -> e", "Add: one e -> a", "Mul: x half -> m", "Mul: m a -> y"},
     "Gelu",
     "none"},
    {{"Mul: rsqrt2 x -> u", "Erf: u -> e", "Add: e one -> a", "Mul: half a -> m", "Mul: x m -> y"},
     "Gelu",
     "none"},
    {{"Div: x sqrt2 -> u", "Erf: u -> e", "Add: e one -> a", "Div: a two -> m", "Mul: m x -> y"},
     "Gelu",
     "none"},
    {{"Pow: x three -> p", "Mul: p k -> q", "Add: x q -> r", "Mul: r c -> u", "Tanh: u -> e",
      "Add: e one -> a", "Mul: x half -> m", "Mul: m a -> y"},
     "Gelu",
     "tanh"},
    {{"Mul: x c -> s", "Mul: k x -> p", "Mul: p x -> q", "Add: one q -> r", "Mul: s r -> u", "Tanh: u -> e",
      "Add: e one -> a", "Mul: half x -> m", "Mul: m a -> y"},
     "Gelu",
     "tanh"},
    {{"Mul: x quick -> u", "Sigmoid: u -> e", "Mul: e x -> y"}, "QuickGelu", NULL},
    {{"Sigmoid: x -> e", "Mul: e x -> y"}, "Swish", NULL},
    {{"Sigmoid: x -> e", "Mul: x e -> y"}, "Swish", NULL},
    {{"Add: x three -> u", "Clip: u zero six -> e", "Div: e six -> f", "Mul: x f -> y"}, "HardSwish", NULL},
    {{"Add: three x -> u", "Clip: u zero six -> e", "Mul: e x -> f", "Div: f six -> y"}, "HardSwish", NULL},
    {{"Add: x three -> u", "Clip: u zero six -> e", "Mul: x e -> f", "Mul: f sixth -> y"}, "HardSwish", NULL},
    {{"Add: x three -> u", "Clip: u zero six -> e", "Mul: e sixth -> f", "Mul: f x -> y"}, "HardSwish", NULL},
    {{"Add: x three -> u", "Clip: u zero six -> e", "Div: e six -> y"}, "HardSigmoid", NULL},
};

static vlm_graph *activation(const char *const *nodes) {
  vlm_graph *graph = new_graph();
  static const struct {
    const char *name;
    float value;
  } constants[] = {{"sqrt2", 1.41421354f},
                   {"rsqrt2", 0.707106769f},
                   {"one", 1},
                   {"half", 0.5f},
                   {"two", 2},
                   {"three", 3},
                   {"k", 0.044715f},
                   {"c", 0.797884583f},
                   {"quick", 1.702f},
                   {"zero", 0},
                   {"six", 6},
                   {"sixth", 0.166666672f}};
  input(graph, "input", 2);
  node(graph, "Neg: input -> x", 0);
  for (size_t k = 0; k < sizeof constants / sizeof constants[0]; k++)
    scalar(graph, constants[k].name, constants[k].value);
  for (int k = 0; nodes[k] != NULL; k++) node(graph, nodes[k], 0);
  output(graph, "y");
  return graph;
}

static void activations_are_recognised(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof activations / sizeof activations[0]; k++) {
    vlm_graph *graph = activation(activations[k].nodes);
    clean_and_compare(graph, 2, rows_8, 4e-6f);
    assert_int_equal(graph->n_nodes, 2);
    assert_string_equal(graph->nodes[1].op_type, activations[k].op);
    if (activations[k].approximate != NULL)
      assert_string_equal(vlm_node_attr(&graph->nodes[1], "approximate")->u.s, activations[k].approximate);
    assert_string_equal(graph->values[graph->nodes[1].inputs[0]].name, "x");
    vlm_graph_free(graph);
  }
}

/* Near misses: another constant, another x, a missing factor. */
static const char *const strangers[][10] = {
    {"Div: x two -> u", "Erf: u -> e", "Add: e one -> a", "Mul: x a -> m", "Mul: m half -> y"},
    {"Div: x sqrt2 -> u", "Erf: u -> e", "Add: e one -> a", "Mul: input a -> m", "Mul: m half -> y"},
    {"Div: x sqrt2 -> u", "Erf: u -> e", "Add: e one -> a", "Mul: x a -> y"},
    {"Sigmoid: x -> e", "Mul: e input -> y"},
    {"Add: x two -> u", "Clip: u zero six -> e", "Div: e six -> f", "Mul: x f -> y"},
    {"Add: x three -> u", "Clip: u one six -> e", "Div: e six -> f", "Mul: x f -> y"},
    {"Add: x three -> u", "Clip: u zero six -> e", "Div: e three -> f", "Mul: x f -> y"},
};

static void other_expressions_stay(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof strangers / sizeof strangers[0]; k++) {
    vlm_graph *graph = activation(strangers[k]);
    clean_and_compare(graph, 2, rows_8, 0);
    static const char *const ops[] = {"Gelu", "QuickGelu", "Swish", "HardSwish", "HardSigmoid"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) assert_int_equal(count_op(graph, ops[i]), 0);
    vlm_graph_free(graph);
  }
}

static void note_pass(void *user, const char *pass, int32_t changes, const vlm_graph *graph) {
  char *text = user;
  (void)graph;
  if (changes > 0) sprintf(text + strlen(text), "%s:%d ", pass, changes);
}

static void passes_are_listed_skipped_and_reported(void **state) {
  (void)state;
  char seen[256] = "";
  const vlm_clean_opts opts = {.skip = "layer-norm,no-ops", .after_pass = note_pass, .user = seen};
  vlm_graph *graph = activation(activations[0].nodes);
  node(graph, "Identity: y -> z", 0);
  graph->n_outputs = 0;
  output(graph, "z");
  FINE(vlm_graph_resolve(graph, &error));
  FINE(vlm_graph_clean(graph, &opts, &error));
  assert_string_equal(seen, "activations:1 ");
  assert_int_equal(count_op(graph, "Identity"), 1);
  int32_t count = 0;
  for (; vlm_pass_name(count) != NULL; count++) assert_true(strlen(vlm_pass_text(count)) > 10);
  assert_true(count > 0);
  assert_string_equal(vlm_pass_name(1), "fold");
  vlm_graph_free(graph);
}

static void codes(vlm_graph *graph, const char *name, int rank, const int64_t *dims) {
  static int8_t data[48];
  vlm_value_id id;
  for (int k = 0; k < 48; k++) data[k] = (int8_t)(k * 7 % 50 - 25);
  vlm_tensor t = vlm_tensor_make(VLM_S8, rank, dims, data);
  FINE(vlm_graph_add_constant(graph, &id, name, &t, true, &error));
}

/* Channels along dim 0 of the codes: Transpose takes the axis along, Reshape is exchanged for one scale only. */
static void codes_are_arranged_before_they_are_dequantized(void **state) {
  (void)state;
  static const struct {
    const char *op;
    const char *scale;
    bool exchanged;
  } rows[] = {{"Transpose: back -> w", "many", true},
              {"Reshape: back shape -> w", "one", true},
              {"Reshape: back shape -> w", "many", false}};
  for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
    char text[64];
    vlm_graph *graph = new_graph();
    input(graph, "x", 2);
    codes(graph, "codes", 2, (int64_t[]){6, 8});
    vector(graph, "many", 6, 0.1f, 0.2f);
    scalar(graph, "one", 0.5f);
    constant(graph, "unused", 1, (int64_t[]){1}, (float[]){1});
    vlm_value_id id;
    vlm_tensor shape = vlm_tensor_make(VLM_S64, 1, (int64_t[]){2}, (int64_t[]){8, 6});
    FINE(vlm_graph_add_constant(graph, &id, "shape", &shape, true, &error));
    snprintf(text, sizeof text, "DequantizeLinear: codes %s -> back", rows[k].scale);
    node(graph, text, 1)->attrs[0] = (vlm_attr){.name = "axis", .kind = VLM_ATTR_INT, .u.i = 0};
    node(graph, rows[k].op, 0);
    node(graph, "MatMul: x w -> y", 0);
    output(graph, "y");
    clean_and_compare(graph, 2, rows_8, 1e-4f);
    assert_int_equal(graph->n_nodes, rows[k].exchanged ? 2 : 3);
    if (rows[k].exchanged) assert_string_equal(graph->nodes[1].op_type, "MatMul");
    vlm_graph_free(graph);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(codes_are_arranged_before_they_are_dequantized),
      cmocka_unit_test(a_constant_branch_takes_the_place_of_its_if),
      cmocka_unit_test(batches_are_turned_in_front_of_the_product),
      cmocka_unit_test(no_ops_are_dropped),
      cmocka_unit_test(pads_that_pad_and_outputs_that_are_inputs_stay),
      cmocka_unit_test(addends_of_channels_are_biases),
      cmocka_unit_test(batch_norm_goes_into_conv),
      cmocka_unit_test(batch_norm_stays_when_the_conv_is_read_elsewhere),
      cmocka_unit_test(layer_norm_is_recognised),
      cmocka_unit_test(a_norm_over_other_axes_stays),
      cmocka_unit_test(activations_are_recognised),
      cmocka_unit_test(other_expressions_stay),
      cmocka_unit_test(passes_are_listed_skipped_and_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
