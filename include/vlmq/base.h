/* Versions, element types and arrays. */
#ifndef VLMQ_BASE_H
#define VLMQ_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vlmq/status.h>

/* Grows with every change that old programs would not survive; it is the number in the name of the shared
 * library. */
#define VLMQ_ABI_VERSION 1

VLM_BEGIN_DECLS

/* VLMQ_ABI_VERSION of the library that runs. It equals the one compiled in, or the program would not have
 * started; for those who load the library by hand. */
VLM_API uint32_t vlm_abi_version(void);
/* "MAJOR.MINOR.PATCH" of the library that runs. Static text. */
VLM_API const char *vlm_version(void);

/* Element types, with the numbers of ONNX (TensorProto.DataType). Elements of 4 and 2 bits share a byte,
 * the first in the lowest bits. */
typedef enum vlm_type {
  VLM_TYPE_NONE = 0, /* not known before the run */
  VLM_TYPE_FLOAT32 = 1,
  VLM_TYPE_UINT8 = 2,
  VLM_TYPE_INT8 = 3,
  VLM_TYPE_UINT16 = 4,
  VLM_TYPE_INT16 = 5,
  VLM_TYPE_INT32 = 6,
  VLM_TYPE_INT64 = 7,
  VLM_TYPE_BOOL = 9, /* one byte, 0 or 1 */
  VLM_TYPE_FLOAT16 = 10,
  VLM_TYPE_FLOAT64 = 11,
  VLM_TYPE_UINT32 = 12,
  VLM_TYPE_UINT64 = 13,
  VLM_TYPE_BFLOAT16 = 16,
  VLM_TYPE_FLOAT8E4M3FN = 17,
  VLM_TYPE_FLOAT8E4M3FNUZ = 18,
  VLM_TYPE_FLOAT8E5M2 = 19,
  VLM_TYPE_FLOAT8E5M2FNUZ = 20,
  VLM_TYPE_UINT4 = 21,
  VLM_TYPE_INT4 = 22,
  VLM_TYPE_FLOAT4E2M1 = 23,
  VLM_TYPE_FLOAT8E8M0 = 24,
  VLM_TYPE_UINT2 = 25,
  VLM_TYPE_INT2 = 26
} vlm_type;

/* "float32"; NULL for a number that is no type. Static text. */
VLM_API const char *vlm_type_name(vlm_type type);

enum { VLM_ARRAY_RANK = 12 };

/* A tensor: contiguous, row-major, the last dim fastest. It owns nothing. */
typedef struct vlm_array {
  size_t size;      /* sizeof(vlm_array) */
  const char *name; /* of the input or output */
  vlm_type type;
  int32_t rank; /* 0 = scalar; at most VLM_ARRAY_RANK */
  int64_t dims[VLM_ARRAY_RANK];
  const void *data;
  size_t bytes; /* readable at data */
} vlm_array;

static inline vlm_array vlm_array_init(void) {
  vlm_array array;
  memset(&array, 0, sizeof array);
  array.size = sizeof array;
  return array;
}

VLM_END_DECLS

#endif
