/* A tensor is plain data: type, shape, pointer. It owns nothing; contiguous, row-major. */
#ifndef VLM_BASE_TENSOR_H
#define VLM_BASE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/dtype.h"
#include "runtime/base/status.h"

#define VLM_MAX_RANK 12

typedef struct vlm_tensor {
  vlm_dtype dtype;
  int rank;                   /* 0 = scalar */
  int64_t dims[VLM_MAX_RANK]; /* each >= 0 when known; -1 = not known (only in graph declarations) */
  void *data;                 /* NULL = value not known; else vlm_tensor_bytes() readable bytes */
} vlm_tensor;

/* Element count; dims must be known. The checked form refuses products above the address space. */
int64_t vlm_tensor_count(const vlm_tensor *t);
vlm_status vlm_tensor_bytes_checked(size_t *bytes, const vlm_tensor *t, vlm_error *err);
size_t vlm_tensor_bytes(const vlm_tensor *t);
/* Product of dims [from, to). */
int64_t vlm_tensor_span(const vlm_tensor *t, int from, int to);

vlm_tensor vlm_tensor_make(vlm_dtype dtype, int rank, const int64_t *dims, void *data);
bool vlm_tensor_same_shape(const vlm_tensor *a, const vlm_tensor *b);
/* "[1, 3, 192, 192]" into text (always terminated); returns text. */
const char *vlm_tensor_shape_text(const vlm_tensor *t, char *text, size_t size);

/* One element as double / int64, whatever the type (not for hot loops). */
double vlm_tensor_get(const vlm_tensor *t, int64_t index);
int64_t vlm_tensor_get_int(const vlm_tensor *t, int64_t index);
/* Stores with rounding to nearest even and saturation for integers and small floats. */
void vlm_tensor_set(const vlm_tensor *t, int64_t index, double value);
/* Stores into an integer type with wrapping, or into bool as "not zero". */
void vlm_tensor_set_int(const vlm_tensor *t, int64_t index, int64_t value);

/* The raw bits of an element of at most 8 bits. Storing leaves the other elements of the byte as they are. */
static inline unsigned vlm_tensor_get_code(const vlm_tensor *t, int64_t index) {
  int bits = vlm_dtype_bits(t->dtype), shift = (int)(index % (8 / bits)) * bits;
  return (unsigned)((const uint8_t *)t->data)[index / (8 / bits)] >> shift & ((1u << bits) - 1);
}
static inline void vlm_tensor_set_code(const vlm_tensor *t, int64_t index, unsigned code) {
  int bits = vlm_dtype_bits(t->dtype), shift = (int)(index % (8 / bits)) * bits;
  unsigned mask = (1u << bits) - 1;
  uint8_t *at = (uint8_t *)t->data + index / (8 / bits);
  *at = (uint8_t)((*at & ~(mask << shift)) | (code & mask) << shift);
}

/* Whether two matrices of one type, of whole bytes, hold the same bits, one turned. */
bool vlm_tensor_is_transpose(const vlm_tensor *a, const vlm_tensor *b);

#endif
