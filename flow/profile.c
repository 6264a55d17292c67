#include "flow/profile.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/memory.h"

enum { MOST_DEPTH = 64 };

typedef struct {
  const vlm_graph *graph;
  char *name;
  vlm_profile_row *rows; /* per node, then what is beside them */
} graph_profile;

/* What has begun and not ended. */
typedef struct {
  const vlm_graph *graph;
  const vlm_op_call *call;
  double start_ms, inside_ms; /* inside: of steps and runs within */
} open_interval;

struct vlm_step_profile {
  vlm_context *context;
  vlm_step_watch watch;
  vlm_peaks peaks;
  double start_ms, graphs_ms;
  graph_profile *graphs;
  int32_t n_graphs;
  open_interval open[MOST_DEPTH];
  int32_t depth;
  bool keeps_events;
  vlm_profile_event *events;
  size_t n_events, event_room;
  int64_t lost; /* events beyond the limit */
  vlm_status st;
  vlm_profile_row *sorted;
};

/* ---- graphs ---- */

static graph_profile *graph_of(vlm_step_profile *p, const vlm_graph *graph) {
  for (int32_t i = p->n_graphs - 1; i >= 0; i--)
    if (p->graphs[i].graph == graph) return &p->graphs[i];
  return NULL;
}

static vlm_status add_graph(vlm_step_profile *p, const vlm_graph *graph, graph_profile **out,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = graph_of(p, graph);
  if (*out) return VLM_OK;
  graph_profile added = {.graph = graph};
  VLM_TRY(vlm_more(&p->graphs, p->n_graphs, p->n_graphs + 1, err));
  VLM_TRY(vlm_new(&added.rows, graph->n_nodes + 1, err));
  for (int32_t n = 0; n <= graph->n_nodes; n++)
    added.rows[n] = (vlm_profile_row){.graph = graph, .node = n < graph->n_nodes ? &graph->nodes[n] : NULL};
  *out = &p->graphs[p->n_graphs++];
  **out = added;
out:
  return st;
}

vlm_status vlm_step_profile_name(vlm_step_profile *p, const char *title, const vlm_bundle *bundle,
                                 vlm_error *err) {
  vlm_status st = VLM_OK;
  char text[128];
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    graph_profile *g;
    if (!bundle->graphs[r]) continue;
    VLM_TRY(add_graph(p, bundle->graphs[r], &g, err));
    snprintf(text, sizeof text, "%s%s%s", title ? title : "", title ? " " : "", vlm_role_name((vlm_role)r));
    vlm_free(g->name);
    VLM_TRY(vlm_strdup(&g->name, text, err));
  }
out:
  return st;
}

/* A body is called as the graph around it. */
const char *vlm_step_profile_graph(const vlm_step_profile *p, const vlm_graph *graph) {
  for (; graph; graph = graph->parent)
    for (int32_t i = 0; i < p->n_graphs; i++)
      if (p->graphs[i].graph == graph && p->graphs[i].name) return p->graphs[i].name;
  return "graph";
}

/* ---- intervals ---- */

static vlm_status keep_event(vlm_step_profile *p, const open_interval *o, double ms) {
  vlm_status st = VLM_OK;
  if (!p->keeps_events) return VLM_OK;
  if (p->n_events == VLM_PROFILE_MOST_EVENTS) {
    p->lost++;
    return VLM_OK;
  }
  if (p->n_events == p->event_room) {
    const size_t room = p->event_room ? 2 * p->event_room : 4096;
    VLM_TRY(vlm_more(&p->events, p->event_room, room, NULL));
    p->event_room = room;
  }
  p->events[p->n_events++] =
      (vlm_profile_event){o->graph, o->call ? o->call->node : NULL, o->start_ms - p->start_ms, ms};
out:
  return st;
}

static vlm_status count_interval(vlm_step_profile *p, const open_interval *o, vlm_op_call *call, double ms) {
  vlm_status st = VLM_OK;
  graph_profile *g;
  VLM_TRY(add_graph(p, o->graph, &g, NULL));
  vlm_profile_row *row = &g->rows[call ? call->node - o->graph->nodes : o->graph->n_nodes];
  row->runs++;
  row->ms += ms - o->inside_ms;
  if (call) {
    vlm_step_facts_read(&row->facts, call);
    row->macs += row->facts.macs;
    row->bytes += row->facts.bytes;
  }
  VLM_TRY(keep_event(p, o, ms));
out:
  return st;
}

/* A step that failed never ends: what lies behind it on the stack goes with it. */
static void end_interval(vlm_step_profile *p, const vlm_graph *graph, vlm_op_call *call, double now) {
  int32_t at = p->depth - 1;
  while (at >= 0 && (p->open[at].graph != graph || p->open[at].call != call)) at--;
  if (at < 0) return;
  const double ms = now - p->open[at].start_ms;
  const vlm_status st = count_interval(p, &p->open[at], call, ms);
  if (st != VLM_OK) p->st = st;
  p->depth = at;
  if (at > 0) p->open[at - 1].inside_ms += ms;
  else p->graphs_ms += ms;
}

/* The clock is read first when something ends and last when something begins: what the profile does itself is in no interval but those around. */
static void tell(void *user, const vlm_graph *graph, vlm_op_call *call, bool done) {
  vlm_step_profile *p = user;
  if (done) {
    end_interval(p, graph, call, vlm_clock_ms());
  } else if (p->depth < MOST_DEPTH) {
    open_interval *o = &p->open[p->depth++];
    *o = (open_interval){.graph = graph, .call = call};
    o->start_ms = vlm_clock_ms();
  }
}

/* ---- from start to rows ---- */

vlm_status vlm_step_profile_start(vlm_step_profile **out, vlm_context *context, bool keeps_events,
                                  vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_step_profile *p = NULL;
  VLM_TRY(vlm_new(&p, 1, err));
  p->context = context;
  p->keeps_events = keeps_events;
  p->watch = (vlm_step_watch){.tell = tell, .user = p};
  VLM_TRY(vlm_peaks_measure(&p->peaks, context, err));
  p->start_ms = vlm_clock_ms();
  vlm_context_watch_steps(context, &p->watch);
out:
  if (st != VLM_OK) {
    vlm_step_profile_free(p);
    p = NULL;
  }
  *out = p;
  return st;
}

void vlm_step_profile_free(vlm_step_profile *p) {
  if (!p) return;
  vlm_context_watch_steps(p->context, NULL);
  for (int32_t i = 0; i < p->n_graphs; i++) {
    vlm_free(p->graphs[i].name);
    vlm_free(p->graphs[i].rows);
  }
  vlm_free(p->graphs);
  vlm_free(p->events);
  vlm_free(p->sorted);
  vlm_free(p);
}

static int by_time(const void *a, const void *b) {
  const vlm_profile_row *x = a, *y = b;
  return (x->ms < y->ms) - (x->ms > y->ms);
}

vlm_status vlm_step_profile_rows(vlm_step_profile *p, const vlm_profile_row **rows, int32_t *count,
                                 vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t all = 0;
  VLM_CHECK(p->st == VLM_OK, err, p->st, "the profile could not be kept: out of memory");
  for (int32_t i = 0; i < p->n_graphs; i++) all += p->graphs[i].graph->n_nodes + 1;
  vlm_free(p->sorted);
  VLM_TRY(vlm_new(&p->sorted, all, err));
  *count = 0;
  for (int32_t i = 0; i < p->n_graphs; i++)
    for (int32_t n = 0; n <= p->graphs[i].graph->n_nodes; n++)
      if (p->graphs[i].rows[n].runs) p->sorted[(*count)++] = p->graphs[i].rows[n];
  qsort(p->sorted, (size_t)*count, sizeof *p->sorted, by_time);
  *rows = p->sorted;
out:
  return st;
}

const vlm_peaks *vlm_step_profile_peaks(const vlm_step_profile *p) { return &p->peaks; }
double vlm_step_profile_wall_ms(const vlm_step_profile *p) { return vlm_clock_ms() - p->start_ms; }
double vlm_step_profile_graphs_ms(const vlm_step_profile *p) { return p->graphs_ms; }

vlm_profile_rate vlm_step_profile_rate(const vlm_step_profile *p, const vlm_profile_row *row) {
  const double peak = row->facts.integer ? p->peaks.integer_gops : p->peaks.float_gops;
  if (row->ms <= 0) return (vlm_profile_rate){0};
  vlm_profile_rate compute = {.value = 2 * row->macs / row->ms * 1e-6},
                   memory = {.value = row->bytes / row->ms * 1e-6, .memory = true};
  compute.share = compute.value / peak;
  memory.share = memory.value / p->peaks.memory_gbs;
  return row->macs > 0 && (compute.share >= memory.share || memory.share > 1) ? compute : memory;
}

/* ---- trace ---- */

static void put_event(vlm_json_writer *w, const vlm_step_profile *p, const vlm_profile_event *e) {
  const graph_profile *g = graph_of((vlm_step_profile *)(uintptr_t)p, e->graph);
  const char *graph = vlm_step_profile_graph(p, e->graph);
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "name",
                    !e->node                          ? graph
                    : e->node->name && *e->node->name ? e->node->name
                                                      : e->node->op_type);
  vlm_json_put_text(w, "cat", e->node ? e->node->op_type : "run");
  vlm_json_put_text(w, "ph", "X");
  vlm_json_put_double(w, "ts", e->start_ms * 1e3);
  vlm_json_put_double(w, "dur", e->ms * 1e3);
  vlm_json_put_int(w, "pid", 1);
  vlm_json_put_int(w, "tid", 1);
  if (e->node && g) {
    const vlm_step_facts *f = &g->rows[e->node - e->graph->nodes].facts;
    vlm_json_open_object(w, "args");
    vlm_json_put_text(w, "graph", graph);
    vlm_json_put_text(w, "kernel", f->kernel);
    vlm_json_put_text(w, "layout", f->layout);
    if (f->joined[0]) vlm_json_put_text(w, "joined", f->joined);
    vlm_json_close_object(w);
  }
  vlm_json_close_object(w);
}

static void put_peaks(vlm_json_writer *w, const vlm_step_profile *p) {
  vlm_json_open_object(w, "otherData");
  vlm_json_put_text(w, "cpu", vlm_context_cpu(p->context));
  vlm_json_put_double(w, "peak_float_gops", p->peaks.float_gops);
  vlm_json_put_double(w, "peak_integer_gops", p->peaks.integer_gops);
  vlm_json_put_double(w, "peak_memory_gb_per_s", p->peaks.memory_gbs);
  vlm_json_put_int(w, "events_left_out", p->lost);
  vlm_json_close_object(w);
}

vlm_status vlm_step_profile_trace(const vlm_step_profile *p, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  size_t bytes;
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "displayTimeUnit", "ms");
  put_peaks(w, p);
  vlm_json_open_array(w, "traceEvents");
  for (size_t i = 0; i < p->n_events; i++) put_event(w, p, &p->events[i]);
  vlm_json_close_array(w);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, &bytes, err));
  VLM_TRY(vlm_file_write(path, text, bytes, err));
out:
  vlm_json_writer_free(w);
  return st;
}
