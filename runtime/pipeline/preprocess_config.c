/* Preprocessing lists from preprocessor_config.json: each processor class as the transformers library runs it. */
#include <string.h>

#include "runtime/pipeline/preprocess_size.h"

/* How a processor class turns its configuration into operations. */
typedef enum family { FAMILY_PLAIN, FAMILY_SHORTEST, FAMILY_LLAVA, FAMILY_CONVNEXT, FAMILY_DONUT, FAMILY_TILES } family;

/* Class name without "ImageProcessor" / "FeatureExtractor" and "Fast" / "Pil". The families SHORTEST and LLAVA read a bare number in "size"
 * as the shortest edge, the others as a square. */
static const struct {
  const char *name;
  family family;
} classes[] = {
  {"CLIP", FAMILY_SHORTEST}, {"ChineseCLIP", FAMILY_SHORTEST}, {"Bit", FAMILY_SHORTEST},    {"Siglip", FAMILY_PLAIN},
  {"ViT", FAMILY_PLAIN},     {"DeiT", FAMILY_PLAIN},           {"Blip", FAMILY_PLAIN},      {"Florence2", FAMILY_PLAIN},
  {"Llava", FAMILY_LLAVA},   {"ConvNext", FAMILY_CONVNEXT},    {"Donut", FAMILY_DONUT},     {"Idefics3", FAMILY_TILES},
  {"SmolVLM", FAMILY_TILES},
};

typedef struct reading {
  vlm_json config, model;
  family family;
  bool typed;
  bool old; /* "feature_extractor_type": written when rescaling by 1/255 was part of normalization and had no key */
  vlm_preprocess *out;
  vlm_error *err;
} reading;

static vlm_preprocess_op *add(reading *r, vlm_preprocess_kind kind) {
  vlm_preprocess_op *op = &r->out->ops[r->out->count++];
  *op = (vlm_preprocess_op){.kind = kind};
  return op;
}

static void add_size(reading *r, vlm_preprocess_kind kind, int width, int height) {
  vlm_preprocess_op *op = add(r, kind);
  op->width = width;
  op->height = height;
}

static void add_resize(reading *r, int width, int height, vlm_filter filter, vlm_fit fit) {
  vlm_preprocess_op *op = add(r, VLM_PREPROCESS_RESIZE);
  op->width = width;
  op->height = height;
  op->filter = filter;
  op->fit = fit;
}

/* ---- small readers ---- */

static vlm_status get_flag(bool *out, const reading *r, const char *key, vlm_json_need need) {
  *out = false;
  return vlm_json_get_bool(out, r->config, key, need, r->err);
}

static vlm_status to_side(int *out, vlm_json value, vlm_error *err) {
  int64_t v = 0;
  vlm_status st = vlm_json_as_int(&v, value, err);
  if (st != VLM_OK) return st;
  if (v < 1 || v > VLM_PREPROCESS_MAX_SIDE)
    return vlm_json_fail(value, err, VLM_INPUT, "is %lld pixels, 1 to %d are wanted", (long long)v, VLM_PREPROCESS_MAX_SIDE);
  *out = (int)v;
  return VLM_OK;
}

static vlm_status get_filter(vlm_filter *out, const reading *r) {
  int64_t code = 0;
  vlm_status st = vlm_json_get_int(&code, r->config, "resample", VLM_JSON_REQUIRED, r->err);
  if (st != VLM_OK) return st;
  *out = vlm_filter_from_code(code);
  if (*out != VLM_FILTER_COUNT) return VLM_OK;
  return vlm_json_fail(r->config, r->err, VLM_INPUT, "resample is %lld, wanted 0 (nearest) to 5 (hamming)", (long long)code);
}

/* Three numbers, or one for all channels. */
static vlm_status get_channels(double out[3], const reading *r, const char *key) {
  vlm_status st = VLM_OK;
  vlm_json value = vlm_json_member(r->config, key);
  bool list = vlm_json_type(value) == VLM_JSON_ARRAY;
  if (!list) VLM_TRY(vlm_json_get_double(&out[0], r->config, key, VLM_JSON_REQUIRED, r->err));
  if (list && vlm_json_size(value) != 3)
    return vlm_json_fail(value, r->err, VLM_UNSUPPORTED, "has %zu numbers, images have 3 channels", vlm_json_size(value));
  for (size_t c = 0; c < 3; c++) {
    if (list) VLM_TRY(vlm_json_as_double(&out[c], vlm_json_at(value, c), r->err));
    else out[c] = out[0];
  }
out:
  return st;
}

/* A size in any of its spellings: a number, [a, b], {"height", "width"}, {"shortest_edge"} or {"longest_edge"}. */
typedef struct size_spec {
  int width, height;
  vlm_fit fit;
} size_spec;

static vlm_status read_pair(size_spec *out, vlm_json first, vlm_json second, vlm_error *err) {
  vlm_status st = to_side(&out->height, first, err);
  return st == VLM_OK ? to_side(&out->width, second, err) : st;
}

static vlm_status read_edge(size_spec *out, vlm_json value, vlm_fit fit, vlm_error *err) {
  vlm_status st = to_side(&out->width, value, err);
  out->height = out->width;
  out->fit = fit;
  return st;
}

/* `bare` is the meaning of a single number; lists are height, width unless `width_first`. */
static vlm_status get_size(size_spec *out, const reading *r, const char *key, vlm_fit bare, bool width_first) {
  vlm_json v = vlm_json_member(r->config, key);
  vlm_json height = vlm_json_member(v, "height"), width = vlm_json_member(v, "width");
  vlm_json shortest = vlm_json_member(v, "shortest_edge"), longest = vlm_json_member(v, "longest_edge");
  *out = (size_spec){.fit = VLM_FIT_STRETCH};
  if (vlm_json_is_null(v)) return vlm_json_fail(r->config, r->err, VLM_INPUT, "%s is missing", key);
  if (vlm_json_type(v) == VLM_JSON_ARRAY && vlm_json_size(v) == 2)
    return read_pair(out, vlm_json_at(v, width_first), vlm_json_at(v, !width_first), r->err);
  if (vlm_json_type(v) != VLM_JSON_OBJECT && !r->typed)
    return vlm_json_fail(v, r->err, VLM_INPUT, "without image_processor_type, height and width or shortest_edge must be stated");
  if (vlm_json_type(v) != VLM_JSON_OBJECT) return read_edge(out, v, bare, r->err);
  if (!vlm_json_is_null(height) && !vlm_json_is_null(width)) return read_pair(out, height, width, r->err);
  if (!vlm_json_is_null(shortest) && vlm_json_is_null(longest)) return read_edge(out, shortest, VLM_FIT_COVER, r->err);
  if (!vlm_json_is_null(longest) && vlm_json_is_null(shortest)) return read_edge(out, longest, VLM_FIT_CONTAIN, r->err);
  return vlm_json_fail(v, r->err, VLM_INPUT, "wants height and width, or shortest_edge, or longest_edge alone");
}

/* ---- geometry by family ---- */

/* "image_aspect_ratio" is in the processor's file or, with original LLaVA-style models, in config.json. */
static vlm_status wants_square(bool *out, const reading *r) {
  const char *ratio = "";
  vlm_status st = VLM_OK;
  vlm_json holder = vlm_json_is_null(vlm_json_member(r->config, "image_aspect_ratio")) ? r->model : r->config;
  bool pad = false;
  VLM_TRY(get_flag(&pad, r, "do_pad", VLM_JSON_OPTIONAL));
  if (pad && r->family != FAMILY_LLAVA)
    return vlm_json_fail(r->config, r->err, VLM_UNSUPPORTED, "do_pad is not known for this kind of processor; state the steps in vlm.json");
  VLM_TRY(vlm_json_get_text(&ratio, holder, "image_aspect_ratio", VLM_JSON_OPTIONAL, r->err));
  *out = pad || strcmp(ratio, "pad") == 0;
  if (!*out && *ratio && strcmp(ratio, "square") != 0)
    return vlm_json_fail(holder, r->err, VLM_UNSUPPORTED, "image_aspect_ratio is \"%s\"; \"pad\" and \"square\" are known", ratio);
out:
  return st;
}

static vlm_status add_square(reading *r) {
  double mean[3];
  vlm_status st = get_channels(mean, r, "image_mean");
  if (st != VLM_OK) return st;
  vlm_preprocess_op *op = add(r, VLM_PREPROCESS_PAD);
  for (int c = 0; c < 3; c++) op->color[c] = (uint8_t)(mean[c] > 0 && mean[c] <= 1 ? mean[c] * 255 : 0);
  return VLM_OK;
}

static vlm_status read_crop(reading *r) {
  size_spec size;
  bool crop = false;
  vlm_status st = VLM_OK;
  bool silent = vlm_json_type(vlm_json_member(r->config, "do_center_crop")) == VLM_JSON_ABSENT;
  bool sized = !vlm_json_is_null(vlm_json_member(r->config, "crop_size"));
  VLM_TRY(get_flag(&crop, r, "do_center_crop", silent && sized ? VLM_JSON_REQUIRED : VLM_JSON_OPTIONAL));
  if (!crop) goto out;
  VLM_TRY(get_size(&size, r, "crop_size", VLM_FIT_STRETCH, false));
  add_size(r, VLM_PREPROCESS_CENTER_CROP, size.width, size.height);
out:
  return st;
}

static vlm_status read_plain(reading *r) {
  size_spec size;
  vlm_filter filter = VLM_FILTER_COUNT;
  bool square = false, resize = false;
  vlm_fit bare = r->family == FAMILY_PLAIN ? VLM_FIT_STRETCH : VLM_FIT_COVER;
  vlm_status st = VLM_OK;
  VLM_TRY(wants_square(&square, r));
  if (square) VLM_TRY(add_square(r));
  VLM_TRY(get_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  if (resize) {
    VLM_TRY(get_size(&size, r, "size", bare, false));
    VLM_TRY(get_filter(&filter, r));
    add_resize(r, size.width, size.height, filter, size.fit);
  }
  VLM_TRY(read_crop(r));
out:
  return st;
}

/* Below 384 the image is enlarged by 1 / crop_pct and its centre taken; from 384 on it is squeezed. */
static vlm_status read_convnext(reading *r) {
  size_spec size;
  vlm_filter filter = VLM_FILTER_COUNT;
  double part = 0;
  bool resize = false;
  vlm_status st = VLM_OK;
  VLM_TRY(get_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  if (!resize) goto out;
  VLM_TRY(get_size(&size, r, "size", VLM_FIT_COVER, false));
  VLM_TRY(get_filter(&filter, r));
  if (size.fit != VLM_FIT_COVER) return vlm_json_fail(vlm_json_member(r->config, "size"), r->err, VLM_INPUT, "shortest_edge is missing");
  if (size.width >= 384) {
    add_resize(r, size.width, size.width, filter, VLM_FIT_STRETCH);
    goto out;
  }
  VLM_TRY(vlm_json_get_double(&part, r->config, "crop_pct", VLM_JSON_REQUIRED, r->err));
  if (!(part > 0.01 && part <= 1.0)) return vlm_json_fail(r->config, r->err, VLM_INPUT, "crop_pct is %g, a part of 1 is wanted", part);
  int larger = (int)(size.width / part);
  add_resize(r, larger, larger, filter, VLM_FIT_COVER);
  add_size(r, VLM_PREPROCESS_CENTER_CROP, size.width, size.width);
out:
  return st;
}

/* The thumbnail step is always bicubic, whatever "resample" says. */
static vlm_status read_donut(reading *r) {
  size_spec size;
  vlm_filter filter = VLM_FILTER_COUNT;
  bool align = false, resize = false, thumbnail = false, pad = false;
  vlm_status st = VLM_OK;
  VLM_TRY(get_flag(&align, r, "do_align_long_axis", VLM_JSON_REQUIRED));
  VLM_TRY(get_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  VLM_TRY(get_flag(&thumbnail, r, "do_thumbnail", VLM_JSON_REQUIRED));
  VLM_TRY(get_flag(&pad, r, "do_pad", VLM_JSON_REQUIRED));
  VLM_TRY(get_size(&size, r, "size", VLM_FIT_STRETCH, true));
  if (size.fit != VLM_FIT_STRETCH) return vlm_json_fail(vlm_json_member(r->config, "size"), r->err, VLM_INPUT, "height and width are missing");
  int shorter = size.width < size.height ? size.width : size.height;
  if (align) add_size(r, VLM_PREPROCESS_ALIGN_LONG_AXIS, size.width, size.height);
  if (resize) VLM_TRY(get_filter(&filter, r));
  if (resize) add_resize(r, shorter, shorter, filter, VLM_FIT_COVER);
  if (thumbnail) add_resize(r, size.width, size.height, VLM_FILTER_BICUBIC, VLM_FIT_SHRINK);
  if (pad) add_size(r, VLM_PREPROCESS_PAD, size.width, size.height);
out:
  return st;
}

static vlm_status read_tiles(reading *r) {
  vlm_filter filter = VLM_FILTER_COUNT;
  bool resize = false, split = false;
  int side = 0;
  vlm_json size, tile;
  vlm_status st = VLM_OK;
  VLM_TRY(get_flag(&resize, r, "do_resize", VLM_JSON_REQUIRED));
  VLM_TRY(get_flag(&split, r, "do_image_splitting", VLM_JSON_REQUIRED));
  VLM_TRY(get_filter(&filter, r));
  if (resize) {
    VLM_TRY(vlm_json_get_object(&size, r->config, "size", VLM_JSON_REQUIRED, r->err));
    if (vlm_json_is_null(vlm_json_member(size, "longest_edge"))) return vlm_json_fail(size, r->err, VLM_INPUT, "longest_edge is missing");
    VLM_TRY(to_side(&side, vlm_json_member(size, "longest_edge"), r->err));
    add_resize(r, side, side, filter, VLM_FIT_CONTAIN_EVEN);
  }
  VLM_TRY(vlm_json_get_object(&tile, r->config, "max_image_size", VLM_JSON_REQUIRED, r->err));
  if (vlm_json_is_null(vlm_json_member(tile, "longest_edge"))) return vlm_json_fail(tile, r->err, VLM_INPUT, "longest_edge is missing");
  VLM_TRY(to_side(&side, vlm_json_member(tile, "longest_edge"), r->err));
  vlm_preprocess_op *op = add(r, VLM_PREPROCESS_TILE);
  op->width = op->height = side;
  op->filter = filter;
  op->split = split;
out:
  return st;
}

/* ---- values and the whole ---- */

static vlm_status read_values(reading *r) {
  bool rescale = false, normalize = false;
  double by = 1.0 / 255.0, mean[3], std[3];
  vlm_status st = VLM_OK;
  bool implied = r->old && vlm_json_is_null(vlm_json_member(r->config, "do_rescale"));
  if (implied) rescale = true;
  else VLM_TRY(get_flag(&rescale, r, "do_rescale", VLM_JSON_REQUIRED));
  if (rescale) {
    VLM_TRY(vlm_json_get_double(&by, r->config, "rescale_factor", implied ? VLM_JSON_OPTIONAL : VLM_JSON_REQUIRED, r->err));
    add(r, VLM_PREPROCESS_SCALE)->by = by;
  }
  VLM_TRY(get_flag(&normalize, r, "do_normalize", VLM_JSON_REQUIRED));
  if (normalize) {
    VLM_TRY(get_channels(mean, r, "image_mean"));
    VLM_TRY(get_channels(std, r, "image_std"));
    vlm_preprocess_op *op = add(r, VLM_PREPROCESS_NORMALIZE);
    memcpy(op->mean, mean, sizeof mean);
    memcpy(op->std, std, sizeof std);
  }
  add(r, VLM_PREPROCESS_LAYOUT);
out:
  return st;
}

/* Steps that no known class of ours has; ignoring one would give wrong pixels. */
static vlm_status refuse_unknown_steps(const reading *r) {
  static const char *const keys[] = {"do_flip_channel_order", "do_crop_margin", "do_color_quantize", "do_grayscale"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    bool on = false;
    vlm_status st = get_flag(&on, r, keys[i], VLM_JSON_OPTIONAL);
    if (st != VLM_OK) return st;
    if (on) return vlm_json_fail(r->config, r->err, VLM_UNSUPPORTED, "%s is not supported", keys[i]);
  }
  return VLM_OK;
}

static bool same_class(const char *type, const char *name) {
  static const char *const ends[] = {"ImageProcessor", "ImageProcessorFast", "ImageProcessorPil", "FeatureExtractor"};
  size_t n = strlen(name);
  if (strncmp(type, name, n) != 0) return false;
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
    if (strcmp(type + n, ends[i]) == 0) return true;
  return false;
}

static vlm_status find_family(reading *r) {
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
  return vlm_json_fail(r->config, r->err, VLM_UNSUPPORTED, "image processor \"%s\" is not known; state its steps as \"preprocess\" in vlm.json", type);
out:
  return st;
}

vlm_status vlm_preprocess_from_config(vlm_preprocess *out, vlm_json config, vlm_json model, vlm_error *err) {
  static vlm_status (*const geometry[])(reading *) = {
    [FAMILY_PLAIN] = read_plain,       [FAMILY_SHORTEST] = read_plain, [FAMILY_LLAVA] = read_plain,
    [FAMILY_CONVNEXT] = read_convnext, [FAMILY_DONUT] = read_donut,    [FAMILY_TILES] = read_tiles,
  };
  reading r = {.config = config, .model = model, .out = out, .err = err};
  vlm_status st = VLM_OK;
  *out = (vlm_preprocess){0};
  if (vlm_json_type(config) != VLM_JSON_OBJECT) return vlm_json_fail(config, err, VLM_INPUT, "an object is wanted");
  VLM_TRY(find_family(&r));
  VLM_TRY(refuse_unknown_steps(&r));
  VLM_TRY(geometry[r.family](&r));
  VLM_TRY(read_values(&r));
  st = vlm_preprocess_check(out, err);
  if (st != VLM_OK) vlm_error_context(err, "%s", vlm_json_source(config.doc));
out:
  return st;
}
