/* What the machine can do at most, measured in some tens of milliseconds: what a profile's rates are compared with. */
#ifndef VLM_FLOW_PEAKS_H
#define VLM_FLOW_PEAKS_H

#include "runtime/exec/session.h"

/* Of all threads of the context together, with the kernels of its CPU level on operands in the first-level cache; two operations per
 * multiply-add. */
typedef struct vlm_peaks {
  double float_gops, integer_gops;
  double memory_gbs; /* reading, from memory */
} vlm_peaks;

vlm_status vlm_peaks_measure(vlm_peaks *out, vlm_context *context, vlm_error *err);

#endif
