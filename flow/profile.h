/* Where the time goes: every step that the sessions of a context run, and what the machine could do at most. */
#ifndef VLM_FLOW_PROFILE_H
#define VLM_FLOW_PROFILE_H

#include "flow/peaks.h"
#include "flow/profile_step.h"
#include "runtime/bundle/bundle.h"

/* A node of a graph over all its runs. Nodes that bodies run count there, not in the node that has the body. */
typedef struct vlm_profile_row {
  const vlm_graph *graph;
  const vlm_node
      *node; /* NULL = what a graph's runs take beside their steps: plans, and outputs that are copied */
  vlm_step_facts facts; /* of the last run; the rest of all */
  int64_t runs;
  double ms, macs, bytes;
} vlm_profile_row;

/* One interval, for a trace: of a step or, without a node, of a graph's run. */
typedef struct vlm_profile_event {
  const vlm_graph *graph;
  const vlm_node *node;
  double start_ms, ms;
} vlm_profile_event;

typedef struct vlm_step_profile vlm_step_profile;
enum { VLM_PROFILE_MOST_EVENTS = 1 << 20 };

/* Measures the peaks, then watches the context, which must outlive it. keeps_events: for vlm_step_profile_trace, up to
 * VLM_PROFILE_MOST_EVENTS. */
vlm_status vlm_step_profile_start(vlm_step_profile **out, vlm_context *context, bool keeps_events,
                                  vlm_error *err);
/* Ends the watch; NULL is fine. Graphs may be gone. */
void vlm_step_profile_free(vlm_step_profile *profile);

/* Graphs of the bundle are called by their role, behind the title when it is not NULL. */
vlm_status vlm_step_profile_name(vlm_step_profile *profile, const char *title, const vlm_bundle *bundle,
                                 vlm_error *err);
/* The rows so far, most time first; valid until the next call. VLM_MEMORY when an interval could not be kept. */
vlm_status vlm_step_profile_rows(vlm_step_profile *profile, const vlm_profile_row **rows, int32_t *count,
                                 vlm_error *err);
const char *vlm_step_profile_graph(const vlm_step_profile *profile, const vlm_graph *graph);
const vlm_peaks *vlm_step_profile_peaks(const vlm_step_profile *profile);
/* Since the start; of all runs of graphs. */
double vlm_step_profile_wall_ms(const vlm_step_profile *profile);
double vlm_step_profile_graphs_ms(const vlm_step_profile *profile);
/* Billions of operations (or, where `memory`, bytes) a second, and their share of the peak: of the two what is nearer to it. Bytes that come from caches may come
 * faster than memory's peak (share above 1); then operations tell more. */
typedef struct vlm_profile_rate {
  double value, share;
  bool memory;
} vlm_profile_rate;
vlm_profile_rate vlm_step_profile_rate(const vlm_step_profile *profile, const vlm_profile_row *row);

/* The intervals in the trace-event format of Chrome, which Perfetto opens. */
vlm_status vlm_step_profile_trace(const vlm_step_profile *profile, const char *path, vlm_error *err);

#endif
