/* Reading preprocessing lists. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/image/preprocess_size.h"

/* Index of the member's text in `names`. */
static vlm_status get_choice(int *out, vlm_json object, const char *key, const char *const *names, int count,
                             vlm_error *err) {
  const char *text = NULL;
  vlm_status st = vlm_json_get_text(&text, object, key, VLM_JSON_REQUIRED, err);
  if (st != VLM_OK) return st;
  for (int i = 0; i < count; i++)
    if (strcmp(names[i], text) == 0) {
      *out = i;
      return VLM_OK;
    }
  char known[256] = "";
  for (int i = 0; i < count; i++)
    snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", names[i]);
  return vlm_json_fail(object, err, VLM_INPUT, "%s is \"%s\", wanted one of %s", key, text, known);
}

static vlm_status get_side(int *out, vlm_json object, const char *key, vlm_error *err) {
  int64_t v = 0;
  vlm_status st = vlm_json_get_int_in(&v, object, key, (vlm_json_range){1, VLM_PREPROCESS_MAX_SIDE},
                                      VLM_JSON_REQUIRED, err);
  *out = (int)v;
  return st;
}

static vlm_status get_size(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  vlm_status st = get_side(&op->width, object, "width", err);
  return st == VLM_OK ? get_side(&op->height, object, "height", err) : st;
}

static vlm_status get_filter(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  const char *names[VLM_FILTER_COUNT];
  for (int i = 0; i < VLM_FILTER_COUNT; i++) names[i] = vlm_filter_name((vlm_resize_filter)i);
  int choice = 0;
  vlm_status st = get_choice(&choice, object, "filter", names, VLM_FILTER_COUNT, err);
  op->filter = (vlm_resize_filter)choice;
  return st;
}

static vlm_status get_three(double out[3], vlm_json object, const char *key, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json array;
  VLM_TRY(vlm_json_get_array(&array, object, key, VLM_JSON_REQUIRED, err));
  if (vlm_json_size(array) != 3)
    return vlm_json_fail(array, err, VLM_INPUT, "has %zu numbers, 3 are wanted", vlm_json_size(array));
  for (size_t c = 0; c < 3; c++) VLM_TRY(vlm_json_as_double(&out[c], vlm_json_at(array, c), err));
out:
  return st;
}

static vlm_status get_count(int64_t *out, vlm_json object, const char *key, vlm_json_need need,
                            vlm_error *err) {
  return vlm_json_get_int_in(out, object, key, (vlm_json_range){1, INT32_MAX}, need, err);
}

/* What is left out is 0; vlm_preprocess_check says what a fit or rule wants. */
static vlm_status get_range(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  int64_t step = 0;
  vlm_status st = VLM_OK;
  VLM_TRY(get_count(&op->least, object, "least", VLM_JSON_OPTIONAL, err));
  VLM_TRY(get_count(&op->most, object, "most", VLM_JSON_OPTIONAL, err));
  VLM_TRY(get_count(&step, object, "step", VLM_JSON_OPTIONAL, err));
  op->step = (int)step;
out:
  return st;
}

static vlm_status read_resize(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  int fit = 0;
  vlm_status st = VLM_OK;
  VLM_TRY(get_filter(op, object, err));
  VLM_TRY(get_choice(&fit, object, "fit", vlm_fit_names, VLM_FIT_COUNT, err));
  op->fit = (vlm_fit)fit;
  VLM_TRY(op->fit < VLM_FIT_AREA ? get_size(op, object, err) : get_range(op, object, err));
out:
  return st;
}

static vlm_status read_pad(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  static const char *const positions[] = {"center", "top_left"};
  bool square = false;
  int position = 0;
  double color[3];
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_get_bool(&square, object, "square", VLM_JSON_OPTIONAL, err));
  if (!square) VLM_TRY(get_size(op, object, err));
  VLM_TRY(get_three(color, object, "color", err));
  for (int c = 0; c < 3; c++) {
    if (!(color[c] >= 0 && color[c] <= 255 && color[c] == floor(color[c])))
      return vlm_json_fail(object, err, VLM_INPUT, "color has %g, whole numbers 0 to 255 are wanted",
                           color[c]);
    op->color[c] = (uint8_t)color[c];
  }
  VLM_TRY(get_choice(&position, object, "position", positions, 2, err));
  op->top_left = position == 1;
out:
  return st;
}

static vlm_status get_rule(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  const char *names[VLM_TILE_COUNT];
  int rule = VLM_TILE_MULTIPLES;
  vlm_status st = VLM_OK;
  for (int i = 0; i < VLM_TILE_COUNT; i++) names[i] = vlm_tile_rules[i].name;
  if (!vlm_json_is_null(vlm_json_member(object, "rule")))
    st = get_choice(&rule, object, "rule", names, VLM_TILE_COUNT, err);
  op->rule = (vlm_tile_rule)rule;
  return st;
}

static vlm_status get_grid(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json list;
  VLM_TRY(vlm_json_get_array(&list, object, "grid", VLM_JSON_REQUIRED, err));
  if (vlm_json_size(list) > VLM_PREPROCESS_MAX_GRID)
    return vlm_json_fail(list, err, VLM_LIMIT, "has %zu sizes, at most %d are handled", vlm_json_size(list),
                         VLM_PREPROCESS_MAX_GRID);
  op->n_grid = (int)vlm_json_size(list);
  for (int i = 0; i < op->n_grid; i++)
    for (size_t k = 0; k < 2; k++) {
      int64_t side = 0;
      VLM_TRY(vlm_json_as_int(&side, vlm_json_at(vlm_json_at(list, (size_t)i), k), err));
      op->grid[i][k] = side > 0 && side <= VLM_PREPROCESS_MAX_SIDE ? (int)side : 0;
    }
out:
  return st;
}

static vlm_status read_tile(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(get_rule(op, object, err));
  const vlm_tile_rule rule = op->rule;
  const bool sized = rule == VLM_TILE_MULTIPLES || rule == VLM_TILE_GRID || rule == VLM_TILE_BOARD;
  if (sized) VLM_TRY(get_side(&op->size, object, "size", err));
  if (rule == VLM_TILE_GRID || rule == VLM_TILE_RATIO) VLM_TRY(get_size(op, object, err));
  if (rule < VLM_TILE_QUARTERS) VLM_TRY(get_filter(op, object, err));
  if (rule == VLM_TILE_MULTIPLES || rule == VLM_TILE_QUARTERS)
    VLM_TRY(vlm_json_get_bool(&op->split, object, "split", VLM_JSON_REQUIRED, err));
  if (rule == VLM_TILE_GRID) VLM_TRY(get_grid(op, object, err));
  if (rule == VLM_TILE_STRIPS)
    VLM_TRY(vlm_json_get_double(&op->ratio, object, "ratio", VLM_JSON_REQUIRED, err));
  VLM_TRY(get_range(op, object, err));
out:
  return st;
}

static vlm_status read_extend(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  return get_side(&op->step, object, "step", err);
}

static vlm_status read_scale(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  return vlm_json_get_double(&op->by, object, "by", VLM_JSON_REQUIRED, err);
}

static vlm_status read_normalize(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  vlm_status st = get_three(op->mean, object, "mean", err);
  return st == VLM_OK ? get_three(op->std, object, "std", err) : st;
}

static vlm_status read_layout(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  static const char *const orders[] = {"NCHW", "NHWC", "patches"};
  int order = 0;
  vlm_status st = get_choice(&order, object, "order", orders, 3, err);
  op->nhwc = order == 1;
  if (order != 2) return st;
  VLM_TRY(get_side(&op->patch, object, "patch", err));
  VLM_TRY(get_side(&op->merge, object, "merge", err));
  VLM_TRY(get_side(&op->frames, object, "frames", err));
out:
  return st;
}

static vlm_status read_nothing(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  (void)op;
  (void)object;
  (void)err;
  return VLM_OK;
}

typedef vlm_status read_op(vlm_preprocess_op *, vlm_json, vlm_error *);
static read_op *const readers[VLM_PREPROCESS_KIND_COUNT] = {
    [VLM_PREPROCESS_FLATTEN] = read_nothing,
    [VLM_PREPROCESS_ALIGN_LONG_AXIS] = get_size,
    [VLM_PREPROCESS_RESIZE] = read_resize,
    [VLM_PREPROCESS_CENTER_CROP] = get_size,
    [VLM_PREPROCESS_PAD] = read_pad,
    [VLM_PREPROCESS_TILE] = read_tile,
    [VLM_PREPROCESS_FLIP_CHANNELS] = read_nothing,
    [VLM_PREPROCESS_EXTEND] = read_extend,
    [VLM_PREPROCESS_SCALE] = read_scale,
    [VLM_PREPROCESS_NORMALIZE] = read_normalize,
    [VLM_PREPROCESS_LAYOUT] = read_layout,
};

static vlm_status read_one(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  const char *names[VLM_PREPROCESS_KIND_COUNT];
  int kind = 0;
  for (int i = 0; i < VLM_PREPROCESS_KIND_COUNT; i++) names[i] = vlm_preprocess_name((vlm_preprocess_kind)i);
  vlm_status st = get_choice(&kind, object, "op", names, VLM_PREPROCESS_KIND_COUNT, err);
  if (st != VLM_OK) return st;
  op->kind = (vlm_preprocess_kind)kind;
  return readers[kind](op, object, err);
}

vlm_status vlm_preprocess_from_json(vlm_preprocess *out, vlm_json array, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t count = vlm_json_size(array);
  *out = (vlm_preprocess){0};
  if (vlm_json_type(array) != VLM_JSON_ARRAY)
    return vlm_json_fail(array, err, VLM_INPUT, "an array of preprocessing operations is wanted");
  if (count > VLM_PREPROCESS_MAX_OPS)
    return vlm_json_fail(array, err, VLM_LIMIT, "has %zu operations, at most %d are allowed", count,
                         VLM_PREPROCESS_MAX_OPS);
  for (size_t i = 0; i < count; i++) VLM_TRY(read_one(&out->ops[out->count++], vlm_json_at(array, i), err));
  st = vlm_preprocess_check(out, err);
  if (st != VLM_OK) vlm_error_context(err, "%s", vlm_json_source(array.doc));
out:
  return st;
}

vlm_status vlm_preprocess_parse(vlm_preprocess *out, const char *text, const char *source, vlm_error *err) {
  vlm_json_doc *doc = NULL;
  vlm_status st = VLM_OK;
  *out = (vlm_preprocess){0};
  VLM_TRY(vlm_json_parse(&doc, text, strlen(text), source, err));
  VLM_TRY(vlm_preprocess_from_json(out, vlm_json_root(doc), err));
out:
  vlm_json_free(doc);
  return st;
}
