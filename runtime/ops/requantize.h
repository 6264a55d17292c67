/* int32 sums to quantized outputs: y = saturate(round(sum * factor) + zero), factor = a_scale * b_scale / y_scale, or to float32 without
 * y_scale. */
#ifndef VLM_OPS_REQUANTIZE_H
#define VLM_OPS_REQUANTIZE_H

#include "runtime/ops/op.h"

typedef struct vlm_requantize {
  const vlm_tensor *out; /* uint8, int8 or float32; [rows][columns] */
  const int32_t *sums;
  int64_t rows, columns;
  const float *factor; /* factor_count of them: 1, `columns` (or per row, see by_row) */
  int64_t factor_count;
  bool by_row; /* factor belongs to row i % factor_count instead of column j */
  int32_t zero;
} vlm_requantize;

/* Fills factor and zero from scales: a per tensor or per row (m), b per tensor or per column (n); both finer forms at once are not
 * supported. */
vlm_status vlm_requantize_scales(vlm_op_call *c, vlm_requantize *q, const vlm_tensor *a_scale, const vlm_tensor *b_scale,
                                 const vlm_tensor *y_scale, const vlm_tensor *y_zero, int64_t m, int64_t n);
void vlm_requantize_run(vlm_op_call *c, const vlm_requantize *q);

#endif
