/* Preprocessing lists from preprocessor_config.json: each processor class as the transformers library runs it. */
#include <string.h>

#include "runtime/image/preprocess_read.h"

/* Class name without "ImageProcessor" / "FeatureExtractor" and "Fast" / "Pil". The families SHORTEST and LLAVA read a bare number in "size"
 * as the shortest edge, the others as a square. */
static const struct {
  const char *name;
  vlm_config_family family;
} classes[] = {
    {"CLIP", FAMILY_SHORTEST}, {"ChineseCLIP", FAMILY_SHORTEST},
    {"Bit", FAMILY_SHORTEST},  {"Siglip", FAMILY_PLAIN},
    {"ViT", FAMILY_PLAIN},     {"DeiT", FAMILY_PLAIN},
    {"Blip", FAMILY_PLAIN},    {"Florence2", FAMILY_PLAIN},
    {"Llava", FAMILY_LLAVA},   {"ConvNext", FAMILY_CONVNEXT},
    {"Donut", FAMILY_DONUT},   {"Idefics3", FAMILY_TILES},
    {"SmolVLM", FAMILY_TILES},
};

static vlm_preprocess_op *add(vlm_config_reading *r, vlm_preprocess_kind kind) {
  vlm_preprocess_op *op = &r->out->ops[r->out->count++];
  *op = (vlm_preprocess_op){.kind = kind};
  return op;
}

static void add_size(vlm_config_reading *r, vlm_preprocess_kind kind, int width, int height) {
  vlm_preprocess_op *op = add(r, kind);
  op->width = width;
  op->height = height;
}

static void add_resize(vlm_config_reading *r, int width, int height, vlm_resize_filter filter, vlm_fit fit) {
  vlm_preprocess_op *op = add(r, VLM_PREPROCESS_RESIZE);
  op->width = width;
  op->height = height;
  op->filter = filter;
  op->fit = fit;
}

/* ---- geometry by family ---- */

/* "image_aspect_ratio" is in the processor's file or, with original LLaVA-style models, in config.json. */
static vlm_status wants_square(bool *out, const vlm_config_reading *r) {
  const char *ratio = "";
  vlm_status st = VLM_OK;
  vlm_json holder = vlm_json_is_null(vlm_json_member(r->config, "image_aspect_ratio")) ? r->model : r->config;
  bool pad = false;
  VLM_TRY(vlm_config_flag(&pad, r, "do_pad", VLM_JSON_OPTIONAL));
  if (pad && r->family != FAMILY_LLAVA)
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

static vlm_status add_square(vlm_config_reading *r) {
  double mean[3];
  vlm_status st = vlm_config_channels(mean, r, "image_mean");
  if (st != VLM_OK) return st;
  vlm_preprocess_op *op = add(r, VLM_PREPROCESS_PAD);
  for (int c = 0; c < 3; c++) op->color[c] = (uint8_t)(mean[c] > 0 && mean[c] <= 1 ? mean[c] * 255 : 0);
  return VLM_OK;
}

static vlm_status read_crop(vlm_config_reading *r) {
  vlm_config_extent size;
  bool crop = false;
  vlm_status st = VLM_OK;
  bool silent = vlm_json_type(vlm_json_member(r->config, "do_center_crop")) == VLM_JSON_ABSENT;
  bool sized = !vlm_json_is_null(vlm_json_member(r->config, "crop_size"));
  VLM_TRY(
      vlm_config_flag(&crop, r, "do_center_crop", silent && sized ? VLM_JSON_REQUIRED : VLM_JSON_OPTIONAL));
  if (!crop) goto out;
  VLM_TRY(vlm_config_size(&size, r, "crop_size", VLM_FIT_STRETCH, false));
  add_size(r, VLM_PREPROCESS_CENTER_CROP, size.width, size.height);
out:
  return st;
}

static vlm_status read_plain(vlm_config_reading *r) {
  vlm_config_extent size;
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  bool square = false, resize = false;
  vlm_fit bare = r->family == FAMILY_PLAIN ? VLM_FIT_STRETCH : VLM_FIT_COVER;
  vlm_status st = VLM_OK;
  VLM_TRY(wants_square(&square, r));
  if (square) VLM_TRY(add_square(r));
  VLM_TRY(vlm_config_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  if (resize) {
    VLM_TRY(vlm_config_size(&size, r, "size", bare, false));
    VLM_TRY(vlm_config_filter(&filter, r));
    add_resize(r, size.width, size.height, filter, size.fit);
  }
  VLM_TRY(read_crop(r));
out:
  return st;
}

/* Below 384 the image is enlarged by 1 / crop_pct and its centre taken; from 384 on it is squeezed. */
static vlm_status read_convnext(vlm_config_reading *r) {
  vlm_config_extent size;
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  double part = 0;
  bool resize = false;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_config_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  if (!resize) goto out;
  VLM_TRY(vlm_config_size(&size, r, "size", VLM_FIT_COVER, false));
  VLM_TRY(vlm_config_filter(&filter, r));
  if (size.fit != VLM_FIT_COVER)
    return vlm_json_fail(vlm_json_member(r->config, "size"), r->err, VLM_INPUT, "shortest_edge is missing");
  if (size.width >= 384) {
    add_resize(r, size.width, size.width, filter, VLM_FIT_STRETCH);
    goto out;
  }
  VLM_TRY(vlm_json_get_double(&part, r->config, "crop_pct", VLM_JSON_REQUIRED, r->err));
  if (!(part > 0.01 && part <= 1.0))
    return vlm_json_fail(r->config, r->err, VLM_INPUT, "crop_pct is %g, a part of 1 is wanted", part);
  int larger = (int)(size.width / part);
  add_resize(r, larger, larger, filter, VLM_FIT_COVER);
  add_size(r, VLM_PREPROCESS_CENTER_CROP, size.width, size.width);
out:
  return st;
}

/* The thumbnail step is always bicubic, whatever "resample" says. */
static vlm_status read_donut(vlm_config_reading *r) {
  vlm_config_extent size;
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  bool align = false, resize = false, thumbnail = false, pad = false;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_config_flag(&align, r, "do_align_long_axis", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_config_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_config_flag(&thumbnail, r, "do_thumbnail", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_config_flag(&pad, r, "do_pad", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_config_size(&size, r, "size", VLM_FIT_STRETCH, true));
  if (size.fit != VLM_FIT_STRETCH)
    return vlm_json_fail(vlm_json_member(r->config, "size"), r->err, VLM_INPUT,
                         "height and width are missing");
  int shorter = size.width < size.height ? size.width : size.height;
  if (align) add_size(r, VLM_PREPROCESS_ALIGN_LONG_AXIS, size.width, size.height);
  if (resize) VLM_TRY(vlm_config_filter(&filter, r));
  if (resize) add_resize(r, shorter, shorter, filter, VLM_FIT_COVER);
  if (thumbnail) add_resize(r, size.width, size.height, VLM_FILTER_BICUBIC, VLM_FIT_SHRINK);
  if (pad) add_size(r, VLM_PREPROCESS_PAD, size.width, size.height);
out:
  return st;
}

/* Idefics3 and SmolVLM blend transparency on white; their "Fast" forms drop it, as all others do. */
static vlm_status add_flatten(vlm_config_reading *r) {
  const char *type = NULL;
  bool wanted = true;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_get_text(&type, r->config, "image_processor_type", VLM_JSON_OPTIONAL, r->err));
  if (!vlm_json_is_null(vlm_json_member(r->config, "do_convert_rgb")))
    VLM_TRY(vlm_config_flag(&wanted, r, "do_convert_rgb", VLM_JSON_OPTIONAL));
  size_t n = type ? strlen(type) : 0;
  if (wanted && !(n > 4 && strcmp(type + n - 4, "Fast") == 0)) add(r, VLM_PREPROCESS_FLATTEN);
out:
  return st;
}

static vlm_status read_tiles(vlm_config_reading *r) {
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  bool resize = false, split = false;
  int side = 0;
  vlm_json size, tile;
  vlm_status st = VLM_OK;
  VLM_TRY(add_flatten(r));
  VLM_TRY(vlm_config_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_config_flag(&split, r, "do_image_splitting", VLM_JSON_REQUIRED));
  VLM_TRY(vlm_config_filter(&filter, r));
  if (resize) {
    VLM_TRY(vlm_json_get_object(&size, r->config, "size", VLM_JSON_REQUIRED, r->err));
    if (vlm_json_is_null(vlm_json_member(size, "longest_edge")))
      return vlm_json_fail(size, r->err, VLM_INPUT, "longest_edge is missing");
    VLM_TRY(vlm_config_side(&side, vlm_json_member(size, "longest_edge"), r->err));
    add_resize(r, side, side, filter, VLM_FIT_CONTAIN_EVEN);
  }
  VLM_TRY(vlm_json_get_object(&tile, r->config, "max_image_size", VLM_JSON_REQUIRED, r->err));
  if (vlm_json_is_null(vlm_json_member(tile, "longest_edge")))
    return vlm_json_fail(tile, r->err, VLM_INPUT, "longest_edge is missing");
  VLM_TRY(vlm_config_side(&side, vlm_json_member(tile, "longest_edge"), r->err));
  vlm_preprocess_op *op = add(r, VLM_PREPROCESS_TILE);
  op->width = op->height = side;
  op->filter = filter;
  op->split = split;
out:
  return st;
}

/* ---- values and the whole ---- */

static vlm_status read_values(vlm_config_reading *r) {
  bool rescale = false, normalize = false;
  double by = 1.0 / 255.0, mean[3], std[3];
  vlm_status st = VLM_OK;
  bool implied = r->old && vlm_json_is_null(vlm_json_member(r->config, "do_rescale"));
  if (implied) rescale = true;
  else VLM_TRY(vlm_config_flag(&rescale, r, "do_rescale", VLM_JSON_REQUIRED));
  if (rescale) {
    VLM_TRY(vlm_json_get_double(&by, r->config, "rescale_factor",
                                implied ? VLM_JSON_OPTIONAL : VLM_JSON_REQUIRED, r->err));
    add(r, VLM_PREPROCESS_SCALE)->by = by;
  }
  VLM_TRY(vlm_config_flag(&normalize, r, "do_normalize", VLM_JSON_REQUIRED));
  if (normalize) {
    VLM_TRY(vlm_config_channels(mean, r, "image_mean"));
    VLM_TRY(vlm_config_channels(std, r, "image_std"));
    vlm_preprocess_op *op = add(r, VLM_PREPROCESS_NORMALIZE);
    memcpy(op->mean, mean, sizeof mean);
    memcpy(op->std, std, sizeof std);
  }
  add(r, VLM_PREPROCESS_LAYOUT);
out:
  return st;
}

/* Steps that no known class of ours has; ignoring one would give wrong pixels. */
static vlm_status refuse_unknown_steps(const vlm_config_reading *r) {
  static const char *const keys[] = {"do_flip_channel_order", "do_crop_margin", "do_color_quantize",
                                     "do_grayscale"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    bool on = false;
    vlm_status st = vlm_config_flag(&on, r, keys[i], VLM_JSON_OPTIONAL);
    if (st != VLM_OK) return st;
    if (on) return vlm_json_fail(r->config, r->err, VLM_UNSUPPORTED, "%s is not supported", keys[i]);
  }
  return VLM_OK;
}

static bool same_class(const char *type, const char *name) {
  static const char *const ends[] = {"ImageProcessor", "ImageProcessorFast", "ImageProcessorPil",
                                     "FeatureExtractor"};
  size_t n = strlen(name);
  if (strncmp(type, name, n) != 0) return false;
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
    if (strcmp(type + n, ends[i]) == 0) return true;
  return false;
}

static vlm_status find_family(vlm_config_reading *r) {
  const char *type = NULL;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_get_text(&type, r->config, "image_processor_type", VLM_JSON_OPTIONAL, r->err));
  if (!type) {
    VLM_TRY(vlm_json_get_text(&type, r->config, "feature_extractor_type", VLM_JSON_OPTIONAL, r->err));
    r->old = type != NULL;
  }
  r->typed = type != NULL;
  if (!type) return VLM_OK;
  for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
    if (same_class(type, classes[i].name)) {
      r->family = classes[i].family;
      return VLM_OK;
    }
  return vlm_json_fail(r->config, r->err, VLM_UNSUPPORTED,
                       "image processor \"%s\" is not known; state its steps as \"preprocess\" in vlm.json",
                       type);
out:
  return st;
}

vlm_status vlm_preprocess_from_config(vlm_preprocess *out, vlm_json config, vlm_json model, vlm_error *err) {
  static vlm_status (*const geometry[])(vlm_config_reading *) = {
      [FAMILY_PLAIN] = read_plain,       [FAMILY_SHORTEST] = read_plain, [FAMILY_LLAVA] = read_plain,
      [FAMILY_CONVNEXT] = read_convnext, [FAMILY_DONUT] = read_donut,    [FAMILY_TILES] = read_tiles,
  };
  vlm_config_reading r = {.config = config, .model = model, .out = out, .err = err};
  vlm_status st = VLM_OK;
  *out = (vlm_preprocess){0};
  if (vlm_json_type(config) != VLM_JSON_OBJECT)
    return vlm_json_fail(config, err, VLM_INPUT, "an object is wanted");
  VLM_TRY(find_family(&r));
  VLM_TRY(refuse_unknown_steps(&r));
  VLM_TRY(geometry[r.family](&r));
  VLM_TRY(read_values(&r));
  st = vlm_preprocess_check(out, err);
  if (st != VLM_OK) vlm_error_context(err, "%s", vlm_json_source(config.doc));
out:
  return st;
}
