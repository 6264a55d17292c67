#include "calib/array_fit.h"

#include <math.h>

#include "runtime/base/memory.h"

static bool is_integer(vlm_dtype dtype) { return !vlm_dtype_is_float(dtype); }

/* Between whole numbers all 64 bits count, which a double does not hold. */
static bool copy_integer(const vlm_tensor *to, const vlm_tensor *from, int64_t i) {
  const int64_t v = vlm_tensor_get_int(from, i);
  const bool from_u64 = from->dtype == VLM_U64, to_u64 = to->dtype == VLM_U64;
  if (from_u64 != to_u64 && v < 0) return false; /* above the signed range, or below zero */
  if (to->dtype == VLM_BOOL && v != 0 && v != 1) return false;
  vlm_tensor_set_int(to, i, v);
  return vlm_tensor_get_int(to, i) == v;
}

/* Whole numbers above 2^53 are not told apart as doubles. */
static bool copy_number(const vlm_tensor *to, const vlm_tensor *from, int64_t i) {
  static const double EXACT = 9007199254740992.0;
  const double v = vlm_tensor_get(from, i);
  if (is_integer(from->dtype) && fabs(v) > EXACT) return false;
  if (is_integer(to->dtype) &&
      !(v == floor(v) && fabs(v) <= EXACT && (v >= 0 || vlm_dtype_is_signed(to->dtype))))
    return false;
  if (to->dtype == VLM_BOOL && v != 0 && v != 1) return false;
  vlm_tensor_set(to, i, v);
  const double back = vlm_tensor_get(to, i);
  return back == v || (isnan(back) && isnan(v));
}

vlm_status vlm_array_fit(vlm_tensor *array, vlm_dtype wanted, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor fitted = *array;
  const int64_t count = vlm_tensor_count(array);
  if (wanted == VLM_NONE || wanted == array->dtype || vlm_dtype_bits(wanted) < 8) return VLM_OK;
  const bool integers = is_integer(wanted) && is_integer(array->dtype);
  fitted.dtype = wanted;
  fitted.data = NULL;
  VLM_TRY(vlm_alloc(&fitted.data, (size_t)count, (size_t)vlm_dtype_bits(wanted) / 8, err));
  for (int64_t i = 0; i < count; i++)
    VLM_CHECK((integers ? copy_integer : copy_number)(&fitted, array, i), err, VLM_INPUT,
              "array \"%s\" is %s, the input wants %s, and its value %.17g would change; save it with "
              ".astype(\"%s\")",
              name, vlm_dtype_name(array->dtype), vlm_dtype_name(wanted), vlm_tensor_get(array, i),
              vlm_dtype_name(wanted));
  vlm_free(array->data);
  *array = fitted;
  fitted.data = NULL;
out:
  vlm_free(fitted.data);
  return st;
}
