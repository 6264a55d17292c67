#include "runtime/base/foreign.h"

#include <stdint.h>
#include <string.h>

static const struct {
  size_t at, bytes;
  const char *signature;
  vlm_foreign what;
} types[] = {
#define X(name, at, signature, bytes, stands_in, advice) {at, bytes, signature, {name, advice, stands_in}},
#include "runtime/base/foreign.def"
#undef X
};

static const vlm_foreign EMPTY = {"empty", "get the file again", true};
static const vlm_foreign JSON = {"a JSON file", "give the folder that it lies in, or the .onnx or .vlmq file",
                                 false};
static const vlm_foreign SAFETENSORS = {
    "a safetensors file",
    "weights alone are no model: export it to ONNX (optimum-cli export onnx) and give that", false};

/* Eight bytes say how long the JSON text is that follows. */
static bool is_safetensors(const unsigned char *p, size_t bytes) {
  uint64_t length = 0;
  for (size_t i = 8; bytes > 9 && i-- > 0;) length = length << 8 | p[i];
  return length > 1 && p[8] == '{' && length < (uint64_t)1 << 40;
}

static bool is_json(const unsigned char *p, size_t bytes) {
  size_t at = bytes >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  while (at < bytes && strchr(" \t\r\n", p[at]) && p[at]) at++;
  return at < bytes && (p[at] == '{' || p[at] == '[');
}

const vlm_foreign *vlm_foreign_find(const void *data, size_t bytes) {
  const unsigned char *p = data;
  if (bytes == 0) return &EMPTY;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (bytes >= types[i].at + types[i].bytes &&
        memcmp(p + types[i].at, types[i].signature, types[i].bytes) == 0)
      return &types[i].what;
  if (is_safetensors(p, bytes)) return &SAFETENSORS;
  return is_json(p, bytes) ? &JSON : NULL;
}
