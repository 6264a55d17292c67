#include "runtime/kernels/elementary.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static double from_bits(uint64_t bits) {
  double d;
  memcpy(&d, &bits, sizeof d);
  return d;
}

static uint64_t to_bits(double d) {
  uint64_t bits;
  memcpy(&bits, &d, sizeof bits);
  return bits;
}

static double power_of_two(int n) { return from_bits((uint64_t)(n + 1023) << 52); }

/* Horner's rule; c[0] is the highest coefficient. */
static double polynomial(double x, const double *c, int count) {
  double y = c[0];
  for (int i = 1; i < count; i++) y = y * x + c[i];
  return y;
}

/* Taylor series of exp on [-ln 2 / 2, ln 2 / 2]: the first term left out is below 5e-18. */
double vlm_exp64(double x) {
  static const double c[] = {1.0 / 6227020800.0,
                             1.0 / 479001600.0,
                             1.0 / 39916800.0,
                             1.0 / 3628800.0,
                             1.0 / 362880.0,
                             1.0 / 40320.0,
                             1.0 / 5040.0,
                             1.0 / 720.0,
                             1.0 / 120.0,
                             1.0 / 24.0,
                             1.0 / 6.0,
                             0.5,
                             1.0,
                             1.0};
  if (x != x) return x;
  if (x > 710.0) return INFINITY;
  if (x < -746.0) return 0.0;
  double k = (x * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0;
  double r = (x - k * 0x1.62e42fee00000p-1) - k * 0x1.a39ef35793c76p-33;
  int n = (int)k, half = n / 2;
  return polynomial(r, c, 14) * power_of_two(half) * power_of_two(n - half);
}

/* x = m 2^e with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m - 1) / (m + 1), as a series in s^2 <= 0.0295. */
double vlm_log64(double x) {
  static const double c[] = {2.0 / 25, 2.0 / 23, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15,
                             2.0 / 13, 2.0 / 11, 2.0 / 9,  2.0 / 7,  2.0 / 5,  2.0 / 3};
  if (x != x || x == INFINITY) return x;
  if (x == 0.0) return -INFINITY;
  if (x < 0.0) return NAN;
  int e = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    e = -54;
  }
  uint64_t bits = to_bits(x) - 0x3fe6a09e667f3bcdull;
  e += (int)((int64_t)bits >> 52);
  double f = from_bits((bits & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull) - 1.0, s = f / (f + 2.0),
         z = s * s;
  double tail = s * z * polynomial(z, c, 12) + e * 0x1.a39ef35793c76p-33;
  return e * 0x1.62e42fee00000p-1 + (2.0 * s + tail);
}

/* Bits of 2 / pi behind the binary point, after one word of zeros. */
static const uint64_t two_over_pi[] = {0, 0xa2f9836e4e441529ull, 0xfc2757d1f534ddc0ull, 0xdb6295993c439041ull,
                                       0xfe5163abdebbc561ull};

__extension__ typedef unsigned __int128 wide;
__extension__ typedef __int128 signed_wide;

/* |x| >= 2^20. With x = m 2^e, the bits of 2/pi above weight 4 / 2^e only add multiples of 4 quadrants; 126 bits below them are enough. */
static double reduce_large(float x, int *quadrant) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  int e = (int)(bits >> 23 & 255) - 150, start = 64 + e - 2, word = start / 64, shift = start % 64;
  uint64_t mantissa = (bits & 0x7fffff) | 0x800000;
  wide window = (wide)two_over_pi[word] << 64 | two_over_pi[word + 1];
  if (shift) window = window << shift | two_over_pi[word + 2] >> (64 - shift);
  wide turns = window * mantissa;
  *quadrant = (int)((turns + ((wide)1 << 125)) >> 126);
  signed_wide rest = (signed_wide)(turns - ((wide)*quadrant << 126));
  double r = (double)(int64_t)(rest >> 64) * 0x1p-62 * 1.5707963267948966;
  if (bits >> 31) {
    *quadrant = -*quadrant;
    r = -r;
  }
  return r;
}

/* x = quadrant * pi/2 + r, |r| <= pi/4. pi/2 in three parts of 33 bits: the products are exact below 2^20 quadrants. */
static double reduce(float x, int *quadrant) {
  if (fabsf(x) >= 0x1p20f) return reduce_large(x, quadrant);
  double k = ((double)x * 0.6366197723675814 + 6755399441055744.0) - 6755399441055744.0;
  *quadrant = (int)k;
  return ((x - k * 0x1.921fb54400000p+0) - k * 0x1.0b4611a600000p-34) - k * 0x1.3198a2e037073p-69;
}

static double sin_core(double r) {
  static const double c[] = {
      1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0,
      1.0 / 362880.0,          -1.0 / 5040.0,          1.0 / 120.0,        -1.0 / 6.0};
  double z = r * r;
  return r + r * z * polynomial(z, c, 8);
}

static double cos_core(double r) {
  static const double c[] = {
      1.0 / 20922789888000.0, -1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0,
      1.0 / 40320.0,          -1.0 / 720.0,         1.0 / 24.0,        -0.5};
  double z = r * r;
  return 1.0 + z * polynomial(z, c, 8);
}

static double sin_quadrant(double r, int quadrant) {
  double y = quadrant & 1 ? cos_core(r) : sin_core(r);
  return quadrant & 2 ? -y : y;
}

float vlm_sin32(float x) {
  int quadrant;
  if (!(fabsf(x) < INFINITY)) return x - x;
  if (x == 0.0f) return x;
  double r = reduce(x, &quadrant);
  return (float)sin_quadrant(r, quadrant);
}

float vlm_cos32(float x) {
  int quadrant;
  if (!(fabsf(x) < INFINITY)) return x - x;
  double r = reduce(x, &quadrant);
  return (float)sin_quadrant(r, quadrant + 1);
}

float vlm_tan32(float x) {
  int quadrant;
  if (!(fabsf(x) < INFINITY)) return x - x;
  if (x == 0.0f) return x;
  double r = reduce(x, &quadrant);
  return (float)(quadrant & 1 ? -cos_core(r) / sin_core(r) : sin_core(r) / cos_core(r));
}

/* x > 1 through pi/2 - atan(1/x); x > tan(pi/12) through atan(x) = pi/6 + atan((x sqrt 3 - 1) / (x + sqrt 3)); then the series, |x| <=
 * 0.268. */
static double atan64(double x) {
  static const double c[] = {-1.0 / 27, 1.0 / 25,  -1.0 / 23, 1.0 / 21, -1.0 / 19, 1.0 / 17, -1.0 / 15,
                             1.0 / 13,  -1.0 / 11, 1.0 / 9,   -1.0 / 7, 1.0 / 5,   -1.0 / 3};
  double a = fabs(x), offset = 0.0, sign = 1.0;
  if (a > 1.0) {
    a = 1.0 / a;
    offset = 1.5707963267948966;
    sign = -1.0;
  }
  double base = 0.0;
  if (a > 0.2679491924311227) {
    a = (a * 1.7320508075688772 - 1.0) / (a + 1.7320508075688772);
    base = 0.5235987755982989;
  }
  double z = a * a, y = offset + sign * (base + (a + a * z * polynomial(z, c, 13)));
  return x < 0.0 ? -y : y;
}

float vlm_atan32(float x) { return x != x || x == 0.0f ? x : (float)atan64(x); }

/* The square root of (1 - x)(1 + x) is exact enough: both factors are exact in double. */
float vlm_asin32(float x) {
  double d = x;
  if (x != x || x == 0.0f) return x;
  if (fabsf(x) > 1.0f) return NAN;
  double root = sqrt((1.0 - d) * (1.0 + d));
  return (float)(root == 0.0 ? (x < 0.0f ? -1.5707963267948966 : 1.5707963267948966) : atan64(d / root));
}

float vlm_acos32(float x) {
  double d = x;
  if (x != x) return x;
  if (fabsf(x) > 1.0f) return NAN;
  if (d == -1.0) return 3.14159274f;
  return (float)(2.0 * atan64(sqrt((1.0 - d) / (1.0 + d))));
}

/* Small arguments through the odd series, where exp(x) - exp(-x) would cancel. */
static double sinh64(double x) {
  static const double c[] = {1.0 / 39916800.0, 1.0 / 362880.0, 1.0 / 5040.0, 1.0 / 120.0, 1.0 / 6.0};
  double z = x * x;
  if (z < 0.25) return x + x * z * polynomial(z, c, 5);
  return 0.5 * (vlm_exp64(x) - vlm_exp64(-x));
}

float vlm_sinh32(float x) { return x != x || x == 0.0f ? x : (float)sinh64(x); }
float vlm_cosh32(float x) { return (float)(0.5 * (vlm_exp64(x) + vlm_exp64(-(double)x))); }

/* log(1 + x): the rounding of 1 + x is put back. */
static double log1p64(double x) {
  double u = 1.0 + x;
  return vlm_log64(u) + (u < INFINITY ? (x - (u - 1.0)) / u : 0.0);
}

float vlm_asinh32(float x) {
  double a = fabs((double)x);
  if (!(a < INFINITY) || x == 0.0f) return x;
  double y = log1p64(a + a * a / (1.0 + sqrt(a * a + 1.0)));
  return (float)(x < 0.0f ? -y : y);
}

float vlm_acosh32(float x) {
  double t = (double)x - 1.0;
  if (!(x < INFINITY)) return x;
  return x < 1.0f ? NAN : (float)log1p64(t + sqrt(t * (t + 2.0)));
}

float vlm_atanh32(float x) {
  double a = fabs((double)x);
  if (x != x || x == 0.0f) return x;
  if (a >= 1.0) return a > 1.0 ? NAN : x < 0.0f ? -INFINITY : INFINITY;
  double y = 0.5 * log1p64(2.0 * a / (1.0 - a));
  return (float)(x < 0.0f ? -y : y);
}

/* 0 = not an integer, 1 = odd, 2 = even. */
static int parity(float y) {
  double d = y;
  if (d != floor(d)) return 0;
  return d - 2.0 * floor(d * 0.5) == 1.0 ? 1 : 2;
}

float vlm_pow32(float x, float y) {
  if (y == 0.0f || x == 1.0f) return 1.0f;
  if (x != x || y != y) return x + y;
  int kind = fabsf(y) < INFINITY ? parity(y) : 2;
  if (x == 0.0f) {
    float edge = y < 0.0f ? INFINITY : 0.0f;
    return kind == 1 ? copysignf(edge, x) : edge;
  }
  if (fabsf(y) == INFINITY) {
    float a = fabsf(x);
    return a == 1.0f ? 1.0f : (a > 1.0f) == (y > 0.0f) ? INFINITY : 0.0f;
  }
  if (x < 0.0f && x > -INFINITY && kind == 0) return NAN;
  double r = vlm_exp64((double)y * vlm_log64(fabs((double)x)));
  return (float)(x < 0.0f && kind == 1 ? -r : r);
}
