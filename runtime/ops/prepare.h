/* What a prepare function has at hand: memory that lives with the step, work space for run, and values that are there once.
 *
 *   typedef struct { vlm_values scale; size_t sums; } state;
 *   vlm_status vlm_prepare_X(vlm_op_call *c) {
 *     state *s;
 *     VLM_TRY(vlm_op_state_new(c, &s));
 *     VLM_TRY(vlm_values_prepare(c, &s->scale, 1, n, "the scale"));
 *     VLM_TRY(vlm_op_reserve(c, &s->sums, n, sizeof(float)));
 *   vlm_status vlm_run_X(vlm_op_call *c) {
 *     const state *s = c->state;
 *     const float *scale = vlm_values_get(c, &s->scale);
 *     float *sums = vlm_op_work(c, s->sums); … */
#ifndef VLM_OPS_PREPARE_H
#define VLM_OPS_PREPARE_H

#include "runtime/base/memory.h"
#include "runtime/ops/op.h"

struct vlm_weights; /* weights.h */
struct vlm_weight;

/* Who may let go of constants that steps have packed; functions of exec/. */
typedef struct vlm_weight_owner {
  void *user;
  /* Input k of the node is packed in `weight` and not read again. */
  vlm_status (*packed)(void *user, const vlm_node *node, int k, struct vlm_weight *weight, vlm_error *err);
  /* True when the bytes are gone: only forms that are there can be had. */
  bool (*is_gone)(void *user, const void *data);
} vlm_weight_owner;

/* What a step owns. Filled again, in the same memory, when the step is prepared anew. */
typedef struct vlm_op_binding {
  vlm_arena *arena;            /* lives as long as the step */
  const bool *lasting;         /* per input: the value stays the same as long as the step lives */
  struct vlm_weights *weights; /* the context's packed forms; NULL = nothing is shared: run packs */
  const vlm_weight_owner *owner; /* NULL = constants stay */
  size_t work_bytes;           /* reserved so far */
  struct vlm_op_kept {
    void *data;
    size_t bytes;
  } *kept;
  struct vlm_weight **held;
  int32_t n_kept, cap_kept, used_kept, n_held, cap_held, used_held;
} vlm_op_binding;

/* Before the step is prepared again: its memory and weights may be used again. */
void vlm_op_binding_rewind(vlm_op_binding *binding);
/* Gives the weights back. The memory goes with the arena. */
void vlm_op_binding_release(vlm_op_binding *binding);

/* Zeroed memory that lives with the step. */
vlm_status vlm_op_keep(vlm_op_call *c, void **out, int64_t count, size_t size);
/* The same, and c->state points at it. */
vlm_status vlm_op_state(vlm_op_call *c, void **out, size_t size);
/* Both for the type that `out`, the address of a pointer, points to. */
#define vlm_op_keep_new(c, out, count) VLM_TYPED(out, vlm_op_keep((c), &vlm_block_, (count), sizeof **vlm_out_))
#define vlm_op_state_new(c, out) VLM_TYPED(out, vlm_op_state((c), &vlm_block_, sizeof **vlm_out_))
/* count * size bytes of run's work space, 64-byte aligned, at vlm_op_work(c, *at). */
vlm_status vlm_op_reserve(vlm_op_call *c, size_t *at, int64_t count, size_t size);
static inline void *vlm_op_work(const vlm_op_call *c, size_t at) { return (char *)c->work + at; }
/* True when input k is there and stays the same as long as the step lives. */
bool vlm_op_lasts(const vlm_op_call *c, int k);

/* The values of an input as n float32: its own memory where it has that form; else a copy (converted, one value repeated), made once when the
 * input lasts and at every run otherwise. */
typedef struct vlm_values {
  int input; /* -1 = absent */
  bool own;
  int64_t n;
  size_t at;
  float *kept;
} vlm_values;
/* k may be absent. VLM_INPUT names `what` when the input has neither 1 nor n elements. */
vlm_status vlm_values_prepare(vlm_op_call *c, vlm_values *v, int k, int64_t n, const char *what);
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

/* The values of an input as int64: its own memory where it has that type; else a copy, made once when the input lasts and at every run
 * otherwise. */
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

#endif
