/* The pass "einsum": plain products become MatMul with the same results, everything else stays. */
#include "tests/onnx/graph_text.h"

typedef struct {
  const char *equation;
  bool left; /* the constant is operand 0 */
  int x_rank, w_rank;
  int64_t x[4], w[4];
  int matmul, reshape; /* what is left: MatMul, Reshape */
} einsum_case;

static const einsum_case CASES[] = {
    {"bij,jk->bik", false, 3, 2, {2, 3, 4}, {4, 5}, 1, 0},
    {"bij, kj -> bik", false, 3, 2, {2, 3, 4}, {5, 4}, 1, 0},
    {"jk,bij->bik", true, 3, 2, {2, 3, 4}, {4, 5}, 1, 0},
    {"abc,cde->abde", false, 3, 3, {2, 3, 4}, {4, 2, 5}, 1, 1},
    {"abc,dec->abde", false, 3, 3, {2, 3, 4}, {2, 5, 4}, 1, 1},
    {"abcd,cde->abe", false, 4, 3, {2, 3, 4, 2}, {4, 2, 5}, 1, 1},
    {"abcd,edc->abe", false, 4, 3, {2, 3, 4, 2}, {5, 2, 4}, 1, 1},
    {"abcd,cdef->abef", false, 4, 4, {2, 3, 4, 2}, {4, 2, 5, 3}, 1, 2},
    /* a batch in the constant, a sum over a free label, another order of the result, dots, a label twice, no
       arrow */
    {"bhi,hij->bhj", false, 3, 3, {2, 3, 4}, {3, 4, 5}, 0, 0},
    {"bij,jk->bk", false, 3, 2, {2, 3, 4}, {4, 5}, 0, 0},
    {"bij,jk->bki", false, 3, 2, {2, 3, 4}, {4, 5}, 0, 0},
    {"...j,jk->...k", false, 3, 2, {2, 3, 4}, {4, 5}, 0, 0},
    {"bii,ik->bk", false, 3, 2, {2, 4, 4}, {4, 5}, 0, 0},
    {"bij,jk", false, 3, 2, {2, 3, 4}, {4, 5}, 0, 0},
};

static void products_become_matmul(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    const einsum_case *k = &CASES[i];
    vlm_graph *graph = new_graph();
    float w[256];
    for (int j = 0; j < 256; j++) w[j] = 0.1f * (float)(j * 7 % 23) - 1;
    input(graph, "x", k->x_rank);
    constant(graph, "w", k->w_rank, k->w, w);
    vlm_node *n = node(graph, k->left ? "Einsum: w x -> y" : "Einsum: x w -> y", 1);
    n->attrs[0] = (vlm_attr){.name = "equation", .kind = VLM_ATTR_STRING, .u.s = k->equation};
    output(graph, "y");
    clean_and_compare(graph, k->x_rank, k->x, 1e-5f);
    int matmul = count_op(graph, "MatMul"), reshape = count_op(graph, "Reshape");
    if (matmul != k->matmul || reshape != k->reshape)
      fail_msg("%s: %d MatMul, %d Reshape", k->equation, matmul, reshape);
    assert_int_equal(count_op(graph, "Einsum"), 1 - k->matmul);
    vlm_graph_free(graph);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(products_become_matmul)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
