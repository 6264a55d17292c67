#define _DEFAULT_SOURCE /* syscall */
#include "runtime/base/cpu.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

static const char *const NAMES[VLM_CPU_COUNT] = {
#define X(name, text) [VLM_CPU_##name] = text,
#include "runtime/base/cpu.def"
#undef X
};

#define BIT(level) (1u << VLM_CPU_##level)

/* What a level brings along: kernels of the levels in the set may be mixed. */
static const uint32_t IMPLIED[VLM_CPU_COUNT] = {
    [VLM_CPU_C] = BIT(C),
    [VLM_CPU_AVX2] = BIT(C) | BIT(AVX2),
    [VLM_CPU_AVXVNNI] = BIT(C) | BIT(AVX2) | BIT(AVXVNNI),
    [VLM_CPU_AVX512VNNI] = BIT(C) | BIT(AVX2) | BIT(AVXVNNI) | BIT(AVX512VNNI),
    [VLM_CPU_AMX] = BIT(C) | BIT(AVX2) | BIT(AVXVNNI) | BIT(AVX512VNNI) | BIT(AMX),
    [VLM_CPU_NEON] = BIT(C) | BIT(NEON),
    [VLM_CPU_DOTPROD] = BIT(C) | BIT(NEON) | BIT(DOTPROD),
    [VLM_CPU_I8MM] = BIT(C) | BIT(NEON) | BIT(DOTPROD) | BIT(I8MM),
};

#if defined(__x86_64__)
static uint64_t xcr0(void) {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/* Linux gives a process the AMX tile state only on request. */
static bool amx_permitted(void) { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

uint32_t vlm_cpu_detect(void) {
  uint32_t a, b, c, d, mask = BIT(C), a1, b1, c1, d1;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return mask;
  uint64_t state = xcr0();
  bool fma = (c & bit_FMA) && (c & bit_F16C) && (c & bit_AVX);
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return mask;
  if ((state & 6) != 6 || !fma || !(b & bit_AVX2)) return mask;
  mask |= BIT(AVX2);
  if (__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1) && (a1 >> 4 & 1)) mask |= BIT(AVXVNNI);
  const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  if ((state & 0xe6) != 0xe6 || (b & avx512) != avx512 || !(c >> 11 & 1)) return mask;
  mask |= BIT(AVX512VNNI);
  if ((state & 0x60000) == 0x60000 && (d >> 24 & 1) && (d >> 25 & 1) && amx_permitted()) mask |= BIT(AMX);
  return mask;
}
#elif defined(__aarch64__)
uint32_t vlm_cpu_detect(void) {
  uint32_t mask = BIT(C) | BIT(NEON);
  if (getauxval(AT_HWCAP) >> 20 & 1) mask |= BIT(DOTPROD);
  if ((mask & BIT(DOTPROD)) && (getauxval(AT_HWCAP2) >> 13 & 1)) mask |= BIT(I8MM);
  return mask;
}
#else
uint32_t vlm_cpu_detect(void) { return BIT(C); }
#endif

const char *vlm_cpu_name(vlm_cpu_level level) { return (unsigned)level < VLM_CPU_COUNT ? NAMES[level] : "?"; }

vlm_cpu_level vlm_cpu_best(uint32_t mask) {
  int best = VLM_CPU_C;
  for (int level = 0; level < VLM_CPU_COUNT; level++)
    if (mask >> level & 1) best = level;
  return (vlm_cpu_level)best;
}

vlm_status vlm_cpu_select(uint32_t *mask, const char *level, vlm_error *err) {
  uint32_t have = vlm_cpu_detect();
  *mask = have;
  if (!level || !*level || !strcmp(level, "best")) return VLM_OK;
  for (int k = 0; k < VLM_CPU_COUNT; k++) {
    if (strcmp(NAMES[k], level)) continue;
    if (!(have >> k & 1))
      return vlm_fail(err, VLM_UNSUPPORTED, "this machine cannot run --cpu %s; its best level is %s", level,
                      NAMES[vlm_cpu_best(have)]);
    *mask = have & IMPLIED[k];
    return VLM_OK;
  }
  return vlm_fail(err, VLM_USAGE,
                  "unknown --cpu level \"%s\"; known: c avx2 avxvnni avx512vnni amx neon dotprod i8mm",
                  level);
}
