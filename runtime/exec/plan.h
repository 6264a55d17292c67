/* Private to exec/: a plan is what a frame does for one set of input shapes: steps in order, each bound to its operator's state, and where every
 * value lies. */
#ifndef VLM_EXEC_PLAN_H
#define VLM_EXEC_PLAN_H

#include "runtime/exec/call.h"
#include "runtime/exec/constants.h"
#include "runtime/ops/prepare.h"

/* Where a value's bytes are. */
typedef enum vlm_store {
  VLM_STORE_NONE,     /* never computed (unused, or not reached yet) */
  VLM_STORE_CONSTANT, /* graph constant or folded */
  VLM_STORE_OUTSIDE,  /* graph input or capture: set for every run */
  VLM_STORE_ARENA,    /* planned offset */
  VLM_STORE_HEAP      /* taken when reached */
} vlm_store;

typedef struct vlm_plan_value {
  vlm_tensor tensor; /* shape when known; data for constants */
  vlm_store store;
  bool shape_known;
  vlm_value_id root;   /* the value whose bytes these are (itself unless an alias) */
  int32_t first, last; /* steps between which the root must live; last = INT32_MAX for graph outputs */
  size_t offset;
} vlm_plan_value;

typedef enum vlm_step_kind {
  VLM_STEP_STATIC, /* inferred and, unless late, prepared when planned */
  VLM_STEP_CHECKED, /* the same with a shape that was the same in every plan so far; inferred again when reached, and compared */
  VLM_STEP_ALIAS,   /* re-points its output */
  VLM_STEP_DYNAMIC, /* inferred and prepared when reached */
  VLM_STEP_SELF_ALLOC, /* makes its outputs when it runs; prepared when planned or, when a shape is not known, late */
  VLM_STEP_IF
} vlm_step_kind;

typedef struct vlm_step {
  int32_t node;
  vlm_step_kind kind;
  bool late; /* static, checked, self-alloc: prepared when reached, because something it needs is a value */
  vlm_op_call call; /* in and out point into the frame's tensors of now */
  vlm_op_binding binding;
  const void **borrowed; /* per input: lazy constant that the step holds (borrow.h), or NULL */
  int32_t n_borrowed;
  size_t work_offset; /* steps prepared when planned: in the arena */
  vlm_value_id *dead; /* heap values whose last use is this step */
  int32_t n_dead;
} vlm_step;

/* By the plan or, when it comes late, each time it is reached; not views, nor steps of which nothing is known. */
static inline bool vlm_step_is_prepared(const vlm_step *step) {
  return step->kind != VLM_STEP_ALIAS && step->kind != VLM_STEP_DYNAMIC;
}

typedef struct vlm_plan {
  vlm_arena *arena; /* owns everything here */
  vlm_lazy *lazy;   /* of the graph */
  vlm_plan_value *values;
  vlm_step *steps;
  int32_t n_steps;
  size_t arena_bytes;
  int64_t number; /* no other plan of the frame has or had it */
} vlm_plan;

/* What a plan is made for. All but `outside` outlives the plan. */
typedef struct vlm_plan_request {
  vlm_call_host *host;
  const vlm_graph *graph;
  const vlm_constants *constants;
  const vlm_value_id *captures;
  int32_t n_captures;
  const bool *tapped;        /* per value */
  vlm_tensor *now;           /* per value: the tensor of the run */
  const vlm_tensor *outside; /* inputs, then captures: type and shape; dim -1 = live */
  const vlm_plan *const *
      witnesses; /* plans without live dims, of which two differ in each live dim; none = shapes are not guessed */
  int32_t n_witnesses;
  const vlm_weight_owner *owner; /* of the constants, or NULL */
  uint64_t *packed;              /* per node: bit k = input k was packed by an earlier plan */
  size_t max_bytes;
} vlm_plan_request;

/* The first stage alone: the shapes of all values, no steps. */
vlm_status vlm_plan_create_shapes(vlm_plan **out, const vlm_plan_request *request, vlm_error *err);
vlm_status vlm_plan_create(vlm_plan **out, const vlm_plan_request *request, vlm_error *err);
void vlm_plan_free(vlm_plan *plan);
/* What of our own rules the plan breaks, or NULL: roots, lifetimes, places in the arena, the order of steps. */
const char *vlm_plan_broken(const vlm_plan *plan, const vlm_graph *graph);
/* What the arena would need for values alone: the same for every CPU level and number of threads. */
vlm_status vlm_plan_value_bytes(const vlm_plan *plan, const vlm_graph *graph, size_t *bytes, vlm_error *err);

#endif
