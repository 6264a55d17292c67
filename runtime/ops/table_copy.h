/* Copies through one index table per axis: y[i, j, …] = x[ti[i], tj[j], …], or a constant where any index is negative.
 * Serves Pad and nearest-neighbour Resize. */
#ifndef VLM_OPS_TABLE_COPY_H
#define VLM_OPS_TABLE_COPY_H

#include "runtime/base/tensor.h"
#include "runtime/base/threads.h"

typedef struct vlm_table_copy {
  int rank;                           /* tabled axes, at least 1 */
  int64_t dims[VLM_MAX_RANK];         /* output sizes */
  int64_t strides[VLM_MAX_RANK];      /* source bytes per index */
  const int64_t *index[VLM_MAX_RANK]; /* dims[i] source indices each */
  size_t run;                         /* bytes behind one index of the last tabled axis (whole elements) */
  size_t item;                        /* element size: 1, 2, 4 or 8 */
  const void *src, *constant;         /* constant: one element */
  void *dst;
} vlm_table_copy;

void vlm_table_copy_run(vlm_threads *threads, const vlm_table_copy *job);

#endif
