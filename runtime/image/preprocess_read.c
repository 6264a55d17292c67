#include "runtime/image/preprocess_read.h"

vlm_status vlm_config_flag(bool *out, const vlm_config_reading *r, const char *key, vlm_json_need need) {
  *out = false;
  return vlm_json_get_bool(out, r->config, key, need, r->err);
}

vlm_status vlm_config_side(int *out, vlm_json value, vlm_error *err) {
  int64_t v = 0;
  vlm_status st = vlm_json_as_int(&v, value, err);
  if (st != VLM_OK) return st;
  if (v < 1 || v > VLM_PREPROCESS_MAX_SIDE)
    return vlm_json_fail(value, err, VLM_INPUT, "is %lld pixels, 1 to %d are wanted", (long long)v,
                         VLM_PREPROCESS_MAX_SIDE);
  *out = (int)v;
  return VLM_OK;
}

vlm_status vlm_config_filter(vlm_resize_filter *out, const vlm_config_reading *r) {
  int64_t code = 0;
  vlm_status st = vlm_json_get_int(&code, r->config, "resample", VLM_JSON_REQUIRED, r->err);
  if (st != VLM_OK) return st;
  *out = vlm_filter_from_code(code);
  if (*out != VLM_FILTER_COUNT) return VLM_OK;
  return vlm_json_fail(r->config, r->err, VLM_INPUT, "resample is %lld, wanted 0 (nearest) to 5 (hamming)",
                       (long long)code);
}

vlm_status vlm_config_channels(double out[3], const vlm_config_reading *r, const char *key) {
  vlm_status st = VLM_OK;
  vlm_json value = vlm_json_member(r->config, key);
  bool list = vlm_json_type(value) == VLM_JSON_ARRAY;
  if (!list) VLM_TRY(vlm_json_get_double(&out[0], r->config, key, VLM_JSON_REQUIRED, r->err));
  if (list && vlm_json_size(value) != 3)
    return vlm_json_fail(value, r->err, VLM_UNSUPPORTED, "has %zu numbers, images have 3 channels",
                         vlm_json_size(value));
  for (size_t c = 0; c < 3; c++) {
    if (list) VLM_TRY(vlm_json_as_double(&out[c], vlm_json_at(value, c), r->err));
    else out[c] = out[0];
  }
out:
  return st;
}

static vlm_status read_pair(vlm_config_extent *out, vlm_json first, vlm_json second, vlm_error *err) {
  vlm_status st = vlm_config_side(&out->height, first, err);
  return st == VLM_OK ? vlm_config_side(&out->width, second, err) : st;
}

static vlm_status read_edge(vlm_config_extent *out, vlm_json value, vlm_fit fit, vlm_error *err) {
  vlm_status st = vlm_config_side(&out->width, value, err);
  out->height = out->width;
  out->fit = fit;
  return st;
}

vlm_status vlm_config_size(vlm_config_extent *out, const vlm_config_reading *r, const char *key, vlm_fit bare,
                           bool width_first) {
  vlm_json v = vlm_json_member(r->config, key);
  vlm_json height = vlm_json_member(v, "height"), width = vlm_json_member(v, "width");
  vlm_json shortest = vlm_json_member(v, "shortest_edge"), longest = vlm_json_member(v, "longest_edge");
  *out = (vlm_config_extent){.fit = VLM_FIT_STRETCH};
  if (vlm_json_is_null(v)) return vlm_json_fail(r->config, r->err, VLM_INPUT, "%s is missing", key);
  if (vlm_json_type(v) == VLM_JSON_ARRAY && vlm_json_size(v) == 2)
    return read_pair(out, vlm_json_at(v, width_first), vlm_json_at(v, !width_first), r->err);
  if (vlm_json_type(v) != VLM_JSON_OBJECT && !r->typed)
    return vlm_json_fail(v, r->err, VLM_INPUT,
                         "without image_processor_type, height and width or shortest_edge must be stated");
  if (vlm_json_type(v) != VLM_JSON_OBJECT) return read_edge(out, v, bare, r->err);
  if (!vlm_json_is_null(height) && !vlm_json_is_null(width)) return read_pair(out, height, width, r->err);
  if (!vlm_json_is_null(shortest) && vlm_json_is_null(longest))
    return read_edge(out, shortest, VLM_FIT_COVER, r->err);
  if (!vlm_json_is_null(longest) && vlm_json_is_null(shortest))
    return read_edge(out, longest, VLM_FIT_CONTAIN, r->err);
  return vlm_json_fail(v, r->err, VLM_INPUT,
                       "wants height and width, or shortest_edge, or longest_edge alone");
}
