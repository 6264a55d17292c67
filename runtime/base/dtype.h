/* Element types; IEEE half and bfloat16. */
#ifndef VLM_BASE_DTYPE_H
#define VLM_BASE_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum vlm_dtype {
#define X(name, text, onnx, bits, kind) VLM_##name,
#include "runtime/base/dtype.def"
#undef X
  VLM_DTYPE_COUNT
} vlm_dtype;

const char *vlm_dtype_name(vlm_dtype dtype);
int vlm_dtype_bits(vlm_dtype dtype);
int vlm_dtype_onnx(vlm_dtype dtype);        /* ONNX code of a type */
vlm_dtype vlm_dtype_from_onnx(int code);    /* VLM_NONE when not one of ours */
bool vlm_dtype_is_float(vlm_dtype dtype);   /* f16, bf16, f32, f64 and the small floats (small_float.h) */
bool vlm_dtype_is_integer(vlm_dtype dtype); /* every int and uint, not bool */
bool vlm_dtype_is_signed(vlm_dtype dtype);  /* every int, not uint */

/* IEEE half and bfloat16, round to nearest even. */
float vlm_f16_to_f32(uint16_t h);
uint16_t vlm_f32_to_f16(float f);
float vlm_bf16_to_f32(uint16_t h);
uint16_t vlm_f32_to_bf16(float f);

#endif
