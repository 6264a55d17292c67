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

const char *const vlm_fit_names[VLM_FIT_COUNT] = {"stretch", "cover", "contain", "contain_even", "shrink"};

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

static vlm_status check_op(const vlm_preprocess_op *op, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK((unsigned)op->kind < VLM_PREPROCESS_KIND_COUNT, err, VLM_INPUT,
            "preprocessing operation %d does not exist", (int)op->kind);
  if (kinds[op->kind].stage < 2 && op->kind != VLM_PREPROCESS_FLATTEN) VLM_TRY(check_size(op, err));
  VLM_TRY(check_numbers(op, err));
  VLM_CHECK((unsigned)op->filter < VLM_FILTER_COUNT && (unsigned)op->fit < VLM_FIT_COUNT, err, VLM_INPUT,
            "preprocessing \"%s\": filter or fit does not exist", kinds[op->kind].name);
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
    VLM_CHECK(kinds[kind].stage >= kinds[before].stage, err, VLM_INPUT,
              "preprocessing \"%s\" cannot follow \"%s\"; move it in front", kinds[kind].name,
              kinds[before].name);
    VLM_CHECK(!(tiled && kind == VLM_PREPROCESS_TILE), err, VLM_INPUT,
              "preprocessing \"tile\" appears twice");
    tiled = tiled || kind == VLM_PREPROCESS_TILE;
  }
out:
  return st;
}
