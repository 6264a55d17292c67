/* The contracts of the kinds that multiply: what the fields of their arguments are. Distances are in
 * elements, not bytes. */
#ifndef VLM_KERNELS_GEMM_ARGS_H
#define VLM_KERNELS_GEMM_ARGS_H

#include "runtime/kernels/kernels.h"

/* c[i][j] = sum over p < k of a[i][p] * b[p][j], i < rows, j < columns: from 0, p upwards, each step one fused
 * multiply-add. Rows of a may go on elsewhere: after k steps at a, k more at each a_more[s], lda apart as well,
 * while b goes on. Then the bias is added. */
struct vlm_gemm_f32_args {
  float *c; /* written: rows of `columns` floats, ldc apart */
  size_t ldc;
  const float *a; /* rows of k floats, lda apart */
  size_t lda;
  const float *b; /* k rows of nr floats, b_stride apart: a packed panel (b_stride = nr), or columns of a
                     matrix in place */
  size_t b_stride;
  size_t k;                   /* may be 0: c becomes 0 */
  int rows;                   /* 1 … mr */
  int columns;                /* 1 … nr; 0 = nr. b has nr columns */
  const float *const *a_more; /* n_more starts of rows */
  size_t n_more;
  const float *bias; /* `columns` floats; NULL = 0 */
};

/* The same for one row times VLM_GEMV_PANELS panels at once. */
struct vlm_gemv_f32_args {
  float *c;       /* written: VLM_GEMV_PANELS * nr floats */
  const float *a; /* k floats */
  const float *b; /* panel q at b + q * panel_stride, laid out as the b of gemm_f32 */
  size_t b_stride, panel_stride;
  size_t k;
};

/* c[i][j] = sum over p < groups * kr of a[i][p] * b[p][j], exact (modulo 2^32); i < rows, j < nr. */
struct vlm_gemm_u8s8_args {
  int32_t *c; /* written: rows of nr sums, ldc apart */
  size_t ldc;
  const void *a; /* rows of groups * kr activations 0 … 255, uint8 or uint16 as a_bytes of the kernel says,
                    lda apart */
  size_t lda;
  const int8_t *b; /* one packed panel, [groups][nr][kr]; aligned to VLM_PANEL_ALIGN bytes */
  size_t groups;   /* k / kr rounded up; the weights of the steps behind k are 0, the activations there
                    arbitrary */
  int rows;        /* 1 … mr */
  const void *const *a_more; /* n_more further starts of rows: groups * kr steps each, while b goes on */
  size_t n_more;
};
#define VLM_PANEL_ALIGN 32

/* The same with the weights widened to int16, for levels whose gemm_u8s8 takes uint16; panels of the same
 * shape. */
struct vlm_gemm_u8s16_args {
  int32_t *c;
  size_t ldc;
  const uint16_t *a;
  size_t lda;
  const int16_t *b; /* [groups][nr][kr]; aligned to VLM_PANEL_ALIGN bytes */
  size_t groups;
  int rows;
  const void *const *a_more;
  size_t n_more;
};

/* c[i][j] = sum over p < k of a[i][p] * (float)b[p][j], i < rows, j < VLM_W8_COLUMNS, in the order of
 * gemm_f32. */
struct vlm_gemm_f32s8_args {
  float *c; /* written: rows of VLM_W8_COLUMNS floats, ldc apart */
  size_t ldc;
  const float *a; /* rows of k floats, lda apart */
  size_t lda;
  const int8_t *b; /* [k][VLM_W8_COLUMNS]; aligned to VLM_PANEL_ALIGN bytes */
  size_t k;
  int rows; /* 1 … VLM_W8_ROWS */
};

#endif
