#include "onnx/variants.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"

static const struct variant {
  const char *name, *suffix;
} variants[VLM_VARIANT_COUNT] = {
    [VLM_VARIANT_ANY] = {"any", ""},
#define X(name, text, suffix) [VLM_VARIANT_##name] = {text, suffix},
#include "onnx/variants.def"
#undef X
};

const char *vlm_variant_name(vlm_variant variant) { return variants[variant].name; }

/* At top level or in onnx/; *path is NULL when it is in neither. */
static vlm_status find_file(char **path, const char *folder, const char *stem, int v, vlm_error *err) {
  static const char *const PLACES[] = {"%s%s.onnx", "onnx/%s%s.onnx"};
  char name[256];
  *path = NULL;
  for (size_t i = 0; i < 2; i++) {
    snprintf(name, sizeof name, PLACES[i], stem, variants[v].suffix);
    vlm_status st = vlm_path_join(path, folder, name, err);
    if (st != VLM_OK || vlm_file_exists(*path)) return st;
    vlm_free(*path);
    *path = NULL;
  }
  return VLM_OK;
}

/* Nothing plain, nothing asked for: the only one there is. */
static vlm_status find_only(char **path, vlm_variant *found, const char *folder, const char *stem,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  char *other = NULL, names[256];
  for (int v = VLM_VARIANT_FP32 + 1; v < VLM_VARIANT_COUNT; v++) {
    VLM_TRY(find_file(&other, folder, stem, v, err));
    if (other && *path) goto several;
    if (!other) continue;
    *path = other;
    *found = (vlm_variant)v;
    other = NULL;
  }
  return VLM_OK;
several:
  VLM_TRY(vlm_variant_list(names, sizeof names, folder, &stem, 1, err));
  st = vlm_fail(err, VLM_INPUT, "%s: %s comes as %s; say which with --variant", folder, stem, names);
out:
  vlm_free(other);
  vlm_free(*path);
  *path = NULL;
  return st;
}

vlm_status vlm_variant_find(char **path, vlm_variant *found, const char *folder, const char *stem,
                            vlm_variant asked, vlm_error *err) {
  vlm_status st = VLM_OK;
  *path = NULL;
  *found = asked == VLM_VARIANT_ANY ? VLM_VARIANT_FP32 : asked;
  VLM_TRY(find_file(path, folder, stem, (int)*found, err));
  if (*path || asked == VLM_VARIANT_FP32) goto out;
  *found = VLM_VARIANT_FP32;
  VLM_TRY(find_file(path, folder, stem, VLM_VARIANT_FP32, err));
  if (!*path && asked == VLM_VARIANT_ANY) VLM_TRY(find_only(path, found, folder, stem, err));
out:
  return st;
}

vlm_status vlm_variant_list(char *out, size_t bytes, const char *folder, const char *const *stems, int count,
                            vlm_error *err) {
  *out = 0;
  for (int v = VLM_VARIANT_FP32; v < VLM_VARIANT_COUNT; v++) {
    bool there = false;
    for (int i = 0; i < count && !there; i++) {
      char *path = NULL;
      if (!stems[i]) continue;
      const vlm_status st = find_file(&path, folder, stems[i], v, err);
      if (st != VLM_OK) return st;
      there = path != NULL;
      vlm_free(path);
    }
    size_t n = strlen(out);
    if (there) snprintf(out + n, bytes - n, "%s%s", n ? ", " : "", variants[v].name);
  }
  return VLM_OK;
}
