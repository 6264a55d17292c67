#include "runtime/image/resize.h"

#include <stdbool.h>
#include <string.h>

#include "runtime/base/memory.h"

#define WEIGHT_BITS 22
#define BLOCK 48 /* bytes of a row that one vertical step keeps in registers */
#define ROWS_PER_TASK 16

/* One resampling pass over all rows of the result. */
typedef struct pass {
  const vlm_image *in;
  vlm_image *out;
  const vlm_resize_weights *weights;
  int row_offset; /* first source row that the horizontal pass keeps */
} pass;

/* Sums wrap modulo 2^32 like Pillow's; the true total always fits. */
static uint8_t clip8(uint32_t sum) {
  int32_t v = (int32_t)sum >> WEIGHT_BITS;
  return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void horizontal_rows(void *user, int64_t begin, int64_t end, int worker) {
  const pass *p = user;
  const vlm_resize_weights *w = p->weights;
  (void)worker;
  for (int64_t y = begin; y < end; y++) {
    const uint8_t *row = p->in->data + (size_t)(y + p->row_offset) * (size_t)p->in->width * 3;
    uint8_t *to = p->out->data + (size_t)y * (size_t)p->out->width * 3;
    for (int x = 0; x < w->out_size; x++, to += 3) {
      const uint8_t *from = row + (size_t)w->first[x] * 3;
      const int32_t *k = w->weight + (size_t)x * (size_t)w->taps;
      uint32_t r = 1u << (WEIGHT_BITS - 1), g = r, b = r;
      for (int i = 0; i < w->count[x]; i++, from += 3) {
        uint32_t weight = (uint32_t)k[i];
        r += from[0] * weight;
        g += from[1] * weight;
        b += from[2] * weight;
      }
      to[0] = clip8(r);
      to[1] = clip8(g);
      to[2] = clip8(b);
    }
  }
}

/* `width` (at most BLOCK) bytes of one output row. The constant trip count of the full block lets the compiler vectorise it. */
static void vertical_block(uint8_t *to, const uint8_t *from, size_t stride, const int32_t *k, int count,
                           size_t width) {
  uint32_t sum[BLOCK];
  for (size_t j = 0; j < BLOCK; j++) sum[j] = 1u << (WEIGHT_BITS - 1);
  for (int i = 0; i < count; i++, from += stride) {
    uint32_t weight = (uint32_t)k[i];
    if (width == BLOCK)
      for (size_t j = 0; j < BLOCK; j++) sum[j] += from[j] * weight;
    else
      for (size_t j = 0; j < width; j++) sum[j] += from[j] * weight;
  }
  for (size_t j = 0; j < width; j++) to[j] = clip8(sum[j]);
}

static void vertical_rows(void *user, int64_t begin, int64_t end, int worker) {
  const pass *p = user;
  const vlm_resize_weights *w = p->weights;
  size_t stride = (size_t)p->in->width * 3;
  (void)worker;
  for (int64_t y = begin; y < end; y++) {
    const uint8_t *from = p->in->data + (size_t)(w->first[y] - p->row_offset) * stride;
    const int32_t *k = w->weight + (size_t)y * (size_t)w->taps;
    uint8_t *to = p->out->data + (size_t)y * stride;
    for (size_t x = 0; x < stride; x += BLOCK)
      vertical_block(to + x, from + x, stride, k, w->count[y], stride - x < BLOCK ? stride - x : BLOCK);
  }
}

static void nearest_table(int *table, int out_size, int in_size) {
  double step = (double)in_size / out_size, at = step * 0.5;
  for (int i = 0; i < out_size; i++, at += step) table[i] = at < in_size ? (int)at : -1;
}

/* Positions are accumulated, not multiplied, as in Pillow; a position that rounding pushes over the edge leaves a black pixel there too. */
static vlm_status resize_nearest(vlm_image *out, const vlm_image *in, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *block = NULL;
  VLM_TRY(vlm_alloc(&block, (size_t)out->width + (size_t)out->height, sizeof(int), err));
  int *column = block, *row = column + out->width;
  nearest_table(column, out->width, in->width);
  nearest_table(row, out->height, in->height);
  for (int y = 0; y < out->height; y++)
    for (int x = 0; x < out->width; x++)
      if (row[y] >= 0 && column[x] >= 0)
        memcpy(out->data + ((size_t)y * (size_t)out->width + (size_t)x) * 3,
               in->data + ((size_t)row[y] * (size_t)in->width + (size_t)column[x]) * 3, 3);
out:
  vlm_free(block);
  return st;
}

/* The part [0, width) x [0, height) of an image. */
typedef struct box_part {
  float width, height;
} box_part;

/* Resamples that part of `in`. `out` has its size already. */
static vlm_status resize_box(vlm_image *out, const vlm_image *in, box_part box, vlm_resize_filter filter,
                             vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_resize_weights across = {0}, down = {0};
  vlm_image middle = {0};
  bool horizontal = out->width != in->width || box.width != (float)in->width;
  bool vertical = out->height != in->height || box.height != (float)in->height;
  pass p = {.in = in, .out = out};
  VLM_TRY(
      vlm_resize_weights_make(&across, &(vlm_resize_axis){in->width, out->width, box.width, filter, 0}, err));
  VLM_TRY(vlm_resize_weights_make(&down, &(vlm_resize_axis){in->height, out->height, box.height, filter, 0},
                                  err));
  if (horizontal) {
    int last = out->height - 1, row0 = vertical ? down.first[0] : 0;
    int rows = vertical ? down.first[last] + down.count[last] - row0 : out->height;
    p.weights = &across;
    p.row_offset = row0;
    if (vertical) {
      VLM_TRY(vlm_image_create(&middle, out->width, rows, err));
      p.out = &middle;
    }
    vlm_threads_range(threads, rows, ROWS_PER_TASK, horizontal_rows, &p);
    p.in = p.out;
    p.out = out;
  }
  if (vertical) {
    p.weights = &down;
    vlm_threads_range(threads, out->height, ROWS_PER_TASK, vertical_rows, &p);
  }
  if (!horizontal && !vertical) memcpy(out->data, in->data, (size_t)in->width * (size_t)in->height * 3);
out:
  vlm_image_free(&middle);
  vlm_free(across.first);
  vlm_free(down.first);
  return st;
}

/* Mean of a block of columns x rows pixels, with Pillow's division by multiplication (rounded in single precision). */
static void mean_of_block(uint8_t *to, const uint8_t *from, size_t stride, int columns, int rows) {
  uint32_t n = (uint32_t)columns * (uint32_t)rows, multiplier = (uint32_t)(4294967296.0f / (float)(n << 8));
  uint32_t sum[3] = {n / 2, n / 2, n / 2};
  for (int y = 0; y < rows; y++, from += stride)
    for (int x = 0; x < columns * 3; x++) sum[x % 3] += from[x];
  for (int c = 0; c < 3; c++) to[c] = (uint8_t)((sum[c] * multiplier) >> 24);
}

/* Mean over blocks of fx x fy pixels; the blocks at the right and bottom edge may be smaller. */
static vlm_status reduce(vlm_image *out, const vlm_image *in, int fx, int fy, vlm_error *err) {
  vlm_status st = vlm_image_create(out, (in->width + fx - 1) / fx, (in->height + fy - 1) / fy, err);
  if (st != VLM_OK) return st;
  size_t stride = (size_t)in->width * 3;
  for (int y = 0; y < out->height; y++)
    for (int x = 0; x < out->width; x++) {
      int columns = in->width - x * fx, rows = in->height - y * fy;
      mean_of_block(out->data + ((size_t)y * (size_t)out->width + (size_t)x) * 3,
                    in->data + (size_t)(y * fy) * stride + (size_t)(x * fx) * 3, stride,
                    columns < fx ? columns : fx, rows < fy ? rows : fy);
    }
  return st;
}

static int reduction(int from, int64_t to, double gap) {
  int factor = (int)((double)from / (double)to / gap);
  return factor > 1 ? factor : 1;
}

vlm_status vlm_image_resize(vlm_image *out, const vlm_image *in, const vlm_image_size *size,
                            vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_image small = {0}, result = {0};
  box_part all = {(float)in->width, (float)in->height};
  VLM_TRY(vlm_image_create(&result, size->width, size->height, err));
  int fx = size->gap > 0 ? reduction(in->width, size->width, size->gap) : 1;
  int fy = size->gap > 0 ? reduction(in->height, size->height, size->gap) : 1;
  if (size->filter == VLM_FILTER_NEAREST) {
    VLM_TRY(resize_nearest(&result, in, err));
  } else if (fx == 1 && fy == 1) {
    VLM_TRY(resize_box(&result, in, all, size->filter, threads, err));
  } else {
    VLM_TRY(reduce(&small, in, fx, fy, err));
    all = (box_part){(float)((double)in->width / fx), (float)((double)in->height / fy)};
    VLM_TRY(resize_box(&result, &small, all, size->filter, threads, err));
  }
out:
  vlm_image_free(&small);
  if (st != VLM_OK) vlm_image_free(&result);
  *out = result;
  return st;
}
