/* The operator interface and table.
 *
 * An operator is three functions.
 *   infer    sets dtype, rank and dims of every output. It may read c->in[k]->data when that is not NULL, and returns VLM_UNKNOWN when it needs
 *            a value that is not there yet; when the step is reached every value is there.
 *   prepare  decides everything that does not depend on the values of a run: attributes decoded into c->state, weights packed,
 *            kernel and epilogue chosen, work space reserved (prepare.h, values.h, packed.h). It is called once per plan, after infer, with types and
 *            shapes of all inputs and outputs; c->in[k]->data is set for values that are known when planning. A step whose shapes are known only
 *            when it is reached is prepared each time it is reached, in the memory of the time before. VLM_UNKNOWN = a value is needed that is
 *            not there yet: the step is then prepared when it is reached, too.
 *   run      computes; outputs are allocated as inferred. It takes no lock, compares no string, sees no attribute and takes memory from c->work
 *            alone, but where sizes depend on values; only what depends on values can fail (an index out of range).
 * The first two see the node's attributes decoded, in the order of the table row: c->node->args[k]. All sizes come from the tensors; all functions must
 * survive zero-sized dims. Errors say what was got and wanted; node and file are added by the caller. */
#ifndef VLM_OPS_OP_H
#define VLM_OPS_OP_H

#include "runtime/base/threads.h"
#include "runtime/graph/graph.h"

struct vlm_kernels;    /* runtime/kernels/kernels.h: the chosen micro-kernels */
struct vlm_op_binding; /* prepare.h */

typedef struct vlm_op_call vlm_op_call;
struct vlm_op_call {
  const vlm_node *node;
  int32_t n_in, n_out;
  const vlm_tensor *const *in; /* NULL = absent */
  vlm_tensor *const *out;      /* NULL = not wanted */
  vlm_threads *threads;        /* may be NULL */
  const struct vlm_kernels *kernels;
  void *state; /* what prepare made, or NULL */
  bool
      same; /* infer may say so: output 0 is input 0's bytes, so when planned they share memory and run is not called */
  bool moves; /* infer may say so: dim i of output 0 is dim order[i] of input 0 */
  uint8_t order[VLM_MAX_RANK];
  bool
      caches_have_room; /* the caller's cache buffers are as large as their capacity says (cache_attention.c) */
  void *work;           /* run: the bytes that prepare reserved, 64-byte aligned, zeroed by nobody */
  struct vlm_op_binding *binding; /* prepare only: what the step owns (prepare.h) */
  /* Scratch memory, 64-byte aligned, zeroed by nobody, valid until the function returns: where the size depends on values. */
  vlm_status (*scratch)(vlm_op_call *c, void **out, size_t bytes);
  /* Operators flagged SELF_ALLOC (control flow, data-dependent sizes known only after work) set out[k]'s dtype and dims, then call this. */
  vlm_status (*allocate)(vlm_op_call *c, int32_t k);
  /* Runs subgraph `body` (an attribute's graph) once: inputs bound to its inputs, outputs copied into call-lifetime tensors. */
  vlm_status (*run_body)(vlm_op_call *c, vlm_graph *body, const vlm_tensor *inputs, int32_t n_inputs,
                         vlm_tensor *outputs, int32_t n_outputs);
  void *executor; /* private of exec/ */
  vlm_error *err;
};

typedef vlm_status vlm_op_infer(vlm_op_call *c);
typedef vlm_status vlm_op_prepare(vlm_op_call *c);
typedef vlm_status vlm_op_run(vlm_op_call *c);

enum {
  VLM_OP_ALIAS =
      1, /* output 0 is input 0's bytes under another shape: exec shares the buffer, run is not called */
  VLM_OP_SELF_ALLOC = 2, /* run allocates its outputs; infer returns VLM_UNKNOWN or is skipped */
  VLM_OP_IMPURE = 4,     /* never folded (random numbers) */
  VLM_OP_LOOSE =
      8, /* infer may succeed although some input's shape is not known yet: such inputs have dtype NONE or a dim -1 */
  VLM_OP_IMPORT = 16,   /* in files only: a clean-up pass replaces it; infer and run refuse */
  VLM_OP_OF_SHAPE = 32, /* reads only the shapes of its inputs: known when planning whatever the data are */
  VLM_OP_BRANCH = 64,   /* input 0 says which of its bodies runs; nothing else does */
  VLM_OP_CACHE =
      128, /* inputs 3 and 4 are caches of keys and of values, appended to in place (cache_attention.c) */
  VLM_OP_IN_PLACE =
      256, /* output 0 may be the memory of input 0 (of either, when there are two) if types and shapes are the same */
  VLM_OP_SHARES_KEYS =
      512 /* inputs 1 and 2 are keys and values, which may be one where there are several of queries */
};

typedef struct vlm_op {
  const char *domain, *name;
  int8_t since, until;   /* opset versions for which this row holds, inclusive; until 0 = newest known */
  int8_t min_in, max_in; /* max_in -1 = variadic */
  int8_t min_out, max_out;
  uint16_t flags;
  /* Attributes: "name:type=default name:type ..." with type i f s t g is fs ss; no default = absent has kind NONE; "!" after the type = required.
   * Example: "axis:i=-1 keepdims:i=1 axes:is body:g!" */
  const char *attrs;
  vlm_op_infer *infer;
  vlm_op_prepare *prepare;
  vlm_op_run *run;
} vlm_op;

/* The row for an operator at an opset version, or NULL; *known tells whether any row has that name (for the message). */
const vlm_op *vlm_op_find(const char *domain, const char *name, int32_t opset, bool *known);
/* All rows, in table order. */
const vlm_op *vlm_op_table(int32_t *count);

/* ---- helpers for operator files (runtime/ops/op_util.c) ---- */

static inline int64_t vlm_arg_int(const vlm_op_call *c, int k, int64_t fallback) {
  const vlm_attr *a = c->node->args[k];
  return a->kind == VLM_ATTR_INT ? a->u.i : fallback;
}
static inline float vlm_arg_float(const vlm_op_call *c, int k, float fallback) {
  const vlm_attr *a = c->node->args[k];
  return a->kind == VLM_ATTR_FLOAT ? a->u.f : fallback;
}
static inline const char *vlm_arg_string(const vlm_op_call *c, int k, const char *fallback) {
  const vlm_attr *a = c->node->args[k];
  return a->kind == VLM_ATTR_STRING ? a->u.s : fallback;
}
static inline const vlm_attr *vlm_arg(const vlm_op_call *c, int k) { return c->node->args[k]; }

/* Output k gets this type and shape (no-op when the output is not wanted). */
void vlm_out_shape(vlm_op_call *c, int k, vlm_dtype dtype, int rank, const int64_t *dims);
/* Output k looks like input j. */
void vlm_out_like(vlm_op_call *c, int k, int j);
/* Normalises a possibly negative axis into [0, rank); message names axis and rank. `rank` itself is allowed when inclusive. */
vlm_status vlm_axis(vlm_op_call *c, int64_t axis, int rank, bool inclusive, int *out);
/* Numpy broadcasting of two shapes. */
vlm_status vlm_broadcast_dims(vlm_op_call *c, const vlm_tensor *a, const vlm_tensor *b, int *rank,
                              int64_t *dims);
/* Up to VLM_MAX_RANK integers of an int32/int64 tensor; count out. VLM_UNKNOWN when the data is not there. */
vlm_status vlm_read_ints(vlm_op_call *c, const vlm_tensor *t, int64_t *values, int max, int *count);
/* Refuses shapes whose dims, zeros left out, multiply to more than any memory: strides of such a shape would overflow. */
vlm_status vlm_check_dims(vlm_op_call *c, int rank, const int64_t *dims);

#endif
