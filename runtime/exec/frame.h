/* Private to exec/: one frame runs one graph (the root or the body of a control-flow node). */
#ifndef VLM_EXEC_FRAME_H
#define VLM_EXEC_FRAME_H

#include "runtime/exec/plan_cache.h"

typedef struct vlm_frame vlm_frame;

/* How nodes run their bodies, which are frames again: frame_body.h has it, above the walk over steps that calls it. */
typedef struct vlm_frame_control {
  vlm_run_body *run_body; /* runner: the frame of the node */
  vlm_status (*run_if)(vlm_frame *frame, const vlm_step *step, vlm_error *err);
} vlm_frame_control;

/* What all frames of a session share. */
typedef struct vlm_frame_shared {
  vlm_context *context;
  const vlm_frame_control *control;
  vlm_session_opts opts;
  vlm_heap heap;
  int64_t arena_allocations;
  int64_t body_runs; /* of this run */
} vlm_frame_shared;

struct vlm_frame {
  vlm_frame_shared *shared;
  const vlm_graph *graph;
  vlm_frame *parent;
  vlm_frame **children; /* one per graph attribute of any node */
  int32_t n_children;
  vlm_value_id *captures; /* ids of capture values */
  int32_t n_captures;
  const vlm_tensor **outside; /* inputs, then captures, of now */
  vlm_constants *constants;
  vlm_call_host host;
  vlm_tensor *now;        /* per value: the tensor of the current run */
  void **held;            /* per value: heap block, or NULL */
  vlm_tensor *outputs;    /* per graph output */
  void **output_copies;   /* heap blocks of outputs that would otherwise point outside */
  bool *tapped;           /* per value */
  uint64_t *packed;       /* per node: inputs that a plan has packed */
  int32_t n_held_outputs; /* lazy constants that are outputs: held as long as the frame is there */
  void *bytes;            /* the arena's memory */
  size_t bytes_size;
  vlm_plan_cache plans;
  vlm_plan *plan;         /* current */
  bool mistaken;          /* the run met a shape that its plan had guessed wrong */
  int64_t bound;          /* number of the plan that the tensors of now belong to */
  void **body_outputs[2]; /* bodies: copies handed out, two generations */
  int32_t body_turn;
};

vlm_status vlm_frame_create(vlm_frame **out, vlm_frame_shared *shared, const vlm_graph *graph,
                            vlm_frame *parent, vlm_error *err);
void vlm_frame_free(vlm_frame *frame);
/* Checks the inputs, sets them and the captures, and finds or makes the plan for their shapes. */
vlm_status vlm_frame_plan(vlm_frame *frame, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err);
/* Runs the graph: inputs in graph order; captures are read from parent->now. Outputs are in frame->outputs until the next run. */
vlm_status vlm_frame_run(vlm_frame *frame, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err);
/* Gives the memory of the last run back to the system, but for the outputs; small frames keep theirs. */
void vlm_frame_trim(vlm_frame *frame);
/* The same with the outputs. */
void vlm_frame_drop(vlm_frame *frame);
/* Frees the plans, unless outputs or bodies need them. */
void vlm_frame_forget(vlm_frame *frame);
/* The step of a node in the current plan, or NULL. */
vlm_step *vlm_frame_step(const vlm_frame *frame, int32_t node);

#endif
