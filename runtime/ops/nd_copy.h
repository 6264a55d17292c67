/* Strided copies: one engine behind Transpose, Slice, Concat, Split, Expand, Tile, Pad, DepthToSpace and friends.
 *
 * A copy is a box of elements with one signed byte stride per dim on each side. The engine drops unit dims, joins dims that run
 * together on both sides, and then moves contiguous runs, blocked 2-D transposes, or single elements, in parallel. */
#ifndef VLM_OPS_ND_COPY_H
#define VLM_OPS_ND_COPY_H

#include "runtime/base/tensor.h"
#include "runtime/base/threads.h"

#define VLM_ND_RANK (2 * VLM_MAX_RANK + 2)

typedef struct vlm_nd {
  int rank;
  int64_t dims[VLM_ND_RANK];
  int64_t dst[VLM_ND_RANK]; /* bytes from one index to the next; may be negative on the source side */
  int64_t src[VLM_ND_RANK];
} vlm_nd;

/* Adds a dim at the inner end. */
void vlm_nd_push(vlm_nd *nd, int64_t dim, int64_t dst_stride, int64_t src_stride);
/* Copies the box: element (i0, i1, …) of size `item` (1, 2, 4 or 8 bytes) at sum(i * stride) on each side. No overlap. */
void vlm_nd_copy(vlm_threads *threads, const vlm_nd *nd, size_t item, void *dst, const void *src);
/* The same in two steps: how the box is cut does not depend on where it lies. */
typedef struct vlm_nd_plan {
  vlm_nd nd; /* collapsed; the last dim and strips of dim `rows` are handled inside one piece */
  int rows; /* for a transpose the dim that is dense in the source, else the one before the last; -1 = none */
  bool transposed, one_run;
  int64_t strips;        /* pieces along `rows` */
  int64_t pieces, grain; /* 0 pieces: nothing to copy */
  size_t item;
} vlm_nd_plan;
void vlm_nd_plan_make(vlm_nd_plan *plan, const vlm_nd *nd, size_t item);
void vlm_nd_plan_run(const vlm_nd_plan *plan, vlm_threads *threads, void *dst, const void *src);
/* Copies `bytes` bytes, in parallel when it is worth it. */
void vlm_copy_bytes(vlm_threads *threads, void *dst, const void *src, size_t bytes);

/* Row-major byte strides of a shape. */
void vlm_byte_strides(const vlm_tensor *t, int64_t *strides);
/* Bytes of one element; 0 for types of 2 and 4 bits, which data movement refuses. */
size_t vlm_item_size(const vlm_tensor *t);

#endif
