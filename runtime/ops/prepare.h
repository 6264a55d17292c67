/* What a prepare function has at hand: memory that lives with the step and work space for run. Inputs as run wants them: values.h; packed
 * weights: packed.h.
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

struct vlm_lazy;    /* lazy.h */
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
  vlm_arena *arena;              /* lives as long as the step */
  const bool *lasting;           /* per input: the value stays the same as long as the step lives */
  struct vlm_weights *weights;   /* the context's packed forms; NULL = nothing is shared: run packs */
  const vlm_weight_owner *owner; /* NULL = constants stay */
  struct vlm_lazy *lazy;         /* constants that are there while somebody holds them, or NULL */
  bool *packed;                  /* per input: it is packed and not read again; NULL = nobody wants to know */
  size_t work_bytes;             /* reserved so far */
  struct vlm_op_kept {
    void *data;
    size_t bytes;
  } * kept;
  struct vlm_weight **held;
  int32_t n_kept, cap_kept, used_kept, n_held, cap_held, used_held;
} vlm_op_binding;

/* Before the step is prepared again: its memory and weights may be used again. The memory goes with the arena, the weights with
 * vlm_op_binding_release (packed.h). */
void vlm_op_binding_rewind(vlm_op_binding *binding);

/* Zeroed memory that lives with the step. */
vlm_status vlm_op_keep(vlm_op_call *c, void **out, int64_t count, size_t size);
/* The same, and c->state points at it. */
vlm_status vlm_op_state(vlm_op_call *c, void **out, size_t size);
/* Both for the type that `out`, the address of a pointer, points to. */
#define vlm_op_keep_new(c, out, count) \
  VLM_TYPED(out, vlm_op_keep((c), &vlm_block_, (count), sizeof **vlm_out_))
#define vlm_op_state_new(c, out) VLM_TYPED(out, vlm_op_state((c), &vlm_block_, sizeof **vlm_out_))
/* count * size bytes of run's work space, 64-byte aligned, at vlm_op_work(c, *at). */
vlm_status vlm_op_reserve(vlm_op_call *c, size_t *at, int64_t count, size_t size);
static inline void *vlm_op_work(const vlm_op_call *c, size_t at) { return (char *)c->work + at; }
/* True when input k is there and stays the same as long as the step lives. */
bool vlm_op_lasts(const vlm_op_call *c, int k);

#endif
