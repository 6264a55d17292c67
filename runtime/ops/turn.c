#include "runtime/ops/turn.h"

/* Taylor series on [0, pi / 4]. */
static double small_sine(double x) {
  double s = x * x, p = 1;
  for (int i = 17; i >= 3; i -= 2) p = 1 - s / (double)(i * (i - 1)) * p;
  return x * p;
}

static double small_cosine(double x) {
  double s = x * x, p = 1;
  for (int i = 18; i >= 2; i -= 2) p = 1 - s / (double)(i * (i - 1)) * p;
  return p;
}

void vlm_sincos_turn(int64_t k, int64_t n, double *sine, double *cosine) {
  const double quarter = 1.5707963267948966;
  k %= n;
  int64_t quadrant = 4 * k / n, rest = 4 * k - quadrant * n;
  double s, c;
  if (2 * rest <= n) {
    double x = (double)rest / (double)n * quarter;
    s = small_sine(x);
    c = small_cosine(x);
  } else {
    double x = (double)(n - rest) / (double)n * quarter;
    s = small_cosine(x);
    c = small_sine(x);
  }
  *sine = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
  *cosine = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
}
