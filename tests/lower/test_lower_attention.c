/* com.microsoft Attention: its projection is a product in every form, what it attends stays float. */
#include "tests/lower/lower_graph.h"

enum { BATCH = 2, TOKENS = 5, WIDTH = 8, COLUMNS = 24 };

typedef struct {
  bool bias, mask, past;
  float values[BATCH * TOKENS * WIDTH], b[COLUMNS], old[2 * BATCH * 2 * 3 * 4];
  weights w;
} job;

static const float X_SCALE = 1.0f / 128;

static vlm_graph *build(const job *j, bool stored, vlm_form form) {
  static const int32_t keep[BATCH * (TOKENS + 3)] = {1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1};
  vlm_graph *g = new_graph();
  const vlm_attr attrs[] = {{.name = "num_heads", .kind = VLM_ATTR_INT, .u.i = 2}, {0}};
  vlm_value_id in[5] = {add_input(g, "x", VLM_F32, 3, (int64_t[]){BATCH, TOKENS, WIDTH}), 0, VLM_NO_VALUE,
                        VLM_NO_VALUE, VLM_NO_VALUE};
  if (stored && form == VLM_FORM_STATIC) in[0] = through(g, in[0], X_SCALE, VLM_U8, 128);
  in[1] = stored ? add_stored_weights(g, &j->w) : add_float_weights(g, &j->w);
  if (j->bias) in[2] = add_constant(g, VLM_F32, 1, (int64_t[]){COLUMNS}, j->b);
  if (j->mask) in[3] = add_constant(g, VLM_S32, 2, (int64_t[]){BATCH, TOKENS + (j->past ? 3 : 0)}, keep);
  if (j->past) in[4] = add_constant(g, VLM_F32, 5, (int64_t[]){2, BATCH, 2, 3, 4}, j->old);
  finish_graph(g, add_node(g, "attention", "com.microsoft:Attention",
                           j->past   ? 5
                           : j->mask ? 4
                           : j->bias ? 3
                                     : 2,
                           in, attrs));
  return g;
}

static vlm_tensor run_job(const job *j, const vlm_graph *g, const float *x, float *values) {
  (void)j;
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 3, (int64_t[]){BATCH, TOKENS, WIDTH}, (void *)(uintptr_t)x);
  return run_graph(g, &t, 1, values);
}

static void expect_lowered(const job *j, vlm_graph *g, const vlm_tensor *want, vlm_form form,
                           const char *op) {
  float values[MAX_ELEMENTS];
  vlm_lower_report report = {0};
  FINE(vlm_graph_lower(g, &report, &error));
  vlm_tensor got = run_job(j, g, j->values, values);
  expect_close(op, &got, want, 1e-5f);
  expect_report(op, &report, "attention", form);
  assert_int_equal(count_ops(g, "vlm", op), 1);
  assert_int_equal(count_ops(g, "vlm", "ProjectedAttention"), 1);
  assert_int_equal(count_ops(g, "com.microsoft", "Attention"), 0);
  vlm_lower_report_free(&report);
  vlm_graph_free(g);
}

static void expect_answer(const job *j, vlm_form form) {
  const char *why;
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  vlm_graph *g = build(j, false, form);
  assert_int_equal(vlm_node_weights(g, &g->nodes[0], slots), 1);
  assert_true(vlm_lower_can(g, &g->nodes[0], &slots[0], form, &why));
  vlm_graph_free(g);
}

static void check_rows(const job *j) {
  float expected[MAX_ELEMENTS], rounded[BATCH * TOKENS * WIDTH];
  int8_t rows[COLUMNS * WIDTH];
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  for (int i = 0; i < BATCH * TOKENS; i++) {
    float low = 0, high = 0;
    for (int k = 0; k < WIDTH; k++) {
      low = fminf(low, j->values[i * WIDTH + k]);
      high = fmaxf(high, j->values[i * WIDTH + k]);
    }
    float scale = (high - low) / 255, zero = rintf(-low / scale);
    for (int k = 0; k < WIDTH; k++)
      rounded[i * WIDTH + k] =
          (fminf(fmaxf(rintf(j->values[i * WIDTH + k] / scale) + zero, 0), 255) - zero) * scale;
  }
  for (int i = 0; i < COLUMNS * WIDTH; i++) rows[i] = j->w.data[i % WIDTH * COLUMNS + i / WIDTH];
  expect_answer(j, VLM_FORM_ROW);
  vlm_graph *g = build(j, false, VLM_FORM_ROW);
  vlm_tensor want = run_job(j, g, rounded, expected);
  vlm_node_weights(g, &g->nodes[0], slots);
  vlm_value_id data = add_constant(g, VLM_S8, 2, (int64_t[]){COLUMNS, WIDTH}, rows);
  vlm_value_id scale = add_constant(g, VLM_F32, 1, (int64_t[]){COLUMNS}, j->w.scale);
  FINE(vlm_lower_row_form(g, 0, &slots[0], data, scale, &error));
  FINE(vlm_graph_resolve(g, &error));
  expect_lowered(j, g, &want, VLM_FORM_ROW, "QMatMulDynamic");
}

static void projections_run_in_every_form(void **state) {
  static const vlm_form FORMS[] = {VLM_FORM_STATIC, VLM_FORM_WEIGHT_ONLY};
  job *j = malloc(sizeof *j);
  (void)state;
  for (int i = 0; i < 8; i++) {
    *j = (job){.bias = i & 1, .mask = i & 2, .past = i & 4};
    draw_all(j->values, BATCH * TOKENS * WIDTH);
    draw_all(j->b, COLUMNS);
    draw_all(j->old, 2 * BATCH * 2 * 3 * 4);
    make_weights(&j->w, 2, (int64_t[]){WIDTH, COLUMNS}, 1);
    for (int f = 0; f < 2; f++) {
      float expected[MAX_ELEMENTS];
      expect_answer(j, FORMS[f]);
      vlm_graph *g = build(j, true, FORMS[f]);
      vlm_tensor want = run_job(j, g, j->values, expected);
      expect_lowered(j, g, &want, FORMS[f], f ? "WMatMul" : "QMatMul");
    }
    check_rows(j);
  }
  free(j);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(projections_run_in_every_form)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
