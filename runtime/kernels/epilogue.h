/* What happens to an output row after its sums: the same sequence for every driver and tile. */
#ifndef VLM_KERNELS_EPILOGUE_H
#define VLM_KERNELS_EPILOGUE_H

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/rowops.h"

/* Names: "" (none), or a row VLM_ROW_ACTIVATION of rowops.def; ONNX spelling ("LeakyRelu") works too. *out is NULL for none.
 * VLM_UNSUPPORTED names the unknown. */
vlm_status vlm_activation_find(vlm_row_unary **out, const vlm_rowops *rowops, const char *name,
                               vlm_error *err);

typedef struct vlm_epilogue_f32 {
  float alpha;           /* y = alpha * y, skipped when 1 */
  const float *bias;     /* y[j] = y[j] + bias[j], NULL = none */
  const float *row_bias; /* y[j] = y[j] + row_bias[i], NULL = none */
  const float
      *add; /* y[j] = y[j] + beta * add[i * add_row + j * add_column], NULL = none; strides 0 broadcast */
  int64_t add_row, add_column;
  float beta;
  vlm_row_unary *activation; /* NULL = none */
  float params[4];           /* of the activation, as rowops.h wants them */
  const float *residual; /* y[j] = y[j] + residual[i * residual_row + j] behind the activation, NULL = none */
  int64_t residual_row;
} vlm_epilogue_f32;

/* Columns [column, column + n) of row `row` of the output. */
typedef struct vlm_row_part {
  int64_t row, column, n;
} vlm_row_part;

/* In place: y is the first element of the part. */
void vlm_epilogue_f32_row(float *y, const vlm_epilogue_f32 *e, const vlm_rowops *rowops,
                          const vlm_row_part *part);

#endif
