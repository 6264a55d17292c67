/* Attention by tiles: y = softmax((q * q_factor) (k * k_factor) * factor + mask) v, per batch entry. A tile of scores stays in a worker's memory from the first product
 * to the second; no matrix of scores is stored. Operands are read in place: heads, windows and channels are distances.
 *
 * Sums go over the inner dim in order with fused multiply-add and rows through the row operations: the bits are those of the operators one
 * by one, whatever the CPU level, the tile and the number of threads. */
#ifndef VLM_KERNELS_ATTENTION_F32_H
#define VLM_KERNELS_ATTENTION_F32_H

#include "runtime/base/threads.h"
#include "runtime/kernels/kernels.h"

/* Element (i, j) of batch entry b at data[offset[b] + i * row + j * column]; distances of 0 repeat. */
typedef struct vlm_strided {
  const float *data; /* NULL = absent, where that is allowed */
  const int64_t *offset;
  int64_t row, column;
} vlm_strided;

typedef struct vlm_attention_f32 {
  int64_t batch, t, s, d, dv;
  vlm_strided q, k, v;            /* [t, d], [d, s], [s, dv] */
  vlm_strided q_factor, k_factor; /* of the elements of q and k; absent = none */
  vlm_strided factor, mask;       /* [t, s]; absent = none */
  bool divides;                   /* by the factor */
  float *y;                       /* written: [t, dv], as vlm_strided has it */
  const int64_t *y_offset;
  int64_t y_row, y_column; /* one of them is 1 */
} vlm_attention_f32;

/* Bytes of scratch memory that run needs. */
size_t vlm_attention_f32_scratch(const vlm_attention_f32 *a, const vlm_kernels *kernels,
                                 const vlm_threads *threads);
void vlm_attention_f32_run(const vlm_attention_f32 *a, const vlm_kernels *kernels, vlm_threads *threads,
                           void *scratch);

#endif
