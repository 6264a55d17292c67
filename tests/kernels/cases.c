#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/kernels/cases.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, ROOM = 1 << 20, MARGIN = 256, POISON_INPUT = 0xFF, POISON_OUTPUT = 0xA5 };

/* ---- buffers ---- */

bool kernel_case_open(kernel_case *c) {
  memset(c, 0, sizeof *c);
  for (int i = 0; i < CASE_BUFFERS; i++) {
    char *all = mmap(NULL, ROOM + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return false;
    c->buffers[i].map = all + PAGE;
    if (mprotect(all + PAGE, ROOM, PROT_READ | PROT_WRITE)) return false;
  }
  return sysconf(_SC_PAGESIZE) == PAGE;
}

void kernel_case_close(kernel_case *c) {
  for (int i = 0; i < CASE_BUFFERS; i++)
    if (c->buffers[i].map) munmap(c->buffers[i].map - PAGE, ROOM + 2 * PAGE);
}

size_t case_element(const case_buffer *b) {
  static const size_t bytes[] = {[CASE_U8] = 1, [CASE_U16] = 2, [CASE_U32] = 4, [CASE_F32] = 4};
  return bytes[b->type];
}

size_t case_bytes(const case_buffer *b) {
  return b->rows > 0 ? ((b->rows - 1) * b->stride + b->columns) * case_element(b) : 0;
}

/* The buffer with its margins, as far as the pages go. */
static void margins(const case_buffer *b, char **from, char **to) {
  char *end = b->data + case_bytes(b);
  *from = b->data - b->map > MARGIN ? b->data - MARGIN : b->map;
  *to = b->map + ROOM - end > MARGIN ? end + MARGIN : b->map + ROOM;
}

static void *take(kernel_case *c, case_type type, size_t rows, size_t columns, size_t gap, bool output) {
  case_buffer *b = &c->buffers[c->n_buffers];
  if (c->n_buffers + 1 < CASE_BUFFERS) c->n_buffers++;
  char *map = b->map, *from, *to;
  *b = (case_buffer){
      .map = map, .type = type, .rows = rows, .columns = columns, .stride = columns, .output = output};
  if (c->problem.layout > 0) b->stride += gap;
  b->data = c->problem.layout == 1 ? map : map + ROOM - case_bytes(b);
  margins(b, &from, &to);
  memset(from, output ? POISON_OUTPUT : POISON_INPUT, (size_t)(to - from));
  return b->data;
}

void *case_input(kernel_case *c, case_type type, size_t rows, size_t columns, size_t gap) {
  return take(c, type, rows, columns, gap, false);
}
void *case_output(kernel_case *c, case_type type, size_t rows, size_t columns, size_t gap) {
  return take(c, type, rows, columns, gap, true);
}
size_t case_stride(const kernel_case *c) { return c->buffers[c->n_buffers - 1].stride; }

/* ---- values ---- */

uint32_t case_random(kernel_case *c) {
  c->seed = c->seed * 1664525u + 1013904223u;
  return c->seed >> 8;
}

float case_float(kernel_case *c) {
  uint32_t r = case_random(c);
  if (c->problem.fill == 0) return ((float)(r % 2001) - 1000.0f) / 317.0f;
  if (c->problem.fill == 1)
    return (r & 1 ? 1.0f : -1.0f) *
           ldexpf(1.0f + (float)(r % 4096) / 4096.0f, (int)(case_random(c) % 40) - 20);
  return 0;
}

uint8_t case_u8(kernel_case *c) {
  uint32_t r = case_random(c);
  return c->problem.fill == 0 ? (uint8_t)r : c->problem.fill == 1 ? 255 : 0;
}

int8_t case_s8(kernel_case *c) {
  uint32_t r = case_random(c);
  return c->problem.fill == 0 ? (int8_t)r : c->problem.fill == 1 ? (r & 1 ? 127 : -128) : 0;
}

void case_floats(kernel_case *c, float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = case_float(c);
}

/* ---- calls ---- */

void case_call(kernel_case *c, const void *args, size_t size) {
  memcpy(c->args[c->n_calls], args, size < CASE_ARGS ? size : CASE_ARGS);
  if (c->n_calls + 1 < CASE_CALLS) c->n_calls++;
}

void kernel_case_make(kernel_case *c, const vlm_kernel *row, const kernel_problem *problem) {
  static kernel_case_maker *const makers[VLM_KERNEL_KINDS] = {
#define VLM_KIND(kind, mr, nr, kr, a_bytes, work) kernel_case_##kind,
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
  };
  c->row = row;
  c->problem = *problem;
  c->n_buffers = c->n_calls = 0;
  c->seed = 12345 + (uint32_t)problem->depth;
  c->work = 0;
  makers[row->kind](c);
}

void kernel_case_call(const kernel_case *c) {
  for (int i = 0; i < c->n_calls; i++) {
    const void *args = c->args[i];
    switch (c->row->kind) {
#define VLM_KIND(kind_, mr, nr, kr, a_bytes, work) \
  case VLM_KERNEL_##kind_:                         \
    c->row->fn.kind_(args);                        \
    break;
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
      default: break;
    }
  }
}

static sigjmp_buf back;
static const char *volatile touched;

static void on_fault(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)context;
  touched = info->si_addr;
  siglongjmp(back, 1);
}

void kernel_case_catch(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
}

static bool fail(kernel_case *c, const char *what) {
  char found[CASE_TEXT];
  snprintf(found, sizeof found, "%s", what);
  snprintf(c->text, sizeof c->text, "%s, k %d, %d rows, fill %d, layout %d, variant %d: %.120s", c->row->name,
           (int)c->problem.depth, c->problem.rows, c->problem.fill, c->problem.layout, c->problem.variant,
           found);
  return false;
}

bool kernel_case_run(kernel_case *c) {
  char what[CASE_TEXT];
  if (sigsetjmp(back, 0) == 0) {
    kernel_case_call(c);
    return true;
  }
  snprintf(what, sizeof what, "touched a page outside its buffers");
  for (int i = 0; i < c->n_buffers; i++) {
    const case_buffer *b = &c->buffers[i];
    if (touched < b->map - PAGE || touched >= b->map + ROOM + PAGE) continue;
    long at = touched - b->data, size = (long)case_bytes(b);
    snprintf(what, sizeof what, "touched byte %ld of buffer %d, which has %ld", at, i, size);
  }
  return fail(c, what);
}

/* ---- comparison ---- */

static void describe(char *text, size_t size, const char *element, const case_buffer *b) {
  uint32_t bits = 0;
  float value;
  memcpy(&bits, element, case_element(b));
  memcpy(&value, &bits, sizeof value);
  if (b->type == CASE_F32) snprintf(text, size, "%.9g (%08x)", (double)value, bits);
  else snprintf(text, size, "%u (%x)", bits, bits);
}

static bool same_rows(kernel_case *c, const case_buffer *got, const case_buffer *wanted) {
  size_t bytes = case_element(got);
  char what[CASE_TEXT], a[64], b[64];
  if (got->rows != wanted->rows || got->columns != wanted->columns)
    return fail(c, "the two layouts have outputs of different shape");
  for (size_t i = 0; i < got->rows; i++) {
    const char *x = got->data + i * got->stride * bytes, *y = wanted->data + i * wanted->stride * bytes;
    if (memcmp(x, y, got->columns * bytes) == 0) continue;
    size_t j = 0;
    while (memcmp(x + j * bytes, y + j * bytes, bytes) == 0) j++;
    describe(a, sizeof a, x + j * bytes, got);
    describe(b, sizeof b, y + j * bytes, got);
    snprintf(what, sizeof what, "output[%zu][%zu] is %s, wanted %s", i, j, a, b);
    return fail(c, what);
  }
  return true;
}

static bool poison_whole(kernel_case *c, const case_buffer *b) {
  size_t bytes = case_element(b), row = b->stride * bytes, used = b->columns * bytes;
  char what[CASE_TEXT], *from, *to;
  margins(b, &from, &to);
  for (const char *p = from; p < to; p++) {
    long at = p - b->data;
    bool inside = p >= b->data && p < b->data + case_bytes(b) && (size_t)at % row < used;
    if (inside || (unsigned char)*p == POISON_OUTPUT) continue;
    snprintf(what, sizeof what, "wrote outside its output, at byte %ld of %zu", at, case_bytes(b));
    return fail(c, what);
  }
  return true;
}

bool kernel_case_agrees(kernel_case *c, const kernel_case *wanted) {
  bool compared = false;
  for (int i = 0; i < c->n_buffers; i++) {
    if (!c->buffers[i].output) continue;
    if (!same_rows(c, &c->buffers[i], &wanted->buffers[i]) || !poison_whole(c, &c->buffers[i])) return false;
    compared = true;
  }
  return compared || fail(c, "the case has no output");
}
