#include "runtime/image/preprocess_size.h"

#include <math.h>

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

static double larger_of(double a, double b) { return a > b ? a : b; }

/* Python rounds halves to even. */
static void area(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  double width = (double)*w, height = (double)*h, step = op->step, pixels = width * height;
  double across = nearbyint(width / step) * step, down = nearbyint(height / step) * step;
  if (across * down > (double)op->most) {
    double part = sqrt(pixels / (double)op->most);
    across = larger_of(step, floor(width / part / step) * step);
    down = larger_of(step, floor(height / part / step) * step);
  } else if (across * down < (double)op->least) {
    double part = sqrt((double)op->least / pixels);
    across = ceil(width * part / step) * step;
    down = ceil(height * part / step) * step;
  }
  *w = (int64_t)across;
  *h = (int64_t)down;
}

static void steps(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  double most = (double)op->most, part = op->most ? larger_of((double)*h / most, (double)*w / most) : 0;
  if (part > 1) {
    *h = (int64_t)((double)*h / part);
    *w = (int64_t)((double)*w / part);
  }
  *w = least_one((*w + (op->most ? op->step - 1 : 0)) / op->step) * op->step;
  *h = least_one((*h + (op->most ? op->step - 1 : 0)) / op->step) * op->step;
}

static void between(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  double aspect = (double)*w / (double)*h;
  if (*w >= *h && *w > op->most) {
    *w = op->most;
    *h = (int64_t)((double)*w / aspect);
  } else if (*h > *w && *h > op->most) {
    *h = op->most;
    *w = (int64_t)((double)*h * aspect);
  }
  if (*h < op->least) *h = op->least;
  if (*w < op->least) *w = op->least;
}

static void fit(const vlm_preprocess_op *op, int64_t *w, int64_t *h) {
  static void (*const rules[VLM_FIT_COUNT])(const vlm_preprocess_op *, int64_t *, int64_t *) = {
      [VLM_FIT_STRETCH] = stretch, [VLM_FIT_COVER] = cover,
      [VLM_FIT_CONTAIN] = contain, [VLM_FIT_CONTAIN_EVEN] = contain_even,
      [VLM_FIT_SHRINK] = shrink,   [VLM_FIT_AREA] = area,
      [VLM_FIT_STEPS] = steps,     [VLM_FIT_BETWEEN] = between,
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

/* ---- grids of tiles ---- */

/* Of the grids of `least` to `most` tiles, in the order of their count, the one whose shape is nearest; of equally near ones the larger
 * where the image has pixels for half of it. */
vlm_tile_grid vlm_preprocess_ratio_grid(const vlm_preprocess_op *op, int64_t width, int64_t height) {
  vlm_tile_grid best = {1, 1};
  double aspect = (double)width / (double)height, nearest = INFINITY, area = (double)width * (double)height;
  for (int64_t count = op->least; count <= op->most; count++)
    for (int64_t w = 1; w <= count; w++) {
      if (count % w) continue;
      double off = fabs(aspect - (double)w / (double)(count / w));
      bool fills = area > 0.5 * op->height * op->width * (double)count;
      if (off < nearest || (off == nearest && fills)) best = (vlm_tile_grid){w, count / w};
      if (off < nearest) nearest = off;
    }
  return best;
}

static int64_t clamp(int64_t v, int64_t least, int64_t most) {
  if (v < least) v = least;
  return v > most ? most : v;
}

vlm_tile_grid vlm_preprocess_strips(const vlm_preprocess_op *op, int64_t width, int64_t height) {
  const vlm_tile_grid none = {0, 0};
  int64_t longer = width > height ? width : height, shorter = width > height ? height : width;
  double ratio = (double)longer / (double)shorter;
  if (ratio < op->ratio) return none;
  int64_t count = clamp(smaller(longer / op->least, (int64_t)floor(ratio + 0.5)), 2, op->most);
  int64_t part = (longer + count - 1) / count;
  if (smaller(part, shorter) < op->least) return none;
  return width >= height ? (vlm_tile_grid){count, 1} : (vlm_tile_grid){1, count};
}

int vlm_preprocess_best_size(const vlm_preprocess_op *op, int64_t width, int64_t height) {
  int best = 0;
  int64_t most = 0, wasted = INT64_MAX;
  for (int i = 0; i < op->n_grid; i++) {
    double down = (double)op->grid[i][0] / (double)height, across = (double)op->grid[i][1] / (double)width;
    double scale = down < across ? down : across;
    int64_t used = (int64_t)((double)width * scale) * (int64_t)((double)height * scale);
    used = smaller(used, width * height);
    int64_t waste = (int64_t)op->grid[i][0] * op->grid[i][1] - used;
    if (used < most || (used == most && waste >= wasted)) continue;
    best = i;
    most = used;
    wasted = waste;
  }
  return best;
}

/* ---- sizes that are known beforehand ---- */

static bool states_size(const vlm_preprocess_op *op) {
  switch (op->kind) {
    case VLM_PREPROCESS_RESIZE: return op->fit == VLM_FIT_STRETCH;
    case VLM_PREPROCESS_CENTER_CROP: return true;
    case VLM_PREPROCESS_PAD: return op->width > 0;
    case VLM_PREPROCESS_TILE: return op->size > 0 || op->rule == VLM_TILE_RATIO;
    default: return false;
  }
}

bool vlm_preprocess_fixed_size(const vlm_preprocess *ops, int *width, int *height) {
  bool known = false;
  int64_t w = 1, h = 1;
  for (int i = 0; i < ops->count; i++) {
    const vlm_preprocess_op *op = &ops->ops[i];
    if (op->kind == VLM_PREPROCESS_TILE && op->size) w = h = op->size;
    else if (op->kind == VLM_PREPROCESS_TILE && op->rule == VLM_TILE_RATIO) stretch(op, &w, &h);
    else if (states_size(op) || known) vlm_preprocess_op_size(op, &w, &h);
    known = op->kind == VLM_PREPROCESS_TILE ? states_size(op) : known || states_size(op);
    if (op->kind == VLM_PREPROCESS_LAYOUT && op->patch) known = known && w % op->patch == 0;
  }
  *width = (int)w;
  *height = (int)h;
  return known;
}
