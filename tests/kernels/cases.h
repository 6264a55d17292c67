/* Problems for micro-kernels, for the checker (test_kernels.c) and for the bench.
 *
 * A case is one problem laid out for one row of the kernel table: buffers, arguments, and the calls that
 * solve it. The same problem is laid out for the row under test and for the C row of its kind, whose tile may
 * be smaller (then more calls solve it); the outputs must be the same bits. Values are drawn in the order of
 * the problem, not of a layout, so both get the same.
 *
 * Every buffer ends directly in front of a page that cannot be touched, or starts directly behind one. What
 * lies between its rows and around it is poison: NaN for whoever reads it as floats, and checked afterwards
 * in outputs. */
#ifndef VLM_TESTS_KERNELS_CASES_H
#define VLM_TESTS_KERNELS_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/kernels/kernels.h"

enum {
  CASE_FILLS = 3,   /* noise; extremes that provoke overflow and rounding; zeros */
  CASE_LAYOUTS = 3, /* at the page behind, dense; at the page in front, with gaps between rows; at the page
                       behind, with gaps */
  CASE_VARIANTS =
      6 /* at least; what they mean is the kind's: rows of a tile, kernel sizes, with and without bias */
};

/* The same for both layouts of a problem. */
typedef struct kernel_problem {
  int64_t depth; /* k of a product, length of a row */
  int variant, fill, layout;
  int columns; /* of the tile under test */
  int rows;    /* of the tile, from the variant */
} kernel_problem;

typedef enum case_type { CASE_U8, CASE_U16, CASE_U32, CASE_F32 } case_type;

enum { CASE_BUFFERS = 8, CASE_CALLS = 64, CASE_ARGS = 128, CASE_TEXT = 256 };

/* Rows of `columns` elements, `stride` elements apart. */
typedef struct case_buffer {
  char *map; /* pages between two that cannot be touched */
  char *data;
  case_type type;
  size_t rows, columns, stride;
  bool output;
} case_buffer;

typedef struct kernel_case {
  const vlm_kernel *row;
  kernel_problem problem;
  case_buffer buffers[CASE_BUFFERS];
  int n_buffers, n_calls;
  _Alignas(16) char args[CASE_CALLS][CASE_ARGS];
  double work; /* elements, or operations: two per multiply-add */
  uint32_t seed;
  char text[CASE_TEXT]; /* what was found wrong */
} kernel_case;

/* false when there is no memory. */
bool kernel_case_open(kernel_case *c);
void kernel_case_close(kernel_case *c);
/* Lays `problem` out for `row`. */
void kernel_case_make(kernel_case *c, const vlm_kernel *row, const kernel_problem *problem);
/* All calls, for the bench. */
void kernel_case_call(const kernel_case *c);
/* The same; false, and text, when a call touched a page outside its buffers. kernel_case_catch must have set
 * its handlers. */
bool kernel_case_run(kernel_case *c);
void kernel_case_catch(void);
/* Are the outputs of both the same, and is the poison of `c` whole? false leaves text in c. */
bool kernel_case_agrees(kernel_case *c, const kernel_case *wanted);

/* ---- for the makers, one per kind ---- */

typedef void kernel_case_maker(kernel_case *c);
#define VLM_KIND(kind, mr, nr, kr, a_bytes, work) kernel_case_maker kernel_case_##kind;
#include "runtime/kernels/kinds.def"
#undef VLM_KIND

/* A buffer full of poison; `gap` elements between its rows when the layout has gaps. */
void *case_input(kernel_case *c, case_type type, size_t rows, size_t columns, size_t gap);
void *case_output(kernel_case *c, case_type type, size_t rows, size_t columns, size_t gap);
/* Elements between the starts of the rows of the last buffer. */
size_t case_stride(const kernel_case *c);
/* Bytes of an element, and from the first to the last. */
size_t case_element(const case_buffer *b);
size_t case_bytes(const case_buffer *b);
/* The next value of the fill. */
uint32_t case_random(kernel_case *c);
float case_float(kernel_case *c);
uint8_t case_u8(kernel_case *c);
int8_t case_s8(kernel_case *c);
void case_floats(kernel_case *c, float *x, size_t n);
/* One call of the kernel; `args` is copied. */
void case_call(kernel_case *c, const void *args, size_t size);

#endif
