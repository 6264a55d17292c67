/* The graph: building, names, resolving, ordering, sweeping, and the message of every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/graph/graph.h"
#include "runtime/ops/op.h"
#include "runtime/ops/resolve.h"
#include "tests/fine.h"

static vlm_graph *new_graph(void) {
  vlm_graph *graph = NULL;
  FINE(vlm_graph_create(&graph, "main", "model.onnx", &error));
  graph->opset = 17;
  return graph;
}

static vlm_value_id value(vlm_graph *graph, const char *name, vlm_value_kind kind) {
  vlm_value_id id = vlm_graph_find(graph, name);
  if (id != VLM_NO_VALUE) return id;
  FINE(vlm_graph_add_value(graph, &id, name, kind, &error));
  if (kind == VLM_VALUE_INPUT) FINE(vlm_graph_add_input(graph, id, &error));
  return id;
}

/* "Op a b -> c" with one output. */
static vlm_node *node(vlm_graph *graph, const char *op, const char *a, const char *b, const char *out,
                      int32_t n_attrs) {
  int32_t n = -1;
  FINE(vlm_graph_add_node(graph, &n,
                          &(vlm_node){.op_type = op,
                                      .opset = 17,
                                      .n_inputs = (a != NULL) + (b != NULL),
                                      .n_outputs = 1,
                                      .n_attrs = n_attrs},
                          &error));
  if (a != NULL) graph->nodes[n].inputs[0] = value(graph, a, VLM_VALUE_NODE);
  if (b != NULL) graph->nodes[n].inputs[1] = value(graph, b, VLM_VALUE_NODE);
  vlm_value_id id = value(graph, out, VLM_VALUE_NODE);
  vlm_node_set_output(graph, n, 0, id);
  return &graph->nodes[n];
}

static void output(vlm_graph *graph, const char *name) {
  FINE(vlm_graph_add_output(graph, value(graph, name, VLM_VALUE_NODE), &error));
}

static void refused(vlm_graph *graph, vlm_status status, const char *text) {
  error.text[0] = '\0';
  assert_int_equal(vlm_graph_resolve(graph, &error), status);
  if (strstr(error.text, text) == NULL) fail_msg("message \"%s\" lacks \"%s\"", error.text, text);
  vlm_graph_free(graph);
}

static void names_are_found_and_unique(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  char name[32];
  for (int i = 0; i < 5000; i++) {
    snprintf(name, sizeof name, "v%d", i);
    assert_int_equal(value(graph, name, VLM_VALUE_NODE), i);
  }
  for (int i = 0; i < 5000; i++) {
    snprintf(name, sizeof name, "v%d", i);
    assert_int_equal(vlm_graph_find(graph, name), i);
  }
  assert_int_equal(vlm_graph_find(graph, "v5000"), VLM_NO_VALUE);
  vlm_value_id id = 7;
  FAILS(VLM_INPUT, vlm_graph_add_value(graph, &id, "v17", VLM_VALUE_NODE, &error));
  assert_non_null(strstr(error.text, "model.onnx"));
  assert_non_null(strstr(error.text, "\"v17\""));
  FINE(vlm_graph_add_value(graph, &id, "", VLM_VALUE_NODE, &error));
  assert_int_equal(id, 5000);
  assert_true(graph->values[id].name[0] != '\0');
  vlm_graph_free(graph);
}

static void constants_are_copied_or_borrowed(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  float data[3] = {1, 2, 3};
  vlm_tensor tensor = vlm_tensor_make(VLM_F32, 1, (int64_t[]){3}, data);
  vlm_value_id copy, borrowed, empty;
  FINE(vlm_graph_add_constant(graph, &copy, "copy", &tensor, true, &error));
  FINE(vlm_graph_add_constant(graph, &borrowed, "borrowed", &tensor, false, &error));
  vlm_tensor none = vlm_tensor_make(VLM_F32, 2, (int64_t[]){0, 4}, NULL);
  FINE(vlm_graph_add_constant(graph, &empty, "empty", &none, true, &error));
  data[1] = 5;
  assert_float_equal(vlm_tensor_get(vlm_graph_constant(graph, copy), 1), 2, 0);
  assert_float_equal(vlm_tensor_get(vlm_graph_constant(graph, borrowed), 1), 5, 0);
  assert_non_null(vlm_graph_constant(graph, empty)->data);
  assert_null(vlm_graph_constant(graph, value(graph, "x", VLM_VALUE_INPUT)));
  vlm_graph_free(graph);
}

static void release_once(void *thing) { ++*(int *)thing; }

static void kept_things_are_released(void **state) {
  (void)state;
  int released = 0;
  vlm_graph *graph = new_graph(), *body = NULL;
  FINE(vlm_graph_create_sub(&body, graph, "body", &error));
  FINE(vlm_graph_keep(body, &released, release_once, &error));
  assert_int_equal(released, 0);
  vlm_graph_free(graph);
  assert_int_equal(released, 1);
}

static void resolve_sorts_and_keeps_sorted(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  value(graph, "x", VLM_VALUE_INPUT);
  node(graph, "Relu", "b", NULL, "c", 0);
  node(graph, "Add", "a", "x", "b", 0);
  node(graph, "Sigmoid", "x", NULL, "a", 0);
  output(graph, "c");
  for (int again = 0; again < 3; again++) {
    FINE(vlm_graph_resolve(graph, &error));
    assert_string_equal(graph->nodes[0].op_type, "Sigmoid");
    assert_string_equal(graph->nodes[1].op_type, "Add");
    assert_string_equal(graph->nodes[2].op_type, "Relu");
    assert_string_equal(graph->nodes[2].name, "Relu_0");
    assert_int_equal(graph->values[vlm_graph_find(graph, "b")].producer, 1);
    assert_non_null(graph->nodes[1].op);
  }
  vlm_graph_free(graph);
}

static void attributes_are_decoded_in_row_order(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  value(graph, "x", VLM_VALUE_INPUT);
  vlm_node *given = node(graph, "Softmax", "x", NULL, "a", 1);
  given->attrs[0] = (vlm_attr){.name = "axis", .kind = VLM_ATTR_INT, .u.i = 2};
  node(graph, "Softmax", "a", NULL, "b", 0);
  output(graph, "b");
  FINE(vlm_graph_resolve(graph, &error));
  assert_int_equal(graph->nodes[0].args[0]->kind, VLM_ATTR_INT);
  assert_int_equal(graph->nodes[0].args[0]->u.i, 2);
  assert_int_equal(graph->nodes[1].args[0]->u.i, -1);
  graph->nodes[0].attrs[0].u.i = 1;
  FINE(vlm_graph_resolve(graph, &error));
  assert_int_equal(graph->nodes[0].args[0]->u.i, 1);
  vlm_graph_free(graph);
}

static void attributes_of_the_wrong_kind_are_refused(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  value(graph, "x", VLM_VALUE_INPUT);
  node(graph, "Softmax", "x", NULL, "a", 1)->attrs[0] =
      (vlm_attr){.name = "axis", .kind = VLM_ATTR_FLOAT, .u.f = 2};
  refused(graph, VLM_INPUT,
          "model.onnx: node \"Softmax_0\" (Softmax): attribute \"axis\" is of type float, expected int");
  graph = new_graph();
  value(graph, "x", VLM_VALUE_INPUT);
  node(graph, "Softmax", "x", NULL, "a", 1)->attrs[0] =
      (vlm_attr){.name = "axes", .kind = VLM_ATTR_INT, .u.i = 2};
  refused(graph, VLM_UNSUPPORTED, "attribute \"axes\" of operator Softmax is not supported");
}

static void arity_is_checked(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  value(graph, "x", VLM_VALUE_INPUT);
  node(graph, "Add", "x", NULL, "y", 0);
  refused(graph, VLM_INPUT, "node \"Add_0\" (Add): got 1 inputs, expected 2");
  graph = new_graph();
  value(graph, "x", VLM_VALUE_INPUT);
  node(graph, "Add", "x", "x", "y", 0)->inputs[0] = VLM_NO_VALUE;
  refused(graph, VLM_INPUT, "input 0 is left out");
}

static void unknown_operators_are_named(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  value(graph, "x", VLM_VALUE_INPUT);
  node(graph, "Frobnicate", "x", NULL, "y", 0)->domain = "com.acme";
  refused(graph, VLM_UNSUPPORTED, "operator com.acme.Frobnicate is not supported");
}

static void cycles_are_refused(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  value(graph, "x", VLM_VALUE_INPUT);
  node(graph, "Add", "x", "c", "a", 0);
  node(graph, "Relu", "a", NULL, "b", 0);
  node(graph, "Relu", "b", NULL, "c", 0);
  output(graph, "c");
  refused(graph, VLM_INPUT, "node \"Add_0\" (Add): the node depends on its own result");
}

static void dangling_names_are_refused(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  node(graph, "Relu", "nowhere", NULL, "a", 0);
  output(graph, "a");
  refused(graph, VLM_INPUT, "\"nowhere\" is neither an input");
  graph = new_graph();
  output(graph, "ghost");
  refused(graph, VLM_INPUT, "\"ghost\" is neither an input");
}

static void inputs_that_are_not_listed_are_refused(void **state) {
  (void)state;
  vlm_graph *graph = NULL;
  vlm_value_id id;
  FINE(vlm_graph_create(&graph, "g", "f", &error));
  FINE(vlm_graph_add_value(graph, &id, "x", VLM_VALUE_INPUT, &error));
  FAILS(VLM_INPUT, vlm_graph_resolve(graph, &error));
  assert_non_null(strstr(error.text, "\"x\" is none of the inputs"));
  FINE(vlm_graph_add_input(graph, id, &error));
  FINE(vlm_graph_resolve(graph, &error));
  FINE(vlm_graph_add_input(graph, id, &error));
  FAILS(VLM_INPUT, vlm_graph_resolve(graph, &error));
  vlm_graph_free(graph);
}

static void two_producers_are_refused(void **state) {
  (void)state;
  vlm_graph *graph = new_graph();
  value(graph, "x", VLM_VALUE_INPUT);
  node(graph, "Relu", "x", NULL, "a", 0);
  node(graph, "Sigmoid", "x", NULL, "a", 0);
  refused(graph, VLM_INPUT, "output \"a\" is defined twice");
}

/* x, cond -> If(cond) { y = Relu(x captured) } else { y = w captured } */
static vlm_graph *with_branches(vlm_graph **then_branch, vlm_graph **else_branch) {
  vlm_graph *graph = new_graph();
  value(graph, "cond", VLM_VALUE_INPUT);
  value(graph, "x", VLM_VALUE_INPUT);
  float w = 3;
  vlm_tensor scalar = vlm_tensor_make(VLM_F32, 0, NULL, &w);
  vlm_value_id constant;
  FINE(vlm_graph_add_constant(graph, &constant, "w", &scalar, true, &error));
  node(graph, "If", "cond", NULL, "y", 2);
  node(graph, "Relu", "x", NULL, "r", 0);
  output(graph, "y");
  const char *names[2] = {"then_branch", "else_branch"}, *reads[2] = {"r", "w"};
  vlm_graph **bodies[2] = {then_branch, else_branch};
  for (int k = 0; k < 2; k++) {
    vlm_graph *body = NULL;
    FINE(vlm_graph_create_sub(&body, graph, names[k], &error));
    vlm_value_id id = value(body, reads[k], VLM_VALUE_CAPTURE);
    body->values[id].parent_value = vlm_graph_find(graph, reads[k]);
    graph->nodes[0].attrs[k] = (vlm_attr){.name = names[k], .kind = VLM_ATTR_GRAPH, .u.g = body};
    *bodies[k] = body;
  }
  node(*then_branch, "Relu", "r", NULL, "y", 0);
  output(*then_branch, "y");
  output(*else_branch, "w");
  return graph;
}

static void captures_are_edges(void **state) {
  (void)state;
  vlm_graph *yes, *no, *graph = with_branches(&yes, &no);
  FINE(vlm_graph_resolve(graph, &error));
  assert_string_equal(graph->nodes[0].op_type, "Relu");
  assert_string_equal(graph->nodes[1].op_type, "If");
  assert_non_null(yes->nodes[0].op);
  assert_ptr_equal(vlm_graph_constant(no, no->outputs[0]), &graph->values[vlm_graph_find(graph, "w")].tensor);
  vlm_graph_free(graph);
}

static void a_capture_of_nothing_is_refused(void **state) {
  (void)state;
  vlm_graph *yes, *no, *graph = with_branches(&yes, &no);
  yes->values[0].parent_value = 99;
  refused(graph, VLM_INPUT, "captures \"r\", which no enclosing graph defines");
}

static void a_body_that_reads_its_own_node_is_a_cycle(void **state) {
  (void)state;
  vlm_graph *yes, *no, *graph = with_branches(&yes, &no);
  yes->values[0].parent_value = vlm_graph_find(graph, "y");
  refused(graph, VLM_INPUT, "depends on its own result");
}

static void sweep_keeps_what_outputs_need(void **state) {
  (void)state;
  vlm_graph *yes, *no, *graph = with_branches(&yes, &no);
  node(graph, "Sigmoid", "x", NULL, "unused", 0);
  node(graph, "Relu", "unused", NULL, "unused2", 0);
  value(yes, "lost", VLM_VALUE_CAPTURE);
  yes->values[vlm_graph_find(yes, "lost")].parent_value = vlm_graph_find(graph, "unused2");
  FINE(vlm_graph_resolve(graph, &error));
  FINE(vlm_graph_sweep(graph, &error));
  assert_int_equal(graph->n_nodes, 2);
  assert_int_equal(vlm_graph_find(graph, "unused"), VLM_NO_VALUE);
  assert_int_equal(vlm_graph_find(yes, "lost"), VLM_NO_VALUE);
  assert_int_equal(graph->n_inputs, 2);
  assert_string_equal(graph->values[graph->outputs[0]].name, "y");
  assert_int_equal(yes->values[vlm_graph_find(yes, "r")].parent_value, vlm_graph_find(graph, "r"));
  FINE(vlm_graph_resolve(graph, &error));
  assert_int_equal(graph->values[graph->outputs[0]].producer, 1);
  vlm_graph_free(graph);
}

static void replace_reaches_inputs_outputs_and_captures(void **state) {
  (void)state;
  vlm_graph *yes, *no, *graph = with_branches(&yes, &no);
  vlm_value_id w = vlm_graph_find(graph, "w"), x = vlm_graph_find(graph, "x");
  vlm_graph_replace_uses(graph, w, x);
  assert_int_equal(no->values[0].parent_value, x);
  vlm_graph_replace_uses(graph, x, w);
  assert_int_equal(graph->nodes[1].inputs[0], w);
  vlm_graph_replace_uses(graph, vlm_graph_find(graph, "y"), x);
  assert_int_equal(graph->outputs[0], x);
  vlm_graph_free(graph);
}

static void failed_allocations_leave_nothing_behind(void **state) {
  (void)state;
  for (long n = 1; n < 200; n++) {
    vlm_graph *graph = NULL;
    vlm_value_id id;
    int32_t at;
    vlm_memory_fail_after(n);
    vlm_status st = vlm_graph_create(&graph, "g", "f", &error);
    for (int k = 0; k < 40 && st == VLM_OK; k++) {
      st = vlm_graph_add_value(graph, &id, NULL, VLM_VALUE_INPUT, &error);
      if (st == VLM_OK) st = vlm_graph_add_input(graph, id, &error);
    }
    for (int k = 0; k < 40 && st == VLM_OK; k++) {
      st = vlm_graph_add_node(
          graph, &at, &(vlm_node){.op_type = "Relu", .opset = 17, .n_inputs = 1, .n_outputs = 1}, &error);
      if (st != VLM_OK) break;
      graph->nodes[at].inputs[0] = id;
      st = vlm_graph_add_value(graph, &id, NULL, VLM_VALUE_NODE, &error);
      if (st == VLM_OK) vlm_node_set_output(graph, at, 0, id);
    }
    if (st == VLM_OK) st = vlm_graph_resolve(graph, &error);
    if (st == VLM_OK) st = vlm_graph_sweep(graph, &error);
    vlm_memory_fail_after(0);
    assert_true(st == VLM_OK || st == VLM_MEMORY);
    vlm_graph_free(graph);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_are_found_and_unique),
      cmocka_unit_test(constants_are_copied_or_borrowed),
      cmocka_unit_test(kept_things_are_released),
      cmocka_unit_test(resolve_sorts_and_keeps_sorted),
      cmocka_unit_test(attributes_are_decoded_in_row_order),
      cmocka_unit_test(attributes_of_the_wrong_kind_are_refused),
      cmocka_unit_test(arity_is_checked),
      cmocka_unit_test(unknown_operators_are_named),
      cmocka_unit_test(cycles_are_refused),
      cmocka_unit_test(dangling_names_are_refused),
      cmocka_unit_test(two_producers_are_refused),
      cmocka_unit_test(inputs_that_are_not_listed_are_refused),
      cmocka_unit_test(captures_are_edges),
      cmocka_unit_test(a_capture_of_nothing_is_refused),
      cmocka_unit_test(a_body_that_reads_its_own_node_is_a_cycle),
      cmocka_unit_test(sweep_keeps_what_outputs_need),
      cmocka_unit_test(replace_reaches_inputs_outputs_and_captures),
      cmocka_unit_test(failed_allocations_leave_nothing_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
