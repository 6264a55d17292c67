/* The table of what each provider takes: coverage.def. */
#ifndef VLM_EXPORT_COVERAGE_H
#define VLM_EXPORT_COVERAGE_H

#include "export/targets.h"

enum {                                  /* what a provider is */
       VLM_PROVIDER_TAKES_ALL = 1,      /* operators without a row are run as floats */
       VLM_PROVIDER_BODIES = 2,         /* nodes in bodies of If, Loop and Scan too */
       VLM_PROVIDER_INTEGER_COUNTS = 4, /* it is a CPU: what matters is what it computes in 8 bits */
       VLM_PROVIDER_FIXED = 8,          /* only where all dims are numbers */
       VLM_PROVIDER_STOPS = 16,         /* nothing behind a NonMaxSuppression */
       VLM_PROVIDER_EACH_ALONE = 32, /* kernels for single nodes: the CPU's run between them without copies */
       VLM_PROVIDER_NO_UNITS = 64 /* looks at each node by itself, QuantizeLinear and DequantizeLinear too */
};

enum { VLM_UNIT_U8 = 1, VLM_UNIT_S8 = 2, VLM_UNIT_ANY = 7 };

typedef struct vlm_covered {
  vlm_provider provider;
  const char *ops; /* words */
  int32_t limits;  /* bits of limits.h */
  int32_t units;   /* VLM_UNIT bits of the activations */
  int32_t unit_limits;
  const char *kernel; /* "" = none in 8 bits */
  const char *source;
} vlm_covered;

const vlm_covered *vlm_coverage_rows(int32_t *count);
/* Of an operator of ai.onnx or com.microsoft; NULL = no row. */
const vlm_covered *vlm_coverage_find(vlm_provider provider, const char *op_type);
int32_t vlm_provider_flags(vlm_provider provider);
/* Whether a partition of this operator alone is given back. */
bool vlm_provider_drops(vlm_provider provider, const char *op_type);
/* Its switches that decide where a graph runs (settings.def); NULL behind the last. */
typedef struct vlm_provider_setting {
  vlm_provider provider;
  const char *name, *text, *source;
} vlm_provider_setting;
const vlm_provider_setting *vlm_provider_next_setting(vlm_provider provider,
                                                      const vlm_provider_setting *last);
const char *vlm_provider_source(vlm_provider provider);

#endif
