/* Reductions, softmax, argmax, cumsum against naive loops in double, over every subset of axes, empty tensors included. */
#include "op_harness.h"
#include "tests/fine.h"

#include <math.h>
#include <stdlib.h>

static uint32_t seed = 5;
static double next(void) { return (double)((seed = seed * 1664525u + 1013904223u) >> 8) / 16777216.0 - 0.4; }

typedef enum { SUM, MEAN, MAX, MIN, PROD, L1, L2, LOG_SUM, LOG_SUM_EXP, SUM_SQUARE, KINDS } kind;
static const char *const names[KINDS] = {"Sum", "Mean", "Max",    "Min",       "Prod",
                                         "L1",  "L2",   "LogSum", "LogSumExp", "SumSquare"};

static double naive(kind k, const double *v, int64_t n) {
  double a = k == PROD ? 1 : k == MAX ? -(double)INFINITY : k == MIN ? (double)INFINITY : 0;
  for (int64_t i = 0; i < n; i++) {
    double x = v[i];
    a = k == PROD                    ? a * x
        : k == MAX                   ? fmax(a, x)
        : k == MIN                   ? fmin(a, x)
        : k == L1                    ? a + fabs(x)
        : k == L2 || k == SUM_SQUARE ? a + x * x
        : k == LOG_SUM_EXP           ? a + exp(x)
                                     : a + x;
  }
  return k == MEAN ? a / (double)n : k == L2 ? sqrt(a) : k == LOG_SUM || k == LOG_SUM_EXP ? log(a) : a;
}

/* Reduces t over the axes of the mask into want; returns the number of results. */
static int64_t naive_reduce(kind k, const vlm_tensor *t, unsigned mask, double *want) {
  int64_t results = 1, count = 1, total = vlm_tensor_count(t);
  for (int d = 0; d < t->rank; d++) *(mask >> d & 1 ? &count : &results) *= t->dims[d];
  double *lines = malloc(sizeof(double) * (size_t)(total + 1));
  int64_t *used = calloc((size_t)results + 1, sizeof *used);
  for (int64_t i = 0; i < total; i++) {
    int64_t rest = i, at = 0, span = 1;
    for (int d = t->rank - 1; d >= 0; rest /= t->dims[d--])
      if (!(mask >> d & 1)) {
        at += rest % t->dims[d] * span;
        span *= t->dims[d];
      }
    lines[at * count + used[at]++] = vlm_tensor_get(t, i);
  }
  for (int64_t r = 0; r < results; r++) want[r] = naive(k, lines + r * count, count);
  free(lines), free(used);
  return results;
}

static void check_shape(int rank, const int64_t *dims, vlm_dtype type, double limit) {
  vlm_tensor x = vlm_tensor_make(type, rank, dims, NULL);
  int64_t n = vlm_tensor_count(&x);
  x.data = calloc((size_t)n + 1, 8);
  double *want = malloc(sizeof(double) * (size_t)(n + 4096));
  for (int64_t i = 0; i < n; i++) vlm_tensor_set(&x, i, next());
  for (unsigned mask = 1; mask < 1u << rank; mask++)
    for (int k = 0; k < KINDS; k++) {
      int64_t list[8];
      int count = 0;
      char name[32];
      op_harness h = {.threads = mask % 2 ? 2 : 1};
      for (int d = 0; d < rank; d++)
        if (mask >> d & 1) list[count++] = mask % 3 ? d : d - rank;
      snprintf(name, sizeof name, "Reduce%s", names[k]);
      int64_t results = naive_reduce((kind)k, &x, mask, want);
      const vlm_attr axes = OP_INTS("axes", list, count), drop = OP_INT("keepdims", 0);
      const vlm_tensor as_input = OP_TENSOR(VLM_S64, list, count);
      op_apply(&h, "", name, 12, (const vlm_attr *[]){&axes, &drop, NULL}, (const vlm_tensor *[]){&x}, 1, 1);
      assert_int_equal(h.out[0].rank, rank - count);
      op_expect(&h, 0, want, results, limit);
      op_apply(&h, "", name, 18, NULL, (const vlm_tensor *[]){&x, &as_input}, 2, 1);
      assert_int_equal(h.out[0].rank, rank);
      op_expect(&h, 0, want, results, limit);
      op_release(&h);
    }
  free(x.data), free(want);
}

static void test_all_axes(void **state) {
  (void)state;
  check_shape(1, (int64_t[]){1000}, VLM_F32, 2e-5);
  check_shape(2, (int64_t[]){37, 300}, VLM_F32, 2e-5);
  check_shape(3, (int64_t[]){3, 17, 9}, VLM_F32, 2e-5);
  check_shape(4, (int64_t[]){2, 3, 5, 7}, VLM_F32, 2e-5);
  check_shape(4, (int64_t[]){2, 1, 5, 1}, VLM_F32, 2e-5);
  check_shape(3, (int64_t[]){3, 4, 5}, VLM_F64, 1e-13);
  check_shape(2, (int64_t[]){3, 5}, VLM_F16, 4e-3);
}

static void test_empty(void **state) {
  (void)state;
  op_harness h = {0};
  float nothing = 0;
  vlm_tensor x = OP_TENSOR(VLM_F32, &nothing, 2, 0);
  const int64_t one[] = {1}, zero[] = {0};
  const vlm_attr rows = OP_INTS("axes", one, 1), columns = OP_INTS("axes", zero, 1);
  static const double want[KINDS] = {0, NAN, -INFINITY, INFINITY, 1, 0, 0, -INFINITY, -INFINITY, 0};
  for (int k = 0; k < KINDS; k++) {
    char name[32];
    snprintf(name, sizeof name, "Reduce%s", names[k]);
    op_apply(&h, "", name, 13 - (k != SUM), (const vlm_attr *[]){k == SUM ? NULL : &rows, NULL},
             (const vlm_tensor *[]){&x, NULL}, 1, 1);
    op_expect(&h, 0, (double[]){want[k], want[k]}, k == SUM ? 1 : 2, 0);
    if (k != SUM) {
      op_apply(&h, "", name, 12, (const vlm_attr *[]){&columns, NULL}, (const vlm_tensor *[]){&x}, 1, 1);
      assert_int_equal(vlm_tensor_count(&h.out[0]), 0);
    }
  }
  op_release(&h);
}

static void test_integers(void **state) {
  (void)state;
  op_harness h = {0};
  int64_t v[] = {5, -3, INT64_MAX, 7, 2, 1};
  uint8_t u[] = {200, 100, 3, 9};
  bool b[] = {true, false};
  vlm_tensor x = OP_TENSOR(VLM_S64, v, 2, 3), y = OP_TENSOR(VLM_U8, u, 4), z = OP_TENSOR(VLM_BOOL, b, 2);
  const int64_t last[] = {-1};
  const vlm_attr axes = OP_INTS("axes", last, 1), noop = OP_INT("noop_with_empty_axes", 1);
  op_apply(&h, "", "ReduceMax", 13, (const vlm_attr *[]){&axes, NULL}, (const vlm_tensor *[]){&x}, 1, 1);
  assert_true(((int64_t *)h.out[0].data)[0] == INT64_MAX && ((int64_t *)h.out[0].data)[1] == 7);
  op_apply(&h, "", "ReduceMin", 13, NULL, (const vlm_tensor *[]){&x}, 1, 1);
  op_expect(&h, 0, (double[]){-3}, 1, 0);
  op_apply(&h, "", "ReduceMax", 13, NULL, (const vlm_tensor *[]){&y}, 1, 1);
  op_expect(&h, 0, (double[]){200}, 1, 0);
  op_apply(&h, "", "ReduceMin", 20, NULL, (const vlm_tensor *[]){&z}, 1, 1);
  op_expect(&h, 0, (double[]){0}, 1, 0);
  op_apply(&h, "", "ReduceSum", 13, (const vlm_attr *[]){&noop, NULL}, (const vlm_tensor *[]){&y}, 1, 1);
  op_expect(&h, 0, (double[]){200, 100, 3, 9}, 4, 0);
  op_release(&h);
}

static void test_bad_axis(void **state) {
  (void)state;
  op_harness h = {0};
  float v[6] = {0};
  vlm_tensor x = OP_TENSOR(VLM_F32, v, 2, 3);
  const int64_t two[] = {2};
  const vlm_attr axes = OP_INTS("axes", two, 1);
  FAILS_WITH(
      h.err, VLM_INPUT,
      op_try(&h, "", "ReduceMean", 13, (const vlm_attr *[]){&axes, NULL}, (const vlm_tensor *[]){&x}, 1, 1));
  assert_non_null(strstr(h.err.text, "axis 2"));
  op_release(&h);
}

/* Softmax over each axis of [3, 21, 5], both forms; rows of the matrix form are wider. */
static void test_softmax(void **state) {
  (void)state;
  enum { A = 3, B = 21, C = 5, N = A * B * C };
  float v[N];
  double want[N];
  const int64_t dims[] = {A, B, C};
  for (int i = 0; i < N; i++) v[i] = (float)(next() * 20);
  vlm_tensor x = OP_TENSOR(VLM_F32, v, A, B, C);
  for (int form = 0; form < 2; form++)
    for (int axis = 0; axis < 3; axis++)
      for (int log_form = 0; log_form < 2; log_form++) {
        op_harness h = {.threads = 2};
        int64_t inner = 1, count = 1;
        for (int d = axis + 1; d < 3; d++) *(form ? &inner : &count) *= dims[d];
        count *= dims[axis];
        for (int64_t i = 0; i < N; i++) {
          int64_t base = i / (count * inner) * count * inner + i % inner;
          double sum = 0;
          for (int64_t k = 0; k < count; k++) sum += exp((double)v[base + k * inner] - (double)v[i]);
          want[i] = log_form ? -log(sum) : 1 / sum;
        }
        const vlm_attr at = OP_INT("axis", axis);
        op_apply(&h, "", log_form ? "LogSoftmax" : "Softmax", form ? 13 : 11, (const vlm_attr *[]){&at, NULL},
                 (const vlm_tensor *[]){&x}, 1, 1);
        op_expect(&h, 0, want, N, 2e-6);
        op_release(&h);
      }
}

static void test_argmax_and_cumsum(void **state) {
  (void)state;
  op_harness h = {0};
  float v[] = {1, NAN, 3, 4, 4, -1};
  int32_t n[] = {1, 2, 3, 4, 5, 6}, axis[] = {1};
  vlm_tensor x = OP_TENSOR(VLM_F32, v, 2, 3), y = OP_TENSOR(VLM_S32, n, 2, 3), a = OP_SCALAR(VLM_S32, axis);
  const vlm_attr last_axis = OP_INT("axis", -1), last = OP_INT("select_last_index", 1),
                 exclusive = OP_INT("exclusive", 1), reverse = OP_INT("reverse", 1);
  op_apply(&h, "", "ArgMax", 13, (const vlm_attr *[]){&last_axis, NULL}, (const vlm_tensor *[]){&x}, 1, 1);
  op_expect(&h, 0, (double[]){1, 0}, 2, 0);
  op_apply(&h, "", "ArgMax", 13, (const vlm_attr *[]){&last_axis, &last, NULL}, (const vlm_tensor *[]){&x}, 1,
           1);
  op_expect(&h, 0, (double[]){1, 1}, 2, 0);
  op_apply(&h, "", "ArgMin", 13, (const vlm_attr *[]){&last_axis, NULL}, (const vlm_tensor *[]){&y}, 1, 1);
  op_expect(&h, 0, (double[]){0, 0}, 2, 0);
  op_apply(&h, "", "CumSum", 14, NULL, (const vlm_tensor *[]){&y, &a}, 2, 1);
  op_expect(&h, 0, (double[]){1, 3, 6, 4, 9, 15}, 6, 0);
  op_apply(&h, "", "CumSum", 14, (const vlm_attr *[]){&exclusive, &reverse, NULL},
           (const vlm_tensor *[]){&y, &a}, 2, 1);
  op_expect(&h, 0, (double[]){5, 3, 0, 11, 6, 0}, 6, 0);
  op_release(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_axes), cmocka_unit_test(test_empty),
      cmocka_unit_test(test_integers), cmocka_unit_test(test_bad_axis),
      cmocka_unit_test(test_softmax),  cmocka_unit_test(test_argmax_and_cumsum),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
