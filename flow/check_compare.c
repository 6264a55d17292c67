#include "flow/check_compare.h"

#include <math.h>

static bool close_enough(double got, double wanted, double rtol, double atol) {
  if (isnan(got) || isnan(wanted)) return isnan(got) && isnan(wanted);
  if (isinf(got) || isinf(wanted)) return got == wanted;
  return fabs(got - wanted) <= atol + rtol * fabs(wanted);
}

static bool element_matches(const vlm_tensor *got, const vlm_tensor *wanted, int64_t i, double rtol,
                            double atol) {
  if (vlm_dtype_is_float(got->dtype))
    return close_enough(vlm_tensor_get(got, i), vlm_tensor_get(wanted, i), rtol, atol);
  return vlm_tensor_get_int(got, i) == vlm_tensor_get_int(wanted, i);
}

static vlm_status compare_elements(const vlm_tensor *got, const vlm_tensor *wanted, const char *name,
                                   double rtol, double atol, vlm_error *err) {
  int64_t count = vlm_tensor_count(wanted), bad = 0, first = 0;
  for (int64_t i = 0; i < count; i++) {
    if (element_matches(got, wanted, i, rtol, atol)) continue;
    if (bad++ == 0) first = i;
  }
  if (bad == 0) return VLM_OK;
  return vlm_fail(err, VLM_INPUT,
                  "output \"%s\": element %lld is %.9g, expected %.9g (%lld of %lld elements differ)", name,
                  (long long)first, vlm_tensor_get(got, first), vlm_tensor_get(wanted, first), (long long)bad,
                  (long long)count);
}

vlm_status vlm_check_compare(const vlm_tensor *got, const vlm_tensor *wanted, const char *name, double rtol,
                             double atol, vlm_error *err) {
  vlm_status st = VLM_OK;
  char left[128], right[128];
  VLM_CHECK(got->dtype == wanted->dtype, err, VLM_INPUT, "output \"%s\" is %s, expected %s", name,
            vlm_dtype_name(got->dtype), vlm_dtype_name(wanted->dtype));
  VLM_CHECK(vlm_tensor_same_shape(got, wanted), err, VLM_INPUT, "output \"%s\" has shape %s, expected %s",
            name, vlm_tensor_shape_text(got, left, sizeof left),
            vlm_tensor_shape_text(wanted, right, sizeof right));
  VLM_TRY(compare_elements(got, wanted, name, rtol, atol, err));
out:
  return st;
}
