/* bench_kernels [--threads N] [--cpu LEVEL] [--rounds R]
 * Speed of every micro-kernel this machine can run, and of the drivers on shapes of vision-language models, as a share of the
 * register-only multiply-add peak measured in the same rounds. Rounds of all items alternate and the best of each counts, so that other
 * load and clock changes hit all of them alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/peak.h"
#include "runtime/base/memory.h"
#include "runtime/kernels/conv_f32.h"
#include "runtime/kernels/conv_q8.h"
#include "runtime/kernels/gemm_f32.h"
#include "runtime/kernels/gemm_q8.h"
#include "runtime/kernels/gemm_w8.h"
#include "tests/kernels/cases.h"

enum { MAX_ITEMS = 256, DEPTH = 768, CALLS = 64 };

typedef struct item item;
struct item {
  char name[96];
  double work; /* operations (2 per multiply-add) or bytes of one call */
  double best; /* per second */
  const char *unit;
  void (*call)(item *it);
  kernel_case *problem;       /* of a micro-kernel */
  const vlm_kernels *kernels; /* of a driver */
  vlm_threads *threads;
  void *scratch;
  union {
    vlm_gemm_f32 f32;
    vlm_gemm_q8 q8;
    vlm_gemm_w8 w8;
    vlm_conv_f32 conv;
    vlm_conv_q8 conv_q8;
    vlm_peak_fn *peak;
  } u;
};

static item items[MAX_ITEMS];
static int n_items;

/* With one thread its own CPU time: what other processes take does not count. */
static clockid_t bench_clock = CLOCK_MONOTONIC;
static double now(void) {
  struct timespec t;
  clock_gettime(bench_clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *take(double count, size_t size) {
  void *p;
  if (vlm_alloc(&p, (size_t)count + 1, size, NULL) != VLM_OK) {
    fprintf(stderr, "bench_kernels: out of memory\n");
    exit(70);
  }
  return p;
}
static float *floats(double count) {
  float *p = take(count, sizeof *p);
  for (size_t i = 0; i < (size_t)count; i++) p[i] = (float)(i % 17) - 8.0f;
  return p;
}
static int8_t *bytes(double count) {
  int8_t *p = take(count, 1);
  for (size_t i = 0; i < (size_t)count; i++) p[i] = (int8_t)(i * 37 % 255 - 127);
  return p;
}

static item *add(const char *name, double work, const char *unit, void (*call)(item *)) {
  item *it = &items[n_items];
  if (n_items + 1 < MAX_ITEMS) n_items++;
  snprintf(it->name, sizeof it->name, "%s", name);
  it->work = work;
  it->unit = unit;
  it->call = call;
  return it;
}

/* ---- peaks ---- */

static void call_peak(item *it) { it->u.peak(200000); }
static item *add_peak(const char *name, vlm_peak_fn *peak) {
  item *it = add(name, peak(1) * 200000, "G/s", call_peak);
  it->u.peak = peak;
  return it;
}

/* ---- micro-kernels, data in the first cache levels ---- */

static void call_row(item *it) {
  for (int i = 0; i < CALLS; i++) kernel_case_call(it->problem);
}

static const char *row_unit(vlm_kernel_kind kind) {
  static const struct { const char *FLOP, *OP, *ELEMENT; } units = {"GFLOP/s", "GOP/s", "Gelem/s"};
  const char *const by_kind[VLM_KERNEL_KINDS] = {
#define VLM_KIND(kind, mr, nr, kr, a_bytes, work) units.work,
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
  };
  return by_kind[kind];
}

/* The checker's case of a row at the bench's depth: `rows` of a tile. */
static void add_row(const vlm_kernel *row, int rows) {
  char name[96];
  kernel_problem problem = {.depth = DEPTH, .columns = row->nr, .rows = rows};
  kernel_case *c = take(1, sizeof *c);
  if (!kernel_case_open(c)) exit(70);
  kernel_case_make(c, row, &problem);
  snprintf(name, sizeof name, row->mr > 1 ? "%s, %d rows" : "%s", row->name, rows);
  item *it = add(name, CALLS * c->work, row_unit(row->kind), call_row);
  it->problem = c;
}

static void add_rows(uint32_t mask) {
  int count;
  const vlm_kernel *table = vlm_kernel_table(&count);
  for (int i = 0; i < count; i++) {
    if (table[i].level == VLM_CPU_C || !(mask >> table[i].level & 1)) continue;
    add_row(&table[i], table[i].mr);
    if (table[i].mr > 1) add_row(&table[i], 1);
  }
}

/* ---- drivers ---- */

static void call_f32(item *it) { vlm_gemm_f32_run(&it->u.f32, it->kernels, it->threads, it->scratch); }
static void call_q8(item *it) { vlm_gemm_q8_run(&it->u.q8, it->kernels, it->threads, it->scratch); }
static void call_w8(item *it) { vlm_gemm_w8_run(&it->u.w8, it->kernels, it->threads, it->scratch); }
static void call_conv(item *it) { vlm_conv_f32_run(&it->u.conv, it->kernels, it->threads, it->scratch); }
static void call_conv_q8(item *it) { vlm_conv_q8_run(&it->u.conv_q8, it->kernels, it->threads, it->scratch); }

/* What the products of one shape share. */
typedef struct {
  const vlm_kernels *kernels;
  vlm_threads *threads;
  int64_t m, n, k;
  float *a, *scale, *c;
  int8_t *w;
} bench_product;

static item *add_driver(const char *kind, const char *label, double work, const char *unit,
                        void (*call)(item *)) {
  char name[96];
  snprintf(name, sizeof name, "%-15s %s", kind, label);
  return add(name, work, unit, call);
}

static item *add_product(const bench_product *p, const char *kind, const char *unit, void (*call)(item *)) {
  char label[64];
  snprintf(label, sizeof label, "%dx%dx%d", (int)p->m, (int)p->n, (int)p->k);
  return add_driver(kind, label, 2.0 * (double)p->m * (double)p->n * (double)p->k, unit, call);
}

static void add_f32(const bench_product *p) {
  item *it = add_product(p, "gemm f32", "GFLOP/s", call_f32);
  float *b = floats((double)(p->k * p->n)),
        *panels = take((double)vlm_gemm_f32_packed_count(p->kernels, p->k, p->n), 4);
  vlm_gemm_f32_pack(panels, &(vlm_f32_source){.b = b, .b_row = p->n, .b_column = 1, .k = p->k, .n = p->n},
                    p->kernels->gemm_f32->nr);
  vlm_free(b);
  it->u.f32 = (vlm_gemm_f32){
      .batch = 1, .m = p->m, .n = p->n, .k = p->k, .a = p->a, .a_row = p->k, .a_column = 1, .panels = panels};
  it->u.f32.c = p->c;
  it->u.f32.ldc = p->n;
  it->u.f32.epilogue = (vlm_epilogue_f32){.alpha = 1, .bias = p->scale};
  it->scratch = take((double)vlm_gemm_f32_scratch(&it->u.f32, p->kernels, p->threads), 1);
}

static void add_q8(const bench_product *p) {
  item *it = add_product(p, "gemm u8s8 > f32", "GOP/s", call_q8);
  vlm_q8_weights layout;
  if (!vlm_q8_weights_layout(&layout, p->kernels, p->k, p->n, 1)) exit(70);
  vlm_q8_source source = {.w = p->w, .w_row = p->n, .w_column = 1, .k = p->k, .n = p->n, .count = 1};
  vlm_q8_weights *packed = vlm_q8_weights_pack(take((double)layout.bytes, 1), p->kernels, &source);
  it->u.q8 = (vlm_gemm_q8){
      .batch = 1, .m = p->m, .w = packed, .a = (uint8_t *)p->a, .lda = p->k, .a_scale = 0.1f, .zero = 128};
  it->u.q8.w_scale = it->u.q8.bias = p->scale;
  it->u.q8.c = p->c;
  it->u.q8.c_row = p->n;
  it->u.q8.c_column = 1;
  it->scratch = take((double)vlm_gemm_q8_scratch(&it->u.q8, p->kernels, p->threads), 1);
}

static void add_w8(const bench_product *p) {
  item *it = add_product(p, "gemm f32 x s8", "GFLOP/s", call_w8);
  int8_t *strips = take((double)vlm_w8_packed_bytes(p->k, p->n), 1);
  vlm_w8_pack(strips, &(vlm_w8_source){.w = p->w, .w_row = p->n, .w_column = 1, .k = p->k, .n = p->n});
  it->u.w8 = (vlm_gemm_w8){
      .m = p->m, .n = p->n, .k = p->k, .x = p->a, .ldx = p->k, .panels = strips, .y = p->c, .ldy = p->n};
  it->u.w8.scale = it->u.w8.bias = p->scale;
  it->scratch = take((double)vlm_gemm_w8_scratch(&it->u.w8, p->kernels, p->threads), 1);
}

static void add_products(const vlm_kernels *kernels, vlm_threads *threads, const int64_t shape[3]) {
  bench_product p = {.kernels = kernels, .threads = threads, .m = shape[0], .n = shape[1], .k = shape[2]};
  p.a = floats((double)(p.m * p.k));
  p.scale = floats((double)p.n);
  p.c = take((double)(p.m * p.n), 4);
  p.w = bytes((double)(p.k * p.n));
  add_f32(&p);
  add_q8(&p);
  add_w8(&p);
  vlm_free(p.w);
}

static void add_convs(const vlm_kernels *kernels, vlm_threads *threads, const char *label, vlm_conv_shape s) {
  for (int i = 0; i < 3; i++)
    s.out[i] = (s.in[i] + 2 * s.pad[i] - s.dilation[i] * (s.kernel[i] - 1) - 1) / s.stride[i] + 1;
  double outputs = (double)(s.out_channels * vlm_conv_volume(s.out)),
         depth = (double)(s.channels / s.groups * vlm_conv_volume(s.kernel));
  double weights = (double)s.out_channels * depth, work = 2 * outputs * depth;
  float *x = floats((double)(s.channels * vlm_conv_volume(s.in))), *y = take(outputs, 4),
        *scale = floats((double)s.out_channels);
  item *it = add_driver("conv f32", label, work, "GFLOP/s", call_conv);
  float *packed = take((double)vlm_conv_f32_packed_count(&s, kernels), 4);
  vlm_conv_f32_pack(packed, kernels, &(vlm_conv_f32_source){&s, floats(weights), take(weights, 4)});
  it->u.conv = (vlm_conv_f32){.shape = s, .last = true, .x = x, .weights = packed, .bias = scale, .y = y};
  it->scratch = take((double)vlm_conv_f32_scratch(&it->u.conv, kernels, threads), 1);
  it = add_driver("conv u8s8", label, work, "GOP/s", call_conv_q8);
  size_t size = 0;
  if (!vlm_conv_q8_weights_bytes(&size, &s, kernels)) exit(70);
  void *block = take((double)size, 1);
  vlm_conv_q8_weights_pack(block, kernels,
                           &(vlm_conv_q8_source){.shape = &s, .w = bytes(weights), .room = take(weights, 1)});
  it->u.conv_q8 = (vlm_conv_q8){.shape = s,
                                .last = true,
                                .x_f32 = x,
                                .x_scale = 0.1f,
                                .x_zero = 128,
                                .weights = block,
                                .w_scale = scale,
                                .bias = scale};
  it->u.conv_q8.y = y;
  it->scratch = take((double)vlm_conv_q8_scratch(&it->u.conv_q8, kernels, threads), 1);
}

static void add_drivers(const vlm_kernels *kernels, vlm_threads *threads) {
  static const int64_t shapes[][3] = {{576, 768, 768},  {576, 3072, 768}, {576, 768, 3072}, {2304, 512, 512},
                                      {9216, 256, 256}, {64, 768, 768},   {145, 192, 192},  {1, 768, 768},
                                      {1, 768, 3072},   {3, 768, 3072}};
  static const struct {
    const char *label;
    int64_t channels, out_channels, groups, size, kernel, stride, pad;
  } convs[] = {{"7x7/4 3>128 768x768", 3, 128, 1, 768, 7, 4, 3},
               {"3x3 128>128 96x96", 128, 128, 1, 96, 3, 1, 1},
               {"1x1 128>128 96x96", 128, 128, 1, 96, 1, 1, 0},
               {"3x3 depthwise 128 96x96", 128, 128, 128, 96, 3, 1, 1}};
  int first = n_items;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) add_products(kernels, threads, shapes[i]);
  for (size_t i = 0; i < sizeof convs / sizeof convs[0]; i++) {
    vlm_conv_shape s = {.batch = 1, .in = {1}, .kernel = {1}, .stride = {1}, .dilation = {1, 1, 1}};
    s.channels = convs[i].channels;
    s.out_channels = convs[i].out_channels;
    s.groups = convs[i].groups;
    s.in[1] = s.in[2] = convs[i].size;
    s.kernel[1] = s.kernel[2] = convs[i].kernel;
    s.stride[1] = s.stride[2] = convs[i].stride;
    s.pad[1] = s.pad[2] = convs[i].pad;
    add_convs(kernels, threads, convs[i].label, s);
  }
  for (int i = first; i < n_items; i++) {
    items[i].kernels = kernels;
    items[i].threads = threads;
  }
}

static void measure(item *it) {
  int calls = 0;
  double start = now(), spent;
  do {
    it->call(it);
    calls++;
    spent = now() - start;
  } while (spent < 0.002);
  double rate = it->work * calls / spent * 1e-9;
  if (rate > it->best) it->best = rate;
}

static double option(int argc, char **argv, const char *name, double fallback) {
  for (int i = 1; i + 1 < argc; i++)
    if (strcmp(argv[i], name) == 0) return atof(argv[i + 1]);
  return fallback;
}

static const char *text_option(int argc, char **argv, const char *name) {
  for (int i = 1; i + 1 < argc; i++)
    if (strcmp(argv[i], name) == 0) return argv[i + 1];
  return NULL;
}

/* The peaks of the level: multiply-adds of floats and of bytes. */
static void add_peaks(uint32_t mask, item **fma, item **dot) {
#if defined(__x86_64__)
  if (mask >> VLM_CPU_AVX512VNNI & 1) {
    *fma = add_peak("peak f32 multiply-add", vlm_peak_fma_avx512vnni);
    *dot = add_peak("peak int8 multiply-add", vlm_peak_dot_avx512vnni);
  } else if (mask >> VLM_CPU_AVX2 & 1) {
    *fma = add_peak("peak f32 multiply-add", vlm_peak_fma_avx2);
    *dot = add_peak("peak int8 multiply-add",
                    mask >> VLM_CPU_AVXVNNI & 1 ? vlm_peak_dot_avxvnni : vlm_peak_madd_avx2);
  }
#else
  (void)mask;
  (void)fma;
  (void)dot;
#endif
}

static void report(const item *fma, const item *dot, int threads) {
  for (int i = 0; i < n_items; i++) {
    double cores = items[i].threads ? threads : 1;
    printf("%-44s %9.1f %-8s", items[i].name, items[i].best, items[i].unit);
    if (fma && items[i].unit[1] != 'e') printf(" %5.1f %%", 100 * items[i].best / fma->best / cores);
    if (dot && strcmp(items[i].unit, "GOP/s") == 0)
      printf(" %5.1f %%", 100 * items[i].best / dot->best / cores);
    printf("\n");
  }
}

int main(int argc, char **argv) {
  int threads_wanted = (int)option(argc, argv, "--threads", 1),
      rounds = (int)option(argc, argv, "--rounds", 20);
  vlm_error err = {0};
  vlm_kernels kernels;
  if (threads_wanted == 1) bench_clock = CLOCK_THREAD_CPUTIME_ID;
  vlm_threads *threads;
  uint32_t mask;
  if (vlm_cpu_select(&mask, text_option(argc, argv, "--cpu"), &err) != VLM_OK ||
      vlm_kernels_select(&kernels, mask, &err) != VLM_OK ||
      vlm_threads_create(&threads, threads_wanted, &err) != VLM_OK) {
    fprintf(stderr, "bench_kernels: %s\n", err.text);
    return 1;
  }
  item *fma = NULL, *dot = NULL;
  add_peaks(mask, &fma, &dot);
  add_rows(mask);
  add_drivers(&kernels, threads);
  for (int r = 0; r < rounds; r++)
    for (int i = 0; i < n_items; i++) measure(&items[i]);
  printf(
      "level %s, %d threads, best of %d rounds; share of the f32 peak (times threads) and of the int8 peak\n",
      vlm_cpu_name(vlm_cpu_best(mask)), threads_wanted, rounds);
  report(fma, dot, threads_wanted);
  vlm_threads_free(threads);
  return 0;
}
