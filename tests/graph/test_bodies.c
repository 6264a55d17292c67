/* Bodies as a list with paths, values behind captures, and copies that have bodies of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/graph/bodies.h"
#include "runtime/graph/copy.h"
#include "tests/fine.h"

static vlm_value_id add_value(vlm_graph *g, const char *name, vlm_value_kind kind) {
  vlm_value_id id;
  FINE(vlm_graph_add_value(g, &id, name, kind, &error));
  return id;
}

/* A node with two bodies that read x of the root, the first through the graph between. */
static vlm_graph *add_choice(vlm_graph *g, const char *name, vlm_value_id x, vlm_graph *root) {
  static const char *const NAMES[] = {"then_branch", "else_branch"};
  vlm_graph *first = NULL;
  int32_t n;
  FINE(vlm_graph_add_node(
      g, &n,
      &(vlm_node){.name = name, .op_type = "If", .opset = 17, .n_inputs = 1, .n_outputs = 1, .n_attrs = 2},
      &error));
  g->nodes[n].inputs[0] = x;
  vlm_node_set_output(g, n, 0, add_value(g, NULL, VLM_VALUE_NODE));
  for (int k = 0; k < 2; k++) {
    vlm_graph *body;
    vlm_value_id own;
    FINE(vlm_graph_create_sub(&body, g, "body", &error));
    FINE(vlm_graph_capture(body, &own, (vlm_origin){root, vlm_graph_find(root, "x")}, &error));
    FINE(vlm_graph_add_output(body, own, &error));
    g->nodes[n].attrs[k] = (vlm_attr){.name = NAMES[k], .kind = VLM_ATTR_GRAPH, .u.g = body};
    if (!first) first = body;
  }
  return first;
}

static vlm_graph *make(void) {
  vlm_graph *g;
  FINE(vlm_graph_create(&g, "g", "g.onnx", &error));
  vlm_value_id x = add_value(g, "x", VLM_VALUE_INPUT);
  FINE(vlm_graph_add_input(g, x, &error));
  vlm_graph *inner = add_choice(g, "if", x, g);
  add_choice(g, "if", x, g);
  add_choice(inner, "deep", inner->outputs[0], g);
  FINE(vlm_graph_add_output(g, g->nodes[0].outputs[0], &error));
  return g;
}

static void paths_are_distinct(void **state) {
  static const char *const PATHS[] = {"model",
                                      "model/if.then_branch",
                                      "model/if.else_branch",
                                      "model/if#2.then_branch",
                                      "model/if#2.else_branch",
                                      "model/if.then_branch/deep.then_branch",
                                      "model/if.then_branch/deep.else_branch"};
  vlm_graph *g = make();
  vlm_body_list list;
  vlm_arena *arena;
  (void)state;
  FINE(vlm_arena_create(&arena, &error));
  FINE(vlm_bodies_make(&list, g, "model", arena, &error));
  assert_int_equal(list.count, 7);
  for (int k = 0; k < 7; k++) assert_string_equal(list.items[k].path, PATHS[k]);
  assert_int_equal(list.items[5].parent, 1);
  assert_ptr_equal(vlm_bodies_find(&list, list.items[6].graph), &list.items[6]);
  assert_null(vlm_bodies_find(&list, NULL));
  vlm_bodies_free(&list);
  vlm_arena_free(arena);
  vlm_graph_free(g);
}

/* A capture is made once on each way, and leads back to where the value is made. */
static void captures_lead_home(void **state) {
  vlm_graph *g = make(), *inner = g->nodes[0].attrs[0].u.g, *deep = inner->nodes[0].attrs[0].u.g;
  vlm_value_id again;
  (void)state;
  vlm_origin origin = vlm_value_origin(deep, deep->outputs[0]);
  assert_ptr_equal(origin.graph, g);
  assert_int_equal(origin.id, vlm_graph_find(g, "x"));
  int32_t before = deep->n_values;
  FINE(vlm_graph_capture(deep, &again, origin, &error));
  assert_int_equal(again, deep->outputs[0]);
  assert_int_equal(deep->n_values, before);
  vlm_graph *stranger = make();
  assert_int_equal(vlm_graph_capture(deep, &again, (vlm_origin){stranger, 0}, &error), VLM_INTERNAL);
  vlm_graph_free(stranger);
  vlm_graph_free(g);
}

/* What is changed in a copy, in its bodies too, does not show in the original. */
static void copies_are_apart(void **state) {
  vlm_graph *g = make(), *copy;
  int32_t n;
  (void)state;
  FINE(vlm_graph_copy(&copy, g, "copy", &error));
  assert_string_equal(copy->name, "copy");
  assert_int_equal(copy->n_nodes, 2);
  vlm_graph *inner = copy->nodes[0].attrs[0].u.g, *original = g->nodes[0].attrs[0].u.g;
  assert_ptr_not_equal(inner, original);
  assert_ptr_equal(inner->parent, copy);
  assert_ptr_equal(inner->nodes[0].attrs[1].u.g->parent, inner);
  assert_int_equal(vlm_graph_find(copy, "x"), vlm_graph_find(g, "x"));
  FINE(vlm_graph_add_node(
      inner, &n, &(vlm_node){.name = "more", .op_type = "Neg", .opset = 17, .n_inputs = 1, .n_outputs = 1},
      &error));
  copy->nodes[0].inputs[0] = VLM_NO_VALUE;
  copy->nodes[0].attrs[1].name = "other";
  assert_int_equal(original->n_nodes, 1);
  assert_int_equal(g->nodes[0].inputs[0], vlm_graph_find(g, "x"));
  assert_string_equal(g->nodes[0].attrs[1].name, "else_branch");
  vlm_graph_free(copy);
  vlm_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(paths_are_distinct),
                                     cmocka_unit_test(captures_lead_home),
                                     cmocka_unit_test(copies_are_apart)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
