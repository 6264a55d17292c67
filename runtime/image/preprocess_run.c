#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/image/preprocess_size.h"

#define MAX_TILES 256
#define QUARTER_TURN 6 /* clockwise */
#define MAX_BETWEEN \
  ((int64_t)1 << 28) /* of an intermediate image: a cover resize of a very long strip would explode */

static const uint8_t black[3] = {0, 0, 0};

/* ---- stage 0: one image to one image ---- */

/* floor(v / 2), also of negative numbers: the larger half of a surplus lies right and below, of a deficit left and above. */
static int64_t half_down(int64_t v) { return v >> 1; }

static vlm_status center_crop(vlm_image *out, const vlm_image *in, const vlm_preprocess_op *op,
                              vlm_error *err) {
  int64_t left = half_down(in->width - op->width), top = half_down(in->height - op->height);
  return vlm_image_window(out, in, &(vlm_image_rect){left, top, op->width, op->height}, black, err);
}

static vlm_status pad(vlm_image *out, const vlm_image *in, const vlm_preprocess_op *op, vlm_error *err) {
  int64_t w = in->width, h = in->height;
  vlm_preprocess_op_size(op, &w, &h);
  if (w < in->width || h < in->height)
    return vlm_fail(err, VLM_INPUT,
                    "pad to %lld x %lld: the image of %d x %d pixels is larger; resize it before",
                    (long long)w, (long long)h, in->width, in->height);
  int64_t left = op->top_left ? 0 : half_down(w - in->width),
          top = op->top_left ? 0 : half_down(h - in->height);
  return vlm_image_window(out, in, &(vlm_image_rect){-left, -top, w, h}, op->color, err);
}

static vlm_status resize(vlm_image *out, const vlm_image *in, const vlm_preprocess_op *op,
                         vlm_threads *threads, vlm_error *err) {
  int64_t w = in->width, h = in->height;
  vlm_preprocess_op_size(op, &w, &h);
  if (w > MAX_BETWEEN / h)
    return vlm_fail(err, VLM_LIMIT,
                    "an image of %d x %d pixels would be resized to %lld x %lld: its sides are too unequal "
                    "for this model",
                    in->width, in->height, (long long)w, (long long)h);
  return vlm_image_resize(out, in, &(vlm_image_size){w, h, op->filter, op->fit == VLM_FIT_SHRINK ? 2.0 : 0},
                          threads, err);
}

static vlm_status align(vlm_image *out, const vlm_image *in, const vlm_preprocess_op *op, vlm_error *err) {
  return vlm_preprocess_turns(op, in->width, in->height) ? vlm_image_orient(out, in, QUARTER_TURN, err)
                                                         : vlm_image_copy(out, in, err);
}

/* Replaces *image by the result. */
static vlm_status apply(vlm_image *image, const vlm_preprocess_op *op, vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_image next = {0};
  switch (op->kind) {
    case VLM_PREPROCESS_ALIGN_LONG_AXIS: VLM_TRY(align(&next, image, op, err)); break;
    case VLM_PREPROCESS_RESIZE: VLM_TRY(resize(&next, image, op, threads, err)); break;
    case VLM_PREPROCESS_CENTER_CROP: VLM_TRY(center_crop(&next, image, op, err)); break;
    case VLM_PREPROCESS_PAD: VLM_TRY(pad(&next, image, op, err)); break;
    default: return VLM_OK;
  }
  vlm_image_free(image);
  *image = next;
out:
  return st;
}

/* ---- stage 1: one image to tiles ---- */

typedef struct tiles {
  vlm_image images[MAX_TILES + 1];
  int count, rows, columns;
} tiles;

static vlm_status add_whole(tiles *t, const vlm_image *image, const vlm_preprocess_op *op,
                            vlm_threads *threads, vlm_error *err) {
  vlm_status st = vlm_image_resize(&t->images[t->count], image,
                                   &(vlm_image_size){op->width, op->width, op->filter, 0}, threads, err);
  if (st == VLM_OK) t->count++;
  return st;
}

static vlm_status cut(tiles *t, const vlm_image *image, const vlm_preprocess_op *op, vlm_threads *threads,
                      vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_image large = {0};
  int64_t w = image->width, h = image->height, size = op->width;
  vlm_preprocess_tile_size(size, &w, &h);
  VLM_CHECK((w / size) * (h / size) <= MAX_TILES, err, VLM_LIMIT,
            "an image of %d x %d pixels makes %lld x %lld tiles of %lld, at most %d are allowed",
            image->width, image->height, (long long)(w / size), (long long)(h / size), (long long)size,
            MAX_TILES);
  VLM_TRY(vlm_image_resize(&large, image, &(vlm_image_size){w, h, op->filter, 0}, threads, err));
  if (w == size && h == size) {
    t->images[t->count++] = large;
    return VLM_OK;
  }
  t->columns = (int)(w / size);
  t->rows = (int)(h / size);
  for (int i = 0; i < t->rows * t->columns; i++) {
    const vlm_image_rect part = {i % t->columns * size, i / t->columns * size, size, size};
    VLM_TRY(vlm_image_window(&t->images[t->count], &large, &part, black, err));
    t->count++;
  }
  VLM_TRY(add_whole(t, &large, op, threads, err));
out:
  vlm_image_free(&large);
  return st;
}

/* ---- stages 2 and 3: pixels to floats ---- */

static void fill_table(float table[3][256], const vlm_preprocess *ops) {
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

typedef struct pixel_store {
  const tiles *from;
  float *to;
  float table[3][256];
  bool nhwc;
} pixel_store;

static void store_row(float *to, size_t plane, size_t step, const uint8_t *row, size_t width,
                      const float table[3][256]) {
  for (size_t c = 0; c < 3; c++) {
    float *at = to + c * plane;
    const float *values = table[c];
    for (size_t x = 0; x < width; x++) at[x * step] = values[row[x * 3 + c]];
  }
}

static void store_rows(void *user, int64_t begin, int64_t end, int worker) {
  const pixel_store *s = user;
  size_t width = (size_t)s->from->images[0].width, height = (size_t)s->from->images[0].height,
         plane = width * height;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    size_t image = (size_t)i / height, y = (size_t)i % height, step = s->nhwc ? 3 : 1;
    const uint8_t *row = s->from->images[image].data + y * width * 3;
    float *to = s->to + image * plane * 3 + y * width * step;
    store_row(to, s->nhwc ? 1 : plane, step, row, width, s->table);
  }
}

static const vlm_preprocess_op *find_op(const vlm_preprocess *ops, vlm_preprocess_kind kind) {
  for (int i = 0; i < ops->count; i++)
    if (ops->ops[i].kind == kind) return &ops->ops[i];
  return NULL;
}

bool vlm_preprocess_on_white(const vlm_preprocess *ops) {
  return find_op(ops, VLM_PREPROCESS_FLATTEN) != NULL;
}

static vlm_tensor values_shape(const tiles *t, bool tiled, bool nhwc) {
  int64_t w = t->images[0].width, h = t->images[0].height;
  int64_t dims[5] = {1, t->count, nhwc ? h : 3, nhwc ? w : h, nhwc ? 3 : w};
  if (!tiled) memmove(dims + 1, dims + 2, 3 * sizeof dims[0]);
  return vlm_tensor_make(VLM_F32, tiled ? 5 : 4, dims, NULL);
}

static vlm_status make_values(vlm_pixels *out, const vlm_preprocess *ops, const tiles *t, bool tiled,
                              vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_preprocess_op *layout = find_op(ops, VLM_PREPROCESS_LAYOUT);
  pixel_store s = {.from = t, .nhwc = layout && layout->nhwc};
  out->values = values_shape(t, tiled, s.nhwc);
  VLM_TRY(vlm_alloc(&out->values.data, (size_t)vlm_tensor_count(&out->values), sizeof(float), err));
  s.to = out->values.data;
  fill_table(s.table, ops);
  vlm_threads_range(threads, (int64_t)t->count * t->images[0].height, 64, store_rows, &s);
out:
  return st;
}

static vlm_status make_mask(vlm_pixels *out, const tiles *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t dims[4] = {1, t->count, t->images[0].height, t->images[0].width};
  vlm_tensor mask = vlm_tensor_make(VLM_BOOL, 4, dims, NULL);
  VLM_TRY(vlm_alloc(&mask.data, (size_t)vlm_tensor_count(&mask), 1, err));
  memset(mask.data, 1, (size_t)vlm_tensor_count(&mask));
  out->mask = mask;
out:
  return st;
}

vlm_status vlm_preprocess_run(vlm_pixels *out, const vlm_preprocess *ops, const vlm_image *image,
                              vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_image current = {0};
  tiles *t = NULL;
  const vlm_preprocess_op *tile = find_op(ops, VLM_PREPROCESS_TILE);
  *out = (vlm_pixels){0};
  VLM_CHECK(image->width > 0 && image->height > 0, err, VLM_INPUT, "the image to preprocess is empty");
  VLM_TRY(vlm_preprocess_check(ops, err));
  VLM_TRY(vlm_new(&t, 1, err));
  VLM_TRY(vlm_image_copy(&current, image, err));
  for (int i = 0; i < ops->count; i++) VLM_TRY(apply(&current, &ops->ops[i], threads, err));
  if (tile) {
    VLM_TRY(tile->split ? cut(t, &current, tile, threads, err) : add_whole(t, &current, tile, threads, err));
    VLM_TRY(make_mask(out, t, err));
  } else {
    t->images[t->count++] = current;
    current = (vlm_image){0};
  }
  out->rows = t->rows;
  out->columns = t->columns;
  VLM_TRY(make_values(out, ops, t, tile != NULL, threads, err));
out:
  for (int i = 0; t && i < t->count; i++) vlm_image_free(&t->images[i]);
  vlm_free(t);
  vlm_image_free(&current);
  if (st != VLM_OK) vlm_pixels_free(out);
  return st;
}

void vlm_pixels_free(vlm_pixels *pixels) {
  vlm_free(pixels->values.data);
  vlm_free(pixels->mask.data);
  *pixels = (vlm_pixels){0};
}
