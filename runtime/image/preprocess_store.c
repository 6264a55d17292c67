/* Pixels of tiles to float values. */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/image/preprocess_store.h"

void vlm_preprocess_table(float table[3][256], const vlm_preprocess *ops) {
  for (int c = 0; c < 3; c++)
    for (int v = 0; v < 256; v++) {
      float x = (float)v;
      for (int i = 0; i < ops->count; i++) {
        const vlm_preprocess_op *op = &ops->ops[i];
        if (op->kind == VLM_PREPROCESS_SCALE) x = (float)((double)x * op->by);
        if (op->kind == VLM_PREPROCESS_NORMALIZE) x = (x - (float)op->mean[c]) / (float)op->std[c];
      }
      table[c][v] = x;
    }
}

/* ---- tiles as they are ---- */

static void store_row(const vlm_tile_store *s, float *to, size_t plane, size_t step, const uint8_t *row,
                      size_t width) {
  for (size_t c = 0; c < 3; c++) {
    float *at = to + c * plane;
    const float *values = s->table[c];
    for (size_t x = 0; x < width; x++) at[x * step] = values[row[x * 3 + c]];
  }
}

static void store_rows(void *user, int64_t begin, int64_t end, int worker) {
  const vlm_tile_store *s = user;
  const bool nhwc = s->layout && s->layout->nhwc;
  size_t plane = s->width * s->height, step = nhwc ? 3 : 1;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    size_t n = (size_t)i / s->height, y = (size_t)i % s->height;
    const vlm_image *image = &s->from->images[n];
    if (y >= (size_t)image->height) continue;
    float *to = s->to + n * plane * 3 + y * s->width * step;
    store_row(s, to, nhwc ? 1 : plane, step, image->data + y * (size_t)image->width * 3,
              (size_t)image->width);
  }
}

static void set_shape(vlm_pixels *out, const vlm_tile_store *s, bool tiled, bool batch) {
  const int64_t w = (int64_t)s->width, h = (int64_t)s->height;
  const bool nhwc = s->layout && s->layout->nhwc;
  int64_t dims[5] = {1, s->from->count + s->from->blank, nhwc ? h : 3, nhwc ? w : h, nhwc ? 3 : w};
  const bool five = tiled && batch;
  out->values = vlm_tensor_make(VLM_F32, five ? 5 : 4, five ? dims : dims + 1, NULL);
}

/* ---- patches ---- */

static void store_patch(const vlm_tile_store *s, float *to, size_t left, size_t top) {
  const size_t p = (size_t)s->layout->patch, plane = p * p;
  const vlm_image *image = &s->from->images[0];
  for (size_t c = 0; c < 3; c++, to += (size_t)s->layout->frames * plane) {
    for (size_t y = 0; y < p; y++)
      for (size_t x = 0; x < p; x++)
        to[y * p + x] = s->table[c][image->data[((top + y) * s->width + left + x) * 3 + c]];
    for (int t = 1; t < s->layout->frames; t++) memcpy(to + (size_t)t * plane, to, plane * sizeof(float));
  }
}

/* Groups of merge x merge patches follow each other, row by row. */
static void store_patches(void *user, int64_t begin, int64_t end, int worker) {
  const vlm_tile_store *s = user;
  const int64_t merge = s->layout->merge, p = s->layout->patch, group = merge * merge;
  const int64_t across = (int64_t)s->width / (p * merge), values = 3 * s->layout->frames * p * p;
  (void)worker;
  for (int64_t n = begin; n < end; n++) {
    const int64_t g = n / group, in = n % group;
    const int64_t row = g / across * merge + in / merge, column = g % across * merge + in % merge;
    store_patch(s, s->to + n * values, (size_t)(column * p), (size_t)(row * p));
  }
}

static vlm_status set_patches(vlm_pixels *out, const vlm_tile_store *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_preprocess_op *l = s->layout;
  const int64_t p = l->patch, unit = p * l->merge, w = (int64_t)s->width, h = (int64_t)s->height;
  VLM_CHECK(s->from->count == 1 && w % unit == 0 && h % unit == 0, err, VLM_INPUT,
            "%lld x %lld pixels do not divide into patches of %lld; resize to multiples of %lld",
            (long long)w, (long long)h, (long long)p, (long long)unit);
  memcpy(out->grid, (int64_t[]){1, h / p, w / p}, sizeof out->grid);
  out->values = vlm_tensor_make(VLM_F32, 2, (int64_t[]){h / p * (w / p), 3 * l->frames * p * p}, NULL);
out:
  return st;
}

/* ---- the whole ---- */

static vlm_status make_mask(vlm_pixels *out, const vlm_tile_store *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t dims[4] = {1, s->from->count, (int64_t)s->height, (int64_t)s->width};
  out->mask = vlm_tensor_make(VLM_BOOL, 4, dims, NULL);
  uint8_t *at = NULL;
  VLM_TRY(vlm_new(&at, (size_t)vlm_tensor_count(&out->mask), err));
  out->mask.data = at;
  for (int i = 0; i < s->from->count; i++, at += s->width * s->height)
    for (int y = 0; y < s->from->images[i].height; y++)
      memset(at + (size_t)y * s->width, 1, (size_t)s->from->images[i].width);
out:
  return st;
}

/* Tiles of unequal sizes stand in the upper left of the largest. */
static void set_canvas(vlm_tile_store *s, const vlm_preprocess *ops) {
  const vlm_preprocess_op *extend = vlm_preprocess_find(ops, VLM_PREPROCESS_EXTEND);
  const size_t step = extend ? (size_t)extend->step : 1;
  for (int i = 0; i < s->from->count; i++) {
    const size_t w = (size_t)s->from->images[i].width, h = (size_t)s->from->images[i].height;
    if (w > s->width) s->width = w;
    if (h > s->height) s->height = h;
  }
  s->width = (s->width + step - 1) / step * step;
  s->height = (s->height + step - 1) / step * step;
}

vlm_status vlm_tiles_store(vlm_pixels *out, const vlm_preprocess *ops, const vlm_tiles *tiles,
                           vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_preprocess_op *tile = vlm_preprocess_find(ops, VLM_PREPROCESS_TILE);
  vlm_tile_store s = {.from = tiles, .layout = vlm_preprocess_find(ops, VLM_PREPROCESS_LAYOUT)};
  const bool patches = s.layout && s.layout->patch;
  set_canvas(&s, ops);
  if (patches) VLM_TRY(set_patches(out, &s, err));
  else set_shape(out, &s, tile != NULL, tile && vlm_tile_rules[tile->rule].batch);
  VLM_TRY(vlm_new(&s.to, (size_t)vlm_tensor_count(&out->values), err));
  out->values.data = s.to;
  vlm_preprocess_table(s.table, ops);
  if (patches) vlm_threads_range(threads, out->values.dims[0], 8, store_patches, &s);
  else vlm_threads_range(threads, (int64_t)tiles->count * (int64_t)s.height, 64, store_rows, &s);
  if (tiles->board.data) vlm_store_board(&s);
  if (tile && vlm_tile_rules[tile->rule].mask) VLM_TRY(make_mask(out, &s, err));
out:
  return st;
}
