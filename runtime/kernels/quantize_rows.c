#include <math.h>

#include "runtime/kernels/gemm_q8.h"
#include "runtime/kernels/row_args.h"

enum { CHUNK = 16384 };

typedef struct {
  const vlm_kernels *kernels;
  vlm_quantize_rows rows;
  vlm_quantize_u8_args all;
} rows_region;

static void quantize_row(const rows_region *r, int64_t i) {
  const vlm_quantize_rows *m = &r->rows;
  const float *x = m->x + i * m->k;
  float low, high;
  r->kernels->rowops->minmax(x, m->k, &low, &high);
  if (!(low < 0)) low = 0;
  if (!(high > 0)) high = 0;
  float scale = (high - low) / 255.0f;
  float zero = scale > 0 ? rintf(-low / scale) : 0;
  if (!(scale > 0)) scale = 1;
  m->scale[i] = scale;
  m->zero[i] = zero >= 0 && zero <= 255 ? (int32_t)zero : 255; /* NaN when the row holds infinities */
  vlm_quantize_u8_args a = {
      .q = m->q + i * m->k, .x = x, .n = (size_t)m->k, .scale = scale, .zero = m->zero[i]};
  r->kernels->quantize_u8->fn.quantize_u8(&a);
}

static void rows_task(void *user, int64_t begin, int64_t end, int worker) {
  (void)worker;
  for (int64_t i = begin; i < end; i++) quantize_row(user, i);
}

void vlm_quantize_rows_u8(const vlm_quantize_rows *rows, const vlm_kernels *kernels, vlm_threads *threads) {
  rows_region r = {.kernels = kernels, .rows = *rows};
  vlm_threads_range(rows->m * rows->k < 2 * CHUNK ? NULL : threads, rows->m, CHUNK / (rows->k + 1) + 1,
                    rows_task, &r);
}

static void range_task(void *user, int64_t begin, int64_t end, int worker) {
  const rows_region *r = user;
  vlm_quantize_u8_args a = r->all;
  (void)worker;
  a.q += begin;
  a.x += begin;
  a.n = (size_t)(end - begin);
  r->kernels->quantize_u8->fn.quantize_u8(&a);
}

void vlm_quantize_u8(const vlm_quantize_u8_args *all, const vlm_kernels *kernels, vlm_threads *threads) {
  rows_region r = {.kernels = kernels, .all = *all};
  vlm_threads_range(all->n < 2 * CHUNK ? NULL : threads, (int64_t)all->n, CHUNK, range_task, &r);
}
