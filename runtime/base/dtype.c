#include "runtime/base/dtype.h"

#include <string.h>

typedef struct {
  const char *name;
  int onnx, bits;
  char kind;
} dtype_row;

static const dtype_row ROWS[VLM_DTYPE_COUNT] = {
#define X(name, text, onnx, bits, kind) [VLM_##name] = {text, onnx, bits, kind},
#include "runtime/base/dtype.def"
#undef X
};

const char *vlm_dtype_name(vlm_dtype d) { return (unsigned)d < VLM_DTYPE_COUNT ? ROWS[d].name : "?"; }
int vlm_dtype_bits(vlm_dtype d) { return (unsigned)d < VLM_DTYPE_COUNT ? ROWS[d].bits : 0; }
int vlm_dtype_onnx(vlm_dtype d) { return (unsigned)d < VLM_DTYPE_COUNT ? ROWS[d].onnx : 0; }

vlm_dtype vlm_dtype_from_onnx(int code) {
  for (int d = 1; d < VLM_DTYPE_COUNT; d++)
    if (ROWS[d].onnx == code) return (vlm_dtype)d;
  return VLM_NONE;
}

bool vlm_dtype_is_float(vlm_dtype d) { return (unsigned)d < VLM_DTYPE_COUNT && ROWS[d].kind == 'f'; }
bool vlm_dtype_is_signed(vlm_dtype d) { return (unsigned)d < VLM_DTYPE_COUNT && ROWS[d].kind == 's'; }
bool vlm_dtype_is_integer(vlm_dtype d) {
  return vlm_dtype_is_signed(d) || ((unsigned)d < VLM_DTYPE_COUNT && ROWS[d].kind == 'u');
}

/* ---- half and bfloat16 ---- */

static float bits_f32(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}
static uint32_t f32_bits(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return u;
}

float vlm_f16_to_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023;
  if (exponent == 31) return bits_f32(sign | 0x7f800000u | mantissa << 13);
  if (exponent) return bits_f32(sign | (exponent + 112) << 23 | mantissa << 13);
  float tiny = (float)mantissa * 0x1p-24f;
  return sign ? -tiny : tiny;
}

uint16_t vlm_f32_to_f16(float f) {
  uint32_t u = f32_bits(f), sign = u >> 16 & 0x8000, rest = u & 0x7fffffff;
  if (rest > 0x7f800000) return (uint16_t)(sign | 0x7e00);
  if (rest >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
  if (rest < 0x38800000) { /* subnormal result: rounding by the float adder */
    float scaled = bits_f32(rest) + 0.5f;
    return (uint16_t)(sign | (f32_bits(scaled) - f32_bits(0.5f)));
  }
  uint32_t rounded = rest + 0xfff + (rest >> 13 & 1);
  return (uint16_t)(sign | (rounded - 0x38000000) >> 13);
}

float vlm_bf16_to_f32(uint16_t h) { return bits_f32((uint32_t)h << 16); }

uint16_t vlm_f32_to_bf16(float f) {
  uint32_t u = f32_bits(f);
  if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40);
  return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
