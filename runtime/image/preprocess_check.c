#include <math.h>

#include "runtime/image/preprocess_size.h"

static const struct {
  const char *name;
  int stage;
} kinds[VLM_PREPROCESS_KIND_COUNT] = {
#define X(name, text, stage) {text, stage},
#include "runtime/image/preprocess_ops.def"
#undef X
};

const char *const vlm_fit_names[VLM_FIT_COUNT] = {
#define X(name, text) text,
#include "runtime/image/preprocess_fits.def"
#undef X
};

const struct vlm_tile_rule_info vlm_tile_rules[VLM_TILE_COUNT] = {
#define X(name, text, batch, mask) {text, batch, mask},
#include "runtime/image/preprocess_tiles.def"
#undef X
};

const char *vlm_preprocess_name(vlm_preprocess_kind kind) {
  return kind < VLM_PREPROCESS_KIND_COUNT ? kinds[kind].name : "?";
}

int vlm_preprocess_stage(vlm_preprocess_kind kind) { return kinds[kind].stage; }

static vlm_status check_size(const vlm_preprocess_op *op, vlm_error *err) {
  bool square = op->kind == VLM_PREPROCESS_PAD && op->width == 0 && op->height == 0;
  bool fine = op->width >= 1 && op->height >= 1 && op->width <= VLM_PREPROCESS_MAX_SIDE &&
              op->height <= VLM_PREPROCESS_MAX_SIDE;
  if (fine || square) return VLM_OK;
  return vlm_fail(err, VLM_INPUT, "preprocessing \"%s\": %d x %d pixels; each side must be 1 to %d",
                  kinds[op->kind].name, op->width, op->height, VLM_PREPROCESS_MAX_SIDE);
}

static bool is_side(int64_t v) { return v >= 1 && v <= VLM_PREPROCESS_MAX_SIDE; }

/* What a fit or a rule reads besides width and height. */
static bool range_is_fine(const vlm_preprocess_op *op, int64_t most) {
  return op->least >= 1 && op->most >= op->least && op->most <= most;
}

static vlm_status check_fit(const vlm_preprocess_op *op, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool fine = true;
  switch (op->fit) {
    case VLM_FIT_AREA: fine = is_side(op->step) && range_is_fine(op, INT32_MAX); break;
    case VLM_FIT_STEPS: fine = is_side(op->step) && (!op->most || is_side(op->most)); break;
    case VLM_FIT_BETWEEN: fine = range_is_fine(op, VLM_PREPROCESS_MAX_SIDE); break;
    default: VLM_TRY(check_size(op, err));
  }
  VLM_CHECK(fine, err, VLM_INPUT,
            "preprocessing \"resize\": fit \"%s\" with step %d, least %lld and most %lld",
            vlm_fit_names[op->fit], op->step, (long long)op->least, (long long)op->most);
out:
  return st;
}

static bool grid_is_fine(const vlm_preprocess_op *op) {
  bool fine = is_side(op->size) && op->n_grid >= 1 && op->n_grid <= VLM_PREPROCESS_MAX_GRID;
  for (int i = 0; fine && i < op->n_grid; i++) fine = is_side(op->grid[i][0]) && is_side(op->grid[i][1]);
  return fine;
}

static vlm_status check_tile(const vlm_preprocess_op *op, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool fine = true;
  switch (op->rule) {
    case VLM_TILE_MULTIPLES: fine = is_side(op->size); break;
    case VLM_TILE_GRID: fine = grid_is_fine(op) && is_side(op->width) && is_side(op->height); break;
    case VLM_TILE_RATIO: fine = range_is_fine(op, 128) && is_side(op->width) && is_side(op->height); break;
    case VLM_TILE_STRIPS:
      fine = is_side(op->least) && op->most >= 1 && op->most <= 128 && isfinite(op->ratio);
      break;
    case VLM_TILE_BOARD: fine = is_side(op->size) && op->most >= 1 && op->most <= 128; break;
    default: break;
  }
  VLM_CHECK(fine, err, VLM_INPUT,
            "preprocessing \"tile\", rule \"%s\": a size or count is missing or out of range; sides are 1 to "
            "%d, tiles "
            "at most 128",
            vlm_tile_rules[op->rule].name, VLM_PREPROCESS_MAX_SIDE);
out:
  return st;
}

static vlm_status check_layout(const vlm_preprocess_op *op, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(!op->patch || (op->patch > 0 && op->patch <= 256 && op->merge > 0 && op->merge <= 16 &&
                           op->frames > 0 && op->frames <= 16),
            err, VLM_INPUT,
            "preprocessing \"layout\": patch %d, merge %d, frames %d; at most 256, 16 and 16 are handled",
            op->patch, op->merge, op->frames);
out:
  return st;
}

static vlm_status check_numbers(const vlm_preprocess_op *op, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (op->kind == VLM_PREPROCESS_SCALE)
    VLM_CHECK(isfinite(op->by) && op->by != 0.0, err, VLM_INPUT,
              "preprocessing \"scale\": by is %g, a finite number other than 0 is wanted", op->by);
  for (int c = 0; c < 3 && op->kind == VLM_PREPROCESS_NORMALIZE; c++)
    VLM_CHECK(isfinite(op->mean[c]) && isfinite(op->std[c]) && (float)op->std[c] != 0.0f, err, VLM_INPUT,
              "preprocessing \"normalize\": mean %g and std %g of channel %d; finite numbers and std other "
              "than 0 are wanted",
              op->mean[c], op->std[c], c);
out:
  return st;
}

static vlm_status check_sizes(const vlm_preprocess_op *op, vlm_error *err) {
  switch (op->kind) {
    case VLM_PREPROCESS_RESIZE: return check_fit(op, err);
    case VLM_PREPROCESS_TILE: return check_tile(op, err);
    case VLM_PREPROCESS_LAYOUT: return check_layout(op, err);
    case VLM_PREPROCESS_ALIGN_LONG_AXIS:
    case VLM_PREPROCESS_CENTER_CROP:
    case VLM_PREPROCESS_PAD: return check_size(op, err);
    default: return VLM_OK;
  }
}

static vlm_status check_op(const vlm_preprocess_op *op, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK((unsigned)op->kind < VLM_PREPROCESS_KIND_COUNT, err, VLM_INPUT,
            "preprocessing operation %d does not exist", (int)op->kind);
  VLM_CHECK((unsigned)op->filter < VLM_FILTER_COUNT && (unsigned)op->fit < VLM_FIT_COUNT &&
                (unsigned)op->rule < VLM_TILE_COUNT,
            err, VLM_INPUT, "preprocessing \"%s\": filter, fit or rule does not exist", kinds[op->kind].name);
  VLM_TRY(check_sizes(op, err));
  VLM_TRY(check_numbers(op, err));
  VLM_CHECK(op->kind != VLM_PREPROCESS_EXTEND || is_side(op->step), err, VLM_INPUT,
            "preprocessing \"extend\": step is %d, 1 to %d are wanted", op->step, VLM_PREPROCESS_MAX_SIDE);
  VLM_CHECK(op->kind != VLM_PREPROCESS_RESIZE || op->fit != VLM_FIT_CONTAIN_EVEN || op->width == op->height,
            err, VLM_INPUT,
            "preprocessing \"resize\": fit \"contain_even\" wants width and height to be equal, got %d x %d",
            op->width, op->height);
out:
  return st;
}

vlm_status vlm_preprocess_check(const vlm_preprocess *ops, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool tiled = false;
  VLM_CHECK(ops->count >= 0 && ops->count <= VLM_PREPROCESS_MAX_OPS, err, VLM_INPUT,
            "preprocessing has %d operations, at most %d are allowed", ops->count, VLM_PREPROCESS_MAX_OPS);
  for (int i = 0; i < ops->count; i++) {
    VLM_TRY(check_op(&ops->ops[i], err));
    vlm_preprocess_kind kind = ops->ops[i].kind, before = i ? ops->ops[i - 1].kind : kind;
    bool on_tile = before == VLM_PREPROCESS_TILE && kinds[kind].stage == 0;
    VLM_CHECK(on_tile || kinds[kind].stage >= kinds[before].stage, err, VLM_INPUT,
              "preprocessing \"%s\" cannot follow \"%s\"; move it in front", kinds[kind].name,
              kinds[before].name);
    VLM_CHECK(!(tiled && kind == VLM_PREPROCESS_TILE), err, VLM_INPUT,
              "preprocessing \"tile\" appears twice");
    tiled = tiled || kind == VLM_PREPROCESS_TILE;
  }
out:
  return st;
}
