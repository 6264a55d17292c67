/* The input of a convolution, channels last ([batch][spatial...][channels]), as the rows that a kernel reads: with
 * padding, in the element type of the kernel. */
#ifndef VLM_KERNELS_CONV_INPUT_H
#define VLM_KERNELS_CONV_INPUT_H

#include <stddef.h>

#include "runtime/kernels/conv_shape.h"

typedef struct vlm_conv_input {
  const vlm_conv_shape *shape;
  size_t bytes; /* of an element that the kernel reads: 1, 2, 4 */
  uint8_t pad;  /* value of padding; floats: 0 */
  /* Writes elements [at, at + n) of the input in the kernel's form. */
  void (*copy)(const void *user, void *dst, int64_t at, int64_t n);
  const void *user;
} vlm_conv_input;

/* All taps of output positions [position, position + rows) of an image, a row of vlm_conv_depth elements each, `stride`
 * bytes apart: kernel positions, in each the channels of the group. */
typedef struct vlm_conv_positions {
  int64_t image, group, position;
  int rows;
} vlm_conv_positions;
void vlm_conv_gather(void *dst, size_t stride, const vlm_conv_input *in, const vlm_conv_positions *what);

/* ---- rows of a plane ---- */

/* A part of the output planes: rows [row, row + rows), columns [column, column + columns) of an image. */
typedef struct vlm_conv_block {
  int64_t image, row, rows, column, columns;
} vlm_conv_block;

/* How the planes split into blocks whose input rows fit the second-level cache. Same results however they are split. */
typedef struct vlm_conv_blocks {
  const vlm_conv_shape *shape;
  int64_t rows, columns, row_blocks, column_blocks;
} vlm_conv_blocks;
vlm_conv_blocks vlm_conv_split(const vlm_conv_shape *shape, size_t pixel_bytes, int threads);
int64_t vlm_conv_block_count(const vlm_conv_blocks *blocks);
vlm_conv_block vlm_conv_block_at(const vlm_conv_blocks *blocks, int64_t index);

/* The input rows that a block reads, each brought into the kernel's form once while it is needed. */
typedef struct vlm_conv_ring {
  const vlm_conv_input *in;
  char *room;
  int64_t image, first, width; /* columns [first, first + width) of the input, padding included */
  size_t row_bytes;
  int64_t count, held[VLM_CONV_RING]; /* rows; the input row in each */
} vlm_conv_ring;

/* Bytes of room for blocks of `columns` output columns. */
size_t vlm_conv_ring_bytes(const vlm_conv_shape *shape, int64_t columns, size_t element_bytes);
void vlm_conv_ring_open(vlm_conv_ring *ring, const vlm_conv_input *in, void *room,
                        const vlm_conv_block *block);
/* Sets rows[kh] to the row that tap row kh of output row `row` reads; pixel 0 is that of tap 0 of the block's first column. Valid
 * until the next call. */
void vlm_conv_ring_rows(vlm_conv_ring *ring, int64_t row, const void **rows);

#endif
