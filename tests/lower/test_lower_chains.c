/* Products that other tools spell in several nodes: ranges that are computed (quantize_dynamic), and operators
 * that move elements between DequantizeLinear and the product. */
#include "tests/lower/lower_graph.h"

enum { B = 2, M = 6, K = 16, N = 10 };

typedef struct {
  weights w;
  float x[B * M * 2 * K], values[2][MAX_ELEMENTS];
} room;

static vlm_tensor run_lowered(vlm_graph *g, const vlm_tensor *x, float *values, vlm_lower_report *report) {
  *report = (vlm_lower_report){0};
  FINE(vlm_graph_lower(g, report, &error));
  return run_graph(g, x, 1, values);
}

/* ---- ranges that are computed ---- */

typedef enum { ONE_FACTOR, TWO_FACTORS, U8_WEIGHTS, MOVED_WEIGHTS, CONVOLUTION, CHAIN_COUNT } chain_kind;

/* xq, s, z = DynamicQuantizeLinear(x) */
static void add_dynamic(vlm_graph *g, vlm_value_id x, vlm_value_id out[3]) {
  int32_t n;
  for (int k = 0; k < 3; k++) FINE(vlm_graph_add_value(g, &out[k], NULL, VLM_VALUE_NODE, &error));
  FINE(vlm_graph_add_node(
      g, &n, &(vlm_node){.op_type = "DynamicQuantizeLinear", .opset = 11, .n_inputs = 1, .n_outputs = 3},
      &error));
  g->nodes[n].inputs[0] = x;
  for (int k = 0; k < 3; k++) vlm_node_set_output(g, n, k, out[k]);
}

static vlm_value_id add_codes(vlm_graph *g, const weights *w, int shift) {
  uint8_t codes[MAX_ELEMENTS];
  for (int64_t i = 0; i < count_of(w->rank, w->dims); i++) codes[i] = (uint8_t)(w->data[i] + shift);
  return add_constant(g, shift ? VLM_U8 : VLM_S8, w->rank, w->dims, codes);
}

static vlm_graph *chain(chain_kind kind, const room *r, const int64_t *x_dims, int x_rank) {
  const vlm_attr to[] = {{.name = "to", .kind = VLM_ATTR_INT, .u.i = 1}, {.name = NULL}};
  bool conv = kind == CONVOLUTION, bytes = kind == U8_WEIGHTS || kind == MOVED_WEIGHTS;
  vlm_graph *g = new_graph();
  vlm_value_id q[3];
  add_dynamic(g, add_input(g, "x", VLM_F32, x_rank, x_dims), q);
  vlm_value_id in[4] = {q[0], add_codes(g, &r->w, bytes ? 128 : 0), q[2],
                        bytes ? add_zero(g, VLM_U8, kind == U8_WEIGHTS ? 128 : 117) : VLM_NO_VALUE};
  vlm_value_id y = add_node(g, "sums", conv ? "ConvInteger" : "MatMulInteger", bytes ? 4 : 3, in, NULL);
  vlm_value_id scale = add_constant(g, VLM_F32, conv ? 3 : 1, (int64_t[]){N, 1, 1}, r->w.scale);
  y = add_node(g, NULL, "Cast", 1, &y, to);
  if (kind == TWO_FACTORS) {
    y = add_node(g, NULL, "Mul", 2, (vlm_value_id[]){q[1], y}, NULL);
    y = add_node(g, NULL, "Mul", 2, (vlm_value_id[]){y, scale}, NULL);
  } else {
    vlm_value_id both = add_node(g, NULL, "Mul", 2, (vlm_value_id[]){scale, q[1]}, NULL);
    y = add_node(g, NULL, "Mul", 2, (vlm_value_id[]){y, both}, NULL);
  }
  vlm_value_id bias =
      add_constant(g, VLM_F32, conv ? 4 : 1, conv ? (int64_t[]){1, N, 1, 1} : (int64_t[]){N}, r->x);
  y = add_node(g, NULL, "Add", 2, (vlm_value_id[]){y, bias}, NULL);
  finish_graph(g, add_node(g, NULL, "Relu", 1, &y, NULL));
  return g;
}

static void computed_ranges_run_in_one_operator(void **state) {
  static room r;
  (void)state;
  for (int kind = 0; kind < CHAIN_COUNT; kind++) {
    vlm_lower_report report;
    bool conv = kind == CONVOLUTION;
    const int64_t x_dims[] = {1, K, M, M}, plain[] = {M, K};
    make_weights(&r.w, conv ? 4 : 2, conv ? (int64_t[]){N, K, 3, 3} : (int64_t[]){K, N}, conv ? 0 : 1);
    draw_all(r.x, B * M * 2 * K);
    vlm_graph *g = chain((chain_kind)kind, &r, conv ? x_dims : plain, conv ? 4 : 2);
    static float input[K * M * M];
    draw_all(input, K * M * M);
    const vlm_tensor x = vlm_tensor_make(VLM_F32, conv ? 4 : 2, conv ? x_dims : plain, input);
    const vlm_tensor want = run_graph(g, &x, 1, r.values[0]), got = run_lowered(g, &x, r.values[1], &report);
    expect_close("a chain", &got, &want, 1e-6f);
    expect_report("a chain", &report, "sums", conv ? VLM_FORM_IMAGE : VLM_FORM_STATIC);
    assert_int_equal(count_ops(g, "vlm", "QMatMul"), kind < MOVED_WEIGHTS);
    assert_int_equal(count_ops(g, "vlm", "QConv"), conv);
    assert_int_equal(count_ops(g, "com.microsoft", "MatMulIntegerToFloat"), kind == MOVED_WEIGHTS);
    assert_int_equal(count_ops(g, "", "Cast") + count_ops(g, "", "Mul"), 0);
    vlm_lower_report_free(&report);
    vlm_graph_free(g);
  }
}

/* ---- elements that move in between ---- */

static vlm_value_id moved(vlm_graph *g, int kind, vlm_value_id x) {
  const vlm_attr second[] = {{.name = "axis", .kind = VLM_ATTR_INT, .u.i = 1}, {.name = NULL}};
  const vlm_attr last[] = {{.name = "axis", .kind = VLM_ATTR_INT, .u.i = 2}, {.name = NULL}};
  int64_t one = 1, from[] = {K}, to[] = {2 * K}, axis[] = {2};
  vlm_value_id halves[2], in[4] = {x};
  int32_t n;
  switch (kind) {
    case 0: /* nobody reads the first half */
      for (int k = 0; k < 2; k++) FINE(vlm_graph_add_value(g, &halves[k], NULL, VLM_VALUE_NODE, &error));
      FINE(vlm_graph_add_node(
          g, &n, &(vlm_node){.op_type = "Split", .opset = 13, .n_inputs = 1, .n_outputs = 2, .n_attrs = 1},
          &error));
      g->nodes[n].inputs[0] = x;
      g->nodes[n].attrs[0] = last[0];
      for (int k = 0; k < 2; k++) vlm_node_set_output(g, n, k, halves[k]);
      return halves[1];
    case 1:
      in[1] = add_constant(g, VLM_S64, 1, &one, from);
      in[2] = add_constant(g, VLM_S64, 1, &one, to);
      in[3] = add_constant(g, VLM_S64, 1, &one, axis);
      return add_node(g, NULL, "Slice", 4, in, NULL);
    case 2:
      in[1] = add_constant(g, VLM_S64, 3, (int64_t[]){1, 1, 1}, &one);
      x = add_node(g, NULL, "Gather", 2, in, second);
      return moved(
          g, 1,
          add_node(g, NULL, "Reshape", 2,
                   (vlm_value_id[]){x, add_constant(g, VLM_S64, 1, (int64_t[]){3}, (int64_t[]){B, 1, 2 * K})},
                   NULL));
    default: return moved(g, 1, add_node(g, NULL, "Concat", 2, (vlm_value_id[]){x, x}, second));
  }
}

static void ranges_pass_through_what_moves_elements(void **state) {
  static room r;
  const int64_t dims[] = {B, M, 2 * K};
  (void)state;
  for (int kind = 0; kind < 4; kind++) {
    vlm_lower_report report;
    make_weights(&r.w, 2, (int64_t[]){K, N}, 1);
    draw_all(r.x, B * M * 2 * K);
    vlm_graph *g = new_graph();
    vlm_value_id x = through(g, add_input(g, "x", VLM_F32, 3, dims), 0.01f, VLM_U8, 120);
    x = moved(g, kind, x);
    x = add_node(g, "product", "MatMul", 2, (vlm_value_id[]){x, add_stored_weights(g, &r.w)}, NULL);
    finish_graph(g, x);
    const vlm_tensor in = vlm_tensor_make(VLM_F32, 3, dims, r.x);
    const vlm_tensor want = run_graph(g, &in, 1, r.values[0]),
                     got = run_lowered(g, &in, r.values[1], &report);
    expect_close("a moved range", &got, &want, 1e-5f);
    expect_report("a moved range", &report, "product", VLM_FORM_STATIC);
    vlm_lower_report_free(&report);
    vlm_graph_free(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(computed_ranges_run_in_one_operator),
                                     cmocka_unit_test(ranges_pass_through_what_moves_elements)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
