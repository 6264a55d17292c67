#include "runtime/image/preprocess_size.h"

static int64_t least_one(int64_t v) { return v < 1 ? 1 : v; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static void stretch(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  *w = op->width;
  *h = op->height;
}

static void cover(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  int64_t in_w = *w, in_h = *h;
  bool narrow = in_w * op->height <= in_h * op->width;
  *w = narrow ? op->width : in_w * op->height / in_h;
  *h = narrow ? in_h * op->width / in_w : op->height;
}

static void contain(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  int64_t in_w = *w, in_h = *h;
  bool wide = in_w * op->height >= in_h * op->width;
  *w = wide ? op->width : least_one(in_w * op->height / in_h);
  *h = wide ? least_one(in_h * op->width / in_w) : op->height;
}

/* In double, because the rounding of the aspect ratio decides about pixels. */
static void contain_even(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  double aspect = (double)*w / (double)*h;
  if (*w >= *h) {
    *w = op->width;
    *h = (int64_t)((double)op->width / aspect);
    *h = least_one(*h + *h % 2);
  } else {
    *h = op->width;
    *w = (int64_t)((double)op->width * aspect);
    *w = least_one(*w + *w % 2);
  }
}

static void shrink(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  int64_t in_w = *w, in_h = *h;
  *w = smaller(in_w, op->width);
  *h = smaller(in_h, op->height);
  if (*w == in_w && *h == in_h) return;
  if (in_h > in_w) *w = least_one(in_w * *h / in_h);
  if (in_w > in_h) *h = least_one(in_h * *w / in_w);
}

static void fit(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  static void (*const rules[VLM_FIT_COUNT])(const vlm_preprocess_op *, int64_t *, int64_t *) = {
      [VLM_FIT_STRETCH] = stretch,           [VLM_FIT_COVER] = cover,   [VLM_FIT_CONTAIN] = contain,
      [VLM_FIT_CONTAIN_EVEN] = contain_even, [VLM_FIT_SHRINK] = shrink,
  };
  rules[op->fit](op, w, h);
}

bool vlm_preprocess_turns(const vlm_preprocess_op *op, int64_t width, int64_t height) {
  return (op->width < op->height && width > height) || (op->width > op->height && width < height);
}

void vlm_preprocess_op_size(const vlm_preprocess_op *op, int64_t *width, int64_t *height) {
  int64_t w = *width, h = *height, longer = w > h ? w : h;
  switch (op->kind) {
    case VLM_PREPROCESS_RESIZE: fit(op, width, height); break;
    case VLM_PREPROCESS_CENTER_CROP: stretch(op, width, height); break;
    case VLM_PREPROCESS_PAD:
      *width = op->width ? op->width : longer;
      *height = op->width ? op->height : longer;
      break;
    case VLM_PREPROCESS_ALIGN_LONG_AXIS:
      if (vlm_preprocess_turns(op, w, h)) {
        *width = h;
        *height = w;
      }
      break;
    default: break;
  }
}

static int64_t round_up(int64_t v, int64_t size) { return least_one((v + size - 1) / size) * size; }

void vlm_preprocess_tile_size(int64_t size, int64_t *width, int64_t *height) {
  double aspect = (double)*width / (double)*height;
  if (*width >= *height) {
    *width = round_up(*width, size);
    *height = round_up((int64_t)((double)*width / aspect), size);
  } else {
    *height = round_up(*height, size);
    *width = round_up((int64_t)((double)*height * aspect), size);
  }
}

bool vlm_preprocess_fixed_size(const vlm_preprocess *ops, int *width, int *height) {
  bool known = false;
  int64_t w = 1, h = 1;
  for (int i = 0; i < ops->count; i++) {
    const vlm_preprocess_op *op = &ops->ops[i];
    bool states = (op->kind == VLM_PREPROCESS_RESIZE && op->fit == VLM_FIT_STRETCH) ||
                  op->kind == VLM_PREPROCESS_CENTER_CROP || (op->kind == VLM_PREPROCESS_PAD && op->width) ||
                  op->kind == VLM_PREPROCESS_TILE;
    if (op->kind == VLM_PREPROCESS_TILE) stretch(op, &w, &h);
    else if (states || known) vlm_preprocess_op_size(op, &w, &h);
    known = known || states;
  }
  *width = (int)w;
  *height = (int)h;
  return known;
}
