/* Runtimes that exported graphs are written for, and what they take: one row each in targets.def. */
#ifndef VLM_EXPORT_TARGETS_H
#define VLM_EXPORT_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/dtype.h"

typedef enum vlm_target_id {
#define X(name, ...) VLM_TARGET_##name,
#include "export/targets.def"
#undef X
  VLM_TARGET_COUNT
} vlm_target_id;

enum {
  VLM_TARGET_CONV = 1,             /* Conv in 8 bits, scales per channel */
  VLM_TARGET_CONV_OUTPUT = 2,      /* ... when what it makes is 8 bits as well */
  VLM_TARGET_TRANSPOSED = 4,       /* ConvTranspose in 8 bits */
  VLM_TARGET_PRODUCT = 8,          /* MatMul and Gemm in 8 bits */
  VLM_TARGET_PRODUCT_OUTPUT = 16,  /* ... when what they make is 8 bits as well */
  VLM_TARGET_PRODUCT_FLOAT = 32,   /* ... also when what they make stays float */
  VLM_TARGET_PRODUCT_TENSOR = 64,  /* ... with one scale for the weights */
  VLM_TARGET_PRODUCT_MATRIX = 128, /* ... of two dims each */
  VLM_TARGET_DYNAMIC = 256,        /* DynamicQuantizeLinear and MatMulInteger */
  VLM_TARGET_NBITS = 512,          /* com.microsoft.MatMulNBits */
  VLM_TARGET_WEIGHT_DQ =
      1024, /* float operators read 8-bit weights through DequantizeLinear without loss of speed */
  VLM_TARGET_FLOAT_BIAS = 2048, /* biases stay float */
  VLM_TARGET_QOPERATOR = 4096,  /* QLinearConv and its like */
  VLM_TARGET_HALF = 8192,       /* float16 instead of 8 bits */
  VLM_TARGET_SPLIT = 32768,     /* runs no If, or not on the accelerator: a merged decoder is two files */
  VLM_TARGET_QUANTIZES = 16384  /* on its own: float weights between 8-bit activations (guards.c) */
};

typedef enum vlm_provider {
#define X(name, ...) VLM_PROVIDER_##name,
#include "export/providers.def"
#undef X
  VLM_PROVIDER_COUNT
} vlm_provider;

typedef struct vlm_target {
  vlm_target_id id;
  const char *name, *title;
  vlm_provider provider;
  vlm_dtype activations;
  int32_t flags; /* VLM_TARGET bits */
} vlm_target;

const vlm_target *vlm_target_get(vlm_target_id id);
/* NULL when there is none of that name. */
const vlm_target *vlm_target_find(const char *name);
bool vlm_target_has(const vlm_target *target, int32_t flag);

#endif
