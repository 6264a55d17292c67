/* Float matrix product, batched and threaded: c = epilogue(a * b), every output summed over k upwards with fused multiply-add.
 *
 * a: m x k at a + a_offset[batch], element (i, p) at i * a_row + p * a_column. b: k x n likewise, or packed panels.
 * c: m x n rows of ldc floats at c + batch * c_batch. k = 0 gives zeros (then the epilogue). c must not overlap a or b. */
#ifndef VLM_KERNELS_GEMM_F32_H
#define VLM_KERNELS_GEMM_F32_H

#include "runtime/base/threads.h"
#include "runtime/kernels/epilogue.h"

typedef struct vlm_gemm_f32 {
  int64_t batch, m, n, k;
  const float *a;
  const int64_t *a_offset; /* per batch, NULL = 0 */
  int64_t a_row, a_column;
  const float *b;          /* strided, used when panels is NULL */
  const int64_t *b_offset; /* per batch, NULL = 0; also for panels */
  int64_t b_row, b_column;
  const float *panels; /* from vlm_gemm_f32_pack */
  float *c;
  int64_t c_batch, ldc;
  vlm_epilogue_f32
      epilogue; /* row_bias belongs to row i of batch b at index row_bias_offset[b] + i; the residual is laid out as c */
  const int64_t *row_bias_offset;
  int64_t add_batch; /* distance of epilogue.add between batches */
} vlm_gemm_f32;

/* Bytes of scratch memory that run needs (0 is possible). */
size_t vlm_gemm_f32_scratch(const vlm_gemm_f32 *g, const vlm_kernels *kernels, const vlm_threads *threads);
void vlm_gemm_f32_run(const vlm_gemm_f32 *g, const vlm_kernels *kernels, vlm_threads *threads, void *scratch);

/* A k x n matrix before packing: element (p, j) at b[p * b_row + j * b_column]. */
typedef struct vlm_f32_source {
  const float *b; /* the caller's, not kept */
  int64_t b_row, b_column;
  int64_t k, n;
} vlm_f32_source;
/* Floats of one packed k x n matrix, and the packing into panels of nr columns. */
int64_t vlm_gemm_f32_packed_count(const vlm_kernels *kernels, int64_t k, int64_t n);
void vlm_gemm_f32_pack(float *panels, const vlm_f32_source *source, int nr);

#endif
