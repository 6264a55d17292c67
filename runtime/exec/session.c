#include "runtime/exec/session.h"

#include "runtime/exec/frame_body.h"
#include "runtime/exec/release.h"
#include "runtime/exec/session_private.h"

enum { DEFAULT_MAX_GIB = 64 };

vlm_status vlm_session_create(vlm_session **out, vlm_context *context, const vlm_graph *graph,
                              const vlm_session_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_session *s = NULL;
  VLM_TRY(vlm_release_check(graph, err));
  VLM_TRY(vlm_new(&s, 1, err));
  s->shared.context = context;
  s->shared.control = &vlm_frame_bodies;
  if (opts) s->shared.opts = *opts;
  if (!s->shared.opts.max_bytes) s->shared.opts.max_bytes = (size_t)DEFAULT_MAX_GIB << 30;
  s->shared.heap.max_bytes = s->shared.opts.max_bytes;
  if (s->shared.opts.owns_constants && !s->shared.opts.release) {
    /* Whoever says that the graph is the session's lets it mark what is gone. */
    VLM_TRY(vlm_release_create(&s->own_release, (vlm_graph *[]){(vlm_graph *)(uintptr_t)graph}, 1, err));
    s->shared.opts.release = s->own_release;
  }
  VLM_TRY(vlm_frame_create(&s->root, &s->shared, graph, NULL, err));
out:
  if (st != VLM_OK) {
    vlm_session_free(s);
    s = NULL;
  }
  *out = s;
  return st;
}

void vlm_session_free(vlm_session *s) {
  if (!s) return;
  vlm_frame_free(s->root);
  vlm_heap_free(&s->shared.heap);
  vlm_release_free(s->own_release);
  vlm_free(s);
}

vlm_status vlm_session_run(vlm_session *s, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err) {
  s->shared.body_runs = 0;
  vlm_status st = vlm_frame_run(s->root, inputs, n_inputs, err);
  if (s->shared.opts.gives_memory_back) vlm_frame_trim(s->root);
  return st;
}

void vlm_session_rest(vlm_session *s) {
  vlm_frame_trim(s->root);
  vlm_frame_forget(s->root);
}

void vlm_session_outputs_read(vlm_session *s) {
  if (s->shared.opts.gives_memory_back) vlm_frame_drop(s->root);
}

const vlm_tensor *vlm_session_output(const vlm_session *s, int32_t i) { return &s->root->outputs[i]; }

vlm_status vlm_session_plan(vlm_session *s, const vlm_tensor *inputs, int32_t n_inputs, vlm_error *err) {
  return vlm_frame_plan(s->root, inputs, n_inputs, err);
}

void vlm_session_visit_steps(const vlm_session *s, vlm_step_visit *visit, void *user) {
  const vlm_plan *plan = s->root->plan;
  for (int32_t i = 0; plan && i < plan->n_steps; i++) {
    const vlm_step *step = &plan->steps[i];
    visit(user, s->root->graph, step->call.node, (const vlm_tensor *const *)step->call.out);
  }
}

static size_t arena_bytes(const vlm_frame *frame) {
  size_t bytes = frame->bytes_size;
  for (int32_t i = 0; i < frame->n_children; i++) bytes += arena_bytes(frame->children[i]);
  return bytes;
}

static int64_t plans_made(const vlm_frame *frame) {
  int64_t plans = frame->plans.made;
  for (int32_t i = 0; i < frame->n_children; i++) plans += plans_made(frame->children[i]);
  return plans;
}

vlm_session_stats vlm_session_get_stats(const vlm_session *s) {
  return (vlm_session_stats){.arena_bytes = arena_bytes(s->root),
                             .heap_bytes = s->shared.heap.total_bytes,
                             .plans = plans_made(s->root),
                             .allocations = s->shared.heap.allocations + s->shared.arena_allocations,
                             .steps = s->root->plan ? s->root->plan->n_steps : 0};
}
