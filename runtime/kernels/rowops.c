#include "runtime/kernels/rowops.h"

#include <stddef.h>

#include "runtime/base/cpu.h"

extern const vlm_rowops vlm_rowops_c;
#if defined(__x86_64__)
extern const vlm_rowops vlm_rowops_avx2, vlm_rowops_avx512vnni;
#endif

/* Best first. A CPU that has none of the vector levels takes the last row. */
static const struct {
  vlm_cpu_level level;
  const vlm_rowops *ops;
} variants[] = {
#if defined(__x86_64__)
    {VLM_CPU_AVX512VNNI, &vlm_rowops_avx512vnni},
    {VLM_CPU_AVX2, &vlm_rowops_avx2},
#endif
    {VLM_CPU_C, &vlm_rowops_c},
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
