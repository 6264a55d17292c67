/* What the tests of the drivers share: values, and a check at every CPU level that this machine has, for one and three threads. Include
 * cmocka.h before. */
#ifndef VLM_TESTS_KERNELS_EVERYWHERE_H
#define VLM_TESTS_KERNELS_EVERYWHERE_H

#include <stdint.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/threads.h"
#include "runtime/kernels/kernels.h"
#include "tests/fine.h"

static uint32_t seed = 99;
static inline uint32_t next_random(void) {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 8;
}
static inline float next_float(void) { return ((float)(next_random() % 2001) - 1000.0f) / 317.0f; }

static inline void *take(int64_t count, size_t size) {
  void *p;
  FINE(vlm_alloc(&p, (size_t)(count > 0 ? count : 1), size, &error));
  return p;
}
static inline float *floats(int64_t count) {
  float *p = take(count, 4);
  for (int64_t i = 0; i < count; i++) p[i] = next_float();
  return p;
}
static inline uint8_t *bytes(int64_t count) {
  uint8_t *p = take(count, 1);
  for (int64_t i = 0; i < count; i++) p[i] = (uint8_t)next_random();
  return p;
}

/* Runs `check` for every level and two thread counts. */
typedef void check_fn(const vlm_kernels *kernels, vlm_threads *threads);
static inline void everywhere(check_fn *check) {
  uint32_t mask = vlm_cpu_detect();
  for (int level = 0; level < VLM_CPU_COUNT; level++) {
    uint32_t part;
    vlm_kernels kernels;
    if (!(mask >> level & 1)) continue;
    FINE(vlm_cpu_select(&part, vlm_cpu_name((vlm_cpu_level)level), &error));
    FINE(vlm_kernels_select(&kernels, part, &error));
    for (int count = 1; count <= 3; count += 2) {
      vlm_threads *threads;
      FINE(vlm_threads_create(&threads, count, &error));
      seed = 99;
      check(&kernels, threads);
      vlm_threads_free(threads);
    }
  }
}

static inline void expect(float got, float wanted, const char *what, int64_t i, int64_t j) {
  uint32_t a, b;
  memcpy(&a, &got, 4);
  memcpy(&b, &wanted, 4);
  if (a != b)
    fail_msg("%s: element (%d, %d) is %.9g, wanted %.9g", what, (int)i, (int)j, (double)got, (double)wanted);
}

#endif
