#include "hub/processor.h"

#include <string.h>

#include "hub/processor_read.h"
#include "runtime/base/memory.h"

static const struct processor {
  const char *name;
  vlm_status (*geometry)(vlm_processor_reading *);
  vlm_fit bare;
  const char *defaults;
} processors[] = {
#define X(name, geometry, bare, defaults) {name, vlm_processor_##geometry, VLM_FIT_##bare, "{" defaults "}"},
#include "hub/processors.def"
#undef X
};

/* Without a class: everything is in the file. */
static const struct processor unnamed = {"", vlm_processor_plain, VLM_FIT_STRETCH, "{}"};

/* ---- values ---- */

static vlm_status add_scale(vlm_processor_reading *r) {
  bool rescale = false, implied = r->old && vlm_json_is_null(vlm_json_member(r->config, "do_rescale"));
  double by = 1.0 / 255.0;
  vlm_status st = VLM_OK;
  if (implied) rescale = true;
  else VLM_TRY(vlm_processor_flag(&rescale, r, "do_rescale", VLM_JSON_REQUIRED));
  if (!rescale) goto out;
  VLM_TRY(vlm_json_get_double(&by, vlm_processor_holder(r, "rescale_factor"), "rescale_factor",
                              implied ? VLM_JSON_OPTIONAL : VLM_JSON_REQUIRED, r->err));
  vlm_processor_add(r, VLM_PREPROCESS_SCALE)->by = by;
out:
  return st;
}

static vlm_status add_values(vlm_processor_reading *r) {
  bool normalize = false;
  double mean[3], std[3];
  vlm_status st = VLM_OK;
  VLM_TRY(add_scale(r));
  VLM_TRY(vlm_processor_flag(&normalize, r, "do_normalize", VLM_JSON_REQUIRED));
  if (!normalize) goto out;
  VLM_TRY(vlm_processor_channels(mean, r, "image_mean"));
  VLM_TRY(vlm_processor_channels(std, r, "image_std"));
  vlm_preprocess_op *op = vlm_processor_add(r, VLM_PREPROCESS_NORMALIZE);
  memcpy(op->mean, mean, sizeof mean);
  memcpy(op->std, std, sizeof std);
out:
  return st;
}

/* Zeros that are added to the values. */
static vlm_status add_extension(vlm_processor_reading *r) {
  bool pad = false;
  int64_t step = 0;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_flag(&pad, r, "do_pad", VLM_JSON_REQUIRED));
  if (!pad) goto out;
  VLM_TRY(vlm_processor_int(&step, r, "size_divisor", VLM_PREPROCESS_MAX_SIDE));
  vlm_processor_add(r, VLM_PREPROCESS_EXTEND)->step = (int)step;
out:
  return st;
}

static vlm_status add_layout(vlm_processor_reading *r) {
  int64_t patch = 0, merge = 0, frames = 0;
  vlm_status st = VLM_OK;
  vlm_preprocess_op *op = vlm_processor_add(r, VLM_PREPROCESS_LAYOUT);
  if (vlm_json_is_null(vlm_json_member(r->defaults, "merge_size"))) goto out;
  VLM_TRY(vlm_processor_int(&patch, r, "patch_size", 256));
  VLM_TRY(vlm_processor_int(&merge, r, "merge_size", 16));
  VLM_TRY(vlm_processor_int(&frames, r, "temporal_patch_size", 16));
  op->patch = (int)patch;
  op->merge = (int)merge;
  op->frames = (int)frames;
out:
  return st;
}

/* ---- the class ---- */

/* Steps that a class may have and ours has not; ignoring one would give wrong pixels. */
static vlm_status refuse_unknown_steps(const vlm_processor_reading *r) {
  static const char *const keys[] = {"do_flip_channel_order", "do_crop_margin", "do_color_quantize",
                                     "do_grayscale"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    bool on = false;
    if (!vlm_json_is_null(vlm_json_member(r->defaults, keys[i]))) continue;
    vlm_status st = vlm_processor_flag(&on, r, keys[i], VLM_JSON_OPTIONAL);
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

static vlm_status find_class(const struct processor **out, vlm_processor_reading *r) {
  vlm_status st = VLM_OK;
  *out = &unnamed;
  VLM_TRY(vlm_json_get_text(&r->type, r->config, "image_processor_type", VLM_JSON_OPTIONAL, r->err));
  if (!r->type) {
    VLM_TRY(vlm_json_get_text(&r->type, r->config, "feature_extractor_type", VLM_JSON_OPTIONAL, r->err));
    r->old = r->type != NULL;
  }
  if (!r->type) return VLM_OK;
  for (size_t i = 0; i < sizeof processors / sizeof processors[0]; i++)
    if (same_class(r->type, processors[i].name)) {
      *out = &processors[i];
      return VLM_OK;
    }
  return vlm_json_fail(r->config, r->err, VLM_UNSUPPORTED,
                       "image processor \"%s\" is not known; state its steps as \"preprocess\" in vlm.json",
                       r->type);
out:
  return st;
}

/* ---- the whole ---- */

static vlm_status parse_defaults(vlm_json_doc **out, const struct processor *p, vlm_error *err) {
  char *text = NULL;
  vlm_status st = vlm_strdup(&text, p->defaults, err);
  if (st != VLM_OK) return st;
  for (char *c = text; *c; c++)
    if (*c == '\'') *c = '"';
  st = vlm_json_parse(out, text, strlen(text), p->name, err);
  vlm_free(text);
  return st;
}

static vlm_status read_steps(vlm_processor_reading *r, const struct processor *p) {
  vlm_status st = VLM_OK;
  r->bare = p->bare;
  VLM_TRY(refuse_unknown_steps(r));
  VLM_TRY(p->geometry(r));
  VLM_TRY(add_values(r));
  if (p->geometry == vlm_processor_vitmatte) VLM_TRY(add_extension(r));
  VLM_TRY(add_layout(r));
  st = vlm_preprocess_check(r->out, r->err);
  if (st != VLM_OK) vlm_error_context(r->err, "%s", vlm_json_source(r->config.doc));
out:
  return st;
}

vlm_status vlm_processor_steps(vlm_preprocess *out, vlm_json config, vlm_json model, vlm_error *err) {
  const struct processor *p = NULL;
  vlm_json_doc *defaults = NULL;
  vlm_processor_reading r = {.config = config, .model = model, .out = out, .err = err};
  vlm_status st = VLM_OK;
  *out = (vlm_preprocess){0};
  if (vlm_json_type(config) != VLM_JSON_OBJECT)
    return vlm_json_fail(config, err, VLM_INPUT, "an object is wanted");
  VLM_TRY(find_class(&p, &r));
  VLM_TRY(parse_defaults(&defaults, p, err));
  r.defaults = vlm_json_root(defaults);
  VLM_TRY(read_steps(&r, p));
out:
  vlm_json_free(defaults);
  return st;
}
