/* Writing preprocessing lists. */
#include "runtime/base/memory.h"
#include "runtime/base/json_writer.h"
#include "runtime/image/preprocess_size.h"

static void put_three(vlm_json_writer *w, const char *key, const double values[3]) {
  vlm_json_open_array(w, key);
  for (int c = 0; c < 3; c++) vlm_json_put_double(w, NULL, values[c]);
  vlm_json_close_array(w);
}

static void put_pad(vlm_json_writer *w, const vlm_preprocess_op *op) {
  if (op->width == 0) vlm_json_put_bool(w, "square", true);
  vlm_json_open_array(w, "color");
  for (int c = 0; c < 3; c++) vlm_json_put_int(w, NULL, op->color[c]);
  vlm_json_close_array(w);
  vlm_json_put_text(w, "position", op->top_left ? "top_left" : "center");
}

static void put_range(vlm_json_writer *w, const vlm_preprocess_op *op) {
  if (op->step) vlm_json_put_int(w, "step", op->step);
  if (op->least) vlm_json_put_int(w, "least", op->least);
  if (op->most) vlm_json_put_int(w, "most", op->most);
}

static void put_tile(vlm_json_writer *w, const vlm_preprocess_op *op) {
  if (op->rule != VLM_TILE_MULTIPLES) vlm_json_put_text(w, "rule", vlm_tile_rules[op->rule].name);
  if (op->size) vlm_json_put_int(w, "size", op->size);
  if (op->rule < VLM_TILE_QUARTERS) vlm_json_put_text(w, "filter", vlm_filter_name(op->filter));
  if (op->rule == VLM_TILE_MULTIPLES || op->rule == VLM_TILE_QUARTERS)
    vlm_json_put_bool(w, "split", op->split);
  if (op->rule == VLM_TILE_STRIPS) vlm_json_put_double(w, "ratio", op->ratio);
  if (op->n_grid) vlm_json_open_array(w, "grid");
  for (int i = 0; i < op->n_grid; i++) {
    vlm_json_open_array(w, NULL);
    for (int k = 0; k < 2; k++) vlm_json_put_int(w, NULL, op->grid[i][k]);
    vlm_json_close_array(w);
  }
  if (op->n_grid) vlm_json_close_array(w);
}

static void put_layout(vlm_json_writer *w, const vlm_preprocess_op *op) {
  vlm_json_put_text(w, "order", op->patch ? "patches" : op->nhwc ? "NHWC" : "NCHW");
  if (!op->patch) return;
  vlm_json_put_int(w, "patch", op->patch);
  vlm_json_put_int(w, "merge", op->merge);
  vlm_json_put_int(w, "frames", op->frames);
}

static void put_op(vlm_json_writer *w, const vlm_preprocess_op *op) {
  vlm_preprocess_kind kind = op->kind;
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "op", vlm_preprocess_name(kind));
  if (op->width) {
    vlm_json_put_int(w, "width", op->width);
    vlm_json_put_int(w, "height", op->height);
  }
  if (kind == VLM_PREPROCESS_TILE) put_tile(w, op);
  if (kind == VLM_PREPROCESS_RESIZE) vlm_json_put_text(w, "filter", vlm_filter_name(op->filter));
  if (kind == VLM_PREPROCESS_RESIZE) vlm_json_put_text(w, "fit", vlm_fit_names[op->fit]);
  put_range(w, op);
  if (kind == VLM_PREPROCESS_PAD) put_pad(w, op);
  if (kind == VLM_PREPROCESS_SCALE) vlm_json_put_double(w, "by", op->by);
  if (kind == VLM_PREPROCESS_NORMALIZE) {
    put_three(w, "mean", op->mean);
    put_three(w, "std", op->std);
  }
  if (kind == VLM_PREPROCESS_LAYOUT) put_layout(w, op);
  vlm_json_close_object(w);
}

vlm_status vlm_preprocess_format(char **out, const vlm_preprocess *ops, vlm_error *err) {
  vlm_json_writer *w = NULL;
  const char *text = NULL;
  vlm_status st = VLM_OK;
  *out = NULL;
  VLM_TRY(vlm_preprocess_check(ops, err));
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_array(w, NULL);
  for (int i = 0; i < ops->count; i++) put_op(w, &ops->ops[i]);
  vlm_json_close_array(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_strdup(out, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}
