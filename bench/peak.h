/* Register-only arithmetic peaks: what the shares of the kernels are measured against. A call returns its number of operations; the caller
 * takes the time. */
#ifndef VLM_BENCH_PEAK_H
#define VLM_BENCH_PEAK_H

#include <stdint.h>

typedef double vlm_peak_fn(int64_t rounds);
#if defined(__x86_64__)
vlm_peak_fn vlm_peak_fma_avx2, vlm_peak_madd_avx2, vlm_peak_fma_avx512vnni, vlm_peak_dot_avx512vnni,
    vlm_peak_dot_avxvnni;
#endif

#endif
