#include "runtime/base/memory.h"
#include "runtime/image/preprocess_tiles.h"

#define QUARTER_TURN 6 /* clockwise */
#define MAX_BETWEEN \
  ((int64_t)1 << 28) /* of an intermediate image: a cover resize of a very long strip would explode */

#define MOST_UNEQUAL 200 /* sides of an image that keeps its area, as Qwen2-VL has it */

static const uint8_t black[3] = {0, 0, 0};

/* ---- one image to one image ---- */

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
  bool thin = op->fit == VLM_FIT_AREA && (in->width > MOST_UNEQUAL * (int64_t)in->height ||
                                          in->height > MOST_UNEQUAL * (int64_t)in->width);
  if (thin || w > MAX_BETWEEN / h)
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

static vlm_status flip_channels(vlm_image *out, const vlm_image *in, vlm_error *err) {
  vlm_status st = vlm_image_copy(out, in, err);
  const size_t bytes = (size_t)in->width * (size_t)in->height * 3;
  for (size_t i = 0; st == VLM_OK && i < bytes; i += 3) {
    out->data[i] = in->data[i + 2];
    out->data[i + 2] = in->data[i];
  }
  return st;
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
    case VLM_PREPROCESS_FLIP_CHANNELS: VLM_TRY(flip_channels(&next, image, err)); break;
    default: return VLM_OK;
  }
  vlm_image_free(image);
  *image = next;
out:
  return st;
}

/* ---- the list ---- */

const vlm_preprocess_op *vlm_preprocess_find(const vlm_preprocess *ops, vlm_preprocess_kind kind) {
  for (int i = 0; i < ops->count; i++)
    if (ops->ops[i].kind == kind) return &ops->ops[i];
  return NULL;
}

bool vlm_preprocess_on_white(const vlm_preprocess *ops) {
  return vlm_preprocess_find(ops, VLM_PREPROCESS_FLATTEN) != NULL;
}

/* The one image of the list becomes several. */
static vlm_status cut(vlm_tiles *t, const vlm_preprocess_op *op, vlm_threads *threads, vlm_error *err) {
  vlm_image whole = t->images[0];
  t->count = 0;
  const vlm_status st = vlm_tiles_cut(t, &whole, op, threads, err);
  vlm_image_free(&whole);
  return st;
}

static vlm_status make_tiles(vlm_tiles *t, const vlm_preprocess *ops, vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int i = 0; i < ops->count; i++) {
    if (ops->ops[i].kind == VLM_PREPROCESS_TILE) VLM_TRY(cut(t, &ops->ops[i], threads, err));
    for (int n = 0; n < t->count; n++) VLM_TRY(apply(&t->images[n], &ops->ops[i], threads, err));
  }
out:
  return st;
}

static void set_sizes(vlm_pixels *out, const vlm_preprocess *ops, const vlm_tiles *t,
                      const vlm_image *image) {
  const vlm_preprocess_op *tile = vlm_preprocess_find(ops, VLM_PREPROCESS_TILE);
  const vlm_image *sized = tile && tile->rule == VLM_TILE_GRID ? image
                           : t->board.data                     ? &t->board
                                                               : &t->images[0];
  out->rows = t->rows;
  out->columns = t->columns;
  out->size[0] = sized->height;
  out->size[1] = sized->width;
}

vlm_status vlm_preprocess_run(vlm_pixels *out, const vlm_preprocess *ops, const vlm_image *image,
                              vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tiles *t = NULL;
  *out = (vlm_pixels){0};
  VLM_CHECK(image->width > 0 && image->height > 0, err, VLM_INPUT, "the image to preprocess is empty");
  VLM_TRY(vlm_preprocess_check(ops, err));
  VLM_TRY(vlm_new(&t, 1, err));
  VLM_TRY(vlm_image_copy(&t->images[0], image, err));
  t->count = 1;
  VLM_TRY(make_tiles(t, ops, threads, err));
  set_sizes(out, ops, t, image);
  VLM_TRY(vlm_tiles_store(out, ops, t, threads, err));
out:
  if (t) vlm_tiles_clear(t);
  vlm_free(t);
  if (st != VLM_OK) vlm_pixels_free(out);
  return st;
}

void vlm_pixels_free(vlm_pixels *pixels) {
  vlm_free(pixels->values.data);
  vlm_free(pixels->mask.data);
  *pixels = (vlm_pixels){0};
}
