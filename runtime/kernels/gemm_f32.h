/* Float matrix product, batched and threaded: c = epilogue(a * b), every output summed over k upwards with fused multiply-add.
 *
 * a: m x k at a + a_offset[batch], element (i, p) at i * a_row + p * a_column. b: k x n likewise, or packed panels, or a packer.
 * c: m x n rows of ldc floats at c + batch * c_batch. k = 0 gives zeros (then the epilogue). c must not overlap a or b. */
#ifndef VLM_KERNELS_GEMM_F32_H
#define VLM_KERNELS_GEMM_F32_H

#include "runtime/base/threads.h"
#include "runtime/kernels/epilogue.h"

/* Fills panels for columns [column, column + n) of b of one batch; n is at most the block asked for, panels as in kernels.h with `nr`
 * columns. */
typedef void vlm_pack_columns_f32(float *panels, void *user, int64_t batch, int64_t column, int64_t n, int nr);

typedef struct vlm_gemm_f32 {
  int64_t batch, m, n, k;
  const float *a;
  const int64_t *a_offset; /* per batch, NULL = 0 */
  int64_t a_row, a_column;
  const float *b; /* strided, used when the two below are NULL */
  const int64_t *b_offset; /* per batch, NULL = 0; also for panels */
  int64_t b_row, b_column;
  const float *panels; /* from vlm_gemm_f32_pack */
  vlm_pack_columns_f32 *pack;
  void *pack_user;
  float *c;
  int64_t c_batch, ldc;
  vlm_epilogue_f32 epilogue; /* row_bias belongs to row i of batch b at index row_bias_offset[b] + i */
  const int64_t *row_bias_offset;
  int64_t add_batch; /* distance of epilogue.add between batches */
} vlm_gemm_f32;

/* Bytes of scratch memory that run needs (0 is possible). */
size_t vlm_gemm_f32_scratch(const vlm_gemm_f32 *g, const vlm_kernels *kernels, const vlm_threads *threads);
void vlm_gemm_f32_run(const vlm_gemm_f32 *g, const vlm_kernels *kernels, vlm_threads *threads, void *scratch);

/* Floats of one packed k x n matrix, and the packing from strides. */
int64_t vlm_gemm_f32_packed_count(const vlm_kernels *kernels, int64_t k, int64_t n);
void vlm_gemm_f32_pack(float *panels, const float *b, int64_t b_row, int64_t b_column, int64_t k, int64_t n, int nr);

#endif
