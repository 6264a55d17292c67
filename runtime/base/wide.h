/* For the offline tools' loops that are exact on every instruction set: the compiler makes a wide version of each, and the loader picks.
 * (Whatever a model runs is in runtime/kernels, by level.) */
#ifndef VLM_BASE_WIDE_H
#define VLM_BASE_WIDE_H

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && defined(__GNUC__) && !defined(__clang__)
#define VLM_WIDE __attribute__((target_clones("avx2", "default"), optimize("O3", "no-trapping-math")))
#else
#define VLM_WIDE
#endif
#define VLM_WIDE_INLINE static inline __attribute__((always_inline)) /* a wide caller needs a wide callee */

enum { VLM_LANES = 8 };

#endif
