/* Geometry of the processors that make one image of one image, each as the transformers library runs it. */
#include <string.h>

#include "hub/processor_read.h"

/* ---- resize and crop ---- */

/* "image_aspect_ratio" is in the processor's file or, with original LLaVA-style models, in config.json. */
static vlm_status wants_square(bool *out, const vlm_processor_reading *r) {
  const char *ratio = "";
  vlm_status st = VLM_OK;
  vlm_json holder = vlm_json_is_null(vlm_json_member(r->config, "image_aspect_ratio")) ? r->model : r->config;
  bool pad = false;
  VLM_TRY(vlm_processor_flag(&pad, r, "do_pad", VLM_JSON_OPTIONAL));
  if (pad && !r->pads)
    return vlm_json_fail(r->config, r->err, VLM_UNSUPPORTED,
                         "do_pad is not known for this kind of processor; state the steps in vlm.json");
  VLM_TRY(vlm_json_get_text(&ratio, holder, "image_aspect_ratio", VLM_JSON_OPTIONAL, r->err));
  *out = pad || strcmp(ratio, "pad") == 0;
  if (!*out && *ratio && strcmp(ratio, "square") != 0)
    return vlm_json_fail(holder, r->err, VLM_UNSUPPORTED,
                         "image_aspect_ratio is \"%s\"; \"pad\" and \"square\" are known", ratio);
out:
  return st;
}

static vlm_status add_square(vlm_processor_reading *r) {
  double mean[3];
  vlm_status st = vlm_processor_channels(mean, r, "image_mean");
  if (st != VLM_OK) return st;
  vlm_preprocess_op *op = vlm_processor_add(r, VLM_PREPROCESS_PAD);
  for (int c = 0; c < 3; c++) op->color[c] = (uint8_t)(mean[c] > 0 && mean[c] <= 1 ? mean[c] * 255 : 0);
  return VLM_OK;
}

static vlm_status add_crop(vlm_processor_reading *r) {
  vlm_processor_extent size;
  bool crop = false;
  vlm_status st = VLM_OK;
  bool silent = vlm_json_type(vlm_json_member(r->config, "do_center_crop")) == VLM_JSON_ABSENT;
  bool sized = !vlm_json_is_null(vlm_json_member(r->config, "crop_size"));
  bool unclear = !r->type && silent && sized;
  VLM_TRY(vlm_processor_flag(&crop, r, "do_center_crop", unclear ? VLM_JSON_REQUIRED : VLM_JSON_OPTIONAL));
  if (!crop) goto out;
  VLM_TRY(vlm_processor_size(&size, r, "crop_size", VLM_FIT_STRETCH, false));
  vlm_preprocess_op *op = vlm_processor_add(r, VLM_PREPROCESS_CENTER_CROP);
  op->width = size.width;
  op->height = size.height;
out:
  return st;
}

vlm_status vlm_processor_add_plain(vlm_processor_reading *r) {
  vlm_processor_extent size;
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  bool resize = false;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  if (resize) {
    VLM_TRY(vlm_processor_size(&size, r, "size", r->bare, false));
    VLM_TRY(vlm_processor_filter(&filter, r));
    vlm_processor_add_resize(r, &size, filter);
  }
  VLM_TRY(add_crop(r));
out:
  return st;
}

vlm_status vlm_processor_plain(vlm_processor_reading *r) {
  bool square = false;
  vlm_status st = VLM_OK;
  VLM_TRY(wants_square(&square, r));
  if (square) VLM_TRY(add_square(r));
  VLM_TRY(vlm_processor_add_plain(r));
out:
  return st;
}

vlm_status vlm_processor_llava(vlm_processor_reading *r) {
  r->pads = true;
  return vlm_processor_plain(r);
}

vlm_status vlm_processor_white(vlm_processor_reading *r) {
  vlm_status st = vlm_processor_add_white(r);
  return st == VLM_OK ? vlm_processor_plain(r) : st;
}

/* Blue comes first. */
vlm_status vlm_processor_flipped(vlm_processor_reading *r) {
  bool flip = false;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_plain(r));
  VLM_TRY(vlm_processor_flag(&flip, r, "do_flip_channel_order", VLM_JSON_OPTIONAL));
  if (flip) vlm_processor_add(r, VLM_PREPROCESS_FLIP_CHANNELS);
out:
  return st;
}

/* The short side becomes 256 / 224 of what is stated. */
vlm_status vlm_processor_levit(vlm_processor_reading *r) {
  vlm_status st = vlm_processor_plain(r);
  for (int i = 0; i < r->out->count; i++) {
    vlm_preprocess_op *op = &r->out->ops[i];
    if (op->kind == VLM_PREPROCESS_RESIZE && op->fit == VLM_FIT_COVER)
      op->width = op->height = (int)(256.0 / 224.0 * op->width);
  }
  return st;
}

/* ---- others ---- */

/* Below 384 the image is enlarged by 1 / crop_pct and its centre taken; from 384 on it is squeezed. */
static vlm_status add_convnext(vlm_processor_reading *r, const vlm_processor_extent *size,
                               vlm_resize_filter filter) {
  double part = 0;
  const vlm_json holder = vlm_processor_holder(r, "crop_pct");
  vlm_status st = vlm_json_get_double(&part, holder, "crop_pct", VLM_JSON_REQUIRED, r->err);
  if (st != VLM_OK) return st;
  if (!(part > 0.01 && part <= 1.0))
    return vlm_json_fail(holder, r->err, VLM_INPUT, "crop_pct is %g, a part of 1 is wanted", part);
  int larger = (int)(size->width / part);
  vlm_processor_add_resize(r, &(vlm_processor_extent){larger, larger, VLM_FIT_COVER}, filter);
  vlm_preprocess_op *op = vlm_processor_add(r, VLM_PREPROCESS_CENTER_CROP);
  op->width = op->height = size->width;
  return VLM_OK;
}

vlm_status vlm_processor_convnext(vlm_processor_reading *r) {
  vlm_processor_extent size;
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  bool resize = false;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  if (!resize) goto out;
  VLM_TRY(vlm_processor_size(&size, r, "size", VLM_FIT_COVER, false));
  VLM_TRY(vlm_processor_filter(&filter, r));
  if (size.fit != VLM_FIT_COVER)
    return vlm_json_fail(vlm_json_member(vlm_processor_holder(r, "size"), "size"), r->err, VLM_INPUT,
                         "shortest_edge is missing");
  if (size.width < 384) return add_convnext(r, &size, filter);
  size.fit = VLM_FIT_STRETCH;
  vlm_processor_add_resize(r, &size, filter);
out:
  return st;
}

static void add_sized(vlm_processor_reading *r, vlm_preprocess_kind kind, const vlm_processor_extent *size) {
  vlm_preprocess_op *op = vlm_processor_add(r, kind);
  op->width = size->width;
  op->height = size->height;
}

/* The thumbnail step is always bicubic, whatever "resample" says. */
vlm_status vlm_processor_donut(vlm_processor_reading *r) {
  vlm_processor_extent size;
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  bool align = false, resize = false, thumbnail = false, pad = false;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_flag(&align, r, "do_align_long_axis", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_processor_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_processor_flag(&thumbnail, r, "do_thumbnail", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_processor_flag(&pad, r, "do_pad", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_processor_exact(&size, r, "size", true));
  int shorter = size.width < size.height ? size.width : size.height;
  if (align) add_sized(r, VLM_PREPROCESS_ALIGN_LONG_AXIS, &size);
  if (resize) VLM_TRY(vlm_processor_filter(&filter, r));
  if (resize) vlm_processor_add_resize(r, &(vlm_processor_extent){shorter, shorter, VLM_FIT_COVER}, filter);
  size.fit = VLM_FIT_SHRINK;
  if (thumbnail) vlm_processor_add_resize(r, &size, VLM_FILTER_BICUBIC);
  if (pad) add_sized(r, VLM_PREPROCESS_PAD, &size);
out:
  return st;
}

/* Sides go down to multiples of size_divisor. */
vlm_status vlm_processor_glpn(vlm_processor_reading *r) {
  bool resize = false;
  int64_t step = 0;
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  if (!resize) goto out;
  VLM_TRY(vlm_processor_filter(&filter, r));
  VLM_TRY(vlm_processor_int(&step, r, "size_divisor", VLM_PREPROCESS_MAX_SIDE));
  vlm_processor_add_resize(r, &(vlm_processor_extent){.fit = VLM_FIT_STEPS}, filter);
  r->out->ops[r->out->count - 1].step = (int)step;
out:
  return st;
}

/* Zeros behind the normalized values; the trimap that goes with the image is an input of its own. */
vlm_status vlm_processor_vitmatte(vlm_processor_reading *r) {
  (void)r;
  return VLM_OK;
}
