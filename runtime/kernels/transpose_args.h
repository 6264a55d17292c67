/* The contracts of the transposes: y[j][i] = x[i][j], i < rows, j < columns. Distances are in elements. */
#ifndef VLM_KERNELS_TRANSPOSE_ARGS_H
#define VLM_KERNELS_TRANSPOSE_ARGS_H

#include "runtime/kernels/kernels.h"

struct vlm_transpose_8_args {
  uint8_t *y; /* written: `columns` rows of `rows` elements, y_stride apart */
  size_t y_stride;
  const uint8_t *x; /* `rows` rows of `columns` elements, x_stride apart */
  size_t x_stride;
  size_t rows, columns; /* may be 0 */
};

struct vlm_transpose_32_args {
  uint32_t *y;
  size_t y_stride;
  const uint32_t *x;
  size_t x_stride;
  size_t rows, columns;
};

#endif
