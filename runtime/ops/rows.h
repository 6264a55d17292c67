/* Broadcasting elementwise engine: out[i] = f(in0[i], in1[i], in2[i]) with numpy broadcasting, in parallel.
 *
 * The shapes are collapsed to the fewest dims; the function then sees contiguous rows in which each input either steps or stands still. */
#ifndef VLM_OPS_ROWS_H
#define VLM_OPS_ROWS_H

#include "runtime/kernels/rowops.h"
#include "runtime/ops/op.h"

enum { VLM_ROW_INPUTS = 3, VLM_ROW_GRAIN = 16384 };

typedef struct vlm_row {
  void *out;
  const void *in[VLM_ROW_INPUTS];
  int64_t step[VLM_ROW_INPUTS]; /* 0 or 1 elements */
  int64_t n;
  const void *opts; /* of the caller */
  const vlm_rowops *ops;
} vlm_row;
typedef void vlm_row_fn(const vlm_row *row);

/* One function per form of the elements of input 0; NULL = no such form. Rows of float16 and bfloat16 are converted to float32 and back,
 * rows of shorter integers to int64 and back: what does not fit wraps, and of what wraps the low bits are the same in every width. */
typedef enum vlm_row_form {
  VLM_ROW_F32,
  VLM_ROW_F64,
  VLM_ROW_S64,
  VLM_ROW_U64,
  VLM_ROW_BOOL,
  VLM_ROW_FORMS
} vlm_row_form;
typedef vlm_row_fn *const vlm_row_table[VLM_ROW_FORMS];

/* Inputs of the node, and the shapes that the function sees. VLM_ROW_RESULT: the output itself. */
enum { VLM_ROW_RESULT = -1 };
typedef struct vlm_row_inputs {
  int n;
  int input[VLM_ROW_INPUTS];
  const vlm_tensor *as[VLM_ROW_INPUTS];
} vlm_row_inputs;
vlm_row_inputs vlm_rows_first(const vlm_op_call *c, int n); /* the first n, as they are */

/* Prepares c->out[0] = f(the first n_in inputs) for the run function `rows`; opts are copied. Every input must broadcast to the shape of the
 * output, which may be the memory of an input of that shape. VLM_UNSUPPORTED when the table has no function. */
vlm_status vlm_rows_prepare(vlm_op_call *c, int n_in, vlm_row_table table, const void *opts,
                            size_t opts_bytes);
/* The same over other inputs. */
vlm_status vlm_rows_prepare_from(vlm_op_call *c, const vlm_row_inputs *from, vlm_row_table table,
                                 const void *opts, size_t opts_bytes);
/* The same with the function given, and element types left alone. */
vlm_status vlm_rows_prepare_raw(vlm_op_call *c, const vlm_row_inputs *from, vlm_row_fn *fn, const void *opts,
                                size_t opts_bytes);
/* The same for f(in[0], in[1]); up to opset 6, with attributes "axis broadcast ...", in[1] is aligned at `axis` instead of at the end. */
vlm_status vlm_rows_prepare_binary(vlm_op_call *c, vlm_row_table table);
/* f(f(in[0], in[1]), in[2]) … over all inputs, then `last` (or NULL) of the result, for the run function `folded_rows`. */
vlm_status vlm_rows_prepare_fold(vlm_op_call *c, vlm_row_table table, vlm_row_table last, const void *opts,
                                 size_t opts_bytes);

/* The row operations of the call's CPU level (the C ones when the call has no kernels). */
const vlm_rowops *vlm_call_rowops(const vlm_op_call *c);

/* The loop of a row function: T is the type of the inputs, R of the result, the expression uses x, y, w. */
#define VLM_ROW_LOOP1(T, R, expression)    \
  {                                        \
    const T *xs = row->in[0];              \
    R *zs = row->out;                      \
    for (int64_t i = 0; i < row->n; i++) { \
      T x = xs[i * row->step[0]];          \
      zs[i] = (R)(expression);             \
    }                                      \
  }
#define VLM_ROW_LOOP2(T, R, expression)                                         \
  {                                                                             \
    const T *xs = row->in[0], *ys = row->in[1];                                 \
    const int64_t x_step = row->step[0], y_step = row->step[1], count = row->n; \
    R *zs = row->out;                                                           \
    if (x_step && y_step)                                                       \
      for (int64_t i = 0; i < count; i++) {                                     \
        T x = xs[i], y = ys[i];                                                 \
        zs[i] = (R)(expression);                                                \
      }                                                                         \
    else                                                                        \
      for (int64_t i = 0; i < count; i++) {                                     \
        T x = xs[i * x_step], y = ys[i * y_step];                               \
        zs[i] = (R)(expression);                                                \
      }                                                                         \
  }

/* The same as a function. */
#define VLM_ROW_FN1(name, T, R, expression) \
  static void name(const vlm_row *row) VLM_ROW_LOOP1(T, R, expression)
#define VLM_ROW_FN2(name, T, R, expression) \
  static void name(const vlm_row *row) VLM_ROW_LOOP2(T, R, expression)

/* The integer forms of an operation, for table-making macros: M(operation, suffix, C type). */
#define VLM_ROW_INTEGERS(M, op) M(op, s64, int64_t) M(op, u64, uint64_t)
#define VLM_ROW_INTEGER_FORMS(op) [VLM_ROW_S64] = op##_s64, [VLM_ROW_U64] = op##_u64
#define VLM_ROW_FLOAT_FORMS(op) [VLM_ROW_F32] = op##_f32, [VLM_ROW_F64] = op##_f64

#endif
