/* Inputs and outputs as an operator wants them: decided in prepare, had in run without taking memory.
 *
 * What an input needs (a conversion, a repetition, bytes for elements that share one) is made once when the input lasts as long as the step, and at
 * every run otherwise, in the step's work space. */
#ifndef VLM_OPS_VALUES_H
#define VLM_OPS_VALUES_H

#include "runtime/ops/prepare.h"

/* n float32: the input's own memory where it has that form; else a copy, converted, one value repeated. */
typedef struct vlm_values {
  int input; /* -1 = absent */
  bool own;
  int64_t n;
  size_t at;
  float *kept;
} vlm_values;
/* k may be absent. VLM_INPUT names `what` when the input has neither 1 nor n elements. */
vlm_status vlm_values_prepare(vlm_op_call *c, vlm_values *v, int k, int64_t n, const char *what);
/* All the values that the input has. */
vlm_status vlm_floats_prepare(vlm_op_call *c, vlm_values *v, int k);
/* NULL when absent. */
const float *vlm_values_get(const vlm_op_call *c, const vlm_values *v);

/* n float32 values of a tensor of 1 (repeated) or n elements. */
void vlm_floats_of(float *to, const vlm_tensor *t, int64_t n);

/* One number of an input of one element: read once when the input lasts. */
typedef struct vlm_scalar {
  int input; /* -1 = absent: value is the fallback */
  bool known;
  double value;
} vlm_scalar;
/* VLM_INPUT names `what` when the input has not one element. */
vlm_status vlm_scalar_prepare(vlm_op_call *c, vlm_scalar *s, int k, double fallback, const char *what);
static inline double vlm_scalar_get(const vlm_op_call *c, const vlm_scalar *s) {
  return s->known ? s->value : vlm_tensor_get(c->in[s->input], 0);
}

/* The values of an input as int64. */
typedef struct vlm_integers {
  int input; /* -1 = absent */
  bool own;
  size_t at;
  int64_t *kept;
} vlm_integers;
vlm_status vlm_integers_prepare(vlm_op_call *c, vlm_integers *v, int k);
const int64_t *vlm_integers_get(const vlm_op_call *c, const vlm_integers *v); /* NULL when absent */

/* A tensor with whole-byte elements: its own memory, or work space with one byte per element for types of 2 and 4 bits. */
typedef struct vlm_bytes {
  bool own;
  size_t at;
} vlm_bytes;
vlm_status vlm_bytes_prepare(vlm_op_call *c, vlm_bytes *b, const vlm_tensor *t);
const void *vlm_bytes_read(const vlm_op_call *c, const vlm_bytes *b, const vlm_tensor *t);
/* The tensor as run sees it, with whole-byte elements. */
vlm_tensor vlm_bytes_in(const vlm_op_call *c, const vlm_bytes *b, int k);
vlm_tensor vlm_bytes_out(const vlm_op_call *c, const vlm_bytes *b,
                         int k); /* to be filled, then vlm_bytes_store */
void *vlm_bytes_place(const vlm_op_call *c, const vlm_bytes *b, const vlm_tensor *t); /* to be filled, then */
void vlm_bytes_store(const vlm_bytes *b, const vlm_tensor *t, const void *filled);

/* Where to compute output k in float32: its own memory or work space; vlm_store_f32 (op_data.h) converts afterwards. */
typedef struct vlm_result {
  int output; /* -1 = not wanted */
  bool own;
  size_t at;
} vlm_result;
vlm_status vlm_result_prepare(vlm_op_call *c, vlm_result *r, int k);
float *vlm_result_get(const vlm_op_call *c, const vlm_result *r);

/* The values of an input as float64 likewise, and where to compute output k in float64; vlm_store_f64 (op_data.h) converts afterwards. */
typedef struct vlm_doubles {
  int input; /* -1 = absent */
  bool own;
  size_t at;
  double *kept;
} vlm_doubles;
vlm_status vlm_doubles_prepare(vlm_op_call *c, vlm_doubles *v, int k);
const double *vlm_doubles_get(const vlm_op_call *c, const vlm_doubles *v); /* NULL when absent */

typedef struct vlm_wide_result {
  int output; /* -1 = not wanted */
  bool own;
  size_t at;
} vlm_wide_result;
vlm_status vlm_wide_result_prepare(vlm_op_call *c, vlm_wide_result *r, int k);
double *vlm_wide_result_get(const vlm_op_call *c, const vlm_wide_result *r);

#endif
