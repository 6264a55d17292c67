#include "runtime/base/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/small_float.h"

int64_t vlm_tensor_span(const vlm_tensor *t, int from, int to) {
  int64_t n = 1;
  for (int i = from; i < to; i++) n *= t->dims[i];
  return n;
}

int64_t vlm_tensor_count(const vlm_tensor *t) { return vlm_tensor_span(t, 0, t->rank); }

vlm_status vlm_tensor_bytes_checked(size_t *bytes, const vlm_tensor *t, vlm_error *err) {
  char text[128];
  size_t n = 1;
  bool empty = false, fits = true;
  for (int i = 0; i < t->rank; i++) {
    if (t->dims[i] < 0)
      return vlm_fail(err, VLM_INPUT, "shape %s has a negative dimension",
                      vlm_tensor_shape_text(t, text, sizeof text));
    empty |= t->dims[i] == 0;
    fits &= t->dims[i] == 0 || vlm_size_mul(n, (size_t)t->dims[i], &n);
  }
  if (!fits || n > (size_t)1 << 46) /* the dims of empty tensors too: they are multiplied elsewhere */
    return vlm_fail(err, VLM_LIMIT, "shape %s is too large", vlm_tensor_shape_text(t, text, sizeof text));
  if (empty) n = 0;
  *bytes = (n * (size_t)vlm_dtype_bits(t->dtype) + 7) / 8;
  return VLM_OK;
}

size_t vlm_tensor_bytes(const vlm_tensor *t) {
  return ((size_t)vlm_tensor_count(t) * (size_t)vlm_dtype_bits(t->dtype) + 7) / 8;
}

vlm_tensor vlm_tensor_make(vlm_dtype dtype, int rank, const int64_t *dims, void *data) {
  vlm_tensor t = {.dtype = dtype, .rank = rank, .data = data};
  for (int i = 0; i < rank; i++) t.dims[i] = dims[i];
  return t;
}

bool vlm_tensor_same_shape(const vlm_tensor *a, const vlm_tensor *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i]) return false;
  return true;
}

const char *vlm_tensor_shape_text(const vlm_tensor *t, char *text, size_t size) {
  size_t at = 0;
  at += (size_t)snprintf(text, size, "[");
  for (int i = 0; i < t->rank && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, t->dims[i] < 0 ? "%s?" : "%s%" PRId64, i ? ", " : "",
                           t->dims[i]);
  if (at < size) snprintf(text + at, size - at, t->rank < 0 ? "?]" : "]");
  return text;
}

/* ---- single elements ---- */

double vlm_tensor_get(const vlm_tensor *t, int64_t i) {
  switch (t->dtype) {
    case VLM_F32: return (double)((const float *)t->data)[i];
    case VLM_F64: return ((const double *)t->data)[i];
    case VLM_F16: return (double)vlm_f16_to_f32(((const uint16_t *)t->data)[i]);
    case VLM_BF16: return (double)vlm_bf16_to_f32(((const uint16_t *)t->data)[i]);
    case VLM_U64: return (double)((const uint64_t *)t->data)[i];
    default:
      if (vlm_dtype_is_small_float(t->dtype)) return vlm_small_decode(t->dtype, vlm_tensor_get_code(t, i));
      return (double)vlm_tensor_get_int(t, i);
  }
}

int64_t vlm_tensor_get_int(const vlm_tensor *t, int64_t i) {
  switch (t->dtype) {
    case VLM_BOOL: return ((const uint8_t *)t->data)[i] != 0;
    case VLM_U8: return ((const uint8_t *)t->data)[i];
    case VLM_S8: return ((const int8_t *)t->data)[i];
    case VLM_U16: return ((const uint16_t *)t->data)[i];
    case VLM_S16: return ((const int16_t *)t->data)[i];
    case VLM_U32: return ((const uint32_t *)t->data)[i];
    case VLM_S32: return ((const int32_t *)t->data)[i];
    case VLM_U64: return (int64_t)((const uint64_t *)t->data)[i];
    case VLM_S64: return ((const int64_t *)t->data)[i];
    case VLM_U2:
    case VLM_U4: return vlm_tensor_get_code(t, i);
    case VLM_S2: return ((int)vlm_tensor_get_code(t, i) ^ 2) - 2;
    case VLM_S4: return ((int)vlm_tensor_get_code(t, i) ^ 8) - 8;
    default: {
      double value =
          vlm_dtype_is_float(t->dtype) ? vlm_tensor_get(t, i) : 0; /* a tensor of no type: nothing */
      return value >= -0x1p63 && value < 0x1p63 ? (int64_t)value : 0;
    }
  }
}

static int64_t clamp_round(double value, double low, double high) {
  if (!(value > low)) return value != value ? 0 : (int64_t)low;
  return value >= high ? (int64_t)high : (int64_t)rint(value);
}

void vlm_tensor_set(const vlm_tensor *t, int64_t i, double value) {
  switch (t->dtype) {
    case VLM_F32: ((float *)t->data)[i] = (float)value; break;
    case VLM_F64: ((double *)t->data)[i] = value; break;
    case VLM_F16: ((uint16_t *)t->data)[i] = vlm_f32_to_f16((float)value); break;
    case VLM_BF16: ((uint16_t *)t->data)[i] = vlm_f32_to_bf16((float)value); break;
    case VLM_BOOL: ((uint8_t *)t->data)[i] = value != 0; break;
    case VLM_U8: ((uint8_t *)t->data)[i] = (uint8_t)clamp_round(value, 0, 255); break;
    case VLM_S8: ((int8_t *)t->data)[i] = (int8_t)clamp_round(value, -128, 127); break;
    case VLM_U16: ((uint16_t *)t->data)[i] = (uint16_t)clamp_round(value, 0, 65535); break;
    case VLM_S16: ((int16_t *)t->data)[i] = (int16_t)clamp_round(value, -32768, 32767); break;
    case VLM_U32: ((uint32_t *)t->data)[i] = (uint32_t)clamp_round(value, 0, 4294967295.0); break;
    case VLM_S32: ((int32_t *)t->data)[i] = (int32_t)clamp_round(value, -2147483648.0, 2147483647.0); break;
    case VLM_S64:
      ((int64_t *)t->data)[i] = value >= 0x1p63   ? INT64_MAX
                                : value < -0x1p63 ? INT64_MIN
                                : value != value  ? 0
                                                  : (int64_t)rint(value);
      break;
    case VLM_U64:
      ((uint64_t *)t->data)[i] = value >= 0x1p64 ? UINT64_MAX : value > 0 ? (uint64_t)rint(value) : 0;
      break;
    case VLM_U2: vlm_tensor_set_code(t, i, (unsigned)clamp_round(value, 0, 3)); break;
    case VLM_S2: vlm_tensor_set_code(t, i, (unsigned)clamp_round(value, -2, 1)); break;
    case VLM_U4: vlm_tensor_set_code(t, i, (unsigned)clamp_round(value, 0, 15)); break;
    case VLM_S4: vlm_tensor_set_code(t, i, (unsigned)clamp_round(value, -8, 7)); break;
    default:
      if (vlm_dtype_is_small_float(t->dtype))
        vlm_tensor_set_code(t, i, vlm_small_encode(t->dtype, value, vlm_small_rule_default()));
  }
}

void vlm_tensor_set_int(const vlm_tensor *t, int64_t i, int64_t value) {
  if (t->dtype == VLM_BOOL) value = value != 0;
  switch (vlm_dtype_bits(t->dtype)) {
    case 16: ((uint16_t *)t->data)[i] = (uint16_t)value; break;
    case 32: ((uint32_t *)t->data)[i] = (uint32_t)value; break;
    case 64: ((uint64_t *)t->data)[i] = (uint64_t)value; break;
    default: vlm_tensor_set_code(t, i, (unsigned)value); break;
  }
}

bool vlm_tensor_is_transpose(const vlm_tensor *a, const vlm_tensor *b) {
  if (a->dtype != b->dtype || a->rank != 2 || b->rank != 2 || a->dims[0] != b->dims[1] ||
      a->dims[1] != b->dims[0])
    return false;
  size_t size = (size_t)vlm_dtype_bits(a->dtype) / 8, rows = (size_t)a->dims[0], columns = (size_t)a->dims[1];
  const char *x = a->data, *y = b->data;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      if (memcmp(x + (i * columns + j) * size, y + (j * rows + i) * size, size) != 0) return false;
  return true;
}
