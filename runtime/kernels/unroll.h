/* Full unrolling of the constant loops of a register tile: the accumulators must live in registers. clang does it by itself. */
#ifndef VLM_KERNELS_UNROLL_H
#define VLM_KERNELS_UNROLL_H

#if defined(__clang__)
#define VLM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define VLM_UNROLL _Pragma("GCC unroll 16")
#endif
#define VLM_PREFETCH_BYTES 1024 /* how far ahead a tile fetches its panel */
#define VLM_PREFETCH_FAR 2048   /* the same from memory */
#define VLM_INLINE inline __attribute__((always_inline))

#endif
