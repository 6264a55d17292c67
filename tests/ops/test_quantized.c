/* The internal quantized operators (domain "vlm") against their definitions, computed here with plain loops; errors too. */
#include "op_harness.h"
#include "tests/fine.h"

#include <math.h>
#include <stdlib.h>

enum { M = 11, N = 37, K = 53 };

static uint32_t seed = 5;
static float next(void) { return (float)((seed = seed * 1664525u + 1013904223u) >> 8) / 4194304.0f - 2.0f; }
static int8_t next_s8(void) {
  return (int8_t)((int)((seed = seed * 1664525u + 1013904223u) >> 24) % 255 - 127);
}

typedef struct {
  float x[M * K], scale[N], bias[N];
  int8_t w[K * N];  /* [K, N] */
  int8_t wt[K * N]; /* [N, K] */
} data;

static void fill(data *d) {
  for (int i = 0; i < M * K; i++) d->x[i] = next();
  for (int i = 0; i < K * N; i++) d->w[i] = next_s8();
  for (int j = 0; j < N; j++) {
    d->scale[j] = 0.01f + (float)j * 0.001f;
    d->bias[j] = next();
    for (int p = 0; p < K; p++) d->wt[j * K + p] = d->w[p * N + j];
  }
}

static int quantized(float x, float scale, int zero) {
  float q = rintf(x / scale) + (float)zero;
  return q < 0 ? 0 : q > 255 ? 255 : (int)q;
}

static void expect_bits(const vlm_tensor *t, const float *wanted, const char *what) {
  for (int i = 0; i < M * N; i++)
    if (memcmp((const float *)t->data + i, wanted + i, 4))
      fail_msg("%s: element %d is %.9g, wanted %.9g", what, i, (double)((const float *)t->data)[i],
               (double)wanted[i]);
}

static void test_qmatmul(void **state) {
  (void)state;
  data d;
  float wanted[M * N], relu[M * N], x_scale = 0.017f, y_scale = 0.31f;
  uint8_t x_zero = 121, y_zero = 17, q[M * K];
  fill(&d);
  for (int i = 0; i < M * K; i++) q[i] = (uint8_t)quantized(d.x[i], x_scale, x_zero);
  for (int i = 0; i < M * N; i++) {
    int sum = 0;
    for (int p = 0; p < K; p++) sum += (q[i / N * K + p] - x_zero) * d.w[p * N + i % N];
    float scale = x_scale * d.scale[i % N];
    wanted[i] = fmaf((float)sum, scale, d.bias[i % N]);
    relu[i] = wanted[i] > 0 ? wanted[i] : 0;
  }
  const vlm_tensor x = OP_TENSOR(VLM_F32, d.x, 1, M, K), xq = OP_TENSOR(VLM_U8, q, 1, M, K),
                   xs = OP_SCALAR(VLM_F32, &x_scale), xz = OP_SCALAR(VLM_U8, &x_zero);
  const vlm_tensor w = OP_TENSOR(VLM_S8, d.w, K, N), wt = OP_TENSOR(VLM_S8, d.wt, N, K),
                   ws = OP_TENSOR(VLM_F32, d.scale, N), b = OP_TENSOR(VLM_F32, d.bias, N);
  const vlm_tensor ys = OP_SCALAR(VLM_F32, &y_scale), yz = OP_SCALAR(VLM_U8, &y_zero);
  const vlm_attr trans = OP_INT("transB", 1), act = OP_STRING("activation", "relu");
  for (int threads = 1; threads <= 2; threads++) {
    op_harness h = {.threads = threads};
    op_apply(&h, "vlm", "QMatMul", 1, NULL, (const vlm_tensor *[]){&x, &xs, &xz, &w, &ws, &b}, 6, 1);
    assert_int_equal(h.out[0].rank, 3);
    assert_int_equal(h.out[0].dims[2], N);
    expect_bits(&h.out[0], wanted, "float x");
    op_apply(&h, "vlm", "QMatMul", 1, (const vlm_attr *[]){&trans, &act, NULL},
             (const vlm_tensor *[]){&xq, &xs, &xz, &wt, &ws, &b}, 6, 1);
    expect_bits(&h.out[0], relu, "uint8 x, transposed w, relu");
    op_apply(&h, "vlm", "QMatMul", 1, NULL, (const vlm_tensor *[]){&xq, &xs, &xz, &w, &ws, &b, &ys, &yz}, 8,
             1);
    assert_int_equal(h.out[0].dtype, VLM_U8);
    for (int i = 0; i < M * N; i++)
      assert_int_equal(((uint8_t *)h.out[0].data)[i], quantized(wanted[i], y_scale, y_zero));
    op_release(&h);
  }
}

static void test_qmatmul_dynamic(void **state) {
  (void)state;
  data d;
  float wanted[M * N];
  fill(&d);
  for (int p = 0; p < K; p++) d.x[K + p] = 0;                         /* a row of zeros */
  for (int p = 0; p < K; p++) d.x[2 * K + p] = fabsf(d.x[2 * K + p]); /* zero is the minimum */
  for (int i = 0; i < M; i++) {
    float low = 0, high = 0;
    for (int p = 0; p < K; p++) {
      low = fminf(low, d.x[i * K + p]);
      high = fmaxf(high, d.x[i * K + p]);
    }
    float scale = (high - low) / 255.0f;
    int zero = scale > 0 ? (int)rintf(-low / scale) : 0;
    if (!(scale > 0)) scale = 1;
    for (int j = 0; j < N; j++) {
      int sum = 0;
      for (int p = 0; p < K; p++) sum += (quantized(d.x[i * K + p], scale, zero) - zero) * d.w[p * N + j];
      float product = scale * d.scale[j];
      wanted[i * N + j] = fmaf((float)sum, product, 0.0f);
    }
  }
  const vlm_tensor x = OP_TENSOR(VLM_F32, d.x, M, K), w = OP_TENSOR(VLM_S8, d.w, K, N),
                   ws = OP_TENSOR(VLM_F32, d.scale, N);
  op_harness h = {.threads = 2};
  op_apply(&h, "vlm", "QMatMulDynamic", 1, NULL, (const vlm_tensor *[]){&x, &w, &ws}, 3, 1);
  expect_bits(&h.out[0], wanted, "dynamic");
  const float y_scale = 0.31f;
  const uint8_t y_zero = 17;
  const vlm_tensor ys = OP_SCALAR(VLM_F32, &y_scale), yz = OP_SCALAR(VLM_U8, &y_zero);
  op_apply(&h, "vlm", "QMatMulDynamic", 1, NULL, (const vlm_tensor *[]){&x, &w, &ws, NULL, NULL, &ys, &yz}, 7,
           1);
  assert_int_equal(h.out[0].dtype, VLM_U8);
  for (int i = 0; i < M * N; i++)
    assert_int_equal(((uint8_t *)h.out[0].data)[i], quantized(wanted[i], y_scale, y_zero));
  op_release(&h);
}

static void test_wmatmul(void **state) {
  (void)state;
  data d;
  float wanted[M * N], one = 0.02f;
  fill(&d);
  for (int i = 0; i < M * N; i++) {
    float sum = 0;
    for (int p = 0; p < K; p++) sum = fmaf(d.x[i / N * K + p], (float)d.w[p * N + i % N], sum);
    float scaled = sum * one;
    wanted[i] = scaled + d.bias[i % N];
  }
  const vlm_tensor x = OP_TENSOR(VLM_F32, d.x, M, K), wt = OP_TENSOR(VLM_S8, d.wt, N, K),
                   ws = OP_SCALAR(VLM_F32, &one), b = OP_TENSOR(VLM_F32, d.bias, N);
  const vlm_attr trans = OP_INT("transB", 1);
  op_harness h = {.threads = 2};
  op_apply(&h, "vlm", "WMatMul", 1, (const vlm_attr *[]){&trans, NULL},
           (const vlm_tensor *[]){&x, &wt, &ws, &b}, 4, 1);
  expect_bits(&h.out[0], wanted, "weight-only");
  const vlm_tensor row = OP_TENSOR(VLM_F32, d.x, 1, K); /* one row takes another kernel */
  op_apply(&h, "vlm", "WMatMul", 1, (const vlm_attr *[]){&trans, NULL},
           (const vlm_tensor *[]){&row, &wt, &ws, &b}, 4, 1);
  assert_memory_equal(h.out[0].data, wanted, N * sizeof(float));
  op_release(&h);
}

static void test_qconv(void **state) {
  (void)state;
  enum { C = 4, O = 6, H = 7, W = 9, OH = 4, OW = 9 };
  float x[C * H * W], scale[O], bias[O], x_scale = 0.03f;
  int8_t w[O * C / 2 * 9];
  uint8_t zero = 99;
  for (int i = 0; i < C * H * W; i++) x[i] = next();
  for (size_t i = 0; i < sizeof w; i++) w[i] = next_s8();
  for (int o = 0; o < O; o++) scale[o] = 0.02f * (float)(o + 1), bias[o] = next();
  const int64_t pads[] = {1, 1, 1, 1}, strides[] = {2, 1};
  const vlm_attr group = OP_INT("group", 2), pad = OP_INTS("pads", pads, 4),
                 stride = OP_INTS("strides", strides, 2);
  const vlm_tensor xt = OP_TENSOR(VLM_F32, x, 1, C, H, W), xs = OP_SCALAR(VLM_F32, &x_scale),
                   xz = OP_SCALAR(VLM_U8, &zero), wt = OP_TENSOR(VLM_S8, w, O, C / 2, 3, 3);
  const vlm_tensor ws = OP_TENSOR(VLM_F32, scale, O), b = OP_TENSOR(VLM_F32, bias, O);
  op_harness h = {.threads = 2};
  op_apply(&h, "vlm", "QConv", 1, (const vlm_attr *[]){&group, &pad, &stride, NULL},
           (const vlm_tensor *[]){&xt, &xs, &xz, &wt, &ws, &b}, 6, 1);
  assert_int_equal(h.out[0].dims[2], OH);
  for (int i = 0; i < O * OH * OW; i++) {
    int o = i / (OH * OW), oh = i / OW % OH, ow = i % OW, sum = 0;
    for (int k = 0; k < C / 2 * 9; k++) {
      int c = k / 9 + o / (O / 2) * (C / 2), ih = oh * 2 - 1 + k / 3 % 3, iw = ow - 1 + k % 3;
      if (ih >= 0 && ih < H && iw >= 0 && iw < W)
        sum += (quantized(x[(c * H + ih) * W + iw], x_scale, zero) - zero) * w[o * (C / 2 * 9) + k];
    }
    float product = x_scale * scale[o], wanted = fmaf((float)sum, product, bias[o]);
    if (((float *)h.out[0].data)[i] != wanted)
      fail_msg("element %d is %.9g, wanted %.9g", i, (double)((float *)h.out[0].data)[i], (double)wanted);
  }
  op_release(&h);
}

static void test_qgather(void **state) {
  (void)state;
  int8_t table[3 * 5] = {1, 2, 3, 4, 5, -1, -2, -3, -4, -5, 127, -127, 0, 7, 9};
  float scale[3] = {1, 0.5f, 0.25f};
  int64_t ids[4] = {2, 0, -1, 1}, wrong[1] = {3};
  double wanted[20];
  for (int i = 0; i < 20; i++) {
    int row = (int)(ids[i / 5] < 0 ? 2 : ids[i / 5]);
    wanted[i] = table[row * 5 + i % 5] * (double)scale[row];
  }
  const vlm_tensor t = OP_TENSOR(VLM_S8, table, 3, 5), s = OP_TENSOR(VLM_F32, scale, 3),
                   at = OP_TENSOR(VLM_S64, ids, 2, 2), bad = OP_TENSOR(VLM_S64, wrong, 1);
  op_harness h = {0};
  op_apply(&h, "vlm", "QGather", 1, NULL, (const vlm_tensor *[]){&t, &s, &at}, 3, 1);
  assert_int_equal(h.out[0].rank, 3);
  op_expect(&h, 0, wanted, 20, 0);
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "vlm", "QGather", 1, NULL, (const vlm_tensor *[]){&t, &s, &bad}, 3, 1));
  assert_non_null(strstr(h.err.text, "id 3"));
  op_release(&h);
}

static void expect_error(const char *domain, const char *op, const vlm_attr *const *attrs,
                         const vlm_tensor *const *in, int n, const char *part) {
  op_harness h = {0};
  vlm_status st = op_try(&h, domain, op, strcmp(domain, "vlm") ? 13 : 1, attrs, in, n, 1);
  if (st == VLM_OK || !strstr(h.err.text, part))
    fail_msg("%s: status %d, \"%s\"; wanted \"%s\"", op, st, h.err.text, part);
  op_release(&h);
}

static void test_errors(void **state) {
  (void)state;
  float f[64] = {0};
  int8_t w[64] = {0};
  const int64_t zero[] = {0, 1}, huge[] = {1, 1, 1, 1LL << 40};
  const vlm_tensor x = OP_TENSOR(VLM_F32, f, 2, 3), w42 = OP_TENSOR(VLM_S8, w, 4, 2),
                   s = OP_TENSOR(VLM_F32, f, 3), w32 = OP_TENSOR(VLM_S8, w, 3, 2);
  const vlm_tensor f42 = OP_TENSOR(VLM_F32, f, 4, 2), image = OP_TENSOR(VLM_F32, f, 1, 2, 4, 4),
                   kernel = OP_TENSOR(VLM_F32, f, 1, 2, 2, 2), wide = OP_TENSOR(VLM_F32, f, 1, 2, 5, 2);
  const vlm_tensor kernel3 = OP_TENSOR(VLM_F32, f, 1, 3, 2, 2);
  const vlm_attr stride = OP_INTS("strides", zero, 2), pads = OP_INTS("pads", huge, 4),
                 act = OP_STRING("activation", "cubic"), group = OP_INT("group", 0);
  expect_error("vlm", "WMatMul", NULL, (const vlm_tensor *[]){&x, &w42, &s}, 3, "inner size");
  expect_error("vlm", "WMatMul", NULL, (const vlm_tensor *[]){&x, &w32, &s}, 3, "scale of the weights has 3");
  expect_error("vlm", "WMatMul", NULL, (const vlm_tensor *[]){&x, &f42, &s}, 3, "wanted int8");
  const vlm_tensor s2 = OP_TENSOR(VLM_F32, f, 2);
  expect_error("vlm", "WMatMul", (const vlm_attr *[]){&act, NULL}, (const vlm_tensor *[]){&x, &w32, &s2}, 3,
               "\"cubic\"");
  expect_error("", "MatMul", NULL, (const vlm_tensor *[]){&x, &f42}, 2, "inner sizes 3 and 4");
  expect_error("", "MatMul", NULL, (const vlm_tensor *[]){&x, &w32}, 2, "wanted the same type");
  expect_error("", "Conv", (const vlm_attr *[]){&stride, NULL}, (const vlm_tensor *[]){&image, &kernel}, 2,
               "strides[0] is 0");
  expect_error("", "Conv", (const vlm_attr *[]){&pads, NULL}, (const vlm_tensor *[]){&image, &kernel}, 2,
               "pads[3]");
  expect_error("", "Conv", (const vlm_attr *[]){&group, NULL}, (const vlm_tensor *[]){&image, &kernel}, 2,
               "group is 0");
  expect_error("", "Conv", NULL, (const vlm_tensor *[]){&image, &kernel3}, 2, "take 3");
  expect_error("", "Conv", NULL, (const vlm_tensor *[]){&image, &wide}, 2, "extent 5");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_qmatmul), cmocka_unit_test(test_qmatmul_dynamic), cmocka_unit_test(test_wmatmul),
      cmocka_unit_test(test_qconv),   cmocka_unit_test(test_qgather),         cmocka_unit_test(test_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
