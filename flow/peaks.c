#include "flow/peaks.h"

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/kernels/gemm_args.h"

/* The steps of a tile: its panel and rows stay in the first-level cache. Other work on the machine only slows, so the best round counts. */
enum { STEPS = 128, TILE_BYTES = 64 << 10, TILES = 300, ROUNDS = 8, PASSES = 2, BUFFER_BYTES = 64 << 20 };

typedef struct {
  const vlm_kernel *kernel;
  char *room;
  uint64_t sum; /* of what was read, so that it is read */
} bench;

static void run_tiles(void *user, int64_t index, int worker) {
  const bench *b = user;
  const vlm_kernel *k = b->kernel;
  char *room = b->room + (size_t)worker * 3 * TILE_BYTES;
  (void)index;
  const vlm_gemm_f32_args f = {.c = (float *)(void *)room,
                               .ldc = (size_t)k->nr,
                               .a = (const float *)(const void *)(room + TILE_BYTES),
                               .lda = STEPS,
                               .b = (const float *)(const void *)(room + 2 * TILE_BYTES),
                               .b_stride = (size_t)k->nr,
                               .k = STEPS,
                               .rows = k->mr};
  const vlm_gemm_u8s8_args q = {.c = (int32_t *)(void *)room,
                                .ldc = (size_t)k->nr,
                                .a = room + TILE_BYTES,
                                .lda = (size_t)(STEPS * k->kr),
                                .b = (const int8_t *)room + 2 * TILE_BYTES,
                                .groups = STEPS,
                                .rows = k->mr};
  for (int i = 0; i < TILES; i++) {
    if (k->kind == VLM_KERNEL_gemm_f32) k->fn.gemm_f32(&f);
    else k->fn.gemm_u8s8(&q);
  }
}

static double best_ms(vlm_context *context, int rounds, int64_t tasks, vlm_index_task *task, bench *b) {
  double best = 1e9;
  for (int i = 0; i < rounds; i++) {
    const double start = vlm_clock_ms();
    vlm_threads_run(vlm_context_threads(context), tasks, task, b);
    const double ms = vlm_clock_ms() - start;
    best = ms < best ? ms : best;
  }
  return best;
}

/* A task per thread: a second one of another thread would be seen in the time. */
static double tile_gops(vlm_context *context, bench *b, const vlm_kernel *kernel) {
  const int64_t threads = vlm_threads_count(vlm_context_threads(context));
  b->kernel = kernel;
  const double ms = best_ms(context, ROUNDS, threads, run_tiles, b);
  return 2.0 * (double)threads * TILES * kernel->mr * kernel->nr * kernel->kr * STEPS / ms * 1e-6;
}

enum { PART_BYTES = 1 << 20 };

static void read_part(void *user, int64_t index, int worker) {
  bench *b = user;
  const uint64_t *words = (const uint64_t *)(const void *)(b->room + index * PART_BYTES);
  uint64_t sum[8] = {0};
  (void)worker;
  for (int64_t i = 0; i < PART_BYTES / 8; i += 8)
    for (int k = 0; k < 8; k++) sum[k] += words[i + k];
  __atomic_fetch_add(&b->sum, sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7],
                     __ATOMIC_RELAXED);
}

vlm_status vlm_peaks_measure(vlm_peaks *out, vlm_context *context, vlm_error *err) {
  vlm_status st = VLM_OK;
  bench b = {0};
  const vlm_kernels *k = vlm_context_kernels(context);
  const size_t threads = (size_t)vlm_threads_count(vlm_context_threads(context)),
               tiles = threads * 3 * TILE_BYTES, bytes = tiles > BUFFER_BYTES ? tiles : BUFFER_BYTES;
  VLM_TRY(vlm_new(&b.room, bytes, err));
  for (size_t i = 0; i < bytes; i += 64) b.room[i] = 0; /* pages of its own */
  out->float_gops = tile_gops(context, &b, k->gemm_f32);
  out->integer_gops = tile_gops(context, &b, k->gemm_u8s8);
  out->memory_gbs = BUFFER_BYTES / best_ms(context, PASSES, BUFFER_BYTES / PART_BYTES, read_part, &b) * 1e-6;
out:
  vlm_free(b.room);
  return st;
}
