/* Conformance: runs folders in the ONNX backend-test layout and compares.
 *
 * A case is a folder with `model.onnx` and `test_data_set_K/input_I.pb, output_I.pb`; folders may be nested. Cases run in the order of
 * their paths. Floating-point outputs pass when |got - wanted| <= atol + rtol * |wanted| (NaN equals NaN); integers and bools must be
 * equal;
 * element type and shape must match. An operator that is not supported makes a case "unsupported" only when the message names it. */
#ifndef VLM_FLOW_CHECK_H
#define VLM_FLOW_CHECK_H

#include <stdint.h>

#include "runtime/base/status.h"

typedef enum vlm_check_result { VLM_CHECK_PASSED, VLM_CHECK_FAILED, VLM_CHECK_UNSUPPORTED } vlm_check_result;
const char *vlm_check_result_name(vlm_check_result result); /* "passed", ... */

typedef struct vlm_check_opts {
  double rtol, atol; /* negative = 1e-3 and 1e-7, as the ONNX suite */
  int threads;       /* 0 = all */
  const char *cpu;   /* NULL = best */
} vlm_check_opts;

typedef struct vlm_check_case {
  const char *name; /* path below the folder that was given; the folder's own name when it is the case */
  vlm_check_result result;
  const char *detail; /* "" when passed */
} vlm_check_case;

typedef struct vlm_check_counts {
  int64_t passed, failed, unsupported;
} vlm_check_counts;

/* `report` is called after each case. Fails only when a folder cannot be read or holds no case. */
vlm_status vlm_check_folders(const char *const *folders, int32_t n_folders, const vlm_check_opts *opts,
                             void (*report)(void *user, const vlm_check_case *result), void *user,
                             vlm_check_counts *counts, vlm_error *err);

#endif
