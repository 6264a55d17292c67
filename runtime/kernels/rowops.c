#include "runtime/kernels/rowops.h"

#include <stddef.h>

#include "runtime/base/cpu.h"

#define VLM_ROW_TABLE(level, suffix) extern const vlm_rowops vlm_rowops_##suffix;
#include "runtime/kernels/rowops.def"

/* Best first. A CPU that has none of the vector levels takes the last row. */
static const struct {
  vlm_cpu_level level;
  const vlm_rowops *ops;
} variants[] = {
#define VLM_ROW_TABLE(level, suffix) {VLM_CPU_##level, &vlm_rowops_##suffix},
#include "runtime/kernels/rowops.def"
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

const vlm_rowops *vlm_rowops_for(uint32_t cpu_mask) {
  int i = 0;
  while (i < VARIANTS - 1 && !(cpu_mask >> variants[i].level & 1)) i++;
  return variants[i].ops;
}

const vlm_rowops *vlm_rowops_variant(int index, int *level) {
  if (index < 0 || index >= VARIANTS) return NULL;
  *level = (int)variants[index].level;
  return variants[index].ops;
}
