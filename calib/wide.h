/* Private to calib/: loops that the compiler makes wide. */
#ifndef VLM_CALIB_WIDE_H
#define VLM_CALIB_WIDE_H

/* For loops that are exact on every instruction set: the compiler makes a wide version of each, and the loader picks. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default"), optimize("O3", "no-trapping-math")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline)) /* a wide caller needs a wide callee */

enum { LANES = 8 };

#endif
