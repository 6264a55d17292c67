#include "runtime/base/small_float.h"

#include <math.h>

typedef struct format {
  int exponent, mantissa, bias;
  unsigned largest, infinity, nan;
  bool negative_zero;
} format;

static const format FORMATS[VLM_DTYPE_COUNT] = {
#define X(name, exponent, mantissa, bias, largest, infinity, nan, negative_zero) \
  [VLM_##name] = {exponent, mantissa, bias, largest, infinity, nan, negative_zero},
#include "runtime/base/small_float.def"
#undef X
};

bool vlm_dtype_is_small_float(vlm_dtype d) {
  return (unsigned)d < VLM_DTYPE_COUNT && FORMATS[d].exponent > 0;
}

/* The sign's bit; 0 when the format has none. */
static unsigned sign_bit(vlm_dtype d) {
  int magnitude = FORMATS[d].exponent + FORMATS[d].mantissa;
  return vlm_dtype_bits(d) > magnitude ? 1u << magnitude : 0;
}

static double power_value(unsigned code) {
  const format *f = &FORMATS[VLM_F8E8M0];
  return code == f->nan ? (double)NAN : ldexp(1.0, (int)code - f->bias);
}

double vlm_small_decode(vlm_dtype d, unsigned code) {
  const format *f = &FORMATS[d];
  if (d == VLM_F8E8M0) return power_value(code);
  unsigned sign = code & sign_bit(d), magnitude = code & (sign_bit(d) - 1);
  if (!f->negative_zero && code == sign_bit(d)) return (double)NAN;
  double value = (double)NAN;
  if (magnitude <= f->largest) {
    int exponent = (int)(magnitude >> f->mantissa);
    unsigned fraction = magnitude & ((1u << f->mantissa) - 1);
    if (exponent > 0) fraction |= 1u << f->mantissa; /* the hidden one of a normal number */
    value = ldexp(fraction, (exponent > 0 ? exponent : 1) - f->bias - f->mantissa);
  } else if (magnitude == f->infinity) value = (double)INFINITY;
  return sign ? -value : value;
}

/* The exponent with its bias of the power of two that a positive value rounds to. */
static int round_power(double value, vlm_power_rounding rounding) {
  int exponent;
  double half = frexp(value, &exponent); /* value = half * 2^exponent, half in [0.5, 1) */
  exponent += FORMATS[VLM_F8E8M0].bias - 1;
  if (rounding == VLM_POWER_UP) return exponent + (half > 0.5);
  return exponent + (rounding == VLM_POWER_NEAREST && half >= 0.75);
}

static unsigned encode_power(double value, vlm_small_rule rule) {
  const format *f = &FORMATS[VLM_F8E8M0];
  if (isnan(value) || value < 0) return f->nan;
  int code = value == 0 ? -1 : isinf(value) ? (int)f->largest + 1 : round_power(value, rule.power);
  if (code >= 0 && code <= (int)f->largest) return (unsigned)code;
  return !rule.saturate ? f->nan : code < 0 ? 0 : f->largest;
}

/* The magnitude's code, which counts steps of the last place through all exponents: it may lie above the largest. */
static unsigned round_magnitude(const format *f, double value) {
  int exponent, lowest = 1 - f->bias;
  if (value == 0) return 0;
  frexp(value, &exponent);
  exponent = exponent - 1 < lowest ? lowest : exponent - 1;
  return (unsigned)(exponent - lowest) * (1u << f->mantissa) +
         (unsigned)rint(ldexp(value, f->mantissa - exponent));
}

unsigned vlm_small_encode(vlm_dtype d, double value, vlm_small_rule rule) {
  const format *f = &FORMATS[d];
  if (d == VLM_F8E8M0) return encode_power(value, rule);
  unsigned sign = signbit(value) ? sign_bit(d) : 0;
  if (isnan(value)) return f->nan | (f->negative_zero ? sign : 0);
  double size = fabs(value);
  unsigned code = isinf(size) ? f->largest + 1 : round_magnitude(f, size);
  if (code == 0 && !f->negative_zero) return 0;
  if (code <= f->largest) return sign | code;
  if (rule.saturate || d == VLM_F4E2M1) return sign | f->largest;
  return f->infinity ? sign | f->infinity : f->nan | (f->negative_zero ? sign : 0);
}
