/* Weight-only product: float activations, int8 weights with one scale per output column.
 * y[i][j] = (sum over p, upwards, of fmaf(x[i][p], (float)w[p][j])) * scale[j], then + bias[j], then the activation, then + residual[i][j]. */
#ifndef VLM_KERNELS_GEMM_W8_H
#define VLM_KERNELS_GEMM_W8_H

#include "runtime/base/threads.h"
#include "runtime/kernels/epilogue.h"

typedef struct vlm_gemm_w8 {
  int64_t m, n, k;
  const float *x; /* rows of ldx floats */
  int64_t ldx;
  const int8_t *panels;      /* from vlm_w8_pack */
  const float *scale, *bias; /* [n]; bias NULL = none */
  vlm_row_unary *activation;
  float params[4];
  float *y;              /* rows of ldy floats */
  const float *residual; /* likewise; NULL = none */
  int64_t ldy;
} vlm_gemm_w8;

size_t vlm_gemm_w8_scratch(const vlm_gemm_w8 *g, const vlm_kernels *kernels, const vlm_threads *threads);
void vlm_gemm_w8_run(const vlm_gemm_w8 *g, const vlm_kernels *kernels, vlm_threads *threads, void *scratch);

/* [n / 64][k][64] int8, zero padded: the same on every level. */
static inline int64_t vlm_w8_packed_bytes(int64_t k, int64_t n) {
  return (n + VLM_W8_COLUMNS - 1) / VLM_W8_COLUMNS * VLM_W8_COLUMNS * k;
}
/* The k x n matrix before packing: element (p, j) at w[p * w_row + j * w_column]. */
typedef struct vlm_w8_source {
  const int8_t *w; /* the caller's, not kept */
  int64_t w_row, w_column;
  int64_t k, n;
} vlm_w8_source;
void vlm_w8_pack(int8_t *panels, const vlm_w8_source *source);

#endif
