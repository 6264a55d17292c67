/* Convolutions in every spelling: what vlm_lower_can answers is what lowering does, and the numbers are those
 * of the quantized graph computed in floats. */
#include "tests/lower/lower_graph.h"

typedef enum { B_NONE, B_CONSTANT, B_S32, B_INPUT } bias;

typedef struct {
  const char *op;
  int spatial; /* 1 to 3 */
  int channels, out, groups, kernel, stride, dilation, pad;
  const char *auto_pad;
  bias b;
  const char *activation;
  float params[2];
  bool residual;
} spelling;

static const spelling SPELLINGS[] = {
    {"Conv", 1, 6, 8, 1, 3, 1, 1, 1, NULL, .b = B_CONSTANT},
    {"Conv", 1, 6, 9, 3, 5, 2, 1, 2, NULL, .b = B_NONE},
    {"Conv", 2, 5, 7, 1, 1, 1, 1, 0, NULL, .b = B_S32},
    {"Conv", 2, 5, 7, 1, 3, 1, 1, 1, NULL, .b = B_INPUT},
    {"Conv", 2, 8, 12, 4, 3, 2, 1, 1, NULL, .b = B_CONSTANT},
    {"Conv", 2, 6, 6, 6, 3, 1, 1, 1, NULL, .b = B_S32},
    {"Conv", 2, 6, 12, 6, 3, 1, 2, 2, NULL, .b = B_CONSTANT},
    {"Conv", 2, 4, 5, 1, 3, 1, 2, 2, NULL, .b = B_NONE},
    {"Conv", 2, 4, 5, 1, 2, 2, 1, 0, "SAME_UPPER", .b = B_CONSTANT},
    {"Conv", 2, 4, 5, 1, 3, 2, 1, 0, "SAME_LOWER", .b = B_CONSTANT},
    {"Conv", 2, 4, 5, 1, 3, 1, 1, 0, "VALID", .b = B_CONSTANT},
    {"Conv", 3, 3, 4, 1, 2, 1, 1, 0, NULL, .b = B_CONSTANT},
    {"Conv", 3, 4, 4, 2, 3, 2, 1, 1, NULL, .b = B_S32},
    {"com.microsoft:FusedConv", 2, 5, 7, 1, 3, 1, 1, 1, NULL, .b = B_CONSTANT, .activation = "Relu"},
    {"com.microsoft:FusedConv", 2, 5, 7, 1, 3, 1, 1, 1, NULL, .b = B_CONSTANT, .activation = "LeakyRelu",
     .params = {0.25f}},
    {"com.microsoft:FusedConv", 2, 6, 6, 6, 3, 1, 1, 1, NULL, .b = B_CONSTANT, .activation = "Clip",
     .params = {-0.3f, 0.4f}},
    {"com.microsoft:FusedConv", 2, 5, 7, 1, 3, 1, 1, 1, NULL, .b = B_NONE, .activation = "HardSigmoid",
     .params = {0.3f, 0.4f}},
    {"com.microsoft:FusedConv", 2, 5, 7, 1, 3, 1, 1, 1, NULL, .b = B_CONSTANT, .activation = "Sigmoid",
     .params = {0}, .residual = true},
    {"com.microsoft:FusedConv", 2, 5, 7, 1, 3, 1, 1, 1, NULL, .b = B_CONSTANT, .activation = "Clip",
     .params = {-0.3f, 0.4f}, .residual = true},
    {"com.microsoft:FusedConv", 2, 5, 7, 1, 3, 1, 1, 1, NULL, .b = B_CONSTANT, .activation = "LeakyRelu",
     .params = {0.25f}, .residual = true},
    {"com.microsoft:FusedConv", 2, 5, 7, 1, 3, 1, 1, 1, NULL, .b = B_CONSTANT, .activation = NULL,
     .params = {0}, .residual = true},
};

typedef enum { TAIL_NONE, TAIL_RELU, TAIL_QUANTIZE, TAIL_ALL, TAIL_COUNT } tail;

typedef struct {
  const spelling *s;
  tail t;
  vlm_form form;
  weight_kind kind;
  weights w;
  int64_t x_dims[5], side;
  float x[MAX_ELEMENTS], b[64], residual[MAX_ELEMENTS];
} job;

static const float X_SCALE = 1.0f / 128;
enum { SIDE = 7 };

static void make_job(job *j, const spelling *s, tail t, vlm_form form, weight_kind kind) {
  int64_t dims[5] = {s->out, s->channels / s->groups};
  *j = (job){.s = s, .t = t, .form = form, .kind = kind, .x_dims = {2, s->channels}};
  for (int d = 0; d < s->spatial; d++) {
    dims[2 + d] = s->kernel;
    j->x_dims[2 + d] = SIDE;
  }
  make_weights(&j->w, 2 + s->spatial, dims, 0);
  draw_all(j->x, count_of(2 + s->spatial, j->x_dims));
  draw_all(j->b, s->out);
  draw_all(j->residual, MAX_ELEMENTS);
}

static vlm_value_id add_bias(vlm_graph *g, const job *j) {
  int64_t n = j->s->out;
  int32_t codes[64];
  float scale[64];
  vlm_value_id in[2];
  if (j->s->b == B_INPUT) return add_input(g, "b", VLM_F32, 1, &n);
  if (j->s->b == B_CONSTANT) return add_constant(g, VLM_F32, 1, &n, j->b);
  for (int64_t i = 0; i < n; i++) {
    scale[i] = X_SCALE * j->w.scale[i];
    codes[i] = (int32_t)rintf(j->b[i] / scale[i]);
  }
  const vlm_attr axis[] = {{.name = "axis", .kind = VLM_ATTR_INT, .u.i = 0}, {0}};
  in[0] = add_constant(g, VLM_S32, 1, &n, codes);
  in[1] = add_constant(g, VLM_F32, 1, &n, scale);
  return add_node(g, NULL, "DequantizeLinear", 2, in, axis);
}

static int attributes(const job *j, vlm_attr *a, int64_t lists[4][6]) {
  const spelling *s = j->s;
  int n = 0;
  for (int d = 0; d < 6; d++) {
    lists[0][d] = s->stride;
    lists[1][d] = s->dilation;
    lists[2][d] = s->pad;
  }
  a[n++] = (vlm_attr){.name = "strides", .kind = VLM_ATTR_INTS, .count = s->spatial, .u.ints = lists[0]};
  a[n++] = (vlm_attr){.name = "dilations", .kind = VLM_ATTR_INTS, .count = s->spatial, .u.ints = lists[1]};
  if (!s->auto_pad)
    a[n++] = (vlm_attr){.name = "pads", .kind = VLM_ATTR_INTS, .count = 2 * s->spatial, .u.ints = lists[2]};
  else a[n++] = (vlm_attr){.name = "auto_pad", .kind = VLM_ATTR_STRING, .u.s = s->auto_pad};
  a[n++] = (vlm_attr){.name = "group", .kind = VLM_ATTR_INT, .u.i = s->groups};
  if (s->activation) a[n++] = (vlm_attr){.name = "activation", .kind = VLM_ATTR_STRING, .u.s = s->activation};
  if (s->params[0] != 0)
    a[n++] =
        (vlm_attr){.name = "activation_params", .kind = VLM_ATTR_FLOATS, .count = 2, .u.floats = s->params};
  return n;
}

static int64_t out_side(const spelling *s) {
  return (SIDE + 2 * s->pad - s->dilation * (s->kernel - 1) - 1) / s->stride + 1;
}

static vlm_graph *build(const job *j, bool stored) {
  const spelling *s = j->s;
  vlm_graph *g = new_graph();
  vlm_attr attrs[10] = {{0}};
  int64_t lists[4][6], y_dims[5] = {2, s->out, out_side(s), out_side(s), out_side(s)};
  vlm_value_id in[4] = {add_input(g, "x", VLM_F32, 2 + s->spatial, j->x_dims), VLM_NO_VALUE, VLM_NO_VALUE,
                        VLM_NO_VALUE};
  if (stored && j->form == VLM_FORM_STATIC) in[0] = through(g, in[0], X_SCALE, VLM_U8, 128);
  if (stored && j->form == VLM_FORM_IMAGE) in[0] = through_dynamic(g, in[0]);
  in[1] = !stored              ? add_float_weights(g, &j->w)
          : j->kind == W_PLAIN ? add_stored_weights(g, &j->w)
                               : add_u8_weights(g, &j->w, j->kind == W_MOVED);
  if (s->b != B_NONE) in[2] = add_bias(g, j);
  if (s->residual) in[3] = add_constant(g, VLM_F32, 2 + s->spatial, y_dims, j->residual);
  attributes(j, attrs, lists);
  vlm_value_id y = add_node(g, "convolution", s->op, s->residual ? 4 : s->b != B_NONE ? 3 : 2, in, attrs);
  if (j->t == TAIL_RELU || j->t == TAIL_ALL) y = add_node(g, "relu", "Relu", 1, &y, NULL);
  if (j->t == TAIL_QUANTIZE || j->t == TAIL_ALL)
    y = quantized(g, y, 0.03f, VLM_U8, j->t == TAIL_ALL ? 0 : 100);
  finish_graph(g, y);
  return g;
}

static vlm_tensor run_job(const job *j, const vlm_graph *g, float *values) {
  const vlm_tensor in[] = {vlm_tensor_make(VLM_F32, 2 + j->s->spatial, j->x_dims, (void *)(uintptr_t)j->x),
                           vlm_tensor_make(VLM_F32, 1, (int64_t[]){j->s->out}, (void *)(uintptr_t)j->b)};
  return run_graph(g, in, j->s->b == B_INPUT ? 2 : 1, values);
}

static void expect_answer(const job *j) {
  const char *why = NULL;
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  vlm_graph *g = build(j, false);
  int32_t n = 0;
  while (strcmp(g->nodes[n].name, "convolution")) n++;
  assert_int_equal(vlm_node_weights(g, &g->nodes[n], slots), 1);
  if (!vlm_lower_can(g, &g->nodes[n], &slots[0], j->form, &why))
    fail_msg("case %d: %s", (int)(j->s - SPELLINGS), why);
  assert_false(vlm_lower_can(g, &g->nodes[n], &slots[0], VLM_FORM_ROW, &why));
  assert_non_null(why);
  vlm_graph_free(g);
}

/* Weights with other zero points run in integers where the bias is constant and nothing is fused. */
static vlm_form expected_form(const job *j) {
  bool dynamic = j->form == VLM_FORM_IMAGE,
       held = j->kind == W_MOVED && (dynamic || j->s->b == B_INPUT || strcmp(j->s->op, "Conv"));
  return held ? VLM_FORM_WEIGHT_ONLY : j->form;
}

static void check(const spelling *s, tail t, vlm_form form, weight_kind kind) {
  job *j = malloc(sizeof *j);
  char what[128];
  float expected[MAX_ELEMENTS], values[MAX_ELEMENTS];
  vlm_lower_report report = {0};
  make_job(j, s, t, form, kind);
  expect_answer(j);
  snprintf(what, sizeof what, "%s case %d, tail %d, form %d, weights %d", s->op, (int)(s - SPELLINGS), t,
           (int)form, kind);
  vlm_graph *g = build(j, true);
  vlm_tensor want = run_job(j, g, expected);
  FINE(vlm_graph_lower(g, &report, &error));
  vlm_tensor got = run_job(j, g, values);
  expect_close(what, &got, &want, 1e-5f);
  expect_report(what, &report, "convolution", expected_form(j));
  bool integer = count_ops(g, "vlm", "QConv") + count_ops(g, "", "ConvInteger") == 1;
  if (integer != (expected_form(j) != VLM_FORM_WEIGHT_ONLY))
    fail_msg("%s: integer operator: %d", what, integer);
  vlm_lower_report_free(&report);
  vlm_graph_free(g);
  free(j);
}

static void every_spelling_in_every_form(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof SPELLINGS / sizeof SPELLINGS[0]; i++)
    for (tail t = 0; t < TAIL_COUNT; t++)
      for (weight_kind kind = 0; kind < W_COUNT; kind++) {
        check(&SPELLINGS[i], t, VLM_FORM_STATIC, kind);
        check(&SPELLINGS[i], t, VLM_FORM_IMAGE, kind);
        check(&SPELLINGS[i], t, VLM_FORM_WEIGHT_ONLY, kind);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_spelling_in_every_form)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
