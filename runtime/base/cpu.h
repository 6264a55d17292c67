/* What the CPU can do. A level is a name of the table cpu.def; a set of levels is a bit mask. */
#ifndef VLM_BASE_CPU_H
#define VLM_BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef enum vlm_cpu_level {
#define X(name, text) VLM_CPU_##name,
#include "runtime/base/cpu.def"
#undef X
  VLM_CPU_COUNT
} vlm_cpu_level;

/* Bit mask (1u << level) of what this machine can run; operating-system support (XCR0) is checked. VLM_CPU_C is always set.
 * AVX2 implies FMA and F16C here. */
uint32_t vlm_cpu_detect(void);
/* The detected set cut down to `level` and what it implies. VLM_UNSUPPORTED when the machine lacks it. NULL or "" = best. */
vlm_status vlm_cpu_select(uint32_t *mask, const char *level, vlm_error *err);
const char *vlm_cpu_name(vlm_cpu_level level);
vlm_cpu_level vlm_cpu_best(uint32_t mask);

#endif
