/* The table of traits: every row is an operator that exists, once, and weights are where the attributes say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/ops/resolve.h"
#include "runtime/ops/traits.h"

static void rows_are_operators(void **state) {
  int32_t count;
  const vlm_traits *rows = vlm_traits_table(&count);
  (void)state;
  for (int32_t i = 0; i < count; i++) {
    bool known = false;
    vlm_op_find(rows[i].domain, rows[i].name, 1, &known);
    if (!known) fail_msg("traits.def: no operator %s.%s", rows[i].domain, rows[i].name);
    assert_ptr_equal(vlm_traits_find(rows[i].domain, rows[i].name),
                     &rows[i]);                     /* the first of that name, so the only one */
    assert_true(!rows[i].weights || rows[i].forms); /* what has weights can be stored at least */
  }
}

static void unknown_is_empty(void **state) {
  (void)state;
  const vlm_traits *t = vlm_traits_find("com.example", "Nothing");
  assert_non_null(t);
  assert_true(!t->weights && !t->macs && !t->forms && !t->flags && t->bias == -1);
}

/* One node of two inputs, of which `constant` (rank `rank`) is a weight. */
typedef struct {
  const char *domain, *op, *attr, *text; /* an attribute of kind string */
  const char *flag[2];                   /* attributes that are 1 */
  int32_t constant, rank, axis, activation;
} slot_case;

static const slot_case CASES[] = {
    {"", "MatMul", NULL, NULL, {0}, 1, 2, 1, 0},
    {"", "MatMul", NULL, NULL, {0}, 1, 3, 2, 0},
    {"", "MatMul", NULL, NULL, {0}, 0, 2, 0, 1},
    {"", "MatMul", NULL, NULL, {0}, 0, 4, 2, 1},
    {"", "Gemm", NULL, NULL, {0}, 1, 2, 1, 0},
    {"", "Gemm", NULL, NULL, {"transB"}, 1, 2, 0, 0},
    {"", "Gemm", NULL, NULL, {0}, 0, 2, 0, 1},
    {"", "Gemm", NULL, NULL, {"transA"}, 0, 2, 1, 1},
    {"com.microsoft", "FusedMatMul", NULL, NULL, {"transB"}, 1, 3, 1, 0},
    {"com.microsoft", "FusedMatMul", NULL, NULL, {"transB", "transBatchB"}, 1, 3, 0, 0},
    {"com.microsoft", "FusedMatMul", NULL, NULL, {"transBatchA"}, 0, 3, 0, 1},
    {"", "Einsum", "equation", "bij,jk->bik", {0}, 1, 2, 1, 0},
    {"", "Einsum", "equation", "bij, kj -> bik", {0}, 1, 2, 0, 0},
    {"", "Einsum", "equation", "hd,bhd->bh", {0}, 0, 2, -1, 1},
    {"", "Conv", NULL, NULL, {0}, 1, 4, 0, 0},
    {"", "ConvTranspose", NULL, NULL, {0}, 1, 4, 1, 0},
    {"", "Gather", NULL, NULL, {0}, 0, 2, 0, -1},
    {"", "Gather", NULL, NULL, {"axis"}, 0, 2, 1, -1},
};

static void make(vlm_graph **out, const slot_case *k) {
  static const float zeros[16] = {0};
  vlm_error err = {0};
  vlm_value_id in[2], y;
  int32_t n;
  vlm_graph *g;
  assert_int_equal(vlm_graph_create(&g, "g", "g.onnx", &err), VLM_OK);
  for (int32_t i = 0; i < 2; i++) {
    vlm_tensor t = vlm_tensor_make(VLM_F32, k->rank, (int64_t[]){2, 2, 2, 2}, (void *)(uintptr_t)zeros);
    if (i == k->constant) {
      assert_int_equal(vlm_graph_add_constant(g, &in[i], "w", &t, true, &err), VLM_OK);
      continue;
    }
    assert_int_equal(vlm_graph_add_value(g, &in[i], "x", VLM_VALUE_INPUT, &err), VLM_OK);
    assert_int_equal(vlm_graph_add_input(g, in[i], &err), VLM_OK);
  }
  assert_int_equal(vlm_graph_add_value(g, &y, "y", VLM_VALUE_NODE, &err), VLM_OK);
  int32_t n_attrs = (k->attr != NULL) + (k->flag[0] != NULL) + (k->flag[1] != NULL), a = 0;
  int32_t opset = *k->domain ? 1 : 17;
  assert_int_equal(vlm_graph_add_node(g, &n,
                                      &(vlm_node){.name = "n",
                                                  .domain = k->domain,
                                                  .op_type = k->op,
                                                  .opset = opset,
                                                  .n_inputs = 2,
                                                  .n_outputs = 1,
                                                  .n_attrs = n_attrs},
                                      &err),
                   VLM_OK);
  if (k->attr) g->nodes[n].attrs[a++] = (vlm_attr){.name = k->attr, .kind = VLM_ATTR_STRING, .u.s = k->text};
  for (int i = 0; i < 2; i++)
    if (k->flag[i]) g->nodes[n].attrs[a++] = (vlm_attr){.name = k->flag[i], .kind = VLM_ATTR_INT, .u.i = 1};
  memcpy(g->nodes[n].inputs, in, sizeof in);
  vlm_node_set_output(g, n, 0, y);
  assert_int_equal(vlm_graph_add_output(g, y, &err), VLM_OK);
  if (vlm_graph_resolve(g, &err) != VLM_OK) fail_msg("%s", err.text);
  *out = g;
}

static void slots_follow_attributes(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    vlm_graph *g;
    vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
    make(&g, &CASES[i]);
    int32_t count = vlm_node_weights(g, &g->nodes[0], slots);
    if (count != 1 || slots[0].input != CASES[i].constant || slots[0].axis != CASES[i].axis ||
        slots[0].activation != CASES[i].activation)
      fail_msg("case %zu (%s): %d slots, input %d, axis %d, activation %d", i, CASES[i].op, count,
               slots[0].input, slots[0].axis, slots[0].activation);
    vlm_graph_free(g);
  }
}

/* What readers of the table rely on: bits that must be there, bits that must not. */
static const struct {
  const char *domain, *op;
  int32_t has, lacks;
  vlm_op_family family;
} FLAGS[] = {
    {"", "Reshape", VLM_TRAIT_MOVES | VLM_TRAIT_SAME_VALUES, VLM_TRAIT_ELEMENTWISE, VLM_FAMILY_NONE},
    {"", "Pad", VLM_TRAIT_SAME_VALUES, VLM_TRAIT_MOVES, VLM_FAMILY_NONE}, /* it puts floats in between */
    {"", "Cast", VLM_TRAIT_SAME_VALUES | VLM_TRAIT_ELEMENTWISE, VLM_TRAIT_MOVES, VLM_FAMILY_NONE},
    {"", "MaxPool", VLM_TRAIT_MOVES, 0, VLM_FAMILY_NONE},
    {"", "AveragePool", 0, VLM_TRAIT_MOVES | VLM_TRAIT_SAME_VALUES, VLM_FAMILY_NONE},
    {"", "Concat", VLM_TRAIT_JOINS | VLM_TRAIT_MOVES, VLM_TRAIT_SAME_VALUES, VLM_FAMILY_NONE},
    {"", "Where", VLM_TRAIT_JOINS | VLM_TRAIT_ELEMENTWISE, VLM_TRAIT_MOVES, VLM_FAMILY_NONE},
    {"", "Add", VLM_TRAIT_ELEMENTWISE, VLM_TRAIT_SAME_VALUES, VLM_FAMILY_NONE},
    {"", "Softmax", 0, VLM_TRAIT_ELEMENTWISE, VLM_FAMILY_NONE},
    {"com.microsoft", "LayerNormalization", VLM_TRAIT_NORM, VLM_TRAIT_ELEMENTWISE, VLM_FAMILY_NONE},
    {"", "QLinearConv", VLM_TRAIT_INTEGER, 0, VLM_FAMILY_NONE},
    {"vlm", "WMatMul", 0, VLM_TRAIT_INTEGER, VLM_FAMILY_NONE},
    {"com.microsoft", "FusedMatMul", 0, VLM_TRAIT_INTEGER, VLM_FAMILY_PRODUCT},
    {"com.microsoft", "Attention", VLM_TRAIT_ATTENDS, 0, VLM_FAMILY_PRODUCT},
    {"com.microsoft", "FusedConv", 0, 0, VLM_FAMILY_CONVOLUTION},
    {"", "ConvTranspose", 0, 0, VLM_FAMILY_TRANSPOSED},
    {"", "LSTM", VLM_TRAIT_RECURRENT, 0, VLM_FAMILY_STORED},
    {"", "Gather", VLM_TRAIT_TABLE | VLM_TRAIT_MOVES, 0, VLM_FAMILY_TABLE},
};

static void flags_say_what_passes(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++) {
    const vlm_traits *t = vlm_traits_find(FLAGS[i].domain, FLAGS[i].op);
    if ((t->flags & FLAGS[i].has) != FLAGS[i].has || t->flags & FLAGS[i].lacks ||
        t->family != FLAGS[i].family)
      fail_msg("%s: flags %d, family %d", FLAGS[i].op, (int)t->flags, (int)t->family);
  }
}

/* Bytes pass only where values do, and what has forms belongs to a family. */
static void rows_agree_with_themselves(void **state) {
  int32_t count;
  const vlm_traits *rows = vlm_traits_table(&count);
  (void)state;
  for (int32_t i = 0; i < count; i++) {
    const vlm_traits *t = &rows[i];
    if (t->flags & VLM_TRAIT_MOVES && !(t->flags & (VLM_TRAIT_SAME_VALUES | VLM_TRAIT_JOINS)))
      fail_msg("%s moves nothing", t->name);
    if ((t->family != VLM_FAMILY_NONE) != (t->forms != 0))
      fail_msg("%s: forms without a family, or the other way round", t->name);
    if (t->forms && !(t->forms & VLM_FORM_WEIGHT_ONLY)) fail_msg("%s cannot be stored", t->name);
    if ((t->weights != NULL) != (t->family != VLM_FAMILY_NONE))
      fail_msg("%s: weights and family disagree", t->name);
    if (t->flags & VLM_TRAIT_INTEGER && (!t->macs || t->macs_input < 1))
      fail_msg("%s: no 8-bit weights to count", t->name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_operators), cmocka_unit_test(unknown_is_empty),
                                     cmocka_unit_test(slots_follow_attributes),
                                     cmocka_unit_test(flags_say_what_passes),
                                     cmocka_unit_test(rows_agree_with_themselves)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
