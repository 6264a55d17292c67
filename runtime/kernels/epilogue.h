/* What happens to an output row after its sums: the same sequence for every driver and tile. */
#ifndef VLM_KERNELS_EPILOGUE_H
#define VLM_KERNELS_EPILOGUE_H

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/rowops.h"

/* Names: "" (none), "relu", "gelu" (erf), "gelu_tanh", "sigmoid", "tanh", "swish", "leaky_relu", "clip", "hard_sigmoid", "hard_swish",
 * "elu". ONNX spelling
 * ("LeakyRelu") works too. *out is NULL for none. VLM_UNSUPPORTED names the unknown. */
vlm_status vlm_activation_find(vlm_row_unary **out, const vlm_rowops *rowops, const char *name, vlm_error *err);

typedef struct vlm_epilogue_f32 {
  float alpha; /* y = alpha * y, skipped when 1 */
  const float *bias; /* y[j] = y[j] + bias[j], NULL = none */
  const float *row_bias; /* y[j] = y[j] + row_bias[i], NULL = none */
  const float *add; /* y[j] = y[j] + beta * add[i * add_row + j * add_column], NULL = none; strides 0 broadcast */
  int64_t add_row, add_column;
  float beta;
  vlm_row_unary *activation; /* NULL = none */
  float params[4]; /* of the activation, as rowops.h wants them */
} vlm_epilogue_f32;

/* Columns [column, column + n) of row i, in place. */
void vlm_epilogue_f32_row(float *y, const vlm_epilogue_f32 *e, const vlm_rowops *rowops, int64_t i, int64_t column, int64_t n);

#endif
