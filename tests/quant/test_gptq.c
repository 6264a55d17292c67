/* Rounding that knows the inputs, against the paper's own form: the inverse, its Cholesky factor, one input after the other. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "quant/gptq.h"
#include "quant/weight_round.h"
#include "tests/fine.h"

enum { MOST = 24, ROWS = 200 };

static uint32_t seed = 1;
static double uniform(void) { /* -1 to 1 */
  seed = seed * 1664525u + 1013904223u;
  return (double)(seed >> 8) / (1 << 23) - 1;
}

/* Rows whose inputs go together: each is a mix of a few hidden ones. */
static void make_rows(float rows[ROWS][MOST], int n) {
  double mix[MOST][4];
  for (int i = 0; i < n; i++)
    for (int k = 0; k < 4; k++) mix[i][k] = uniform();
  for (int r = 0; r < ROWS; r++) {
    double hidden[4];
    for (int k = 0; k < 4; k++) hidden[k] = uniform();
    for (int i = 0; i < n; i++) {
      double x = 0.2 * uniform();
      for (int k = 0; k < 4; k++) x += mix[i][k] * hidden[k];
      rows[r][i] = (float)x;
    }
  }
}

static void sum_rows(double *sums, float rows[ROWS][MOST], int n) {
  memset(sums, 0, sizeof *sums * (size_t)(n * (n + 1) / 2));
  for (int r = 0; r < ROWS; r++)
    for (int i = 0; i < n; i++)
      for (int j = 0; j <= i; j++) sums[i * (i + 1) / 2 + j] += (double)rows[r][i] * (double)rows[r][j];
}

/* ---- the paper ---- */

typedef double matrix[MOST][MOST];

static void invert(matrix out, matrix in, int n) {
  matrix a;
  memcpy(a, in, sizeof a);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) out[i][j] = i == j;
  for (int k = 0; k < n; k++) {
    double pivot = a[k][k];
    for (int j = 0; j < n; j++) a[k][j] /= pivot, out[k][j] /= pivot;
    for (int i = 0; i < n; i++) {
      const double factor = a[i][k];
      for (int j = 0; j < n && i != k; j++) a[i][j] -= factor * a[k][j], out[i][j] -= factor * out[k][j];
    }
  }
}

/* Upper triangular U with in = U'U. */
static void cholesky(matrix u, matrix in, int n) {
  memset(u, 0, sizeof(matrix));
  for (int i = 0; i < n; i++)
    for (int j = i; j < n; j++) {
      double sum = in[i][j];
      for (int k = 0; k < i; k++) sum -= u[k][i] * u[k][j];
      u[i][j] = i == j ? sqrt(sum) : sum / u[i][i];
    }
}

static void round_as_paper(int8_t *q, const float *w, float scale, const double *sums, int n) {
  matrix h, inverse, u;
  int order[MOST];
  double left[MOST], mean = 0;
  for (int i = 0; i < n; i++) {
    order[i] = i;
    mean += sums[i * (i + 1) / 2 + i] / n;
  }
  for (int i = 0; i < n; i++) /* most energy first, later index first on ties */
    for (int j = n - 1; j > i; j--) {
      int a = order[j - 1], b = order[j];
      if (sums[a * (a + 1) / 2 + a] <= sums[b * (b + 1) / 2 + b]) order[j - 1] = b, order[j] = a;
    }
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      int a = order[i] > order[j] ? order[i] : order[j], b = order[i] + order[j] - a;
      h[i][j] = sums[a * (a + 1) / 2 + b] + (i == j ? 0.01 * mean : 0);
    }
  invert(inverse, h, n);
  cholesky(u, inverse, n);
  for (int i = 0; i < n; i++) left[i] = (double)w[order[i]];
  for (int k = 0; k < n; k++) {
    double level = rint(left[k] / (double)scale);
    level = level < -127 ? -127 : level > 127 ? 127 : level;
    q[order[k]] = (int8_t)level;
    double lost = (left[k] - level * (double)scale) / u[k][k];
    for (int j = k + 1; j < n; j++) left[j] -= lost * u[k][j];
  }
}

static void test_is_the_papers(void **state) {
  (void)state;
  static float rows[ROWS][MOST];
  double sums[MOST * (MOST + 1) / 2], lost[MOST];
  for (int n = 1; n <= MOST; n++) {
    vlm_plane plane;
    make_rows(rows, n);
    sum_rows(sums, rows, n);
    FINE(vlm_plane_make(&plane, sums, n, &error));
    for (int c = 0; c < 8; c++) {
      float w[MOST];
      int8_t got[MOST], wanted[MOST];
      for (int i = 0; i < n; i++) w[i] = (float)uniform();
      float scale = c == 0 ? 0.002f : c == 1 ? 0.5f : 1 / 127.0f; /* some clip, some are coarse */
      vlm_plane_round(got, w, scale, &plane, lost);
      round_as_paper(wanted, w, scale, sums, n);
      assert_memory_equal(got, wanted, (size_t)n);
    }
    vlm_plane_free(&plane);
  }
}

static void test_error_is_that_of_the_outputs(void **state) {
  (void)state;
  static float rows[ROWS][MOST];
  double sums[MOST * (MOST + 1) / 2], lost[MOST];
  for (int n = 1; n <= MOST; n += 5) {
    float w[MOST];
    int8_t q[MOST];
    double wanted = 0;
    make_rows(rows, n);
    sum_rows(sums, rows, n);
    for (int i = 0; i < n; i++) {
      w[i] = (float)uniform();
      q[i] = (int8_t)(100 * uniform());
    }
    for (int r = 0; r < ROWS; r++) {
      double y = 0;
      for (int i = 0; i < n; i++) y += ((double)w[i] - (double)q[i] * 0.01) * (double)rows[r][i];
      wanted += y * y;
    }
    double got = vlm_plane_error(sums, n, w, q, 0.01f, lost);
    assert_true(fabs(got - wanted) <= 1e-5 * wanted); /* 0.01f is not 0.01 */
  }
}

static void test_no_energy_is_refused(void **state) {
  (void)state;
  vlm_plane plane;
  double nothing[3] = {0}, broken[3] = {1, NAN, 1};
  assert_int_equal(vlm_plane_make(&plane, nothing, 2, &error), VLM_INPUT);
  assert_int_equal(vlm_plane_make(&plane, broken, 2, &error), VLM_INPUT);
  assert_null(plane.factor);
}

/* ---- a weight ---- */

enum { INPUTS = 16, CHANNELS = 9 };

typedef struct {
  vlm_arena *arena;
  float values[2][INPUTS * CHANNELS]; /* axis 0: a row per channel; axis 1: a column */
  double fit[INPUTS * (INPUTS + 1) / 2], judge[INPUTS * (INPUTS + 1) / 2];
  vlm_covariance inputs;
} fixture;

static void make(fixture *f) {
  static float rows[ROWS][MOST];
  FINE(vlm_arena_create(&f->arena, &error));
  for (int c = 0; c < CHANNELS; c++)
    for (int i = 0; i < INPUTS; i++)
      f->values[0][c * INPUTS + i] = f->values[1][i * CHANNELS + c] = (float)uniform();
  make_rows(rows, INPUTS);
  sum_rows(f->fit, rows, INPUTS);
  memcpy(f->judge, f->fit, sizeof f->fit);
  f->inputs = (vlm_covariance){.size = INPUTS, .rows = {ROWS, ROWS}, .sums = {f->fit, f->judge}};
}

static void quantize(vlm_weight_s8 *out, fixture *f, int axis, vlm_threads *threads) {
  const int64_t dims[2][2] = {{CHANNELS, INPUTS}, {INPUTS, CHANNELS}};
  const vlm_tensor w = vlm_tensor_make(VLM_F32, 2, dims[axis], f->values[axis]);
  FINE(vlm_weight_quantize(out, &w, axis, &(vlm_weight_opts){.mse = true}, f->arena, &error));
  FINE(vlm_weight_round(out, &w, &f->inputs, threads, &error));
}

static void test_a_weight_gains(void **state) {
  (void)state;
  fixture f;
  vlm_weight_s8 rows, columns, threaded;
  vlm_threads *threads;
  make(&f);
  FINE(vlm_threads_create(&threads, 4, &error));
  quantize(&rows, &f, 0, NULL);
  quantize(&columns, &f, 1, NULL);
  quantize(&threaded, &f, 1, threads);
  assert_true(rows.tried && rows.rounded && rows.gain_db > 1);
  for (int c = 0; c < CHANNELS; c++)
    for (int i = 0; i < INPUTS; i++)
      assert_int_equal(((int8_t *)rows.data.data)[c * INPUTS + i],
                       ((int8_t *)columns.data.data)[i * CHANNELS + c]);
  assert_memory_equal(columns.data.data, threaded.data.data, INPUTS * CHANNELS);
  vlm_threads_free(threads);
  vlm_arena_free(f.arena);
}

/* What helps on some samples and harms on others is not taken. */
static void test_a_weight_that_loses_stays(void **state) {
  (void)state;
  fixture f;
  vlm_weight_s8 got, plain;
  make(&f);
  for (int i = 0, k = 0; i < INPUTS; i++)
    for (int j = 0; j <= i; j++) f.judge[k++] = i == j; /* nothing goes together */
  quantize(&got, &f, 0, NULL);
  const vlm_tensor w = vlm_tensor_make(VLM_F32, 2, (int64_t[]){CHANNELS, INPUTS}, f.values[0]);
  FINE(vlm_weight_quantize(&plain, &w, 0, &(vlm_weight_opts){.mse = true}, f.arena, &error));
  assert_true(got.tried && !got.rounded && got.gain_db < 0);
  assert_memory_equal(got.data.data, plain.data.data, INPUTS * CHANNELS);
  f.inputs.rows[1] = 0; /* nobody to judge */
  quantize(&got, &f, 0, NULL);
  assert_false(got.tried);
  vlm_arena_free(f.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_is_the_papers),
      cmocka_unit_test(test_error_is_that_of_the_outputs),
      cmocka_unit_test(test_no_energy_is_refused),
      cmocka_unit_test(test_a_weight_gains),
      cmocka_unit_test(test_a_weight_that_loses_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
