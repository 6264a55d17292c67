#include "runtime/kernels/conv_input.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"

enum { RING_BYTES = 512 << 10, LEAST_COLUMNS = 48, LEAST_ROWS = 4, TASKS_PER_THREAD = 4 };

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static void fill(const vlm_conv_input *in, char *dst, int64_t n) {
  if (in->bytes == 2)
    for (int64_t i = 0; i < n; i++) memcpy(dst + 2 * i, &(uint16_t){in->pad}, 2);
  else memset(dst, in->bytes == 1 ? in->pad : 0, (size_t)n * in->bytes);
}

/* Neighbouring pixels [x, x + n) of a row that starts at element `row`, those outside of the image as padding. */
static void copy_pixels(const vlm_conv_input *in, char *dst, int64_t row, int64_t x, int64_t n) {
  int64_t channels = in->shape->channels, width = in->shape->in[2];
  int64_t left = min64(max64(-x, 0), n), inside = max64(min64(x + n, width) - max64(x, 0), 0);
  size_t pixel = (size_t)channels * in->bytes;
  fill(in, dst, left * channels);
  if (inside > 0)
    in->copy(in->user, dst + (size_t)left * pixel, row + (x + left) * channels, inside * channels);
  fill(in, dst + (size_t)(left + inside) * pixel, (n - left - inside) * channels);
}

/* ---- gathered positions ---- */

/* A row of taps, one by one: any step, any group. */
static void gather_taps(const vlm_conv_input *in, char *dst, int64_t row, int64_t column, int64_t group) {
  const vlm_conv_shape *s = in->shape;
  int64_t n = s->channels / s->groups;
  for (int64_t k = 0; k < s->kernel[2]; k++, dst += (size_t)n * in->bytes) {
    int64_t x = vlm_conv_source(s, 2, column, k);
    if (x < 0) fill(in, dst, n);
    else in->copy(in->user, dst, row + x * s->channels + group * n, n);
  }
}

static void gather_position(char *dst, const vlm_conv_input *in, int64_t image, int64_t group,
                            int64_t position) {
  const vlm_conv_shape *s = in->shape;
  int64_t depth = position / (s->out[2] * s->out[1]), h = position / s->out[2] % s->out[1],
          w = position % s->out[2];
  int64_t row_elements = s->kernel[2] * (s->channels / s->groups);
  bool together = !s->transposed && s->groups == 1 && s->dilation[2] == 1;
  for (int64_t kd = 0; kd < s->kernel[0]; kd++) {
    int64_t z = vlm_conv_source(s, 0, depth, kd);
    for (int64_t kh = 0; kh < s->kernel[1]; kh++, dst += (size_t)row_elements * in->bytes) {
      int64_t y = vlm_conv_source(s, 1, h, kh);
      int64_t row = ((image * s->in[0] + z) * s->in[1] + y) * s->in[2] * s->channels;
      if (z < 0 || y < 0) fill(in, dst, row_elements);
      else if (together) copy_pixels(in, dst, row, w * s->stride[2] - s->pad[2], s->kernel[2]);
      else gather_taps(in, dst, row, w, group);
    }
  }
}

void vlm_conv_gather(void *dst, size_t stride, const vlm_conv_input *in, const vlm_conv_positions *what) {
  for (int i = 0; i < what->rows; i++)
    gather_position((char *)dst + (size_t)i * stride, in, what->image, what->group, what->position + i);
}

/* ---- blocks ---- */

vlm_conv_blocks vlm_conv_split(const vlm_conv_shape *s, size_t pixel_bytes, int threads) {
  vlm_conv_blocks b = {.shape = s, .rows = max64(s->out[1], 1), .columns = max64(s->out[2], 1)};
  int64_t column_bytes = vlm_conv_extent(s) * s->stride[2] * (int64_t)pixel_bytes,
          fit = RING_BYTES / max64(column_bytes, 1);
  int64_t wanted = threads > 1 ? (int64_t)threads * TASKS_PER_THREAD : 1;
  b.columns = min64(b.columns, max64(fit, LEAST_COLUMNS));
  b.column_blocks = (s->out[2] + b.columns - 1) / b.columns;
  int64_t parts = max64((wanted + s->batch * b.column_blocks - 1) / max64(s->batch * b.column_blocks, 1), 1);
  b.rows = min64(b.rows, max64((s->out[1] + parts - 1) / parts, LEAST_ROWS));
  b.row_blocks = (s->out[1] + b.rows - 1) / b.rows;
  if (threads > 1 && s->out[1] == 1) { /* a signal: its columns are shared out */
    b.columns = min64(b.columns, max64((s->out[2] + parts - 1) / parts, LEAST_COLUMNS));
    b.column_blocks = (s->out[2] + b.columns - 1) / b.columns;
  }
  return b;
}

int64_t vlm_conv_block_count(const vlm_conv_blocks *b) {
  return b->shape->batch * b->row_blocks * b->column_blocks;
}

vlm_conv_block vlm_conv_block_at(const vlm_conv_blocks *b, int64_t index) {
  const vlm_conv_shape *s = b->shape;
  vlm_conv_block k = {.column = index % b->column_blocks * b->columns,
                      .image = index / b->column_blocks / b->row_blocks};
  k.row = index / b->column_blocks % b->row_blocks * b->rows;
  k.rows = min64(b->rows, s->out[1] - k.row);
  k.columns = min64(b->columns, s->out[2] - k.column);
  return k;
}

/* ---- the ring ---- */

static int64_t ring_width(const vlm_conv_shape *s, int64_t columns) {
  return (columns - 1) * s->stride[2] + (s->kernel[2] - 1) * s->dilation[2] + 1;
}

static size_t row_bytes(const vlm_conv_shape *s, int64_t columns, size_t element_bytes) {
  return vlm_size_align((size_t)(ring_width(s, columns) * s->channels) * element_bytes);
}

/* One row more: padding. */
size_t vlm_conv_ring_bytes(const vlm_conv_shape *s, int64_t columns, size_t element_bytes) {
  return (size_t)(vlm_conv_extent(s) + 1) * row_bytes(s, columns, element_bytes);
}

void vlm_conv_ring_open(vlm_conv_ring *r, const vlm_conv_input *in, void *room, const vlm_conv_block *block) {
  const vlm_conv_shape *s = in->shape;
  assert(vlm_conv_has_rows(s) && (uintptr_t)room % VLM_ALIGN == 0);
  *r = (vlm_conv_ring){.in = in, .room = room, .image = block->image, .count = vlm_conv_extent(s)};
  r->first = block->column * s->stride[2] - s->pad[2];
  r->width = ring_width(s, block->columns);
  r->row_bytes = row_bytes(s, block->columns, in->bytes);
  for (int64_t i = 0; i < r->count; i++) r->held[i] = -1;
  fill(in, r->room + (size_t)r->count * r->row_bytes, r->width * s->channels);
}

void vlm_conv_ring_rows(vlm_conv_ring *r, int64_t row, const void **rows) {
  const vlm_conv_shape *s = r->in->shape;
  for (int64_t k = 0; k < s->kernel[1]; k++) {
    int64_t y = vlm_conv_source(s, 1, row, k), slot = y < 0 ? r->count : y % r->count;
    char *at = r->room + (size_t)slot * r->row_bytes;
    if (y >= 0 && r->held[slot] != y) {
      copy_pixels(r->in, at, (r->image * s->in[1] + y) * s->in[2] * s->channels, r->first, r->width);
      r->held[slot] = y;
    }
    rows[k] = at;
  }
}
