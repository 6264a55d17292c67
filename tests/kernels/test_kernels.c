/* The kernel checker: every row of every kind that this machine can run against the C row of its kind, bit
 * for bit, over depths, tails, fills, strides, alignments and tile heights, with pages around the buffers
 * that cannot be touched. It names no kind: kinds.def and kernels.def do. That it can fail is shown by rows
 * that are planted. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/kernels/gemm_args.h"
#include "tests/kernels/cases.h"

static const int64_t depths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 63, 64, 65, 129};
enum { DEPTHS = sizeof depths / sizeof depths[0] };

static kernel_case tested, reference;

/* ---- rows ---- */

static const vlm_kernel *c_row(vlm_kernel_kind kind) {
  int count;
  const vlm_kernel *table = vlm_kernel_table(&count);
  for (int i = 0; i < count; i++)
    if (table[i].kind == kind && table[i].level == VLM_CPU_C) return &table[i];
  fail_msg("%s has no C row", vlm_kernel_kind_name(kind));
  return NULL;
}

static bool agrees(const vlm_kernel *row, const vlm_kernel *c, const kernel_problem *p) {
  kernel_case_make(&tested, row, p);
  kernel_case_make(&reference, c, p);
  if (!kernel_case_run(&tested) || !kernel_case_run(&reference)) {
    if (reference.text[0]) fail_msg("the C row: %s", reference.text);
    return false;
  }
  return kernel_case_agrees(&tested, &reference);
}

/* The first problem that the row gets wrong stays in `tested`, with its text. */
static bool check_row(const vlm_kernel *row) {
  const vlm_kernel *c = c_row(row->kind);
  int variants = row->mr > CASE_VARIANTS ? row->mr : CASE_VARIANTS;
  kernel_case_catch(); /* here, for cmocka sets its own handler at the start of every test */
  for (int d = 0; d < DEPTHS; d++)
    for (int fill = 0; fill < CASE_FILLS; fill++)
      for (int layout = 0; layout < CASE_LAYOUTS; layout++)
        for (int variant = 0; variant < variants; variant++) {
          kernel_problem p = {depths[d], variant, fill, layout, row->nr, variant % row->mr + 1};
          if (!agrees(row, c, &p)) return false;
        }
  return true;
}

static void test_rows(void **state) {
  int count, checked = 0;
  const vlm_kernel *table = vlm_kernel_table(&count);
  uint32_t mask = vlm_cpu_detect();
  (void)state;
  for (int i = 0; i < count; i++) {
    if (table[i].level != VLM_CPU_C && !(mask >> table[i].level & 1)) {
      print_message("not on this machine: %s\n", table[i].name);
      continue;
    }
    if (!check_row(&table[i])) fail_msg("%s", tested.text);
    print_message("checked: %s\n", table[i].name);
    checked++;
  }
  print_message("%d rows checked\n", checked);
  assert_true(checked >= VLM_KERNEL_KINDS);
}

/* ---- planted rows ---- */

static enum { FLIP_A_BIT, WRITE_BEHIND, WRITE_BEFORE, READ_BEHIND, HARMS } harm;

/* What a wrong kernel does, after the right one has run: to the last element of the output, or beside a
 * buffer. */
static void spoil(void) {
  const case_buffer *b = &tested.buffers[harm == READ_BEHIND ? 1 : 0];
  if (b->rows == 0 || b->columns == 0) return;
  size_t size = case_bytes(b);
  if (harm == FLIP_A_BIT) b->data[size - case_element(b)] ^= 1;
  if (harm == WRITE_BEHIND) b->data[size] = 0;
  if (harm == WRITE_BEFORE) b->data[-1] = 0;
  if (harm == READ_BEHIND) (void)*(volatile char *)&b->data[size];
}

#define VLM_KIND(kind, mr, nr, kr, a_bytes, work)                       \
  static void planted_##kind(const vlm_##kind##_args *args) {           \
    vlm_##kind##_c(args);                                               \
    if (args == (const void *)tested.args[tested.n_calls - 1]) spoil(); \
  }
#include "runtime/kernels/kinds.def"
#undef VLM_KIND

/* Every kind with every harm: the row is caught and named, with k and what was found. */
static void test_planted(void **state) {
  static const vlm_kernel planted[] = {
#define VLM_KIND(kind_, mr_, nr_, kr_, a_bytes_, work) \
  {VLM_KERNEL_##kind_, VLM_CPU_C, "planted_" #kind_, mr_, nr_, kr_, a_bytes_, {.kind_ = planted_##kind_}},
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
  };
  static const char *const words[HARMS] = {"is ", " of ", " of ", "touched byte"};
  (void)state;
  for (int i = 0; i < VLM_KERNEL_KINDS; i++) {
    for (unsigned h = 0; h < HARMS; h++) {
      harm = h;
      if (check_row(&planted[i])) fail_msg("%s passed with harm %u", planted[i].name, h);
      if (strncmp(tested.text, planted[i].name, strlen(planted[i].name)) != 0 ||
          !strstr(tested.text, ", k ") || !strstr(tested.text, words[h]))
        fail_msg("harm %d is reported as: %s", h, tested.text);
    }
  }
}

/* The mistake that is easiest to make: two roundings where the contract has one. Seen in the last bits. */
static float rounded_sum(const vlm_gemm_f32_args *g, size_t i, size_t j) {
  const float *b = g->b + j;
  volatile float sum = 0, product;
  for (size_t s = 0; s <= g->n_more; s++) {
    const float *a = (s ? g->a_more[s - 1] : g->a) + i * g->lda;
    for (size_t p = 0; p < g->k; p++, b += g->b_stride) {
      product = a[p] * *b;
      sum = sum + product;
    }
  }
  return sum + (g->bias ? g->bias[j] : 0.0f);
}

static void two_roundings(const vlm_gemm_f32_args *g) {
  size_t columns = g->columns ? (size_t)g->columns : 16;
  for (size_t i = 0; i < (size_t)g->rows; i++)
    for (size_t j = 0; j < columns; j++) g->c[i * g->ldc + j] = rounded_sum(g, i, j);
}

static void test_roundings(void **state) {
  vlm_kernel row = *c_row(VLM_KERNEL_gemm_f32);
  row.name = "two_roundings";
  row.fn.gemm_f32 = two_roundings;
  (void)state;
  assert_false(check_row(&row));
  print_message("%s\n", tested.text);
  assert_non_null(strstr(tested.text, "two_roundings, k 1, "));
}

/* The drivers' buffers are sized for this. */
static void test_limits(void **state) {
  int count;
  const vlm_kernel *table = vlm_kernel_table(&count);
  (void)state;
  for (int i = 0; i < count; i++) {
    assert_in_range(table[i].mr, 1, VLM_TILE_MAX_ROWS);
    assert_in_range(table[i].nr, 1, VLM_TILE_MAX_COLUMNS);
    assert_int_equal(table[i].nr % c_row(table[i].kind)->nr, 0);
    if (table[i].kind == VLM_KERNEL_gemm_f32) assert_int_equal(VLM_W8_COLUMNS % table[i].nr, 0);
    assert_non_null(vlm_kernel_kind_name(table[i].kind));
  }
}

/* ---- asserts ---- */

typedef void breach(void);

/* One call in a process of its own, which must end by abort. */
static void expect_abort(breach *call, const char *what) {
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);
    (void)!freopen("/dev/null", "w", stderr);
    call();
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
    fail_msg("%s: status %x, wanted an abort", what, (unsigned)status);
}

static void too_many_rows(void) {
  float c[64], a = 0, b[16] = {0};
  vlm_gemm_f32_c(&(vlm_gemm_f32_args){.c = c, .ldc = 1, .a = &a, .b = b, .b_stride = 16, .k = 1, .rows = 5});
}
static void crooked_panel(void) {
  _Alignas(64) int8_t b[128] = {0};
  int32_t c[16];
  uint8_t a[4] = {0};
  vlm_gemm_u8s8_c(
      &(vlm_gemm_u8s8_args){.c = c, .ldc = 16, .a = a, .lda = 4, .b = b + 1, .groups = 1, .rows = 1});
}

/* Our own invariants are checked in every build but Release. */
static void test_asserts(void **state) {
  (void)state;
#ifdef NDEBUG
  skip();
#endif
  expect_abort(too_many_rows, "five rows in a tile of four");
  expect_abort(crooked_panel, "a panel that is not aligned");
}

static int open_cases(void **state) {
  (void)state;
  return kernel_case_open(&tested) && kernel_case_open(&reference) ? 0 : -1;
}
static int close_cases(void **state) {
  (void)state;
  kernel_case_close(&tested);
  kernel_case_close(&reference);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_planted),
                                     cmocka_unit_test(test_roundings), cmocka_unit_test(test_limits),
                                     cmocka_unit_test(test_asserts)};
  return cmocka_run_group_tests(tests, open_cases, close_cases);
}
