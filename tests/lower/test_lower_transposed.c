/* ConvTranspose: in integers where its pieces do not overlap, stored elsewhere, and vlm_lower_can says which.
 */
#include "tests/lower/lower_graph.h"

typedef struct {
  const char *what;
  int kernel[2], stride, pad, groups, dilation, output_padding;
  bool bias, integer;
} spelling;

static const spelling SPELLINGS[] = {
    {"2 x 2 apart", {2, 2}, 2, 0, 1, 1, 0, true, true}, {"3 x 3 apart", {3, 3}, 3, 0, 1, 1, 0, false, true},
    {"pointwise", {1, 1}, 1, 0, 1, 1, 0, true, true},   {"overlap", {3, 3}, 2, 0, 1, 1, 0, true, false},
    {"gaps", {2, 2}, 3, 0, 1, 1, 0, true, false},       {"padded", {2, 2}, 2, 1, 1, 1, 0, true, false},
    {"groups", {2, 2}, 2, 0, 2, 1, 0, true, false},     {"dilated", {2, 2}, 2, 0, 1, 2, 0, true, false},
    {"larger", {2, 2}, 2, 0, 1, 1, 1, true, false},     {"no square", {2, 1}, 2, 0, 1, 1, 0, true, false},
};
enum { IN = 4, OUT = 6, SIDE = 5 };

typedef enum { TAIL_NONE, TAIL_RELU, TAIL_QUANTIZE, TAIL_ALL, TAIL_COUNT } tail;

static vlm_graph *build(const spelling *s, tail t, const weights *w, const float *bias, bool stored) {
  vlm_graph *g = new_graph();
  int64_t lists[4][4];
  vlm_value_id in[3] = {add_input(g, "x", VLM_F32, 4, (int64_t[]){2, IN, SIDE, SIDE})};
  for (int i = 0; i < 4; i++) {
    lists[0][i] = s->stride;
    lists[1][i] = s->pad;
    lists[2][i] = s->dilation;
    lists[3][i] = s->output_padding;
  }
  const vlm_attr attrs[] = {{.name = "strides", .kind = VLM_ATTR_INTS, .count = 2, .u.ints = lists[0]},
                            {.name = "pads", .kind = VLM_ATTR_INTS, .count = 4, .u.ints = lists[1]},
                            {.name = "dilations", .kind = VLM_ATTR_INTS, .count = 2, .u.ints = lists[2]},
                            {.name = "output_padding", .kind = VLM_ATTR_INTS, .count = 2, .u.ints = lists[3]},
                            {.name = "group", .kind = VLM_ATTR_INT, .u.i = s->groups},
                            {0}};
  if (stored) in[0] = through(g, in[0], 1.0f / 128, VLM_U8, 128);
  in[1] = stored ? add_stored_weights(g, w) : add_float_weights(g, w);
  if (s->bias) in[2] = add_constant(g, VLM_F32, 1, (int64_t[]){OUT}, bias);
  vlm_value_id y = add_node(g, "it", "ConvTranspose", s->bias ? 3 : 2, in, attrs);
  if (t == TAIL_RELU || t == TAIL_ALL) y = add_node(g, "relu", "Relu", 1, &y, NULL);
  if (t == TAIL_QUANTIZE || t == TAIL_ALL) y = quantized(g, y, 0.03f, VLM_U8, 60);
  finish_graph(g, y);
  return g;
}

static void expect_answer(const spelling *s, const weights *w, const float *bias) {
  const char *why = NULL;
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  vlm_graph *g = build(s, TAIL_NONE, w, bias, false);
  assert_int_equal(vlm_node_weights(g, &g->nodes[0], slots), 1);
  if (vlm_lower_can(g, &g->nodes[0], &slots[0], VLM_FORM_STATIC, &why) != s->integer)
    fail_msg("%s: %s", s->what, why ? why : "-");
  assert_true(vlm_lower_can(g, &g->nodes[0], &slots[0], VLM_FORM_WEIGHT_ONLY, &why));
  vlm_graph_free(g);
}

static void what_can_is_done(void **state) {
  static float x[2 * IN * SIDE * SIDE], expected[MAX_ELEMENTS], values[MAX_ELEMENTS], bias[OUT];
  weights *w = malloc(sizeof *w);
  (void)state;
  draw_all(x, 2 * IN * SIDE * SIDE);
  draw_all(bias, OUT);
  const vlm_tensor in = vlm_tensor_make(VLM_F32, 4, (int64_t[]){2, IN, SIDE, SIDE}, x);
  for (size_t i = 0; i < sizeof SPELLINGS / sizeof SPELLINGS[0]; i++) {
    const spelling *s = &SPELLINGS[i];
    make_weights(w, 4, (int64_t[]){IN, OUT / s->groups, s->kernel[0], s->kernel[1]}, 1);
    expect_answer(s, w, bias);
    for (tail t = 0; t < TAIL_COUNT; t++) {
      vlm_lower_report report = {0};
      vlm_graph *g = build(s, t, w, bias, true);
      vlm_tensor want = run_graph(g, &in, 1, expected);
      FINE(vlm_graph_lower(g, &report, &error));
      vlm_tensor got = run_graph(g, &in, 1, values);
      expect_close(s->what, &got, &want, 1e-5f);
      expect_report(s->what, &report, "it", s->integer ? VLM_FORM_STATIC : VLM_FORM_WEIGHT_ONLY);
      assert_int_equal(count_ops(g, "vlm", "QConv"), s->integer);
      vlm_lower_report_free(&report);
      vlm_graph_free(g);
    }
  }
  free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_can_is_done)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
