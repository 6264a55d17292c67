/* One image to several: the rules by which processors cut. */
#include "runtime/image/preprocess_tiles.h"

#include <math.h>

typedef struct cutter {
  vlm_tiles *to;
  const vlm_image *image;
  const vlm_preprocess_op *op;
  vlm_threads *threads;
  vlm_error *err;
} cutter;

static const uint8_t black[3] = {0, 0, 0}, white[3] = {255, 255, 255};

static vlm_status refuse(const cutter *c, int64_t columns, int64_t rows) {
  return vlm_fail(c->err, VLM_LIMIT,
                  "an image of %d x %d pixels makes %lld x %lld tiles of %d x %d, at most %d are allowed",
                  c->image->width, c->image->height, (long long)columns, (long long)rows,
                  c->op->size ? c->op->size : c->op->width, c->op->size ? c->op->size : c->op->height,
                  VLM_MAX_TILES);
}

static vlm_status add_resized(cutter *c, const vlm_image *image, int64_t width, int64_t height) {
  const vlm_image_size size = {width, height, c->op->filter, 0};
  vlm_status st = vlm_image_resize(&c->to->images[c->to->count], image, &size, c->threads, c->err);
  if (st == VLM_OK) c->to->count++;
  return st;
}

static vlm_status add_part(cutter *c, const vlm_image *image, vlm_image_rect part) {
  vlm_status st = vlm_image_window(&c->to->images[c->to->count], image, &part, black, c->err);
  if (st == VLM_OK) c->to->count++;
  return st;
}

static vlm_status add_copy(cutter *c) {
  return add_part(c, c->image, (vlm_image_rect){0, 0, c->image->width, c->image->height});
}

/* Row by row; what is left at the right and below has no place in the grid. */
static vlm_status add_grid(cutter *c, const vlm_image *image, int64_t width, int64_t height) {
  vlm_status st = VLM_OK;
  const int64_t columns = (image->width + width - 1) / width, rows = (image->height + height - 1) / height;
  if (columns * rows >= VLM_MAX_TILES - c->to->count) return refuse(c, columns, rows);
  c->to->columns = (int)columns;
  c->to->rows = (int)rows;
  for (int64_t i = 0; i < rows * columns; i++)
    VLM_TRY(add_part(c, image, (vlm_image_rect){i % columns * width, i / columns * height, width, height}));
out:
  return st;
}

/* ---- rules ---- */

static vlm_status cut_multiples(cutter *c) {
  vlm_status st = VLM_OK;
  vlm_image large = {0};
  int64_t w = c->image->width, h = c->image->height, size = c->op->size;
  if (!c->op->split) return add_resized(c, c->image, size, size);
  vlm_preprocess_tile_size(size, &w, &h);
  if ((w / size) * (h / size) > VLM_MAX_TILES) return refuse(c, w / size, h / size);
  VLM_TRY(vlm_image_resize(&large, c->image, &(vlm_image_size){w, h, c->op->filter, 0}, c->threads, c->err));
  if (w == size && h == size) {
    c->to->images[c->to->count++] = large;
    return VLM_OK;
  }
  VLM_TRY(add_grid(c, &large, size, size));
  VLM_TRY(add_resized(c, &large, size, size));
out:
  vlm_image_free(&large);
  return st;
}

/* The image in the middle of a black one of height x width, as large as fits. */
static vlm_status place(const cutter *c, vlm_image *out, int64_t height, int64_t width) {
  vlm_status st = VLM_OK;
  vlm_image large = {0};
  double across = (double)width / c->image->width, down = (double)height / c->image->height;
  int64_t w = width, h = height;
  if (across < down) h = (int64_t)ceil(c->image->height * across);
  else w = (int64_t)ceil(c->image->width * down);
  const vlm_image_size size = {w < width ? w : width, h < height ? h : height, c->op->filter, 0};
  VLM_TRY(vlm_image_resize(&large, c->image, &size, c->threads, c->err));
  const vlm_image_rect whole = {-((width - size.width) / 2), -((height - size.height) / 2), width, height};
  VLM_TRY(vlm_image_window(out, &large, &whole, black, c->err));
out:
  vlm_image_free(&large);
  return st;
}

static vlm_status cut_grid(cutter *c) {
  vlm_status st = VLM_OK;
  vlm_image placed = {0};
  const int *best = c->op->grid[vlm_preprocess_best_size(c->op, c->image->width, c->image->height)];
  VLM_TRY(add_resized(c, c->image, c->op->width, c->op->height));
  VLM_TRY(place(c, &placed, best[0], best[1]));
  VLM_TRY(add_grid(c, &placed, c->op->size, c->op->size));
out:
  vlm_image_free(&placed);
  return st;
}

static vlm_status cut_ratio(cutter *c) {
  vlm_status st = VLM_OK;
  vlm_image large = {0};
  int64_t w = c->op->width, h = c->op->height;
  const vlm_tile_grid grid = vlm_preprocess_ratio_grid(c->op, c->image->width, c->image->height);
  const vlm_image_size size = {grid.columns * w, grid.rows * h, c->op->filter, 0};
  VLM_TRY(vlm_image_resize(&large, c->image, &size, c->threads, c->err));
  VLM_TRY(add_grid(c, &large, w, h));
  if (c->to->count > 1) VLM_TRY(add_resized(c, c->image, w, h));
out:
  vlm_image_free(&large);
  return st;
}

static vlm_status cut_quarters(cutter *c) {
  vlm_status st = VLM_OK;
  int64_t w = c->image->width, h = c->image->height, x = w / 2, y = h / 2;
  if (c->op->split) {
    VLM_CHECK(x && y, c->err, VLM_INPUT, "an image of %lld x %lld pixels has no quarters", (long long)w,
              (long long)h);
    VLM_TRY(add_part(c, c->image, (vlm_image_rect){0, 0, x, y}));
    VLM_TRY(add_part(c, c->image, (vlm_image_rect){x, 0, w - x, y}));
    VLM_TRY(add_part(c, c->image, (vlm_image_rect){0, y, x, h - y}));
    VLM_TRY(add_part(c, c->image, (vlm_image_rect){x, y, w - x, h - y}));
    c->to->rows = c->to->columns = 2;
  }
  VLM_TRY(add_copy(c));
out:
  return st;
}

/* The last strip ends with the image. */
static vlm_status cut_strips(cutter *c) {
  vlm_status st = VLM_OK;
  const vlm_tile_grid grid = vlm_preprocess_strips(c->op, c->image->width, c->image->height);
  VLM_TRY(add_copy(c));
  if (!grid.columns) goto out;
  int64_t w = (c->image->width + grid.columns - 1) / grid.columns,
          h = (c->image->height + grid.rows - 1) / grid.rows;
  for (int64_t i = 0; i < grid.columns * grid.rows; i++) {
    vlm_image_rect part = {i % grid.columns * w, i / grid.columns * h, w, h};
    if (part.left + w > c->image->width) part.width = c->image->width - part.left;
    if (part.top + h > c->image->height) part.height = c->image->height - part.top;
    VLM_CHECK(part.width > 0 && part.height > 0, c->err, VLM_INPUT,
              "an image of %d x %d pixels is too small to be cut in %lld", c->image->width, c->image->height,
              (long long)(grid.columns * grid.rows));
    VLM_TRY(add_part(c, c->image, part));
  }
  c->to->columns = (int)grid.columns;
  c->to->rows = (int)grid.rows;
out:
  return st;
}

/* The most columns for which the tiles of an image of this shape are no more than `most`. */
static int64_t board_columns(double ratio, int64_t most) {
  int64_t columns = 1;
  while ((double)columns * ceil((double)columns / ratio) <= (double)most) columns++;
  return columns - 1;
}

/* Resized so, and padded with white above and below to whole tiles. */
static vlm_status make_board(const cutter *c, vlm_image *out, const vlm_image *wide) {
  vlm_status st = VLM_OK;
  vlm_image large = {0};
  double ratio = (double)wide->width / wide->height;
  int64_t size = c->op->size, w = board_columns(ratio, c->op->most) * size, h = (int64_t)((double)w / ratio);
  VLM_CHECK(w > 0 && h > 0, c->err, VLM_INPUT,
            "an image of %d x %d pixels: its sides are too unequal for this model", wide->width,
            wide->height);
  VLM_TRY(
      vlm_image_resize(&large, wide, &(vlm_image_size){w, h, VLM_FILTER_BILINEAR, 0}, c->threads, c->err));
  int64_t padded = (h + size - 1) / size * size;
  VLM_TRY(vlm_image_window(out, &large, &(vlm_image_rect){0, -((padded - h) / 2), w, padded}, white, c->err));
out:
  vlm_image_free(&large);
  return st;
}

static vlm_status cut_board(cutter *c) {
  enum { TRANSPOSED = 5 };
  vlm_status st = VLM_OK;
  vlm_image turned = {0}, made = {0};
  int64_t size = c->op->size;
  bool tall = c->image->width < c->image->height;
  if (tall) VLM_TRY(vlm_image_orient(&turned, c->image, TRANSPOSED, c->err));
  VLM_TRY(make_board(c, tall ? &made : &c->to->board, tall ? &turned : c->image));
  if (tall) VLM_TRY(vlm_image_orient(&c->to->board, &made, TRANSPOSED, c->err));
  VLM_TRY(vlm_image_create(&c->to->images[c->to->count], size, size, c->err));
  c->to->count++;
  VLM_TRY(add_grid(c, &c->to->board, size, size));
  c->to->blank = (int)c->op->most + 1 - c->to->count;
out:
  vlm_image_free(&turned);
  vlm_image_free(&made);
  return st;
}

vlm_status vlm_tiles_cut(vlm_tiles *out, const vlm_image *image, const vlm_preprocess_op *op,
                         vlm_threads *threads, vlm_error *err) {
  static vlm_status (*const rules[VLM_TILE_COUNT])(cutter *) = {
      [VLM_TILE_MULTIPLES] = cut_multiples, [VLM_TILE_GRID] = cut_grid,     [VLM_TILE_RATIO] = cut_ratio,
      [VLM_TILE_QUARTERS] = cut_quarters,   [VLM_TILE_STRIPS] = cut_strips, [VLM_TILE_BOARD] = cut_board,
  };
  cutter c = {out, image, op, threads, err};
  return rules[op->rule](&c);
}

void vlm_tiles_clear(vlm_tiles *tiles) {
  for (int i = 0; i < tiles->count; i++) vlm_image_free(&tiles->images[i]);
  vlm_image_free(&tiles->board);
  tiles->count = 0;
}
