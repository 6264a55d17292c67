/* Softmax over a few values: blocks of rows give the bits of the row operation. */
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/rowops.h"
#include "tests/exec/graph_program.h"

enum { ROWS = 200, LONGEST = 6 };

static void fill(float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] = sinf((float)(i * 7 % 101)) * (i % 13 ? 4.0f : 90.0f);
  x[3] = INFINITY;
  x[n - 2] = NAN;
  for (int i = 40; i < 52; i++) x[i] = -INFINITY;
}

static void short_rows_are_rows(void **state) {
  (void)state;
  for (int64_t n = 1; n <= LONGEST; n++) {
    char text[128];
    float x[ROWS * LONGEST], want[LONGEST];
    snprintf(text, sizeof text, "in x float32 %d,%d\nSoftmax x -> y axis=-1\nout y\n", ROWS, (int)n);
    opened o = open_program(text, NULL);
    const vlm_rowops *ops = vlm_context_kernels(o.context)->rowops;
    fill(x, ROWS * n);
    vlm_tensor in = vlm_tensor_make(VLM_F32, 2, (int64_t[]){ROWS, n}, x);
    FINE(vlm_session_run(o.session, &in, 1, &error));
    const float *y = vlm_session_output(o.session, 0)->data;
    for (int64_t i = 0; i < ROWS; i++) {
      ops->softmax(want, x + i * n, n);
      for (int64_t k = 0; k < n; k++) {
        bool same =
            memcmp(&want[k], &y[i * n + k], sizeof *y) == 0 || (isnan(want[k]) && isnan(y[i * n + k]));
        if (!same)
          fail_msg("row %d of %d: %a, wanted %a", (int)i, (int)n, (double)y[i * n + k], (double)want[k]);
      }
    }
    close_program(&o);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(short_rows_are_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
