#include "runtime/kernels/kernels.h"

#include "runtime/kernels/rowops.h"

static const vlm_kernel table[] = {
#define VLM_KIND(kind_, mr_, nr_, kr_, a_bytes_, work) \
  {VLM_KERNEL_##kind_, VLM_CPU_C, "vlm_" #kind_ "_c", mr_, nr_, kr_, a_bytes_, {.kind_ = vlm_##kind_##_c}},
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
#define X(kind_, level_, mr_, nr_, kr_, a_bytes_, function) \
  {VLM_KERNEL_##kind_, VLM_CPU_##level_, #function, mr_, nr_, kr_, a_bytes_, {.kind_ = function}},
#include "runtime/kernels/kernels.def"
#undef X
};

const vlm_kernel *vlm_kernel_table(int *count) {
  *count = (int)(sizeof table / sizeof table[0]);
  return table;
}

const char *vlm_kernel_kind_name(vlm_kernel_kind kind) {
  static const char *const names[VLM_KERNEL_KINDS] = {
#define VLM_KIND(kind, mr, nr, kr, a_bytes, work) #kind,
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
  };
  return names[kind];
}

/* The last row of a kind that the mask allows; the C row always is one. */
static const vlm_kernel *best(vlm_kernel_kind kind, uint32_t cpu_mask) {
  const vlm_kernel *found = NULL;
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (table[i].kind == kind && (table[i].level == VLM_CPU_C || (cpu_mask >> table[i].level & 1)))
      found = &table[i];
  return found;
}

vlm_status vlm_kernels_select(vlm_kernels *out, uint32_t cpu_mask, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_kernels){.cpu_mask = cpu_mask, .rowops = vlm_rowops_for(cpu_mask)};
#define VLM_KIND(kind, mr, nr, kr, a_bytes, work) out->kind = best(VLM_KERNEL_##kind, cpu_mask);
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
  VLM_CHECK(out->gemm_f32->nr == out->gemv_f32->nr, err, VLM_INTERNAL,
            "%s and %s take panels of different width", out->gemm_f32->name, out->gemv_f32->name);
  VLM_CHECK(out->gemm_u8s8->a_bytes == 1 ||
                (out->gemm_u8s8->nr == out->gemm_u8s16->nr && out->gemm_u8s8->kr == out->gemm_u8s16->kr),
            err, VLM_INTERNAL, "%s and %s take panels of different shape", out->gemm_u8s8->name,
            out->gemm_u8s16->name);
out:
  return st;
}
