#include "pack/encode.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- writing ---- */

void vlm_put_bytes(vlm_encoder *e, const void *data, size_t bytes) {
  if (e->status == VLM_OK) e->status = vlm_text_append(&e->bytes, data, bytes, e->err);
}

static void put_little(vlm_encoder *e, uint64_t value, int bytes) {
  unsigned char data[8];
  for (int i = 0; i < bytes; i++) data[i] = (unsigned char)(value >> (8 * i));
  vlm_put_bytes(e, data, (size_t)bytes);
}

void vlm_put_u8(vlm_encoder *e, unsigned value) { put_little(e, value, 1); }
void vlm_put_u32(vlm_encoder *e, uint32_t value) { put_little(e, value, 4); }
void vlm_put_u64(vlm_encoder *e, uint64_t value) { put_little(e, value, 8); }

void vlm_put_f32(vlm_encoder *e, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  vlm_put_u32(e, bits);
}

void vlm_put_uint(vlm_encoder *e, uint64_t value) {
  for (; value >= 0x80; value >>= 7) vlm_put_u8(e, 0x80u | (unsigned)(value & 0x7F));
  vlm_put_u8(e, (unsigned)value);
}

void vlm_put_sint(vlm_encoder *e, int64_t value) {
  vlm_put_uint(e, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void vlm_put_text(vlm_encoder *e, const char *text) {
  vlm_put_uint(e, strlen(text));
  vlm_put_bytes(e, text, strlen(text));
}

void vlm_put_shape(vlm_encoder *e, const vlm_tensor *tensor) {
  assert(tensor->rank >= 0 && tensor->rank <= VLM_MAX_RANK);
  vlm_put_u8(e, (unsigned)vlm_dtype_onnx(tensor->dtype));
  vlm_put_uint(e, (uint64_t)tensor->rank);
  for (int i = 0; i < tensor->rank; i++) vlm_put_uint(e, (uint64_t)tensor->dims[i]);
}

/* ---- reading ---- */

void vlm_get_fail(vlm_byte_reader *d, const char *format, ...) {
  char text[256];
  va_list args;
  if (d->status != VLM_OK) return;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  d->status =
      vlm_fail(d->err, VLM_INTEGRITY, "%s: section %s, byte %zu: %s", d->file, d->section, d->at, text);
}

const unsigned char *vlm_get_bytes(vlm_byte_reader *d, size_t bytes) {
  assert(d->at <= d->bytes);
  if (d->status == VLM_OK && bytes > d->bytes - d->at)
    vlm_get_fail(d, "%zu bytes wanted, %zu left", bytes, d->bytes - d->at);
  if (d->status != VLM_OK) return NULL;
  const unsigned char *data = d->data + d->at;
  d->at += bytes;
  return data;
}

static uint64_t get_little(vlm_byte_reader *d, int bytes) {
  const unsigned char *data = vlm_get_bytes(d, (size_t)bytes);
  uint64_t value = 0;
  for (int i = 0; data && i < bytes; i++) value |= (uint64_t)data[i] << (8 * i);
  return value;
}

unsigned vlm_get_u8(vlm_byte_reader *d) { return (unsigned)get_little(d, 1); }
uint32_t vlm_get_u32(vlm_byte_reader *d) { return (uint32_t)get_little(d, 4); }
uint64_t vlm_get_u64(vlm_byte_reader *d) { return get_little(d, 8); }

float vlm_get_f32(vlm_byte_reader *d) {
  const uint32_t bits = vlm_get_u32(d);
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

uint64_t vlm_get_uint(vlm_byte_reader *d) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const unsigned byte = vlm_get_u8(d);
    if (shift == 63 && byte > 1) vlm_get_fail(d, "a number does not fit 64 bits");
    if (shift > 0 && byte == 0) vlm_get_fail(d, "a number is not in its shortest form");
    if (d->status != VLM_OK) return 0;
    value |= (uint64_t)(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  vlm_get_fail(d, "a number is longer than 10 bytes");
  return 0;
}

int64_t vlm_get_sint(vlm_byte_reader *d) {
  const uint64_t value = vlm_get_uint(d);
  return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

int64_t vlm_get_below(vlm_byte_reader *d, uint64_t limit, const char *what) {
  const uint64_t value = vlm_get_uint(d);
  if (d->status == VLM_OK && value >= limit)
    vlm_get_fail(d, "%s is %llu, wanted below %llu", what, (unsigned long long)value,
                 (unsigned long long)limit);
  return d->status == VLM_OK ? (int64_t)value : 0;
}

int32_t vlm_get_count(vlm_byte_reader *d, size_t least, int32_t limit, const char *what) {
  assert(least > 0);
  const uint64_t value = vlm_get_uint(d);
  const uint64_t room = (d->bytes - d->at) / least;
  if (d->status != VLM_OK) return 0;
  if (value > room || value > (uint64_t)limit) {
    vlm_get_fail(d, "%llu %s; there is room for %llu, the limit is %d", (unsigned long long)value, what,
                 (unsigned long long)room, (int)limit);
    return 0;
  }
  return (int32_t)value;
}

const char *vlm_get_text(vlm_byte_reader *d, vlm_arena *arena) {
  const uint64_t bytes = vlm_get_uint(d);
  char *copy = NULL;
  const unsigned char *data = vlm_get_bytes(d, bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes);
  if (data && memchr(data, 0, (size_t)bytes)) vlm_get_fail(d, "a text contains a zero byte");
  if (d->status == VLM_OK) d->status = vlm_arena_new(arena, &copy, (size_t)bytes + 1, d->err);
  if (d->status != VLM_OK) return "";
  if (bytes) memcpy(copy, data, (size_t)bytes);
  return copy;
}

vlm_dtype vlm_get_dtype(vlm_byte_reader *d, bool none) {
  const unsigned code = vlm_get_u8(d);
  const vlm_dtype dtype = vlm_dtype_from_onnx((int)code);
  if (dtype == VLM_NONE && (code != 0 || !none)) vlm_get_fail(d, "element type %u is unknown", code);
  return dtype;
}

vlm_tensor vlm_get_shape(vlm_byte_reader *d, size_t *bytes) {
  vlm_tensor t = {.dtype = vlm_get_dtype(d, false)};
  t.rank = (int)vlm_get_below(d, VLM_MAX_RANK + 1, "the rank");
  for (int i = 0; i < t.rank; i++) t.dims[i] = vlm_get_below(d, INT64_MAX, "a dimension");
  *bytes = 0;
  if (d->status == VLM_OK && vlm_tensor_bytes_checked(bytes, &t, NULL) != VLM_OK)
    vlm_get_fail(d, "the product of the dimensions is too large");
  return t;
}

vlm_status vlm_get_end(vlm_byte_reader *d) {
  if (d->status == VLM_OK && d->at != d->bytes) vlm_get_fail(d, "%zu bytes too many", d->bytes - d->at);
  return d->status;
}
