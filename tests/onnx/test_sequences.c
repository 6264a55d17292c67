/* Sequences of tensors are gone after the import, and the results are those of ONNX Runtime. Files: tests/oracles/sequence_models.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "onnx/import.h"
#include "runtime/exec/session.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/onnx/data/"

static vlm_graph *import(const char *name, const char *end, const vlm_onnx_opts *opts) {
  char path[512];
  vlm_graph *graph = NULL;
  snprintf(path, sizeof path, "%s%s%s", DATA, name, end);
  FINE(vlm_onnx_import(&graph, path, opts, &error));
  return graph;
}

static const vlm_tensor *wanted(const vlm_graph *want, const char *name) {
  vlm_value_id id = vlm_graph_find(want, name);
  if (id == VLM_NO_VALUE) fail_msg("no answer for \"%s\"", name);
  return vlm_graph_constant(want, id);
}

static int32_t count_op(const vlm_graph *graph, const char *op) {
  int32_t count = 0;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    count += strcmp(node->op_type, op) == 0;
    for (int32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH) count += count_op(node->attrs[a].u.g, op);
  }
  return count;
}

static void compare(const char *file, const char *name, const vlm_tensor *got, const vlm_tensor *want) {
  char a[128], b[128];
  if (got->dtype != want->dtype || !vlm_tensor_same_shape(got, want)) {
    fail_msg("%s: %s is %s %s, wanted %s %s", file, name, vlm_dtype_name(got->dtype),
             vlm_tensor_shape_text(got, a, sizeof a), vlm_dtype_name(want->dtype),
             vlm_tensor_shape_text(want, b, sizeof b));
  }
  for (int64_t k = 0; k < vlm_tensor_count(want); k++) {
    double x = vlm_tensor_get(got, k), y = vlm_tensor_get(want, k);
    if (!(x - y < 1e-5 && y - x < 1e-5))
      fail_msg("%s: %s[%lld] is %g, wanted %g", file, name, (long long)k, x, y);
  }
}

static vlm_status run(const vlm_graph *graph, const vlm_graph *want, vlm_context **context,
                      vlm_session **session) {
  vlm_tensor inputs[4];
  const vlm_context_opts one = {.threads = 1};
  for (int32_t k = 0; k < graph->n_inputs; k++)
    inputs[k] = *wanted(want, graph->values[graph->inputs[k]].name);
  FINE(vlm_context_create(context, &one, &error));
  vlm_status st = vlm_session_create(session, *context, graph, NULL, &error);
  return st != VLM_OK ? st : vlm_session_run(*session, inputs, graph->n_inputs, &error);
}

static const char *const sequence_ops[] = {"SequenceEmpty",   "SequenceConstruct", "SequenceInsert",
                                           "SequenceErase",   "SequenceAt",        "SequenceLength",
                                           "SplitToSequence", "ConcatFromSequence"};

static void check_file(const char *name, const vlm_onnx_opts *opts) {
  vlm_context *context = NULL;
  vlm_session *session = NULL;
  const vlm_onnx_opts as_written = {.keep_as_written = true};
  vlm_graph *graph = import(name, ".onnx", opts), *want = import(name, "_want.onnx", &as_written);
  for (size_t k = 0; k < sizeof sequence_ops / sizeof sequence_ops[0]; k++)
    assert_int_equal(count_op(graph, sequence_ops[k]), 0);
  FINE(run(graph, want, &context, &session));
  for (int32_t k = 0; k < graph->n_outputs; k++) {
    const char *output = graph->values[graph->outputs[k]].name;
    compare(name, output, vlm_session_output(session, k), wanted(want, output));
  }
  vlm_session_free(session);
  vlm_context_free(context);
  vlm_graph_free(graph);
  vlm_graph_free(want);
}

static void results_are_those_of_the_reference(void **state) {
  (void)state;
  static const char *const files[] = {"sequences",     "sequence_splits",    "sequence_open", "sequence_then",
                                      "sequence_else", "sequence_functions", "sequence_torch"};
  const vlm_onnx_opts alone = {.clean.skip = "fold,branches,fold-branches,no-ops"};
  for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
    check_file(files[k], NULL);
    check_file(files[k], &alone);
  }
}

static void what_remains_is_small(void **state) {
  (void)state;
  vlm_graph *graph = import("sequences", ".onnx", NULL);
  assert_non_null(vlm_graph_constant(
      graph, vlm_graph_find(graph, "y4"))); /* lengths are constants, also those computed from */
  assert_int_equal(count_op(graph, "Sub"), 0);
  vlm_graph_free(graph);
  graph = import("sequence_splits", ".onnx", NULL);
  assert_int_equal(count_op(graph, "Split"), 6);
  assert_int_equal(count_op(graph, "Squeeze"), 4);
  assert_int_equal(count_op(graph, "Gather"), 2);
  assert_int_not_equal(vlm_graph_find(graph, "pairs_0"), VLM_NO_VALUE);
  vlm_graph_free(graph);
  graph = import("sequence_torch", ".onnx", NULL);
  assert_int_equal(count_op(graph, "Split"), 3);
  assert_int_equal(count_op(graph, "Identity"), 0);
  assert_int_not_equal(vlm_graph_find(graph, "split/0"), VLM_NO_VALUE);
  vlm_graph_free(graph);
}

/* Without the pass the operators stay, and whoever runs the graph is told. */
static void a_graph_with_sequences_does_not_run(void **state) {
  (void)state;
  const vlm_onnx_opts as_written = {.keep_as_written = true}, skipped = {.clean.skip = "sequences"};
  for (int k = 0; k < 2; k++) {
    vlm_context *context = NULL;
    vlm_session *session = NULL;
    vlm_graph *graph = import("sequence_torch", ".onnx", k == 0 ? &as_written : &skipped);
    vlm_graph *want = import("sequence_torch", "_want.onnx", &as_written);
    assert_int_equal(count_op(graph, "SplitToSequence"), 3);
    assert_int_equal(run(graph, want, &context, &session), VLM_UNSUPPORTED);
    if (strstr(error.text, "(SplitToSequence)") == NULL) fail_msg("%s", error.text);
    vlm_session_free(session);
    vlm_context_free(context);
    vlm_graph_free(graph);
    vlm_graph_free(want);
  }
}

/* A dim that is not known on import: the position is checked when it is read. */
static void a_position_outside_is_told_at_run_time(void **state) {
  (void)state;
  vlm_context *context = NULL;
  vlm_session *session = NULL;
  float x[2 * 1 * 4] = {0};
  const vlm_context_opts one = {.threads = 1};
  const vlm_tensor input = vlm_tensor_make(VLM_F32, 3, (int64_t[]){2, 1, 4}, x);
  vlm_graph *graph = import("sequence_open", ".onnx", NULL);
  FINE(vlm_context_create(&context, &one, &error));
  FINE(vlm_session_create(&session, context, graph, NULL, &error));
  FAILS(VLM_INPUT, vlm_session_run(session, &input, 1, &error));
  if (strstr(error.text, "(Gather)") == NULL) fail_msg("%s", error.text);
  vlm_session_free(session);
  vlm_context_free(context);
  vlm_graph_free(graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(results_are_those_of_the_reference),
      cmocka_unit_test(what_remains_is_small),
      cmocka_unit_test(a_graph_with_sequences_does_not_run),
      cmocka_unit_test(a_position_outside_is_told_at_run_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
