/* What targets take: one operator after the other, against golden rows that name where they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "export/placement.h"
#include "runtime/ops/op.h"
#include "runtime/ops/resolve.h"
#include "tests/fine.h"

enum { F = 0, U = VLM_U8, S = VLM_S8, ACTIVATION = -1 };

/* ---- graphs of one operator between QuantizeLinear and DequantizeLinear ---- */

typedef struct {
  const char *target, *op;
  int rank;
  int input,
      weight;    /* F = floats, or the type; weight ACTIVATION = computed, -2 = the operator has one input */
  bool output;   /* quantized behind */
  bool channels; /* a scale per channel */
  bool taken;
  const char *kernel, *why; /* why: what the reason has in it */
  const char *source;
} golden;

enum { ONE = -2 };

static vlm_value_id constant(vlm_graph *g, vlm_dtype type, int rank, const int64_t *dims, double value) {
  uint64_t bytes[64] = {0};
  vlm_value_id id;
  const vlm_tensor t = vlm_tensor_make(type, rank, dims, bytes);
  for (int64_t i = 0; i < vlm_tensor_count(&t); i++) vlm_tensor_set(&t, i, value);
  FINE(vlm_graph_add_constant(g, &id, NULL, &t, true, &error));
  return id;
}

static vlm_value_id scalar(vlm_graph *g, vlm_dtype type, double value) {
  return constant(g, type, 0, NULL, value);
}

static vlm_value_id node(vlm_graph *g, const char *op, const vlm_value_id *inputs, int32_t n) {
  vlm_value_id out;
  int32_t at;
  const vlm_node like = {.op_type = op, .domain = "", .opset = 20, .n_inputs = n, .n_outputs = 1};
  FINE(vlm_graph_add_node(g, &at, &like, &error));
  memcpy(g->nodes[at].inputs, inputs, (size_t)n * sizeof *inputs);
  FINE(vlm_graph_add_value(g, &out, NULL, VLM_VALUE_NODE, &error));
  g->values[out].tensor = g->values[inputs[0]].tensor; /* ranks are read */
  g->values[out].tensor.data = NULL;
  vlm_node_set_output(g, at, 0, out);
  return out;
}

static vlm_value_id quantized(vlm_graph *g, vlm_value_id id, int type, double scale) {
  if (type == F) return id;
  vlm_value_id s = scalar(g, VLM_F32, scale), z = scalar(g, (vlm_dtype)type, 0);
  return node(g, "DequantizeLinear",
              (vlm_value_id[]){node(g, "QuantizeLinear", (vlm_value_id[]){id, s, z}, 3), s, z}, 3);
}

static vlm_value_id input(vlm_graph *g, const char *name, int rank) {
  vlm_value_id id;
  int64_t dims[8] = {1, 2, 2, 2, 2, 2, 2, 2};
  FINE(vlm_graph_add_value(g, &id, name, VLM_VALUE_INPUT, &error));
  g->values[id].tensor = vlm_tensor_make(VLM_F32, rank, dims, NULL);
  FINE(vlm_graph_add_input(g, id, &error));
  return id;
}

static vlm_value_id weight(vlm_graph *g, const golden *c) {
  static const int64_t DIMS[] = {2, 2, 1, 1};
  int rank = !strncmp(c->op, "Conv", 4) ? 4 : 2;
  if (c->weight == ACTIVATION) return quantized(g, input(g, "w", c->rank), c->input, 0.5);
  if (c->weight == F) return constant(g, VLM_F32, rank, DIMS, 1);
  vlm_value_id s = c->channels ? constant(g, VLM_F32, 1, DIMS, 0.5) : scalar(g, VLM_F32, 0.5);
  vlm_value_id z =
      c->channels ? constant(g, (vlm_dtype)c->weight, 1, DIMS, 0) : scalar(g, (vlm_dtype)c->weight, 0);
  return node(g, "DequantizeLinear", (vlm_value_id[]){constant(g, (vlm_dtype)c->weight, rank, DIMS, 1), s, z},
              3);
}

static vlm_graph *graph_of(const golden *c) {
  vlm_graph *g;
  vlm_value_id ids[2];
  FINE(vlm_graph_create(&g, "one", "one.onnx", &error));
  g->opset = 20;
  ids[0] = quantized(g, input(g, "x", c->rank), c->input, 0.5);
  if (c->weight != ONE) ids[1] = weight(g, c);
  vlm_value_id made = node(g, c->op, ids, c->weight == ONE ? 1 : 2);
  if (c->output) made = quantized(g, made, c->input, !strcmp(c->op, "Softmax") ? 1.0 / 256 : 0.5);
  FINE(vlm_graph_add_output(g, made, &error));
  FINE(vlm_graph_resolve(g, &error));
  return g;
}

/* ---- golden rows ---- */

static const golden ROWS[] = {
    {"ort-cpu-x86", "Conv", 4, U, S, true, true, true, "QLinearConv", NULL,
     "qdq_selectors.cc: ConvNodeGroupSelector::Check"},
    {"ort-cpu-x86", "Conv", 4, S, U, true, false, true, NULL, "signed activations",
     "qdq_selectors.cc: s8 wants s8 weights"},
    {"ort-cpu-x86", "Conv", 4, U, S, false, true, true, NULL, "is not quantized",
     "qdq_selectors.cc: Conv wants a Q"},
    {"ort-cpu-arm", "MatMul", 3, U, S, true, true, true, "QLinearMatMul", NULL,
     "qdq_selectors.cc: MatMulNodeGroupSelector::Check"},
    {"ort-cpu-x86", "MatMul", 3, U, S, false, true, true, "MatMulIntegerToFloat", NULL,
     "qdq_selectors.cc: matmulintegertofloat"},
    {"ort-cpu-x86", "MatMul", 4, U, ACTIVATION, true, false, true, "QLinearMatMul", NULL,
     "qdq_selectors.cc: rank 4"},
    {"ort-cpu-x86", "MatMul", 3, U, F, true, false, true, NULL, "not dequantized",
     "qdq_selectors.cc: every input from a DQ"},
    {"ort-cpu-x86", "Add", 3, U, F, true, false, true, NULL, "not dequantized",
     "qdq_selectors.cc: Add(DQ, float)"},
    {"ort-cpu-x86", "Add", 3, U, ACTIVATION, true, false, true, "QLinearAdd", NULL,
     "qdq_selectors.cc: BinaryNodeGroupSelector"},
    {"ort-cpu-x86", "Conv", 4, U, F, true, false, true, "QLinearConv", NULL, "weight_bias_quantization.cc"},
    {"ort-cpu-x86", "Gelu", 3, U, ONE, true, false, true, NULL, "no such operator in 8 bits",
     "no QLinearGelu in contrib_ops"},
    {"ort-cpu-x86", "Transpose", 3, U, ONE, true, false, true, "on bytes", NULL,
     "qdq_selectors.cc: DropQDQNodeGroupSelector"},
    {"xnnpack", "Conv", 4, S, S, true, true, true, "xnn_convolution2d_nhwc_qs8", NULL,
     "conv_base.cc: IsOnnxNodeSupported"},
    {"xnnpack", "Conv", 4, U, S, true, true, false, NULL, "different types",
     "conv_base.cc: u8 with s8 weights"},
    {"xnnpack", "Softmax", 3, S, ONE, true, false, false, NULL, "int8, not uint8", "softmax.cc: s8 refused"},
    {"xnnpack", "Softmax", 3, U, ONE, true, false, true, "xnn_softmax_nc_qu8", NULL, "softmax.cc: 1/256"},
    {"xnnpack", "MatMul", 2, S, S, true, false, false, NULL, "no such operator in 8 bits",
     "matmul.cc: floats only"},
    {"xnnpack", "MatMul", 2, F, F, false, false, true, NULL, NULL, "matmul.cc"},
    {"nnapi", "Conv", 4, U, S, true, true, true, "ANEURALNETWORKS_CONV_2D", NULL, "conv_op_builder.cc"},
    {"nnapi", "Conv", 4, S, S, true, true, false, NULL, "int8, not uint8",
     "op_support_helpers.cc; issue 18571"},
    {"nnapi", "MatMul", 2, U, S, true, false, true, "ANEURALNETWORKS_FULLY_CONNECTED", NULL,
     "gemm_op_builder.cc"},
    {"nnapi", "MatMul", 3, U, S, true, false, false, NULL, "neither matrices",
     "gemm_op_builder.cc: A must be 2D; issue 19590"},
    {"nnapi", "MatMul", 2, U, S, true, true, false, NULL, "scale per channel",
     "gemm_op_builder.cc: per tensor"},
    {"nnapi", "MatMul", 3, F, ACTIVATION, false, false, true, NULL, NULL,
     "gemm_op_builder.cc: batch MatMul of floats"},
    {"nnapi", "MatMul", 3, U, ACTIVATION, true, false, false, NULL, "its weights are computed",
     "gemm_op_builder.cc"},
    {"nnapi", "Sub", 3, U, ACTIVATION, true, false, false, NULL, "no such operator in 8 bits",
     "qdq_support_helper.cc: units"},
    {"nnapi", "Sub", 3, F, ACTIVATION, false, false, true, NULL, NULL, "binary_op_builder.cc"},
    {"nnapi", "Sub", 5, F, ACTIVATION, false, false, false, NULL, "more than 4 dims", "binary_op_builder.cc"},
    {"nnapi", "Gelu", 3, F, ONE, false, false, false, NULL, "no such operator", "op_builder_factory.cc"},
    {"nnapi", "LayerNormalization", 3, F, F, false, false, false, NULL, "no such operator",
     "op_builder_factory.cc"},
    {"nnapi", "Erf", 3, F, ONE, false, false, false, NULL, "no such operator", "op_builder_factory.cc"},
    {"nnapi", "Softmax", 3, U, ONE, true, false, true, "ANEURALNETWORKS_SOFTMAX", NULL,
     "softmax_op_builder.cc: 1/256"},
    {"qnn-htp", "MatMul", 3, U, S, true, true, true, "FullyConnected, MatMul", NULL, "matmul_op_builder.cc"},
    {"qnn-htp", "Gelu", 3, U, ONE, true, false, true, "of the same name", NULL, "simple_op_builder.cc"},
    {"qnn-htp", "Erf", 3, F, ONE, false, false, false, NULL, "no such operator", "op_builder_factory.cc"},
    {"qnn-htp", "Conv", 4, U, S, true, true, true, "Conv2d", NULL, "conv_op_builder.cc"},
    {"coreml", "MatMul", 3, F, F, false, false, true, NULL, NULL, "gemm_op_builder.cc: MLProgram"},
    {"coreml", "Add", 6, F, ACTIVATION, false, false, false, NULL, "more than 5 dims",
     "base_op_builder.cc: rank 5"},
    {"coreml", "Gelu", 3, F, ONE, false, false, true, NULL, NULL, "activation_op_builder.cc: MLProgram"},
    {"openvino", "MatMul", 3, U, S, false, true, true, "MatMul, int8", NULL, "mat_mul.cpp"},
    {"openvino", "Conv", 4, U, S, false, true, true, "Convolution, int8", NULL, "convolution.cpp"},
};

static const vlm_fate *find(const vlm_placement *p, const vlm_graph *g, const char *op) {
  for (int32_t n = 0; n < g->n_nodes; n++)
    if (!strcmp(g->nodes[n].op_type, op)) return &p->nodes[n];
  return NULL;
}

static void operators_fare_as_golden(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
    const golden *c = &ROWS[i];
    vlm_placement p;
    vlm_graph *g = graph_of(c);
    FINE(vlm_placement_make(&p, g, &(vlm_place_opts){.target = vlm_target_find(c->target)}, &error));
    const vlm_fate *got = find(&p, g, c->op);
    bool kernel = c->kernel ? got->kernel && !strcmp(got->kernel, c->kernel) : !got->kernel;
    bool why = c->why ? got->why && strstr(got->why, c->why) : !got->why;
    if (got->taken != c->taken || !kernel || !why || got->integer != (c->kernel != NULL))
      fail_msg("row %zu, %s for %s (%s): taken %d, kernel %s, why %s", i, c->op, c->target, c->source,
               got->taken, got->kernel ? got->kernel : "none", got->why ? got->why : "none");
    vlm_placement_free(&p);
    vlm_graph_free(g);
  }
}

/* ---- partitions ---- */

/* x -> Relu -> Erf -> Relu -> Add <- Relu <- x: Erf stays on the CPU. */
static vlm_graph *forked(bool open) {
  vlm_graph *g;
  FINE(vlm_graph_create(&g, "forked", "forked.onnx", &error));
  g->opset = 20;
  vlm_value_id x = input(g, "x", 2);
  if (open) g->values[x].tensor.dims[0] = -1;
  vlm_value_id a = node(g, "Relu", &x, 1), b = node(g, "Relu", &x, 1);
  a = node(g, "Erf", &a, 1);
  a = node(g, "Relu", &a, 1);
  FINE(vlm_graph_add_output(g, node(g, "Add", (vlm_value_id[]){a, b}, 2), &error));
  FINE(vlm_graph_resolve(g, &error));
  return g;
}

static void a_gap_makes_two_partitions(void **state) {
  vlm_placement p;
  vlm_graph *g = forked(false);
  (void)state;
  FINE(vlm_placement_make(&p, g, &(vlm_place_opts){.target = vlm_target_find("nnapi")}, &error));
  assert_int_equal(p.partitions, 2);
  assert_false(find(&p, g, "Erf")->taken);
  assert_int_equal(find(&p, g, "Erf")->partition, -1);
  assert_int_equal(find(&p, g, "Relu")->partition, 0);
  assert_int_equal(find(&p, g, "Add")->partition, 1);
  vlm_placement_free(&p);
  FINE(vlm_placement_make(&p, g, &(vlm_place_opts){.target = vlm_target_find("coreml")}, &error));
  assert_int_equal(p.partitions, 1);
  vlm_placement_free(&p);
  vlm_graph_free(g);
}

static void open_dims_and_bodies_are_left(void **state) {
  const vlm_target *nnapi = vlm_target_find("nnapi"), *coreml = vlm_target_find("coreml");
  vlm_placement p;
  vlm_graph *g = forked(true);
  (void)state;
  FINE(vlm_placement_make(&p, g, &(vlm_place_opts){.target = nnapi}, &error));
  assert_int_equal(p.partitions, 0);
  assert_string_equal(find(&p, g, "Add")->why, "its shapes are not fixed");
  vlm_placement_free(&p);
  FINE(vlm_placement_make(&p, g, &(vlm_place_opts){.target = nnapi, .fixed = true}, &error));
  assert_int_equal(p.partitions, 2);
  vlm_placement_free(&p);
  FINE(vlm_placement_make(&p, g, &(vlm_place_opts){.target = nnapi, .fixed = true, .body = true}, &error));
  assert_int_equal(p.partitions, 0);
  vlm_placement_free(&p);
  FINE(vlm_placement_make(&p, g, &(vlm_place_opts){.target = coreml, .body = true}, &error));
  assert_int_equal(p.partitions, 1);
  vlm_placement_free(&p);
  vlm_graph_free(g);
}

/* A Reshape to what Shape says is constant once dims are fixed; alone it is given back. */
static void fixed_shapes_fold(void **state) {
  vlm_graph *g;
  vlm_placement p;
  (void)state;
  FINE(vlm_graph_create(&g, "shapes", "shapes.onnx", &error));
  g->opset = 20;
  vlm_value_id x = input(g, "x", 2), y = input(g, "y", 2);
  g->values[y].tensor.dims[0] = -1;
  vlm_value_id to = node(g, "Shape", &y, 1);
  vlm_value_id made = node(g, "Reshape", (vlm_value_id[]){node(g, "Erf", &x, 1), to}, 2);
  FINE(vlm_graph_add_output(g, node(g, "Erf", &made, 1), &error));
  FINE(vlm_graph_resolve(g, &error));
  FINE(vlm_placement_make(&p, g, &(vlm_place_opts){.target = vlm_target_find("nnapi")}, &error));
  assert_false(find(&p, g, "Shape")->folded);
  vlm_placement_free(&p);
  FINE(vlm_placement_make(&p, g, &(vlm_place_opts){.target = vlm_target_find("nnapi"), .fixed = true},
                          &error));
  assert_true(find(&p, g, "Shape")->folded);
  assert_non_null(strstr(find(&p, g, "Reshape")->why, "given back"));
  assert_int_equal(p.partitions, 0);
  vlm_placement_free(&p);
  vlm_graph_free(g);
}

/* ---- the tables ---- */

static void rows_name_operators_once(void **state) {
  int32_t count;
  char word[64];
  (void)state;
  const vlm_covered *rows = vlm_coverage_rows(&count);
  for (int32_t i = 0; i < count; i++) {
    assert_true(*rows[i].source != 0);
    for (const char *at = rows[i].ops; *at; at += strcspn(at, " "), at += *at == ' ') {
      bool known;
      snprintf(word, sizeof word, "%.*s", (int)strcspn(at, " "), at);
      vlm_op_find("", word, 20, &known);
      bool theirs = known;
      if (!known) vlm_op_find("com.microsoft", word, 1, &theirs);
      if (!theirs) fail_msg("coverage.def: %s is no operator", word);
      if (vlm_coverage_find(rows[i].provider, word) != &rows[i])
        fail_msg("coverage.def: %s has two rows", word);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(operators_fare_as_golden), cmocka_unit_test(a_gap_makes_two_partitions),
      cmocka_unit_test(open_dims_and_bodies_are_left), cmocka_unit_test(fixed_shapes_fold),
      cmocka_unit_test(rows_name_operators_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
