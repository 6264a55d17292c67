/* Integer matrix product: uint8 activations times int8 weights, exact int32 sums, one fused epilogue.
 *
 * sum[i][j] = sum over p of (a[i][p] - zero) * w[p][j], computed as acc - zero * colsum[j], all modulo 2^32 (K up to 66 000 stays in
 * range). The output is one of
 *   sum                                                                                 int32, when c_sums is set
 *   y = fmaf((float)sum, a_scale * w_scale[j], bias[j]), then the activation,
 *       then + residual                                                                 float, when c is set
 *   saturate(round(y / q_scale) + q_zero), rounded to nearest even                      uint8, when c_u8 is set
 * a_scale and zero are per tensor, or per row when row_scale and row_zero are set. Element (i, j) goes to index
 * batch * c_batch + i * c_row + j * c_column; one of c_row, c_column is 1. With c_groups > 1, batch b goes to
 * b / c_groups * c_batch + b % c_groups * c_group instead. */
#ifndef VLM_KERNELS_GEMM_Q8_H
#define VLM_KERNELS_GEMM_Q8_H

#include "runtime/base/threads.h"
#include "runtime/kernels/epilogue.h"
#include "runtime/kernels/row_args.h"

/* Packed int8 weights of `count` matrices of k x n (count > 1 for grouped convolution): one block of memory, header first. */
typedef struct vlm_q8_weights {
  int64_t k, n, count;
  int64_t groups;   /* k / kr rounded up */
  int64_t padded_n; /* n rounded up to whole panels */
  size_t panel_bytes, matrix_bytes;
  size_t bytes;          /* of the block */
  const int32_t *colsum; /* [count][padded_n] */
  const int8_t *panels;  /* [count][padded_n / nr][groups][nr][kr] */
} vlm_q8_weights;

/* The header without the data: the bytes of the block, and enough for vlm_gemm_q8_scratch. False when the size does not fit. */
bool vlm_q8_weights_layout(vlm_q8_weights *out, const vlm_kernels *kernels, int64_t k, int64_t n,
                           int64_t count);
/* Where the weights lie before packing: element (p, j) of matrix c at w[c * w_matrix + p * w_row + j * w_column], in bytes. */
typedef struct vlm_q8_source {
  const void *w; /* the caller's, not kept */
  int64_t w_matrix, w_row, w_column;
  int64_t k, n, count;
  uint8_t flip; /* XORed into every byte: 0x80 turns uint8 into int8 (value - 128) */
} vlm_q8_source;
/* Packs into `block`: 64-byte aligned, as many bytes as the layout says for the same k, n, count. Returns the header at its start. */
vlm_q8_weights *vlm_q8_weights_pack(void *block, const vlm_kernels *kernels, const vlm_q8_source *source);

/* Rows [row, row + rows) of the activations of one batch, and where they are wanted; bytes from k to stride need not be written. */
typedef struct vlm_rows_u8 {
  uint8_t *to; /* written */
  size_t stride;
  int64_t batch, row;
  int rows;
} vlm_rows_u8;
typedef void vlm_pack_rows_u8(void *user, const vlm_rows_u8 *wanted);

typedef struct vlm_gemm_q8 {
  int64_t batch, m;
  const vlm_q8_weights *w; /* n and k come from here; batch b uses matrix b % w->count, or: */
  const int64_t *w_matrix; /* per batch, NULL = as above */
  const uint8_t
      *a; /* rows of lda bytes, batch b at a + b * a_batch, or at a + a_offset[b] when a_offset is set; or: */
  const int64_t *a_offset;
  int64_t a_batch, lda;
  vlm_pack_rows_u8 *pack;
  void *pack_user;
  float a_scale;
  int32_t zero;
  const float *row_scale; /* [batch * m] */
  const int32_t *row_zero;
  const float *w_scale, *bias; /* [w->count * n]; bias NULL = 0 */
  vlm_row_unary *activation;
  float params[4];
  int32_t *c_sums;
  float *c;
  const float *residual; /* laid out as c, in rows (c_column 1); NULL = none */
  uint8_t *c_u8;
  int64_t c_batch, c_row, c_column, c_group, c_groups;
  float q_scale;
  int32_t q_zero;
} vlm_gemm_q8;

size_t vlm_gemm_q8_scratch(const vlm_gemm_q8 *g, const vlm_kernels *kernels, const vlm_threads *threads);
void vlm_gemm_q8_run(const vlm_gemm_q8 *g, const vlm_kernels *kernels, vlm_threads *threads, void *scratch);

/* Per-row dynamic quantization (ONNX DynamicQuantizeLinear applied to each row):
 * scale = (max - min) / 255 with min <= 0 <= max (1 when the row is all zero), zero = saturate(round(-min / scale)). */
typedef struct vlm_quantize_rows {
  const float *x; /* m rows of k floats, one behind the other */
  int64_t m, k;
  uint8_t *q;    /* written: m rows of k bytes */
  float *scale;  /* written: m */
  int32_t *zero; /* written: m */
} vlm_quantize_rows;
void vlm_quantize_rows_u8(const vlm_quantize_rows *rows, const vlm_kernels *kernels, vlm_threads *threads);
/* One scale and zero point for all, on all threads. */
void vlm_quantize_u8(const vlm_quantize_u8_args *all, const vlm_kernels *kernels, vlm_threads *threads);

#endif
