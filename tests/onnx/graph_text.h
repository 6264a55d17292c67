/* Graphs for tests, written as text: "Op: a b c -> y"; what a clean-up pass leaves of them, and that results stay the same. */
#ifndef VLM_TESTS_ONNX_GRAPH_TEXT_H
#define VLM_TESTS_ONNX_GRAPH_TEXT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "onnx/passes.h"
#include "runtime/base/unconst.h"
#include "runtime/exec/session.h"
#include "runtime/ops/resolve.h"
#include "tests/fine.h"

static inline vlm_graph *new_graph(void) {
  vlm_graph *graph = NULL;
  FINE(vlm_graph_create(&graph, "main", "model.onnx", &error));
  graph->opset = 17;
  return graph;
}

static inline vlm_value_id value(vlm_graph *graph, const char *name) {
  vlm_value_id id = vlm_graph_find(graph, name);
  if (id == VLM_NO_VALUE && name[0] != '\0')
    FINE(vlm_graph_add_value(graph, &id, name, VLM_VALUE_NODE, &error));
  return id;
}

static inline void input(vlm_graph *graph, const char *name, int rank) {
  vlm_value_id id;
  FINE(vlm_graph_add_value(graph, &id, name, VLM_VALUE_INPUT, &error));
  FINE(vlm_graph_add_input(graph, id, &error));
  graph->values[id].tensor.dtype = VLM_F32;
  graph->values[id].tensor.rank = rank;
  for (int k = 0; k < rank; k++) graph->values[id].tensor.dims[k] = -1;
}

static inline void constant(vlm_graph *graph, const char *name, int rank, const int64_t *dims,
                            const float *data) {
  vlm_value_id id;
  vlm_tensor tensor = vlm_tensor_make(VLM_F32, rank, dims, vlm_unconst(data));
  FINE(vlm_graph_add_constant(graph, &id, name, &tensor, true, &error));
}

static inline void scalar(vlm_graph *graph, const char *name, float v) { constant(graph, name, 0, NULL, &v); }

static inline void vector(vlm_graph *graph, const char *name, int64_t count, float first, float step) {
  float data[64];
  for (int64_t k = 0; k < count; k++) data[k] = first + step * (float)k;
  constant(graph, name, 1, &count, data);
}

/* "Op: a b c -> y"; "-" is a left-out input. */
static inline vlm_node *node(vlm_graph *graph, const char *text, int32_t n_attrs) {
  char op[64], copy[256], *words[16];
  int32_t count = 0, n = -1;
  snprintf(copy, sizeof copy, "%s", text);
  char *rest = strchr(copy, ':');
  snprintf(op, sizeof op, "%.*s", (int)(rest - copy), copy);
  for (char *word = strtok(rest + 1, " >"); word != NULL; word = strtok(NULL, " >")) words[count++] = word;
  FINE(vlm_graph_add_node(
      graph, &n,
      &(vlm_node){.op_type = op, .opset = 17, .n_inputs = count - 2, .n_outputs = 1, .n_attrs = n_attrs},
      &error)); /* the words are inputs, the arrow's "-", the output */
  for (int32_t k = 0; k < count - 2; k++)
    graph->nodes[n].inputs[k] = strcmp(words[k], "none") == 0 ? VLM_NO_VALUE : value(graph, words[k]);
  vlm_node_set_output(graph, n, 0, value(graph, words[count - 1]));
  return &graph->nodes[n];
}

static inline void ints(vlm_node *n, int32_t k, const char *name, const int64_t *list, int32_t count) {
  n->attrs[k] = (vlm_attr){.name = name, .kind = VLM_ATTR_INTS, .count = count, .u.ints = list};
}

static inline void output(vlm_graph *graph, const char *name) {
  FINE(vlm_graph_add_output(graph, value(graph, name), &error));
}

static inline int32_t count_op(const vlm_graph *graph, const char *op) {
  int32_t count = 0;
  for (int32_t n = 0; n < graph->n_nodes; n++) count += strcmp(graph->nodes[n].op_type, op) == 0;
  return count;
}

enum { MOST = 512 };

/* Output 0 for an input of this shape, filled with a fixed wave. */
static inline int64_t run(const vlm_graph *graph, int rank, const int64_t *dims, float *out) {
  vlm_context *context = NULL;
  vlm_session *session = NULL;
  float x[MOST];
  const vlm_context_opts one = {.threads = 1};
  vlm_tensor in = vlm_tensor_make(VLM_F32, rank, dims, x);
  for (int k = 0; k < MOST; k++) x[k] = 3 * sinf((float)k * 1.7f);
  FINE(vlm_context_create(&context, &one, &error));
  FINE(vlm_session_create(&session, context, graph, NULL, &error));
  FINE(vlm_session_run(session, &in, 1, &error));
  const vlm_tensor *y = vlm_session_output(session, 0);
  int64_t count = vlm_tensor_count(y);
  assert_true(count <= MOST);
  for (int64_t k = 0; k < count; k++) out[k] = (float)vlm_tensor_get(y, k);
  vlm_session_free(session);
  vlm_context_free(context);
  return count;
}

/* Resolves, runs, cleans, runs again and compares. */
static inline void clean_and_compare(vlm_graph *graph, int rank, const int64_t *dims, float tolerance) {
  float before[MOST], after[MOST];
  FINE(vlm_graph_resolve(graph, &error));
  int64_t count = run(graph, rank, dims, before);
  FINE(vlm_graph_clean(graph, NULL, &error));
  assert_int_equal(run(graph, rank, dims, after), count);
  for (int64_t k = 0; k < count; k++) assert_float_equal(after[k], before[k], tolerance);
}

static const int64_t rows_8[] = {4, 8};

#endif
