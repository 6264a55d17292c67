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

/* The scales as inputs of the node: a per tensor or per row (m), b per tensor or per column (n); both finer forms at once are not supported.
 * y_scale, y_zero -1 = absent. */
typedef struct vlm_requantize_scales {
  int a, b, y_scale, y_zero;
  float alpha; /* multiplies every factor */
  int64_t count;
  bool by_row;
  size_t factor;
} vlm_requantize_scales;
/* Checks the scales and reserves work space; `s` has the inputs. */
vlm_status vlm_requantize_prepare(vlm_op_call *c, vlm_requantize_scales *s, int64_t m, int64_t n);
/* Fills factor, factor_count, by_row and zero of q. */
void vlm_requantize_read(vlm_op_call *c, const vlm_requantize_scales *s, vlm_requantize *q);
void vlm_requantize_run(vlm_op_call *c, const vlm_requantize *q);

#endif
