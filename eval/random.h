/* Small deterministic random numbers: SplitMix64 (Steele, Lea, Flood 2014), the same on every machine. Not for secrets. */
#ifndef VLM_EVAL_RANDOM_H
#define VLM_EVAL_RANDOM_H

#include <stdint.h>

typedef struct vlm_random {
  uint64_t state; /* the seed, any value */
} vlm_random;

static inline uint64_t vlm_random_next(vlm_random *r) {
  uint64_t z = (r->state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* Uniform in [0, n), n > 0, without bias: values in the last incomplete run are drawn again. */
static inline uint64_t vlm_random_below(vlm_random *r, uint64_t n) {
  const uint64_t limit = UINT64_MAX - UINT64_MAX % n;
  uint64_t x;
  do x = vlm_random_next(r);
  while (x >= limit);
  return x % n;
}

#endif
