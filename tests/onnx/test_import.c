#define _GNU_SOURCE /* memmem */
/* The importer on files with every feature; they are written by tests/oracles/onnx_models.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "onnx/import.h"
#include "runtime/base/file.h"
#include "runtime/base/small_float.h"
#include "runtime/exec/session.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/onnx/data/"

static vlm_graph *import(const char *file, bool keep_as_written) {
  char path[512];
  vlm_graph *graph = NULL;
  const vlm_onnx_opts opts = {.keep_as_written = keep_as_written};
  snprintf(path, sizeof path, "%s%s", DATA, file);
  vlm_status st = vlm_onnx_import(&graph, path, &opts, &error);
  if (st != VLM_OK) fail_msg("%s", error.text);
  return graph;
}

static const vlm_tensor *constant(const vlm_graph *graph, const char *name) {
  vlm_value_id id = vlm_graph_find(graph, name);
  if (id == VLM_NO_VALUE) fail_msg("no value \"%s\"", name);
  const vlm_tensor *tensor = vlm_graph_constant(graph, id);
  assert_non_null(tensor);
  return tensor;
}

static void expect(const vlm_tensor *t, int64_t count, const double *wanted) {
  assert_int_equal(vlm_tensor_count(t), count);
  for (int64_t k = 0; k < count; k++) assert_float_equal(vlm_tensor_get(t, k), wanted[k], 1e-6);
}
#define EXPECT(tensor, ...) \
  expect(tensor, sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})

/* Runs a graph with inputs "x" = {x0, x1} and "cond" and hands the outputs to `check`. */
static void run(const vlm_graph *graph, float x0, float x1, bool cond,
                void (*check)(const vlm_session *session)) {
  vlm_context *context = NULL;
  vlm_session *session = NULL;
  float x[2] = {x0, x1};
  vlm_tensor inputs[2];
  const vlm_context_opts one = {.threads = 1};
  for (int32_t k = 0; k < graph->n_inputs; k++) {
    bool is_x = strcmp(graph->values[graph->inputs[k]].name, "x") == 0;
    inputs[k] =
        is_x ? vlm_tensor_make(VLM_F32, 1, (int64_t[]){2}, x) : vlm_tensor_make(VLM_BOOL, 0, NULL, &cond);
  }
  FINE(vlm_context_create(&context, &one, &error));
  FINE(vlm_session_create(&session, context, graph, NULL, &error));
  FINE(vlm_session_run(session, inputs, graph->n_inputs, &error));
  check(session);
  vlm_session_free(session);
  vlm_context_free(context);
}

static void nodes_are_sorted_and_named(void **state) {
  (void)state;
  vlm_graph *graph = import("unsorted.onnx", true);
  assert_int_equal(graph->n_nodes, 3);
  assert_string_equal(graph->nodes[0].op_type, "Neg");
  assert_string_equal(graph->nodes[1].name, "plus");
  assert_string_equal(graph->nodes[2].name, "Relu_0");
  assert_int_equal(graph->opset, 17);
  vlm_graph_free(graph);
}

static void constants_come_in_every_form(void **state) {
  (void)state;
  vlm_graph *graph = import("constants.onnx", true);
  assert_int_equal(graph->n_nodes, 0);
  EXPECT(constant(graph, "tensor"), 1, 2, 3);
  EXPECT(constant(graph, "float"), 1.5);
  assert_int_equal(constant(graph, "float")->rank, 0);
  EXPECT(constant(graph, "floats"), 1.5, 2.5);
  assert_int_equal(constant(graph, "int")->dtype, VLM_S64);
  EXPECT(constant(graph, "int"), 7);
  EXPECT(constant(graph, "ints"), 7, 8, 9);
  EXPECT(constant(graph, "sparse"), 0, 5, 0, 6);
  EXPECT(constant(graph, "table"), 0, 7, 8, 0);
  vlm_graph_free(graph);
}

static void initializers_are_no_inputs(void **state) {
  (void)state;
  vlm_graph *graph = import("initializers.onnx", true);
  assert_int_equal(graph->n_inputs, 1);
  assert_string_equal(graph->values[graph->inputs[0]].name, "x");
  EXPECT(constant(graph, "w"), 10, 20);
  EXPECT(constant(graph, "s"), 0, 4);
  vlm_graph_free(graph);
}

static void every_element_type_in_both_encodings(void **state) {
  (void)state;
  static const struct {
    const char *name;
    vlm_dtype dtype;
  } rows[] = {
      {"float32", VLM_F32},
      {"float64", VLM_F64},
      {"float16", VLM_F16},
      {"bfloat16", VLM_BF16},
      {"int8", VLM_S8},
      {"uint8", VLM_U8},
      {"int16", VLM_S16},
      {"uint16", VLM_U16},
      {"int32", VLM_S32},
      {"uint32", VLM_U32},
      {"int64", VLM_S64},
      {"uint64", VLM_U64},
      {"bool", VLM_BOOL},
      {"uint4", VLM_U4},
      {"int4", VLM_S4},
      {"uint2", VLM_U2},
      {"int2", VLM_S2},
      {"float8e4m3fn", VLM_F8E4M3FN},
      {"float8e4m3fnuz", VLM_F8E4M3FNUZ},
      {"float8e5m2", VLM_F8E5M2},
      {"float8e5m2fnuz", VLM_F8E5M2FNUZ},
      {"float4e2m1", VLM_F4E2M1},
      {"float8e8m0", VLM_F8E8M0},
  };
  vlm_graph *graph = import("types.onnx", true);
  for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
    for (int typed = 0; typed < 2; typed++) {
      char name[32];
      snprintf(name, sizeof name, "%s_%s", rows[k].name, typed ? "typed" : "raw");
      const vlm_tensor *t = constant(graph, name);
      assert_int_equal(t->dtype, rows[k].dtype);
      if (vlm_dtype_is_small_float(t->dtype)) EXPECT(t, 1, 2);
      else if (vlm_dtype_bits(t->dtype) == 4) EXPECT(t, 0, 1, 7);
      else if (vlm_dtype_bits(t->dtype) == 2) EXPECT(t, 0, 1, 1, 0, 1);
      else if (t->dtype == VLM_BOOL) EXPECT(t, 0, 1, 1, 1);
      else EXPECT(t, 0, 1, 2, 100);
    }
  }
  vlm_graph_free(graph);
}

static void symbolic_dims_keep_their_names(void **state) {
  (void)state;
  vlm_graph *graph = import("symbolic.onnx", true);
  const vlm_value *x = &graph->values[graph->inputs[0]], *u = &graph->values[graph->inputs[1]];
  assert_int_equal(x->tensor.rank, 4);
  assert_int_equal(x->tensor.dims[0], -1);
  assert_string_equal(x->dim_names[0], "batch");
  assert_int_equal(x->tensor.dims[1], -1);
  assert_null(x->dim_names[1]);
  assert_int_equal(x->tensor.dims[2], -1);
  assert_string_equal(x->dim_names[2], "1");
  assert_int_equal(x->tensor.dims[3], 3);
  assert_int_equal(u->tensor.rank, -1);
  vlm_graph_free(graph);
}

static void left_out_inputs_are_absent(void **state) {
  (void)state;
  vlm_graph *graph = import("unnamed.onnx", true);
  assert_int_equal(graph->nodes[0].n_inputs, 3);
  assert_int_equal(graph->nodes[0].inputs[1], VLM_NO_VALUE);
  assert_string_equal(graph->nodes[0].name, "Clip_0");
  vlm_graph_free(graph);
}

static const vlm_graph *body_of(const vlm_graph *graph, const char *op, const char *attr) {
  for (int32_t n = 0; n < graph->n_nodes; n++)
    if (strcmp(graph->nodes[n].op_type, op) == 0) return vlm_node_attr(&graph->nodes[n], attr)->u.g;
  fail_msg("no node %s", op);
  return NULL;
}

static void inner_branch_ran(const vlm_session *session) { EXPECT(vlm_session_output(session, 0), 12, 17); }
static void else_branch_ran(const vlm_session *session) { EXPECT(vlm_session_output(session, 0), -10, 60); }

static void captures_go_through_every_level(void **state) {
  (void)state;
  vlm_graph *graph = import("subgraphs.onnx", true);
  const vlm_graph *then = body_of(graph, "If", "then_branch"), *inner = body_of(then, "If", "then_branch");
  const vlm_graph *outside = body_of(then, "If", "else_branch");
  vlm_value_id w = vlm_graph_find(inner, "w");
  assert_int_equal(inner->values[w].kind, VLM_VALUE_CAPTURE);
  assert_int_equal(then->values[inner->values[w].parent_value].kind, VLM_VALUE_CAPTURE);
  assert_ptr_equal(vlm_graph_constant(inner, w)->data, constant(graph, "w")->data);
  assert_int_equal(outside->n_nodes, 0);
  assert_int_equal(outside->values[outside->outputs[0]].kind, VLM_VALUE_CAPTURE);
  /* then: Relu(x) + (x + w) = {1 + 11, 0 + 17}; else: -(x * w) */
  run(graph, 1, -3, true, inner_branch_ran);
  run(graph, 1, -3, false, else_branch_ran);
  vlm_graph_free(graph);
}

/* Outer(x) = LeakyRelu(x, slope) + 1; Choose = cond ? x + |x| : x - |x|. */
static void functions_gave(const vlm_session *session) {
  EXPECT(vlm_session_output(session, 0), 3, 0);  /* slope 0.25 from the call */
  EXPECT(vlm_session_output(session, 1), 3, -1); /* slope 0.5 by default */
  EXPECT(vlm_session_output(session, 2), 1, 7);  /* 3 + -x */
  EXPECT(vlm_session_output(session, 3), 2, -4); /* an input that is an output */
  EXPECT(vlm_session_output(session, 4), 0, -8);
}

static void functions_are_inlined(void **state) {
  (void)state;
  for (int as_written = 0; as_written < 2; as_written++) {
    vlm_graph *graph = import("functions.onnx", as_written);
    for (int32_t n = 0; n < graph->n_nodes; n++) assert_string_not_equal(graph->nodes[n].domain, "fun");
    if (as_written) {
      assert_int_not_equal(vlm_graph_find(graph, "first/l"), VLM_NO_VALUE);
      assert_int_not_equal(vlm_graph_find(graph, "first_2/l"), VLM_NO_VALUE);
    }
    run(graph, 2, -4, false, functions_gave);
    vlm_graph_free(graph);
  }
}

static void overloads_gave(const vlm_session *session) {
  EXPECT(vlm_session_output(session, 0), 2, -2);    /* slope 0.5 from the call */
  EXPECT(vlm_session_output(session, 1), 2, -0.04); /* no slope anywhere: LeakyRelu's own 0.01 */
  EXPECT(vlm_session_output(session, 2), 2,
         -1); /* the other overload; its body refers to the slope of the call */
  EXPECT(vlm_session_output(session, 3), 2, -3); /* called from a branch */
}

static void overloads_are_told_apart(void **state) {
  (void)state;
  for (int as_written = 0; as_written < 2; as_written++) {
    vlm_graph *graph = import("overloads.onnx", as_written);
    run(graph, 2, -4, true, overloads_gave);
    vlm_graph_free(graph);
  }
}

static void empty_parts_vanish(const vlm_session *session) {
  EXPECT(vlm_session_output(session, 0), 10, 11); /* x + 3 + 4 + 2 */
  const vlm_tensor *typed = vlm_session_output(session, 1);
  assert_int_equal(typed->rank, 3);
  assert_int_equal(typed->dims[1], 0);
  for (int32_t k = 2; k < 4; k++) {
    assert_int_equal(vlm_session_output(session, k)->dtype, VLM_S64);
    assert_int_equal(vlm_session_output(session, k)->dims[0], 0);
  }
}

static void tensors_without_elements_or_dimensions(void **state) {
  (void)state;
  for (int as_written = 0; as_written < 2; as_written++) {
    vlm_graph *graph = import("empty.onnx", as_written);
    run(graph, 1, 2, false, empty_parts_vanish);
    vlm_graph_free(graph);
  }
}

/* Imports unsorted.onnx with each byte from `first` to 127 in place of the last of `field`, which occurs once. */
static void with_each_version(const unsigned char *field, size_t size, unsigned char first) {
  vlm_file file;
  unsigned char copy[4096];
  FINE(vlm_file_map(&file, DATA "unsorted.onnx", &error));
  assert_true(file.bytes <= sizeof copy);
  memcpy(copy, file.data, file.bytes);
  unsigned char *at = memmem(copy, file.bytes, field, size);
  assert_non_null(at);
  for (unsigned char version = first; version < 128; version++) {
    vlm_graph *graph = NULL;
    at[size - 1] = version;
    if (vlm_onnx_import_memory(&graph, copy, file.bytes, "bytes", NULL, &error) != VLM_OK)
      fail_msg("%d: %s", version, error.text);
    assert_int_equal(graph->n_nodes, 3);
    vlm_graph_free(graph);
  }
  vlm_file_unmap(&file);
}

static void every_ir_version_is_read(void **state) {
  (void)state;
  with_each_version((const unsigned char[]){8, 8}, 2, 1);
}

static void every_opset_is_read_by_the_operators_rows(void **state) {
  (void)state;
  with_each_version((const unsigned char[]){0x0a, 0, 0x10, 17}, 4, 1);
}

/* Names of dims that mean nothing, dims of -1 and none: all are dims that are not known. */
static void dims_that_are_not_known(void **state) {
  (void)state;
  vlm_graph *graph = import("dims.onnx", true);
  const vlm_value *x = &graph->values[graph->inputs[0]], *y = &graph->values[graph->outputs[0]];
  assert_int_equal(x->tensor.rank, 6);
  for (int k = 0; k < 5; k++) assert_int_equal(x->tensor.dims[k], -1);
  for (int k = 0; k < 3; k++) assert_null(x->dim_names[k]);
  assert_string_equal(x->dim_names[3], "?");
  assert_string_equal(x->dim_names[4], "a=b, c[0]\n");
  assert_int_equal(x->tensor.dims[5], 2);
  assert_int_equal(y->tensor.dims[0], -1);
  vlm_graph_free(graph);
}

static vlm_status run_one(const vlm_graph *graph, vlm_tensor input, vlm_session **session,
                          vlm_context *context) {
  FINE(vlm_session_create(session, context, graph, NULL, &error));
  return vlm_session_run(*session, &input, 1, &error);
}

/* A scalar where [1] is declared and the other way round; two elements are not one. */
static void one_element_takes_the_declared_rank(void **state) {
  (void)state;
  static const struct {
    const char *file;
    int rank;
    int64_t dims[3];
    vlm_status status;
  } rows[] = {
      {"single.onnx", 0, {0}, VLM_OK},       {"single.onnx", 3, {1, 1, 1}, VLM_OK},
      {"single.onnx", 2, {1, 2}, VLM_INPUT}, {"scalar.onnx", 1, {1}, VLM_OK},
      {"scalar.onnx", 1, {2}, VLM_INPUT},
  };
  float data[2] = {3, 4};
  vlm_context *context = NULL;
  FINE(vlm_context_create(&context, NULL, &error));
  for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
    vlm_session *session = NULL;
    vlm_graph *graph = import(rows[k].file, true);
    assert_int_equal(
        run_one(graph, vlm_tensor_make(VLM_F32, rows[k].rank, rows[k].dims, data), &session, context),
        rows[k].status);
    if (rows[k].status == VLM_OK) {
      assert_int_equal(vlm_session_output(session, 0)->rank, graph->values[graph->inputs[0]].tensor.rank);
      EXPECT(vlm_session_output(session, 0), -3);
    }
    vlm_session_free(session);
    vlm_graph_free(graph);
  }
  vlm_context_free(context);
}

static void external_data_is_mapped_once_and_used_in_place(void **state) {
  (void)state;
  vlm_graph *graph = import("external.onnx", true);
  const char *a = constant(graph, "a")->data, *b = constant(graph, "b")->data;
  assert_ptr_equal(b, a + 8);
  assert_int_equal((uintptr_t)constant(graph, "odd")->data % 4, 0);
  EXPECT(constant(graph, "odd"), 5, 6);
  EXPECT(constant(graph, "flags"), 1, 0);
  vlm_graph_free(graph);
}

static void large_weights_are_not_copied_per_branch(void **state) {
  (void)state;
  char path[] = VLMQ_SOURCE_DIR "/../shared/data/models/ultraface-rfb320/model.onnx";
  vlm_graph *graph = NULL;
  if (!vlm_file_exists(path)) skip();
  FINE(vlm_onnx_import(&graph, path, NULL, &error));
  /* 1.2 MB of weights: the arena holds structure and small constants only. */
  assert_true(vlm_arena_used(graph->arena) < 2 << 20);
  vlm_graph_free(graph);
}

static void memory_works_like_a_file(void **state) {
  (void)state;
  vlm_file file;
  vlm_graph *graph = NULL;
  FINE(vlm_file_map(&file, DATA "initializers.onnx", &error));
  FINE(vlm_onnx_import_memory(&graph, file.data, file.bytes, "bytes", NULL, &error));
  vlm_file_unmap(&file);
  assert_string_equal(graph->source, "bytes");
  EXPECT(constant(graph, "w"), 10, 20);
  vlm_graph_free(graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nodes_are_sorted_and_named),
      cmocka_unit_test(constants_come_in_every_form),
      cmocka_unit_test(initializers_are_no_inputs),
      cmocka_unit_test(every_element_type_in_both_encodings),
      cmocka_unit_test(symbolic_dims_keep_their_names),
      cmocka_unit_test(left_out_inputs_are_absent),
      cmocka_unit_test(captures_go_through_every_level),
      cmocka_unit_test(functions_are_inlined),
      cmocka_unit_test(overloads_are_told_apart),
      cmocka_unit_test(tensors_without_elements_or_dimensions),
      cmocka_unit_test(every_ir_version_is_read),
      cmocka_unit_test(every_opset_is_read_by_the_operators_rows),
      cmocka_unit_test(dims_that_are_not_known),
      cmocka_unit_test(one_element_takes_the_declared_rank),
      cmocka_unit_test(external_data_is_mapped_once_and_used_in_place),
      cmocka_unit_test(large_weights_are_not_copied_per_branch),
      cmocka_unit_test(memory_works_like_a_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
