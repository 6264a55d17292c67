#include "hub/processor_read.h"

#include <string.h>

vlm_json vlm_processor_holder(const vlm_processor_reading *r, const char *key) {
  bool states = !vlm_json_is_null(vlm_json_member(r->config, key));
  bool known = !vlm_json_is_null(vlm_json_member(r->defaults, key));
  return !states && known ? r->defaults : r->config;
}

vlm_status vlm_processor_flag(bool *out, const vlm_processor_reading *r, const char *key,
                              vlm_json_need need) {
  bool off = r->type && vlm_json_type(vlm_json_member(r->config, key)) == VLM_JSON_NULL;
  *out = false;
  return off ? VLM_OK : vlm_json_get_bool(out, vlm_processor_holder(r, key), key, need, r->err);
}

vlm_status vlm_processor_int(int64_t *out, const vlm_processor_reading *r, const char *key, int64_t most) {
  return vlm_json_get_int_in(out, vlm_processor_holder(r, key), key, (vlm_json_range){1, most},
                             VLM_JSON_REQUIRED, r->err);
}

vlm_status vlm_processor_side(int *out, vlm_json value, vlm_error *err) {
  int64_t v = 0;
  vlm_status st = vlm_json_as_int(&v, value, err);
  if (st != VLM_OK) return st;
  if (v < 1 || v > VLM_PREPROCESS_MAX_SIDE)
    return vlm_json_fail(value, err, VLM_INPUT, "is %lld pixels, 1 to %d are wanted", (long long)v,
                         VLM_PREPROCESS_MAX_SIDE);
  *out = (int)v;
  return VLM_OK;
}

vlm_status vlm_processor_edge(int *out, const vlm_processor_reading *r, const char *object, const char *key) {
  vlm_json size;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_get_object(&size, vlm_processor_holder(r, object), object, VLM_JSON_REQUIRED, r->err));
  if (vlm_json_is_null(vlm_json_member(size, key)))
    return vlm_json_fail(size, r->err, VLM_INPUT, "%s is missing", key);
  VLM_TRY(vlm_processor_side(out, vlm_json_member(size, key), r->err));
out:
  return st;
}

vlm_status vlm_processor_filter(vlm_resize_filter *out, const vlm_processor_reading *r) {
  int64_t code = 0;
  const vlm_json holder = vlm_processor_holder(r, "resample");
  vlm_status st = vlm_json_get_int(&code, holder, "resample", VLM_JSON_REQUIRED, r->err);
  if (st != VLM_OK) return st;
  *out = vlm_filter_from_code(code);
  if (*out != VLM_FILTER_COUNT) return VLM_OK;
  return vlm_json_fail(holder, r->err, VLM_INPUT, "resample is %lld, wanted 0 (nearest) to 5 (hamming)",
                       (long long)code);
}

vlm_status vlm_processor_channels(double out[3], const vlm_processor_reading *r, const char *key) {
  vlm_status st = VLM_OK;
  const vlm_json holder = vlm_processor_holder(r, key);
  vlm_json value = vlm_json_member(holder, key);
  bool list = vlm_json_type(value) == VLM_JSON_ARRAY;
  if (!list) VLM_TRY(vlm_json_get_double(&out[0], holder, key, VLM_JSON_REQUIRED, r->err));
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

static vlm_status read_pair(vlm_processor_extent *out, vlm_json first, vlm_json second, vlm_error *err) {
  vlm_status st = vlm_processor_side(&out->height, first, err);
  return st == VLM_OK ? vlm_processor_side(&out->width, second, err) : st;
}

static vlm_status read_edge(vlm_processor_extent *out, vlm_json value, vlm_fit fit, vlm_error *err) {
  vlm_status st = vlm_processor_side(&out->width, value, err);
  out->height = out->width;
  out->fit = fit;
  return st;
}

/* Known classes take "shortest_edge" and leave a longest one beside it alone. */
vlm_status vlm_processor_size(vlm_processor_extent *out, const vlm_processor_reading *r, const char *key,
                              vlm_fit bare, bool width_first) {
  vlm_json v = vlm_json_member(vlm_processor_holder(r, key), key);
  vlm_json height = vlm_json_member(v, "height"), width = vlm_json_member(v, "width");
  vlm_json shortest = vlm_json_member(v, "shortest_edge"), longest = vlm_json_member(v, "longest_edge");
  *out = (vlm_processor_extent){.fit = VLM_FIT_STRETCH};
  if (vlm_json_is_null(v)) return vlm_json_fail(r->config, r->err, VLM_INPUT, "%s is missing", key);
  if (vlm_json_type(v) == VLM_JSON_ARRAY && vlm_json_size(v) == 2)
    return read_pair(out, vlm_json_at(v, width_first), vlm_json_at(v, !width_first), r->err);
  if (vlm_json_type(v) != VLM_JSON_OBJECT && !r->type)
    return vlm_json_fail(v, r->err, VLM_INPUT,
                         "without image_processor_type, height and width or shortest_edge must be stated");
  if (vlm_json_type(v) != VLM_JSON_OBJECT) return read_edge(out, v, bare, r->err);
  if (!vlm_json_is_null(height) && !vlm_json_is_null(width)) return read_pair(out, height, width, r->err);
  if (!vlm_json_is_null(shortest) && (r->type || vlm_json_is_null(longest)))
    return read_edge(out, shortest, VLM_FIT_COVER, r->err);
  if (!vlm_json_is_null(longest) && vlm_json_is_null(shortest))
    return read_edge(out, longest, VLM_FIT_CONTAIN, r->err);
  return vlm_json_fail(v, r->err, VLM_INPUT,
                       "wants height and width, or shortest_edge, or longest_edge alone");
}

vlm_status vlm_processor_exact(vlm_processor_extent *out, const vlm_processor_reading *r, const char *key,
                               bool width_first) {
  vlm_status st = vlm_processor_size(out, r, key, VLM_FIT_STRETCH, width_first);
  if (st != VLM_OK || out->fit == VLM_FIT_STRETCH) return st;
  return vlm_json_fail(vlm_json_member(vlm_processor_holder(r, key), key), r->err, VLM_INPUT,
                       "height and width are missing");
}

vlm_preprocess_op *vlm_processor_add(vlm_processor_reading *r, vlm_preprocess_kind kind) {
  vlm_preprocess_op *op = &r->out->ops[r->out->count++];
  *op = (vlm_preprocess_op){.kind = kind};
  return op;
}

void vlm_processor_add_resize(vlm_processor_reading *r, const vlm_processor_extent *size,
                              vlm_resize_filter filter) {
  vlm_preprocess_op *op = vlm_processor_add(r, VLM_PREPROCESS_RESIZE);
  op->width = size->width;
  op->height = size->height;
  op->fit = size->fit;
  op->filter = filter;
}

vlm_status vlm_processor_add_white(vlm_processor_reading *r) {
  bool wanted = false;
  vlm_status st = vlm_processor_flag(&wanted, r, "do_convert_rgb", VLM_JSON_OPTIONAL);
  size_t n = r->type ? strlen(r->type) : 0;
  bool fast = n > 4 && strcmp(r->type + n - 4, "Fast") == 0;
  if (wanted && !fast) vlm_processor_add(r, VLM_PREPROCESS_FLATTEN);
  return st;
}
