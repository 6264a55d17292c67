#include "runtime/image/yuv.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/image/preprocess_store.h"
#include "runtime/image/yuv_private.h"

/* ---- frames ---- */

static vlm_status check_plane(const vlm_yuv *f, int k, vlm_error *err) {
  static const char NAMES[] = "YUV";
  vlm_status st = VLM_OK;
  const vlm_yuv_plane *p = &f->planes[k];
  const int64_t w = k ? (f->width + 1) / 2 : f->width, h = k ? (f->height + 1) / 2 : f->height;
  VLM_CHECK(p->data, err, VLM_USAGE, "plane %c: data is NULL", NAMES[k]);
  VLM_CHECK(p->pixel > 0 && p->pixel <= INT32_MAX && p->row > 0 && p->row <= INT32_MAX, err, VLM_USAGE,
            "plane %c: strides of %lld and %lld bytes, wanted 1 to %d", NAMES[k], (long long)p->row,
            (long long)p->pixel, INT32_MAX);
  const int64_t row = (w - 1) * p->pixel + 1, wanted = (h - 1) * p->row + row;
  VLM_CHECK(h == 1 || p->row >= row, err, VLM_USAGE,
            "plane %c: rows of %lld bytes do not fit a stride of %lld", NAMES[k], (long long)row,
            (long long)p->row);
  VLM_CHECK(p->bytes >= (uint64_t)wanted, err, VLM_USAGE,
            "plane %c: %zu bytes, %lld rows with this stride have %lld", NAMES[k], p->bytes, (long long)h,
            (long long)wanted);
out:
  return st;
}

vlm_status vlm_yuv_check(const vlm_yuv *f, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_image_rect *c = &f->crop;
  VLM_CHECK(f->width > 0 && f->height > 0, err, VLM_USAGE, "frame: %d x %d pixels, wanted at least 1 x 1",
            f->width, f->height);
  for (int k = 0; k < 3; k++) VLM_TRY(check_plane(f, k, err));
  VLM_CHECK(c->left >= 0 && c->top >= 0 && c->width > 0 && c->height > 0 && c->left <= f->width - c->width &&
                c->top <= f->height - c->height,
            err, VLM_USAGE, "frame: the crop of %lld x %lld at %lld, %lld is not within %d x %d",
            (long long)c->width, (long long)c->height, (long long)c->left, (long long)c->top, f->width,
            f->height);
out:
  return st;
}

/* ---- where pixels go ---- */

/* Strides in an upright image of width x height. */
typedef struct {
  ptrdiff_t pixel, row, width, height;
} upright;

static void aim(vlm_yuv_target *to, const vlm_yuv *f, const upright *u) {
  const ptrdiff_t pixel = f->mirror ? -u->pixel : u->pixel, right = (u->width - 1) * u->pixel,
                  below = (u->height - 1) * u->row;
  const ptrdiff_t left = f->mirror ? right : 0, end = f->mirror ? 0 : right;
  switch (f->turns) {
    case 1: to->at = end, to->across = u->row, to->down = -pixel; break;
    case 2: to->at = end + below, to->across = -pixel, to->down = -u->row; break;
    case 3: to->at = left + below, to->across = -u->row, to->down = pixel; break;
    default: to->at = left, to->across = pixel, to->down = u->row; break;
  }
}

static vlm_status sample(vlm_yuv_target *to, const vlm_yuv *f, const upright *u, vlm_resize_filter filter,
                         vlm_threads *threads, vlm_error *err) {
  const bool lies = f->turns % 2;
  const vlm_image_size size = {
      .width = lies ? u->height : u->width, .height = lies ? u->width : u->height, .filter = filter};
  aim(to, f, u);
  return vlm_yuv_sample(to, f, &size, threads, err);
}

/* ---- through an image of the size that the list begins with ---- */

static vlm_status make_image(vlm_image *out, const vlm_yuv *f, const vlm_image_size *size,
                             vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_image_create(out, size->width, size->height, err));
  vlm_yuv_target to = {.bytes = out->data, .channel = 1};
  const upright u = {3, 3 * (ptrdiff_t)size->width, (ptrdiff_t)size->width, (ptrdiff_t)size->height};
  VLM_TRY(sample(&to, f, &u, size->filter, threads, err));
out:
  return st;
}

/* The list's beginning, done by the sampler: how many operations, and the size that they give. */
typedef struct {
  int count;
  vlm_image_size size;
} begun;

static vlm_status run_rest(vlm_pixels *out, const vlm_preprocess *ops, const begun *b, const vlm_yuv *f,
                           vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_image image = {0};
  vlm_preprocess *rest = NULL;
  VLM_TRY(vlm_new(&rest, 1, err));
  rest->count = ops->count - b->count;
  memcpy(rest->ops, ops->ops + b->count, (size_t)rest->count * sizeof *rest->ops);
  VLM_TRY(make_image(&image, f, &b->size, threads, err));
  VLM_TRY(vlm_preprocess_run(out, rest, &image, threads, err));
out:
  vlm_free(rest);
  vlm_image_free(&image);
  return st;
}

/* ---- straight into the values ---- */

/* Nothing but arithmetic is left. */
static bool only_stores(const vlm_preprocess *ops, int done) {
  bool only = true;
  for (int i = done; i < ops->count; i++) {
    const vlm_preprocess_op *op = &ops->ops[i];
    only &= op->kind == VLM_PREPROCESS_SCALE || op->kind == VLM_PREPROCESS_NORMALIZE ||
            (op->kind == VLM_PREPROCESS_LAYOUT && !op->patch);
  }
  return only;
}

static vlm_status store(vlm_pixels *out, const vlm_preprocess *ops, const vlm_yuv *f,
                        const vlm_image_size *size, vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_preprocess_op *layout = vlm_preprocess_find(ops, VLM_PREPROCESS_LAYOUT);
  const bool nhwc = layout && layout->nhwc;
  const int64_t w = size->width, h = size->height;
  const upright u = {nhwc ? 3 : 1, (nhwc ? 3 : 1) * (ptrdiff_t)w, (ptrdiff_t)w, (ptrdiff_t)h};
  vlm_yuv_target to = {.channel = nhwc ? 1 : (ptrdiff_t)(w * h)};
  *out = (vlm_pixels){.size = {h, w}};
  out->values = vlm_tensor_make(VLM_F32, 4, (int64_t[]){1, nhwc ? h : 3, nhwc ? w : h, nhwc ? 3 : w}, NULL);
  VLM_TRY(vlm_new(&to.values, (size_t)vlm_tensor_count(&out->values), err));
  out->values.data = to.values;
  vlm_preprocess_table(to.table, ops);
  VLM_TRY(sample(&to, f, &u, size->filter, threads, err));
out:
  if (st != VLM_OK) vlm_pixels_free(out);
  return st;
}

/* The first operations that the sampler does itself: a resize that is no thumbnail, and what does not matter here. */
static void take_resize(begun *b, const vlm_preprocess *ops) {
  int done = 0;
  while (done < ops->count && ops->ops[done].kind == VLM_PREPROCESS_FLATTEN) done++;
  const vlm_preprocess_op *op = &ops->ops[done];
  int64_t w = b->size.width, h = b->size.height;
  if (done == ops->count || op->kind != VLM_PREPROCESS_RESIZE || op->fit == VLM_FIT_SHRINK ||
      op->filter == VLM_FILTER_NEAREST)
    return;
  vlm_preprocess_op_size(op, &w, &h);
  if (w > VLM_PREPROCESS_MAX_SIDE || h > VLM_PREPROCESS_MAX_SIDE) return; /* told by vlm_preprocess_run */
  *b = (begun){done + 1, {.width = w, .height = h, .filter = op->filter}};
}

vlm_status vlm_yuv_run(vlm_pixels *out, const vlm_preprocess *ops, const vlm_yuv *frame, vlm_threads *threads,
                       vlm_error *err) {
  vlm_status st = VLM_OK;
  const bool lies = frame->turns % 2;
  begun b = {.size = {.width = lies ? frame->crop.height : frame->crop.width,
                      .height = lies ? frame->crop.width : frame->crop.height,
                      .filter = VLM_FILTER_BOX}};
  *out = (vlm_pixels){0};
  VLM_TRY(vlm_yuv_check(frame, err));
  VLM_TRY(vlm_preprocess_check(ops, err));
  take_resize(&b, ops);
  if (b.count && only_stores(ops, b.count)) VLM_TRY(store(out, ops, frame, &b.size, threads, err));
  else VLM_TRY(run_rest(out, ops, &b, frame, threads, err));
out:
  return st;
}
