/* Normalisation operators against naive loops in double; results do not depend on the number of threads. */
#include "op_harness.h"
#include "tests/fine.h"

#include <math.h>
#include <stdlib.h>

static uint32_t seed = 9;
static float next(void) { return (float)((seed = seed * 1664525u + 1013904223u) >> 8) / 4194304.0f - 2.0f; }

static void fill(float *x, int n) {
  for (int i = 0; i < n; i++) x[i] = next();
}

/* want = (x - mean) / sqrt(var + eps) * scale + bias over one row; rms: without mean and bias. */
static void naive_row(double *want, const float *x, const float *scale, const float *bias, int n, double eps,
                      bool rms, double *mean_out, double *inverse_out) {
  double mean = 0, var = 0;
  for (int i = 0; i < n && !rms; i++) mean += (double)x[i] / n;
  for (int i = 0; i < n; i++) var += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
  double inverse = 1 / sqrt(var + eps);
  for (int i = 0; i < n; i++)
    want[i] = ((double)x[i] - mean) * inverse * (double)scale[i] + (bias ? (double)bias[i] : 0);
  *mean_out = mean;
  *inverse_out = inverse;
}

static void test_layer_norm(void **state) {
  (void)state;
  enum { ROWS = 70, WIDTH = 301, N = ROWS * WIDTH };
  static float x[N], scale[WIDTH], bias[WIDTH];
  static double want[N], mean[ROWS], inverse[ROWS];
  fill(x, N), fill(scale, WIDTH), fill(bias, WIDTH);
  for (int r = 0; r < ROWS; r++)
    naive_row(want + r * WIDTH, x + r * WIDTH, scale, bias, WIDTH, 1e-5, false, &mean[r], &inverse[r]);
  vlm_tensor t = OP_TENSOR(VLM_F32, x, 7, 10, WIDTH), s = OP_TENSOR(VLM_F32, scale, WIDTH),
             b = OP_TENSOR(VLM_F32, bias, WIDTH);
  op_harness one = {.threads = 1}, two = {.threads = 2};
  op_apply(&one, "", "LayerNormalization", 17, NULL, (const vlm_tensor *[]){&t, &s, &b}, 3, 3);
  op_expect(&one, 0, want, N, 3e-6);
  op_expect(&one, 1, mean, ROWS, 1e-6);
  op_expect(&one, 2, inverse, ROWS, 1e-6);
  assert_int_equal(one.out[1].rank, 3);
  assert_int_equal(one.out[1].dims[2], 1);
  op_apply(&two, "", "LayerNormalization", 17, NULL, (const vlm_tensor *[]){&t, &s, &b}, 3, 1);
  assert_memory_equal(one.out[0].data, two.out[0].data, sizeof x);
  op_release(&one), op_release(&two);
}

static void test_rms_and_skip(void **state) {
  (void)state;
  enum { ROWS = 6, WIDTH = 40, N = ROWS * WIDTH };
  float x[N], skip[N], scale[WIDTH], bias[WIDTH], beta[WIDTH], sum[N];
  double want[N], sums[N], mean, inverse;
  fill(x, N), fill(skip, N), fill(scale, WIDTH), fill(bias, WIDTH), fill(beta, WIDTH);
  vlm_tensor t = OP_TENSOR(VLM_F32, x, 2, 3, WIDTH), k = OP_TENSOR(VLM_F32, skip, 2, 3, WIDTH),
             s = OP_TENSOR(VLM_F32, scale, WIDTH);
  vlm_tensor b = OP_TENSOR(VLM_F32, bias, WIDTH), e = OP_TENSOR(VLM_F32, beta, WIDTH);
  const vlm_attr eps = OP_FLOAT("epsilon", 1e-6f);
  op_harness h = {0};
  for (int r = 0; r < ROWS; r++)
    naive_row(want + r * WIDTH, x + r * WIDTH, scale, NULL, WIDTH, 1e-6, true, &mean, &inverse);
  static const char *const domains[] = {"", "", "com.microsoft"};
  for (int i = 0; i < 3; i++) {
    op_apply(&h, domains[i], i ? "SimplifiedLayerNormalization" : "RMSNormalization", i == 2 ? 1 : 23,
             (const vlm_attr *[]){&eps, NULL}, (const vlm_tensor *[]){&t, &s}, 2, 1);
    op_expect(&h, 0, want, N, 2e-6);
  }
  for (int i = 0; i < N; i++) sums[i] = (double)(sum[i] = x[i] + skip[i] + bias[i % WIDTH]);
  for (int r = 0; r < ROWS; r++)
    naive_row(want + r * WIDTH, sum + r * WIDTH, scale, beta, WIDTH, 1e-6, false, &mean, &inverse);
  op_apply(&h, "com.microsoft", "SkipLayerNormalization", 1, (const vlm_attr *[]){&eps, NULL},
           (const vlm_tensor *[]){&t, &k, &s, &e, &b}, 5, 4);
  op_expect(&h, 0, want, N, 3e-6);
  op_expect(&h, 3, sums, N, 0);
  op_release(&h);
}

/* Instance norm is group norm with one channel per group. */
static void test_channel_norms(void **state) {
  (void)state;
  enum { B = 2, C = 6, S = 35, N = B * C * S };
  float x[N], scale[C], bias[C], mean[C], var[C], ones[2 * S], zeros[2 * S];
  double want[N], m, r;
  fill(x, N), fill(scale, C), fill(bias, C), fill(mean, C);
  for (int i = 0; i < C; i++) var[i] = 0.3f + (float)i;
  for (int i = 0; i < 2 * S; i++) ones[i] = 1, zeros[i] = 0;
  vlm_tensor t = OP_TENSOR(VLM_F32, x, B, C, 5, 7), s = OP_TENSOR(VLM_F32, scale, C),
             b = OP_TENSOR(VLM_F32, bias, C);
  vlm_tensor mu = OP_TENSOR(VLM_F32, mean, C), v = OP_TENSOR(VLM_F32, var, C);
  op_harness h = {.threads = 2};
  for (int i = 0; i < N; i++) {
    int c = i / S % C;
    want[i] =
        ((double)x[i] - (double)mean[c]) / sqrt((double)var[c] + 1e-5) * (double)scale[c] + (double)bias[c];
  }
  op_apply(&h, "", "BatchNormalization", 15, NULL, (const vlm_tensor *[]){&t, &s, &b, &mu, &v}, 5, 1);
  op_expect(&h, 0, want, N, 2e-6);
  for (int groups = 3; groups <= 6; groups += 3) {
    int size = C / groups * S;
    for (int g = 0; g < B * groups; g++)
      naive_row(want + g * size, x + g * size, ones, zeros, size, 1e-5, false, &m, &r);
    for (int i = 0; i < N; i++) want[i] = want[i] * (double)scale[i / S % C] + (double)bias[i / S % C];
    const vlm_attr n = OP_INT("num_groups", groups);
    op_apply(&h, "", "GroupNormalization", 21, (const vlm_attr *[]){&n, NULL},
             (const vlm_tensor *[]){&t, &s, &b}, 3, 1);
    op_expect(&h, 0, want, N, 4e-6);
  }
  op_apply(&h, "", "InstanceNormalization", 6, NULL, (const vlm_tensor *[]){&t, &s, &b}, 3, 1);
  op_expect(&h, 0, want, N, 4e-6);
  op_release(&h);
}

static void test_bad_shapes(void **state) {
  (void)state;
  float x[12] = {0}, s[5] = {0};
  vlm_tensor t = OP_TENSOR(VLM_F32, x, 3, 4), scale = OP_TENSOR(VLM_F32, s, 5);
  op_harness h = {0};
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "", "LayerNormalization", 17, NULL, (const vlm_tensor *[]){&t, &scale}, 2, 1));
  FAILS_WITH(
      h.err, VLM_INPUT,
      op_try(&h, "", "InstanceNormalization", 6, NULL, (const vlm_tensor *[]){&t, &scale, &scale}, 3, 1));
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "com.microsoft", "SkipLayerNormalization", 1, NULL,
                    (const vlm_tensor *[]){&t, &t, &scale}, 3, 1));
  const vlm_attr groups = OP_INT("num_groups", 3);
  vlm_tensor four = OP_TENSOR(VLM_F32, s, 4);
  assert_int_equal(op_try(&h, "", "GroupNormalization", 21, (const vlm_attr *[]){&groups, NULL},
                          (const vlm_tensor *[]){&t, &four, &four}, 3, 1),
                   VLM_INPUT);
  assert_non_null(strstr(h.err.text, "3 groups"));
  op_release(&h);
}

static void test_empty(void **state) {
  (void)state;
  float x = 0, s[4] = {1, 1, 1, 1};
  vlm_tensor t = OP_TENSOR(VLM_F32, &x, 0, 4), scale = OP_TENSOR(VLM_F32, s, 4);
  op_harness h = {0};
  op_apply(&h, "", "LayerNormalization", 17, NULL, (const vlm_tensor *[]){&t, &scale}, 2, 1);
  assert_int_equal(vlm_tensor_count(&h.out[0]), 0);
  op_apply(&h, "", "InstanceNormalization", 6, NULL, (const vlm_tensor *[]){&t, &scale, &scale}, 3, 1);
  assert_int_equal(vlm_tensor_count(&h.out[0]), 0);
  op_release(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layer_norm),    cmocka_unit_test(test_rms_and_skip),
      cmocka_unit_test(test_channel_norms), cmocka_unit_test(test_bad_shapes),
      cmocka_unit_test(test_empty),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
