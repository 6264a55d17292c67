/* A packed file as JSON. */
#include <string.h>

#include "cli/inspect.h"
#include "runtime/base/json.h"

static void put_json(vlm_json_writer *w, const char *key, vlm_json v) {
  bool flag = false;
  int64_t integer = 0;
  double real = 0;
  const char *bytes = "";
  size_t n = 0;
  vlm_json_iter it = {0};
  switch (vlm_json_type(v)) {
    case VLM_JSON_BOOL:
      vlm_json_as_bool(&flag, v, NULL);
      vlm_json_put_bool(w, key, flag);
      break;
    case VLM_JSON_INT:
      vlm_json_as_int(&integer, v, NULL);
      vlm_json_put_int(w, key, integer);
      break;
    case VLM_JSON_REAL:
      vlm_json_as_double(&real, v, NULL);
      vlm_json_put_double(w, key, real);
      break;
    case VLM_JSON_TEXT:
      vlm_json_as_bytes(&bytes, &n, v, NULL);
      vlm_json_put_bytes(w, key, bytes, n);
      break;
    case VLM_JSON_ARRAY:
      vlm_json_open_array(w, key);
      for (size_t i = 0; i < vlm_json_size(v); i++) put_json(w, NULL, vlm_json_at(v, i));
      vlm_json_close_array(w);
      break;
    case VLM_JSON_OBJECT:
      vlm_json_open_object(w, key);
      while (vlm_json_next(v, &it)) put_json(w, it.key, it.value);
      vlm_json_close_object(w);
      break;
    default: vlm_json_put_null(w, key);
  }
}

static vlm_status put_text(vlm_json_writer *w, const char *key, const char *json, vlm_error *err) {
  vlm_json_doc *doc;
  if (!json) {
    vlm_json_put_null(w, key);
    return VLM_OK;
  }
  vlm_status st = vlm_json_parse(&doc, json, strlen(json), key, err);
  if (st != VLM_OK) return st;
  put_json(w, key, vlm_json_root(doc));
  vlm_json_free(doc);
  return VLM_OK;
}

static void put_sections(vlm_json_writer *w, const vlm_pack *pack) {
  int32_t n;
  const vlm_pack_section *s = vlm_pack_sections(pack, &n);
  vlm_json_open_array(w, "sections");
  for (int32_t i = 0; i < n; i++) {
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "name", s[i].name);
    vlm_json_put_text(w, "what", s[i].what);
    vlm_json_put_text(w, "of", s[i].label);
    vlm_json_put_text(w, "codec", s[i].codec);
    vlm_json_put_int(w, "offset", (int64_t)s[i].offset);
    vlm_json_put_int(w, "stored_bytes", (int64_t)s[i].stored_bytes);
    vlm_json_put_int(w, "raw_bytes", (int64_t)s[i].raw_bytes);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

static void put_tensors(vlm_json_writer *w, const vlm_pack_view *v) {
  int32_t n;
  char name[512], hash[24];
  const vlm_pack_tensor *t = vlm_pack_tensors(v->pack, &n);
  vlm_json_open_array(w, "tensors");
  for (int32_t i = 0; i < n; i++) {
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "name", vlm_pack_tensor_name(v, &t[i], name, sizeof name));
    vlm_json_put_text(w, "type", vlm_dtype_name(t[i].tensor.dtype));
    vlm_json_open_array(w, "shape");
    for (int d = 0; d < t[i].tensor.rank; d++) vlm_json_put_int(w, NULL, t[i].tensor.dims[d]);
    vlm_json_close_array(w);
    vlm_json_put_int(w, "bytes", (int64_t)t[i].bytes);
    vlm_json_put_int(w, "stored_bytes", (int64_t)t[i].stored_bytes);
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)t[i].hash);
    vlm_json_put_text(w, "hash", hash);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

vlm_status vlm_pack_view_put(vlm_json_writer *w, const vlm_pack_view *v, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t n;
  const vlm_pack_pair *meta = vlm_pack_meta_all(v->pack, &n);
  vlm_json_put_int(w, "size_bytes", (int64_t)vlm_pack_file_bytes(v->pack));
  VLM_TRY(vlm_model_view_put(w, &v->model, err));
  vlm_json_open_object(w, "meta");
  for (int32_t i = 0; i < n; i++) vlm_json_put_text(w, meta[i].key, meta[i].value);
  vlm_json_close_object(w);
  put_sections(w, v->pack);
  VLM_TRY(put_text(w, "preprocessing", vlm_pack_preprocess(v->pack), err));
  VLM_TRY(put_text(w, "provenance", vlm_pack_provenance(v->pack), err));
  VLM_TRY(put_text(w, "quantization", vlm_pack_quantization(v->pack), err));
  put_tensors(w, v);
  const vlm_pack_golden *golden = vlm_pack_golden_all(v->pack, &n);
  vlm_json_open_array(w, "golden");
  for (int32_t i = 0; i < n; i++) vlm_json_put_text(w, NULL, golden[i].graph);
  vlm_json_close_array(w);
out:
  return st;
}
