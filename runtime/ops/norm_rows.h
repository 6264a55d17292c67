/* Normalisation of the rows of a matrix: what LayerNormalization, RMSNormalization and their fused forms share. */
#ifndef VLM_OPS_NORM_ROWS_H
#define VLM_OPS_NORM_ROWS_H

#include "runtime/ops/op.h"

typedef struct vlm_norm_rows {
  int64_t rows, width;
  bool rms; /* no mean, no bias */
  float eps;
  const float *x;
  const float *skip,
      *bias0; /* added to x first, may be NULL; skip has skip_rows rows and is repeated, bias0 is one row */
  int64_t skip_rows;
  const float *scale, *bias; /* one row; bias may be NULL */
  float *y, *sum;            /* sum: where x + skip + bias0 goes; needed when skip or bias0 is given */
  float *mean, *inverse;     /* one value per row, may be NULL */
  uint8_t *q;                /* not NULL: bytes instead of y, quantized while the row is in the cache */
  float q_scale;
  int32_t q_zero;
  float *room; /* one row per worker, for q */
} vlm_norm_rows;

void vlm_norm_rows_run(vlm_op_call *c, const vlm_norm_rows *n);
/* Same for float64, without skip. */
typedef struct vlm_norm_rows_f64 {
  int64_t rows, width;
  bool rms;
  double eps;
  const double *x, *scale, *bias;
  double *y, *mean, *inverse;
} vlm_norm_rows_f64;
void vlm_norm_rows_f64_run(const vlm_norm_rows_f64 *n);

#endif
