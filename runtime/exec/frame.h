/* Private to exec/: one frame runs one graph (the root or the body of a control-flow node); a plan is its lowering for one set of shapes. */
#ifndef VLM_EXEC_FRAME_H
#define VLM_EXEC_FRAME_H

#include "runtime/exec/heap.h"
#include "runtime/exec/session.h"
#include "runtime/ops/op.h"

/* Where a value's bytes are. */
typedef enum vlm_store {
  VLM_STORE_NONE,     /* never computed (unused, or not reached yet) */
  VLM_STORE_CONSTANT, /* graph constant or folded */
  VLM_STORE_OUTSIDE,  /* graph input or capture: set for every run */
  VLM_STORE_ARENA,    /* planned offset */
  VLM_STORE_HEAP      /* taken when reached */
} vlm_store;

typedef struct vlm_plan_value {
  vlm_tensor tensor;   /* shape when known; data for constants */
  vlm_store store;
  bool shape_known;
  vlm_value_id root;   /* the value whose bytes these are (itself unless an alias) */
  int32_t first, last; /* steps between which the root must live; last = INT32_MAX for graph outputs */
  size_t offset;
} vlm_plan_value;

typedef enum vlm_step_kind { VLM_STEP_STATIC, VLM_STEP_ALIAS, VLM_STEP_DYNAMIC, VLM_STEP_SELF_ALLOC, VLM_STEP_IF } vlm_step_kind;

typedef struct vlm_step {
  int32_t node;
  vlm_step_kind kind;
  const vlm_tensor **in;     /* into frame->now */
  vlm_tensor **out;
  bool *is_constant;
  vlm_value_id *dead;        /* heap values whose last use is this step */
  int32_t n_dead;
} vlm_step;

typedef struct vlm_plan {
  vlm_arena *arena;          /* owns everything here */
  int64_t *signature;        /* dims of inputs then captures, rank first; -1 = live dim */
  int32_t signature_length;
  bool generic;              /* has live dims */
  vlm_plan_value *values;
  vlm_step *steps;
  int32_t n_steps;
  size_t arena_bytes;
  int64_t last_used;
} vlm_plan;

typedef struct vlm_frame vlm_frame;
struct vlm_frame {
  vlm_session *session;
  const vlm_graph *graph;
  vlm_frame *parent;
  vlm_frame **children;      /* one per graph attribute of any node */
  int32_t n_children;
  vlm_value_id *captures;    /* ids of capture values */
  int32_t n_captures;
  vlm_tensor *folded;        /* per value: data set when it is computed from constants alone */
  vlm_arena *folded_arena;
  vlm_tensor *now;           /* per value: the tensor of the current run */
  void **held;               /* per value: heap block, or NULL */
  vlm_tensor *outputs;       /* per graph output */
  void **output_copies;      /* heap blocks of outputs that would otherwise point outside */
  bool *tapped;              /* per value */
  void *bytes;               /* the arena's memory */
  size_t bytes_size;
  vlm_plan **plans;
  int32_t n_plans;
  vlm_plan *plan;            /* current */
  void *body_outputs[2][64]; /* copies handed out by run_body, two generations */
  int32_t body_turn;
};

struct vlm_context {
  vlm_threads *threads;
  const struct vlm_kernels *kernels;
  void *kernel_storage;
  uint32_t cpu_mask;
  int64_t max_loop_runs;
};

struct vlm_session {
  vlm_context *context;
  vlm_session_opts opts;
  vlm_frame *root;
  vlm_heap heap;
  int64_t plans, arena_allocations, clock;
  int64_t body_runs;         /* of this run */
};

/* frame.c */
vlm_status vlm_frame_create(vlm_frame **out, vlm_session *session, const vlm_graph *graph, vlm_frame *parent, vlm_error *err);
void vlm_frame_free(vlm_frame *frame);
/* Checks inputs and sets them, and the captures, in frame->now. */
vlm_status vlm_frame_bind_inputs(vlm_frame *frame, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err);
/* Runs the graph: inputs in graph order; captures are read from parent->now. Outputs are in frame->outputs until the next run. */
vlm_status vlm_frame_run(vlm_frame *frame, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err);
vlm_frame *vlm_frame_child(const vlm_frame *frame, const vlm_graph *body);

/* plan.c */
/* The plan that fits the shapes now in frame->now for inputs and captures: found or made. */
vlm_status vlm_frame_plan(vlm_frame *frame, vlm_error *err);
void vlm_plan_free(vlm_plan *plan);

/* fold.c */
/* Computes everything that depends on constants alone into frame->folded. */
vlm_status vlm_frame_fold(vlm_frame *frame, vlm_error *err);
/* Graph constant, folded value, or either of these in the parent through a capture; NULL when the value is computed per run. */
const vlm_tensor *vlm_frame_constant(const vlm_frame *frame, vlm_value_id id);

/* call.c: one operator call with its callbacks. */
typedef struct vlm_call_host {
  vlm_frame *frame;
  void *scratch[64];
  int32_t n_scratch;
  vlm_value_id *out_ids; /* for allocate; NULL when allocation is not allowed */
} vlm_call_host;
vlm_op_call vlm_call_make(vlm_call_host *host, const vlm_node *node, const vlm_tensor *const *in, vlm_tensor *const *out, const bool *is_constant,
                          vlm_error *err);
void vlm_call_release(vlm_call_host *host);
/* Adds file, node and operator to the message. */
vlm_status vlm_call_failed(const vlm_frame *frame, const vlm_node *node, vlm_status status, vlm_error *err);

#endif
