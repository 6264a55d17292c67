#include "runtime/exec/profile.h"

#include <string.h>

#include "runtime/exec/session_private.h"
#include "runtime/ops/macs.h"

enum { MAX_GIB = 16 };

typedef struct {
  vlm_profile *out;
  vlm_session *session;
  int32_t capacity;
} profiler;

/* ---- counting ---- */

static vlm_status find_entry(profiler *p, const vlm_graph *graph, int32_t node, vlm_profile_node **entry,
                             vlm_error *err) {
  vlm_profile *o = p->out;
  for (int32_t i = o->n_nodes - 1; i >= 0; i--)
    if (o->nodes[i].graph == graph && o->nodes[i].node == node) {
      *entry = &o->nodes[i];
      return VLM_OK;
    }
  if (o->n_nodes == p->capacity) {
    int32_t wanted = p->capacity ? 2 * p->capacity : 256;
    vlm_status st = vlm_more(&o->nodes, o->n_nodes, wanted, err);
    if (st != VLM_OK) return st;
    p->capacity = wanted;
  }
  *entry = &o->nodes[o->n_nodes++];
  **entry = (vlm_profile_node){.graph = graph, .node = node};
  return VLM_OK;
}

static void add_macs(int64_t *sum, int64_t macs) {
  if (__builtin_add_overflow(*sum, macs, sum)) *sum = INT64_MAX;
}

/* The shapes are those of the step's latest run, or of the plan. */
static vlm_status count_step(profiler *p, const vlm_frame *frame, vlm_step *step, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_profile_node *entry;
  VLM_TRY(find_entry(p, frame->graph, step->node, &entry, err));
  int64_t macs = vlm_call_macs(&step->call);
  entry->runs++;
  add_macs(&entry->macs, macs);
  add_macs(&p->out->macs, macs);
out:
  return st;
}

/* ---- from the plan ---- */

static bool all_planned(const vlm_plan *plan) {
  for (int32_t s = 0; s < plan->n_steps; s++) {
    vlm_step_kind kind = plan->steps[s].kind;
    if (kind != VLM_STEP_STATIC && kind != VLM_STEP_CHECKED && kind != VLM_STEP_ALIAS) return false;
  }
  return true;
}

static vlm_status count_plan(profiler *p, vlm_error *err) {
  vlm_frame *frame = p->session->root;
  for (int32_t s = 0; s < frame->plan->n_steps; s++) {
    vlm_step *step = &frame->plan->steps[s];
    if (!step->call.node->traits->macs) continue;
    vlm_status st = count_step(p, frame, step, err);
    if (st != VLM_OK) return st;
  }
  return VLM_OK;
}

/* ---- from a run ---- */

static vlm_frame *frame_of(vlm_frame *frame, const vlm_graph *graph) {
  if (frame->graph == graph) return frame;
  for (int32_t i = 0; i < frame->n_children; i++) {
    vlm_frame *found = frame_of(frame->children[i], graph);
    if (found) return found;
  }
  return NULL;
}

/* One tap per node: on its first output that is there. */
static bool wants_value(void *user, const vlm_graph *graph, vlm_value_id value) {
  (void)user;
  int32_t n = graph->values[value].producer;
  if (n < 0 || !graph->nodes[n].traits->macs) return false;
  int32_t k = 0;
  while (graph->nodes[n].outputs[k] == VLM_NO_VALUE) k++;
  return graph->nodes[n].outputs[k] == value;
}

static vlm_status count_value(void *user, const vlm_graph *graph, vlm_value_id value,
                              const vlm_tensor *tensor, vlm_error *err) {
  profiler *p = user;
  (void)tensor;
  vlm_frame *frame = frame_of(p->session->root, graph);
  vlm_step *step = frame ? vlm_frame_step(frame, graph->values[value].producer) : NULL;
  return step ? count_step(p, frame, step, err) : VLM_OK;
}

static vlm_status run_on(vlm_session *session, const vlm_graph *graph, const vlm_tensor *inputs,
                         vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor *filled = NULL;
  void **zeros = NULL;
  VLM_TRY(vlm_new(&filled, graph->n_inputs, err));
  VLM_TRY(vlm_new(&zeros, graph->n_inputs, err));
  for (int32_t i = 0; i < graph->n_inputs; i++) {
    size_t bytes;
    filled[i] = inputs[i];
    if (inputs[i].data) continue;
    VLM_TRY(vlm_tensor_bytes_checked(&bytes, &inputs[i], err));
    VLM_CHECK(bytes >> 30 < MAX_GIB, err, VLM_LIMIT, "%s: input \"%s\" has %zu MiB, at most %d GiB are run",
              graph->source, graph->values[graph->inputs[i]].name, bytes >> 20, MAX_GIB);
    VLM_TRY(vlm_alloc(&zeros[i], bytes, 1, err));
    filled[i].data = zeros[i];
  }
  VLM_TRY(vlm_session_run(session, filled, graph->n_inputs, err));
out:
  for (int32_t i = 0; zeros && i < graph->n_inputs; i++) vlm_free(zeros[i]);
  vlm_free(zeros);
  vlm_free(filled);
  return st;
}

/* ---- result ---- */

static vlm_status keep_shapes(profiler *p, const vlm_graph *graph, const vlm_tensor *inputs, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_profile *o = p->out;
  VLM_TRY(vlm_new(&o->inputs, graph->n_inputs, err));
  VLM_TRY(vlm_new(&o->outputs, graph->n_outputs, err));
  VLM_TRY(vlm_new(&o->values, graph->n_values, err));
  o->n_inputs = graph->n_inputs;
  o->n_outputs = graph->n_outputs;
  memcpy(o->inputs, inputs, (size_t)graph->n_inputs * sizeof *inputs);
  for (int32_t i = 0; i < graph->n_outputs; i++)
    o->outputs[i] =
        o->executed ? *vlm_session_output(p->session, i) : p->session->root->now[graph->outputs[i]];
  for (int32_t v = 0; v < graph->n_values; v++) {
    o->values[v] = p->session->root->now[v];
    if (o->values[v].dtype == VLM_NONE) o->values[v].rank = -1;
    o->values[v].data = NULL;
  }
  for (int32_t i = 0; i < o->n_inputs; i++) o->inputs[i].data = NULL;
  for (int32_t i = 0; i < o->n_outputs; i++) o->outputs[i].data = NULL;
out:
  return st;
}

vlm_status vlm_graph_profile(vlm_profile *out, vlm_context *context, const vlm_graph *graph,
                             const vlm_tensor *inputs, vlm_error *err) {
  vlm_status st = VLM_OK;
  profiler p = {.out = out};
  const vlm_session_opts opts = {
      .tap = count_value, .tap_user = &p, .tap_wants = wants_value, .max_bytes = (size_t)MAX_GIB << 30};
  *out = (vlm_profile){.nodes = NULL};
  VLM_TRY(vlm_session_create(&p.session, context, graph, &opts, err));
  VLM_TRY(vlm_session_plan(p.session, inputs, graph->n_inputs, err));
  out->executed = !all_planned(p.session->root->plan);
  if (out->executed) VLM_TRY(run_on(p.session, graph, inputs, err));
  else VLM_TRY(count_plan(&p, err));
  if (out->executed) {
    vlm_session_stats stats = vlm_session_get_stats(p.session);
    out->activation_bytes = stats.arena_bytes + stats.heap_bytes;
  } else {
    VLM_TRY(vlm_plan_value_bytes(p.session->root->plan, graph, &out->activation_bytes, err));
  }
  VLM_TRY(keep_shapes(&p, graph, inputs, err));
out:
  vlm_session_free(p.session);
  if (st != VLM_OK) vlm_profile_free(out);
  return st;
}

void vlm_profile_free(vlm_profile *profile) {
  vlm_free(profile->nodes);
  vlm_free(profile->inputs);
  vlm_free(profile->outputs);
  vlm_free(profile->values);
  *profile = (vlm_profile){.nodes = NULL};
}
