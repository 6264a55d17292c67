/* Execution: a context (threads, kernels), and sessions that run one graph.
 *
 * A session lowers its graph once per set of input shapes: shapes are inferred, constants folded, every buffer gets an offset in
 * one arena by liveness, and running is a walk over steps. Nodes whose shape depends on data or on a live dim are inferred when reached. */
#ifndef VLM_EXEC_SESSION_H
#define VLM_EXEC_SESSION_H

#include "runtime/base/threads.h"
#include "runtime/graph/graph.h"

typedef struct vlm_context vlm_context;
enum { VLM_MAX_LOOP_RUNS = 1 << 22 };

typedef struct vlm_context_opts {
  int threads;           /* 0 = all cores */
  const char *cpu_level; /* NULL = best */
  int64_t
      max_loop_runs; /* how often all bodies of Loop and Scan run together in one run of a graph; 0 = VLM_MAX_LOOP_RUNS */
} vlm_context_opts;
vlm_status vlm_context_create(vlm_context **out, const vlm_context_opts *opts, vlm_error *err);
void vlm_context_free(vlm_context *context);
vlm_threads *vlm_context_threads(vlm_context *context);
const struct vlm_kernels *vlm_context_kernels(const vlm_context *context);
const char *vlm_context_cpu(const vlm_context *context);

struct vlm_op_call;
/* Told of all sessions of a context: around each run of a graph (call NULL), and around each of its steps; those of a body lie within the step
 * that runs it. Where a step fails, `done` of it and of what is around it does not come. */
typedef struct vlm_step_watch {
  void (*tell)(void *user, const vlm_graph *graph, struct vlm_op_call *call, bool done);
  void *user;
} vlm_step_watch;
/* NULL = nobody. The watch outlives the runs. */
void vlm_context_watch_steps(vlm_context *context, const vlm_step_watch *watch);

/* Called for each tapped value right after it is produced; the tensor is valid only during the call. `graph` tells which (sub)graph, `value` the id there. */
typedef vlm_status vlm_tap(void *user, const vlm_graph *graph, vlm_value_id value, const vlm_tensor *tensor,
                           vlm_error *err);

struct vlm_release; /* release.h */

typedef struct vlm_session_opts {
  vlm_tap *tap; /* NULL = none */
  void *tap_user;
  /* Which values are tapped; NULL with tap = every value. Asked once at creation. */
  bool (*tap_wants)(void *user, const vlm_graph *graph, vlm_value_id value);
  bool
      caches_have_room; /* inputs that vlm.CacheAttention appends to are buffers of the capacity that is given with them */
  bool
      owns_constants; /* nobody else reads the graph's constants: those that were packed go back to the system (release.h) */
  struct vlm_release
      *release; /* the same for several sessions of one owner, which is not this session; NULL = none */
  bool
      keeps_rows; /* the first dim of inputs counts rows, of which few numbers come: each has plans of its own */
  bool gives_memory_back; /* after a run: for answers that come one at a time, not for runs in a row */
  size_t max_bytes;       /* limit of one session's activations; 0 = 64 GiB */
} vlm_session_opts;

typedef struct vlm_session vlm_session;
/* Graph and context must outlive the session; the graph is resolved. Several sessions may share a graph and a context; prepared weights are shared through the context. */
vlm_status vlm_session_create(vlm_session **out, vlm_context *context, const vlm_graph *graph,
                              const vlm_session_opts *opts, vlm_error *err);
void vlm_session_free(vlm_session *session);
/* inputs[i] is bound to graph->inputs[i]; type is checked, shape against the declared dims. Data is read, never kept. */
vlm_status vlm_session_run(vlm_session *session, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err);
/* Nobody runs the session for a while: its plans go, with what they packed, and its memory but for the outputs, which stay valid. The next
 * run plans again. Sessions with bodies keep their plans. */
void vlm_session_rest(vlm_session *session);
/* The outputs of the last run were read: where the session gives memory back, theirs goes too. */
void vlm_session_outputs_read(vlm_session *session);
/* Output i of the last run; owned by the session, valid until the next run. */
const vlm_tensor *vlm_session_output(const vlm_session *session, int32_t i);

/* Lowers for these input shapes without computing; data may be NULL. A run with the same shapes uses the plan. */
vlm_status vlm_session_plan(vlm_session *session, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err);
/* Called for the steps of the current plan in their order, the graph's own (not those of bodies). out[k] belongs to node->outputs[k]: NULL =
 * not wanted; dtype NONE or a dim -1 = known only when the step runs. Nothing is visited before the first plan. */
typedef void vlm_step_visit(void *user, const vlm_graph *graph, const vlm_node *node,
                            const vlm_tensor *const *out);
void vlm_session_visit_steps(const vlm_session *session, vlm_step_visit *visit, void *user);

typedef struct vlm_session_stats {
  size_t arena_bytes;  /* planned activations */
  size_t heap_bytes;   /* growable part, high-water mark */
  int64_t plans;       /* how often the graph was lowered */
  int64_t allocations; /* system allocations made by runs */
  int64_t steps;       /* steps of the current plan */
} vlm_session_stats;
vlm_session_stats vlm_session_get_stats(const vlm_session *session);

#endif
