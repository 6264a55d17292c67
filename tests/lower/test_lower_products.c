/* Matrix products in every spelling and form: what vlm_lower_can answers is what lowering does, and the
 * numbers are those of the quantized graph computed in floats. */
#include "tests/lower/lower_graph.h"

enum { B = 3, M = 5, K = 21, N = 18 };

typedef enum { C_NONE, C_VECTOR, C_ROW, C_SCALAR, C_COLUMN, C_FULL, C_INPUT } addend;

typedef struct {
  const char *op;
  bool left; /* the constant is operand A */
  int w_rank, x_rank;
  bool ta, tb;
  float alpha, beta; /* 0 = attribute left out */
  addend c;
  const char *activation;
} spelling;

static const spelling SPELLINGS[] = {
    {"MatMul", false, 2, 2, .c = C_NONE},
    {"MatMul", false, 2, 1, .c = C_NONE},
    {"MatMul", false, 2, 3, .c = C_NONE},
    {"MatMul", false, 3, 3, .c = C_NONE},
    {"MatMul", false, 3, 2, .c = C_NONE},
    {"MatMul", true, 2, 2, .c = C_NONE},
    {"MatMul", true, 2, 1, .c = C_NONE},
    {"MatMul", true, 2, 3, .c = C_NONE},
    {"MatMul", true, 3, 3, .c = C_NONE},
    {"MatMul", true, 3, 2, .c = C_NONE},
    {"Gemm", false, 2, 2, .c = C_NONE},
    {"Gemm", false, 2, 2, .tb = true, .c = C_VECTOR},
    {"Gemm", false, 2, 2, .ta = true, .c = C_ROW},
    {"Gemm", false, 2, 2, .ta = true, .tb = true, .alpha = 0.5f, .beta = 2, .c = C_VECTOR},
    {"Gemm", false, 2, 2, .alpha = 0.5f, .c = C_SCALAR},
    {"Gemm", false, 2, 2, .alpha = -1.5f, .beta = 0.25f, .c = C_COLUMN},
    {"Gemm", false, 2, 2, .beta = 3, .c = C_FULL},
    {"Gemm", false, 2, 2, .tb = true, .beta = 0.5f, .c = C_INPUT},
    {"Gemm", true, 2, 2, .c = C_VECTOR},
    {"Gemm", true, 2, 2, .ta = true, .alpha = 0.5f, .c = C_COLUMN},
    {"Gemm", true, 2, 2, .tb = true, .beta = 0.5f, .c = C_FULL},
    {"Gemm", true, 2, 2, .ta = true, .tb = true, .c = C_INPUT},
    {"com.microsoft:FusedGemm", false, 2, 2, .tb = true, .c = C_VECTOR, .activation = "Relu"},
    {"com.microsoft:FusedGemm", false, 2, 2, .alpha = 2, .c = C_FULL, .activation = "LeakyRelu"},
    {"com.microsoft:FusedGemm", true, 2, 2, .ta = true, .c = C_COLUMN, .activation = "Sigmoid"},
    {"com.microsoft:FusedMatMul", false, 2, 3, .alpha = 0.125f},
    {"com.microsoft:FusedMatMul", false, 2, 2, .ta = true, .tb = true, .alpha = 0.125f},
    {"com.microsoft:FusedMatMul", false, 3, 3, .tb = true},
    {"com.microsoft:FusedMatMul", true, 3, 3, .ta = true, .tb = true, .alpha = 4},
};

/* What stands behind the product. */
typedef enum { TAIL_NONE, TAIL_BIAS, TAIL_RELU, TAIL_QUANTIZE, TAIL_ALL, TAIL_COUNT } tail;

typedef struct {
  const spelling *s;
  tail t;
  vlm_form form;
  weight_kind kind;
  vlm_dtype type;
  weights w;
  int x_rank;
  int64_t x_dims[3];
  float x[MAX_ELEMENTS], c[M * N], add[N];
} job;

static void two(int64_t *dims, int rank, int64_t batch, int64_t a, int64_t b, bool swapped) {
  if (rank == 3) *dims++ = batch;
  if (rank > 1) *dims++ = swapped ? b : a;
  dims[0] = swapped && rank > 1 ? a : b;
}

static void make_job(job *j, const spelling *s, tail t, vlm_form form) {
  int64_t dims[3];
  *j = (job){.s = s, .t = t, .form = form, .x_rank = s->x_rank, .type = VLM_F32};
  /* The constant is K x N on the right, M x K on the left. */
  if (s->left) two(dims, s->w_rank, B, M, K, s->ta);
  else two(dims, s->w_rank, B, K, N, s->tb);
  int channel = s->left ? (s->ta ? s->w_rank - 1 : s->w_rank - 2) : (s->tb ? s->w_rank - 2 : s->w_rank - 1);
  make_weights(&j->w, s->w_rank, dims, channel);
  if (s->left && s->x_rank == 1) j->x_dims[0] = K;
  else if (s->left) two(j->x_dims, s->x_rank, B, K, N, s->tb);
  else two(j->x_dims, s->x_rank, B, M, K, s->ta);
  draw_all(j->x, count_of(j->x_rank, j->x_dims));
  draw_all(j->c, M * N);
  draw_all(j->add, N);
}

static vlm_value_id cast(vlm_graph *g, vlm_value_id x, vlm_dtype type) {
  const vlm_attr to[] = {{.name = "to", .kind = VLM_ATTR_INT, .u.i = vlm_dtype_onnx(type)}, {0}};
  return type == VLM_F32 ? x : add_node(g, NULL, "Cast", 1, &x, to);
}

static vlm_value_id cast_back(vlm_graph *g, vlm_value_id x) {
  const vlm_attr to[] = {{.name = "to", .kind = VLM_ATTR_INT, .u.i = vlm_dtype_onnx(VLM_F32)}, {0}};
  return add_node(g, NULL, "Cast", 1, &x, to);
}

static vlm_value_id add_c(vlm_graph *g, const job *j) {
  static const int64_t SHAPES[][3] = {[C_VECTOR] = {1, N},
                                      [C_ROW] = {2, 1, N},
                                      [C_SCALAR] = {0},
                                      [C_COLUMN] = {2, M, 1},
                                      [C_FULL] = {2, M, N}};
  if (j->s->c == C_INPUT) return cast(g, add_input(g, "c", VLM_F32, 1, (int64_t[]){N}), j->type);
  return add_floats(g, j->type, (int)SHAPES[j->s->c][0], SHAPES[j->s->c] + 1, j->c);
}

static int attributes(const job *j, vlm_attr *a) {
  const spelling *s = j->s;
  int n = 0;
  if (s->ta) a[n++] = (vlm_attr){.name = "transA", .kind = VLM_ATTR_INT, .u.i = 1};
  if (s->tb) a[n++] = (vlm_attr){.name = "transB", .kind = VLM_ATTR_INT, .u.i = 1};
  if (s->alpha != 0) a[n++] = (vlm_attr){.name = "alpha", .kind = VLM_ATTR_FLOAT, .u.f = s->alpha};
  if (s->beta != 0) a[n++] = (vlm_attr){.name = "beta", .kind = VLM_ATTR_FLOAT, .u.f = s->beta};
  if (s->activation) a[n++] = (vlm_attr){.name = "activation", .kind = VLM_ATTR_STRING, .u.s = s->activation};
  return n;
}

static vlm_value_id add_tail(vlm_graph *g, const job *j, vlm_value_id y) {
  /* A bias of the last dim: of the channels when the constant is on the right. */
  int64_t n = j->s->left && j->s->x_rank == 1 ? M : N;
  if (j->t == TAIL_BIAS || j->t == TAIL_ALL)
    y = add_node(g, "bias", "Add", 2, (vlm_value_id[]){add_constant(g, VLM_F32, 1, &n, j->add), y}, NULL);
  if (j->t == TAIL_RELU || j->t == TAIL_ALL) y = add_node(g, "relu", "Relu", 1, &y, NULL);
  if (j->t == TAIL_QUANTIZE || j->t == TAIL_ALL)
    y = quantized(g, y, 0.03f, VLM_U8, j->t == TAIL_ALL ? 0 : 100);
  return y;
}

static const float X_SCALE = 1.0f / 128;

/* stored: the weights are in 8 bits. */
static vlm_graph *build(const job *j, bool stored) {
  vlm_graph *g = new_graph();
  vlm_attr attrs[8] = {{0}};
  vlm_value_id in[3], x = add_input(g, "x", VLM_F32, j->x_rank, j->x_dims);
  int n = 2;
  x = cast(g, x, j->type);
  if (stored && j->form == VLM_FORM_STATIC) x = through(g, x, X_SCALE, VLM_U8, 128);
  in[j->s->left] = x;
  in[!j->s->left] = !stored              ? add_floats(g, j->type, j->w.rank, j->w.dims, j->w.back)
                    : j->kind == W_PLAIN ? add_stored_weights(g, &j->w)
                                         : add_u8_weights(g, &j->w, j->kind == W_MOVED);
  if (j->s->c != C_NONE) in[n++] = add_c(g, j);
  attributes(j, attrs);
  vlm_value_id y = add_node(g, "product", j->s->op, n, in, attrs);
  finish_graph(g, add_tail(g, j, j->type == VLM_F32 ? y : cast_back(g, y)));
  return g;
}

static int32_t product_of(const vlm_graph *g) {
  for (int32_t n = 0; n < g->n_nodes; n++)
    if (!strcmp(g->nodes[n].name, "product")) return n;
  fail_msg("the product is gone");
  return -1;
}

static const char *name_of(const job *j, char text[128]) {
  snprintf(text, 128, "%s case %d, tail %d, form %d, weights %d", j->s->op, (int)(j->s - SPELLINGS), j->t,
           (int)j->form, j->kind);
  return text;
}

/* ONNX DynamicQuantizeLinear of the values that a row of the product reads. */
static void round_row(float *x, int64_t n, int64_t step) {
  float low = 0, high = 0;
  for (int64_t i = 0; i < n; i++) {
    low = fminf(low, x[i * step]);
    high = fmaxf(high, x[i * step]);
  }
  float scale = (high - low) / 255, zero = rintf(-low / scale);
  for (int64_t i = 0; i < n; i++)
    x[i * step] = (fminf(fmaxf(rintf(x[i * step] / scale) + zero, 0), 255) - zero) * scale;
}

static void round_rows(const job *j, float *x) {
  bool columns = j->x_rank > 1 && (j->s->left ? !j->s->tb : j->s->ta);
  int64_t last = j->x_dims[j->x_rank - 1], lines = j->x_rank > 1 ? j->x_dims[j->x_rank - 2] : 1;
  int64_t batch = j->x_rank == 3 ? B : 1;
  for (int64_t b = 0; b < batch; b++, x += last * lines)
    for (int64_t i = 0; i < (columns ? last : lines); i++)
      round_row(columns ? x + i : x + i * last, columns ? lines : last, columns ? last : 1);
}

static vlm_tensor run_job(const job *j, const vlm_graph *g, const float *x, float *values) {
  const vlm_tensor in[] = {vlm_tensor_make(VLM_F32, j->x_rank, j->x_dims, (void *)(uintptr_t)x),
                           vlm_tensor_make(VLM_F32, 1, (int64_t[]){N}, (void *)(uintptr_t)j->c)};
  return run_graph(g, in, j->s->c == C_INPUT ? 2 : 1, values);
}

/* The slot of the weight and the answer of vlm_lower_can, on the float graph. */
static void expect_answer(const job *j, bool wanted) {
  char what[128];
  const char *why = NULL;
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  vlm_graph *g = build(j, false);
  const vlm_node *node = &g->nodes[product_of(g)];
  assert_int_equal(vlm_node_weights(g, node, slots), 1);
  assert_int_equal(slots[0].axis, j->w.axis);
  bool can = vlm_lower_can(g, node, &slots[0], j->form, &why);
  if (can != wanted) fail_msg("%s: vlm_lower_can says %d (%s)", name_of(j, what), can, why ? why : "-");
  vlm_graph_free(g);
}

static void expect_lowered(const job *j, vlm_graph *g, const vlm_tensor *want, vlm_form form,
                           const char *op) {
  char what[128];
  float values[MAX_ELEMENTS];
  vlm_lower_report report = {0};
  FINE(vlm_graph_lower(g, &report, &error));
  vlm_tensor got = run_job(j, g, j->x, values);
  expect_close(name_of(j, what), &got, want, j->type == VLM_F16 ? 4e-3f : 1e-5f);
  expect_report(what, &report, "product", form);
  if (op && count_ops(g, strcmp(op, "MatMulIntegerToFloat") ? "vlm" : "com.microsoft", op) != 1)
    fail_msg("%s: no %s", what, op);
  if (op && count_ops(g, "", "DequantizeLinear")) fail_msg("%s: a DequantizeLinear is left", what);
  vlm_lower_report_free(&report);
}

/* Weights with other zero points: in integers where rows of x meet columns of w, else dequantized once. */
static void expect_moved(const job *j, vlm_graph *g, const vlm_tensor *want) {
  bool columns = j->s->left || (j->s->ta && j->x_rank > 1);
  bool integer = j->form == VLM_FORM_STATIC && !columns && !j->s->activation;
  expect_lowered(j, g, want, integer ? VLM_FORM_STATIC : VLM_FORM_WEIGHT_ONLY,
                 integer ? "MatMulIntegerToFloat" : NULL);
}

static void check_qdq(const spelling *s, tail t, vlm_form form, weight_kind kind) {
  job *j = malloc(sizeof *j);
  float values[MAX_ELEMENTS];
  make_job(j, s, t, form);
  j->kind = kind;
  expect_answer(j, true);
  vlm_graph *g = build(j, true);
  vlm_tensor want = run_job(j, g, j->x, values);
  if (kind == W_MOVED) expect_moved(j, g, &want);
  else expect_lowered(j, g, &want, form, form == VLM_FORM_STATIC ? "QMatMul" : "WMatMul");
  vlm_graph_free(g);
  free(j);
}

/* A range per row: the reference is the float graph on activations that went through 8 bits row by row. */
static void check_rows(const spelling *s, tail t, vlm_dtype type) {
  job *j = malloc(sizeof *j);
  float values[MAX_ELEMENTS], rounded[MAX_ELEMENTS];
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  make_job(j, s, t, VLM_FORM_ROW);
  j->type = type;
  expect_answer(j, true);
  for (int i = 0; i < MAX_ELEMENTS && type == VLM_F16; i++) j->x[i] = vlm_f16_to_f32(vlm_f32_to_f16(j->x[i]));
  memcpy(rounded, j->x, sizeof rounded);
  round_rows(j, rounded);
  vlm_graph *g = build(j, false);
  vlm_tensor want = run_job(j, g, rounded, values);
  int32_t n = product_of(g);
  vlm_node_weights(g, &g->nodes[n], slots);
  /* One row per channel. */
  int64_t channels = j->w.channels, inner = K, matrices = s->w_rank == 3 ? B : 1, dims[3];
  int8_t *rows = malloc(MAX_ELEMENTS);
  bool stored_rows = j->w.axis == s->w_rank - 2;
  for (int64_t i = 0; i < matrices * channels * inner; i++) {
    int64_t k = i % inner, c = i / inner % channels, b = i / inner / channels;
    rows[i] = j->w.data[b * channels * inner + (stored_rows ? c * inner + k : k * channels + c)];
  }
  two(dims, s->w_rank, B, channels, K, false);
  vlm_value_id data = add_constant(g, VLM_S8, s->w_rank, dims, rows),
               scale = add_constant(g, VLM_F32, 1, &channels, j->w.scale);
  FINE(vlm_lower_row_form(g, n, &slots[0], data, scale, &error));
  FINE(vlm_graph_resolve(g, &error));
  expect_lowered(j, g, &want, VLM_FORM_ROW, "QMatMulDynamic");
  vlm_graph_free(g);
  free(rows);
  free(j);
}

static void every_spelling_in_every_form(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof SPELLINGS / sizeof SPELLINGS[0]; i++)
    for (tail t = 0; t < TAIL_COUNT; t++) {
      for (weight_kind kind = 0; kind < W_COUNT; kind++) {
        check_qdq(&SPELLINGS[i], t, VLM_FORM_STATIC, kind);
        check_qdq(&SPELLINGS[i], t, VLM_FORM_WEIGHT_ONLY, kind);
      }
      check_rows(&SPELLINGS[i], t, VLM_F32);
      check_rows(&SPELLINGS[i], t, VLM_F16);
      check_rows(&SPELLINGS[i], t, VLM_F64);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_spelling_in_every_form)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
