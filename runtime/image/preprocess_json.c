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

static vlm_status read_resize(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  int fit = 0;
  vlm_status st = VLM_OK;
  VLM_TRY(get_size(op, object, err));
  VLM_TRY(get_filter(op, object, err));
  VLM_TRY(get_choice(&fit, object, "fit", vlm_fit_names, VLM_FIT_COUNT, err));
  op->fit = (vlm_fit)fit;
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

static vlm_status read_tile(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(get_side(&op->width, object, "size", err));
  op->height = op->width;
  VLM_TRY(get_filter(op, object, err));
  VLM_TRY(vlm_json_get_bool(&op->split, object, "split", VLM_JSON_REQUIRED, err));
out:
  return st;
}

static vlm_status read_scale(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  return vlm_json_get_double(&op->by, object, "by", VLM_JSON_REQUIRED, err);
}

static vlm_status read_normalize(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  vlm_status st = get_three(op->mean, object, "mean", err);
  return st == VLM_OK ? get_three(op->std, object, "std", err) : st;
}

static vlm_status read_layout(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  static const char *const orders[] = {"NCHW", "NHWC"};
  int order = 0;
  vlm_status st = get_choice(&order, object, "order", orders, 2, err);
  op->nhwc = order == 1;
  return st;
}

static vlm_status read_flatten(vlm_preprocess_op *op, vlm_json object, vlm_error *err) {
  (void)op;
  (void)object;
  (void)err;
  return VLM_OK;
}

typedef vlm_status read_op(vlm_preprocess_op *, vlm_json, vlm_error *);
static read_op *const readers[VLM_PREPROCESS_KIND_COUNT] = {
    [VLM_PREPROCESS_FLATTEN] = read_flatten, [VLM_PREPROCESS_ALIGN_LONG_AXIS] = get_size,
    [VLM_PREPROCESS_RESIZE] = read_resize,   [VLM_PREPROCESS_CENTER_CROP] = get_size,
    [VLM_PREPROCESS_PAD] = read_pad,         [VLM_PREPROCESS_TILE] = read_tile,
    [VLM_PREPROCESS_SCALE] = read_scale,     [VLM_PREPROCESS_NORMALIZE] = read_normalize,
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
