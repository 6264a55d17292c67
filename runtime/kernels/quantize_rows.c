#include <math.h>

#include "runtime/kernels/gemm_q8.h"

enum { CHUNK = 16384 };

typedef struct {
  uint8_t *q;
  float *scale;
  int32_t *zero;
  const float *x;
  int64_t k;
  float one_scale;
  int32_t one_zero;
  const vlm_kernels *kernels;
} region;

static void quantize_row(const region *r, int64_t i) {
  const float *x = r->x + i * r->k;
  float low, high;
  r->kernels->rowops->minmax(x, r->k, &low, &high);
  if (!(low < 0)) low = 0;
  if (!(high > 0)) high = 0;
  float scale = (high - low) / 255.0f;
  float zero = scale > 0 ? rintf(-low / scale) : 0;
  if (!(scale > 0)) scale = 1;
  r->scale[i] = scale;
  r->zero[i] = zero >= 0 && zero <= 255 ? (int32_t)zero : 255; /* NaN when the row holds infinities */
  r->kernels->quantize_u8(r->q + i * r->k, x, r->k, scale, r->zero[i]);
}

static void rows_task(void *user, int64_t begin, int64_t end, int worker) {
  (void)worker;
  for (int64_t i = begin; i < end; i++) quantize_row(user, i);
}

void vlm_quantize_rows_u8(uint8_t *q, float *scale, int32_t *zero, const float *x, int64_t m, int64_t k, const vlm_kernels *kernels,
                          vlm_threads *threads) {
  region r = {.q = q, .scale = scale, .zero = zero, .x = x, .k = k, .kernels = kernels};
  vlm_threads_range(m * k < 2 * CHUNK ? NULL : threads, m, CHUNK / (k + 1) + 1, rows_task, &r);
}

static void range_task(void *user, int64_t begin, int64_t end, int worker) {
  const region *r = user;
  (void)worker;
  r->kernels->quantize_u8(r->q + begin, r->x + begin, end - begin, r->one_scale, r->one_zero);
}

void vlm_quantize_u8(uint8_t *q, const float *x, int64_t n, float scale, int32_t zero, const vlm_kernels *kernels, vlm_threads *threads) {
  region r = {.q = q, .x = x, .one_scale = scale, .one_zero = zero, .kernels = kernels};
  vlm_threads_range(n < 2 * CHUNK ? NULL : threads, n, CHUNK, range_task, &r);
}
