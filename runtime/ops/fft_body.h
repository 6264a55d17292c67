/* Mixed-radix transform in the arithmetic of REAL, names through FFT(name). Included by dft.c once per type.
 * One pass per factor (4, then 2 moved to the front, then odd ones); inverse is not scaled. */

typedef struct FFT(complex) {
  REAL re, im;
} FFT(complex);

static inline FFT(complex) FFT(add)(FFT(complex) a, FFT(complex) b) {
  return (FFT(complex)){a.re + b.re, a.im + b.im};
}
static inline FFT(complex) FFT(sub)(FFT(complex) a, FFT(complex) b) {
  return (FFT(complex)){a.re - b.re, a.im - b.im};
}
static inline FFT(complex) FFT(mul)(FFT(complex) a, FFT(complex) w) {
  return (FFT(complex)){a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
}
/* a * i * s */
static inline FFT(complex) FFT(turn)(FFT(complex) a, REAL s) { return (FFT(complex)){-s * a.im, s * a.re}; }

static void FFT(odd)(int64_t n, FFT(complex) * x, FFT(complex) * work, const FFT(complex) * root,
                     int64_t step) {
  for (int64_t k = 0; k < n; k++) {
    work[k] = x[0];
    for (int64_t j = 1; j < n; j++) work[k] = FFT(add)(work[k], FFT(mul)(x[j], root[j * k % n * step]));
  }
  for (int64_t k = 0; k < n; k++) x[k] = work[k];
}

static void FFT(five)(FFT(complex) * x, REAL sign) {
  const REAL c1 = (REAL)0.30901699437494742, s1 = sign * (REAL)0.95105651629515357;
  const REAL c2 = (REAL)-0.80901699437494742, s2 = sign * (REAL)0.58778525229247313;
  FFT(complex)
  a = FFT(add)(x[1], x[4]), b = FFT(add)(x[2], x[3]), d = FFT(sub)(x[1], x[4]), e = FFT(sub)(x[2], x[3]);
  FFT(complex) p = {x[0].re + c1 * a.re + c2 * b.re, x[0].im + c1 * a.im + c2 * b.im};
  FFT(complex) q = {x[0].re + c2 * a.re + c1 * b.re, x[0].im + c2 * a.im + c1 * b.im};
  FFT(complex)
  u = {-(s1 * d.im + s2 * e.im), s1 * d.re + s2 * e.re},
  v = {-(s2 * d.im - s1 * e.im), s2 * d.re - s1 * e.re};
  x[0] = FFT(add)(FFT(add)(x[0], a), b);
  x[1] = FFT(add)(p, u);
  x[4] = FFT(sub)(p, u);
  x[2] = FFT(add)(q, v);
  x[3] = FFT(sub)(q, v);
}

static void FFT(butterfly)(int64_t radix, FFT(complex) * x, FFT(complex) * work, const FFT(complex) * root,
                           int64_t step, REAL sign) {
  FFT(complex) a, b, d, e;
  switch (radix) {
    case 2:
      a = x[0];
      x[0] = FFT(add)(a, x[1]);
      x[1] = FFT(sub)(a, x[1]);
      break;
    case 4:
      a = FFT(add)(x[0], x[2]), b = FFT(sub)(x[0], x[2]), d = FFT(add)(x[1], x[3]),
      e = FFT(turn)(FFT(sub)(x[1], x[3]), sign);
      x[0] = FFT(add)(a, d);
      x[2] = FFT(sub)(a, d);
      x[1] = FFT(add)(b, e);
      x[3] = FFT(sub)(b, e);
      break;
    case 5: FFT(five)(x, sign); break;
    default: FFT(odd)(radix, x, work, root, step);
  }
}

/* Factors in the order of the passes; returns their number. */
static int FFT(factors)(int64_t n, int64_t *factor) {
  int count = 0;
  for (; n % 4 == 0; n /= 4) factor[count++] = 4;
  if (n % 2 == 0) {
    n /= 2;
    factor[count] = count > 0 ? factor[0] : 2;
    factor[0] = 2;
    count++;
  }
  for (int64_t d = 3; d * d <= n; d += 2)
    for (; n % d == 0; n /= d) factor[count++] = d;
  if (n > 1) factor[count++] = n;
  return count;
}

/* Transforms the n values at x in place; spare has room for n, work for 2 n; root[k] = exp(sign * 2 pi i k / n). */
static void FFT(run)(FFT(complex) * x, FFT(complex) * spare, FFT(complex) * work, int64_t n,
                     const FFT(complex) * root, REAL sign) {
  int64_t factor[64], done = 1;
  int count = FFT(factors)(n, factor);
  FFT(complex) *from = x, *to = spare;
  for (int f = 0; f < count; f++) {
    int64_t radix = factor[f], inner = n / (done * radix);
    for (int64_t k = 0; k < done; k++)
      for (int64_t i = 0; i < inner; i++) {
        for (int64_t m = 0; m < radix; m++) work[m] = from[i + inner * (m + radix * k)];
        FFT(butterfly)(radix, work, work + radix, root, n / radix, sign);
        for (int64_t m = 0; m < radix; m++)
          to[i + inner * (k + done * m)] = i == 0 || m == 0 ? work[m] : FFT(mul)(work[m], root[done * m * i]);
      }
    done *= radix;
    FFT(complex) *t = from;
    from = to;
    to = t;
  }
  for (int64_t i = 0; i < n && from != x; i++) x[i] = from[i];
}
