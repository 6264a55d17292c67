#include "flow/trials.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calib/graph_inputs.h"
#include "runtime/base/memory.h"
#include "runtime/graph/copy.h"
#include "runtime/lower/lower.h"
#include "runtime/ops/resolve.h"

enum { WORST_OF = 20 /* rows, one in so many */ };

struct vlm_trials {
  vlm_context *context;
  const vlm_graph *graph;
  vlm_kept_sample *const *samples;
  int32_t n_samples, n_outputs;
  vlm_session *session; /* stays: trials share its packed weights */
  vlm_tensor *inputs;   /* of one run */
  vlm_tensor *want;     /* [n_samples][n_outputs], data owned */
};

/* ---- comparing ---- */

typedef struct {
  double *items; /* dB */
  int64_t count, capacity;
} row_list;

/* Values that are not finite in the same way are equal. */
static void add_value(double want, double got, double *signal, double *noise) {
  if (isfinite(want) && isfinite(got)) {
    *signal += want * want;
    *noise += (want - got) * (want - got);
  } else if (!(want == got || (isnan(want) && isnan(got)))) {
    *noise = INFINITY;
  }
}

static double ratio_db(double signal, double noise) {
  if (!(noise > 0)) return INFINITY;
  return signal > 0 ? 10 * log10(signal / noise) : -INFINITY;
}

static vlm_status add_row(row_list *rows, double db, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (rows->count == rows->capacity) {
    int64_t wanted = rows->capacity ? 2 * rows->capacity : 256;
    VLM_TRY(vlm_more(&rows->items, rows->count, wanted, err));
    rows->capacity = wanted;
  }
  rows->items[rows->count++] = db;
out:
  return st;
}

static vlm_status compare(vlm_trial_output *o, row_list *rows, const vlm_tensor *want, const vlm_tensor *got,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t n = vlm_tensor_count(want), width = want->rank > 0 ? want->dims[want->rank - 1] : 1;
  if (!vlm_dtype_is_float(want->dtype) || !vlm_tensor_same_shape(want, got)) return VLM_OK;
  for (int64_t first = 0; width > 0 && first < n; first += width) {
    double signal = 0, noise = 0;
    for (int64_t i = first; i < first + width; i++)
      add_value(vlm_tensor_get(want, i), vlm_tensor_get(got, i), &signal, &noise);
    o->signal += signal;
    o->noise += noise;
    if (signal > 0 || noise > 0) VLM_TRY(add_row(rows, ratio_db(signal, noise), err));
  }
out:
  return st;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double worst_rows(row_list *rows) {
  if (rows->count == 0) return INFINITY;
  qsort(rows->items, (size_t)rows->count, sizeof *rows->items, ascending);
  return rows->items[rows->count / WORST_OF];
}

double vlm_trial_db(const vlm_trial_output *o) { return ratio_db(o->signal, o->noise); }

int32_t vlm_trial_worst(const vlm_trial_output *o, int32_t count) {
  int32_t worst = -1;
  for (int32_t i = 0; i < count; i++)
    if (o[i].signal > 0 && (worst < 0 || vlm_trial_db(&o[i]) < vlm_trial_db(&o[worst]))) worst = i;
  return worst;
}

/* ---- running ---- */

static vlm_status run(const vlm_trials *t, vlm_session *session, const vlm_graph *graph, int32_t sample,
                      vlm_error *err) {
  const vlm_kept_sample *s = t->samples[sample];
  vlm_status st =
      vlm_match_inputs(t->inputs, graph, (const char *const *)s->names, s->tensors, (size_t)s->count, err);
  return st == VLM_OK ? vlm_session_run(session, t->inputs, graph->n_inputs, err) : st;
}

static vlm_status remember(vlm_tensor *out, const vlm_tensor *t, vlm_error *err) {
  size_t bytes = vlm_tensor_bytes(t);
  char *data = NULL;
  vlm_status st = vlm_new(&data, bytes + 1, err);
  if (st != VLM_OK) return st;
  if (bytes) memcpy(data, t->data, bytes);
  *out = *t;
  out->data = data;
  return VLM_OK;
}

vlm_status vlm_trials_open(vlm_trials **out, vlm_context *context, const vlm_graph *graph,
                           vlm_kept_sample *const *samples, int32_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_trials *t = NULL;
  *out = NULL;
  VLM_TRY(vlm_new(&t, 1, err));
  *t = (vlm_trials){.context = context,
                    .graph = graph,
                    .samples = samples,
                    .n_samples = count,
                    .n_outputs = graph->n_outputs};
  VLM_TRY(vlm_new(&t->inputs, graph->n_inputs, err));
  VLM_TRY(vlm_new(&t->want, (int64_t)count * graph->n_outputs, err));
  VLM_TRY(vlm_session_create(&t->session, context, graph, NULL, err));
  for (int32_t s = 0; s < count; s++) {
    VLM_TRY(run(t, t->session, graph, s, err));
    for (int32_t o = 0; o < graph->n_outputs; o++)
      VLM_TRY(remember(&t->want[s * graph->n_outputs + o], vlm_session_output(t->session, o), err));
  }
  *out = t;
  t = NULL;
out:
  vlm_trials_free(t);
  return st;
}

void vlm_trials_free(vlm_trials *t) {
  if (!t) return;
  vlm_session_free(t->session);
  for (int32_t i = 0; t->want && i < t->n_samples * t->n_outputs; i++) vlm_free(t->want[i].data);
  vlm_free(t->want);
  vlm_free(t->inputs);
  vlm_free(t);
}

int32_t vlm_trials_outputs(const vlm_trials *t) { return t->n_outputs; }

static vlm_status changed_copy(vlm_graph **out, const vlm_trials *t, vlm_trial_change *change, void *user,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_graph_copy(out, t->graph, t->graph->name, err));
  VLM_TRY(vlm_graph_resolve(*out, err));
  VLM_TRY(change(user, *out, err));
  VLM_TRY(vlm_graph_lower(*out, NULL, err));
out:
  return st;
}

static vlm_status measure(const vlm_trials *t, vlm_trial_output *out, row_list *rows, vlm_session *session,
                          const vlm_graph *graph, int32_t samples, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t o = 0; o < t->n_outputs; o++)
    out[o] = (vlm_trial_output){.name = t->graph->values[t->graph->outputs[o]].name};
  for (int32_t s = 0; s < samples; s++) {
    VLM_TRY(run(t, session, graph, s, err));
    for (int32_t o = 0; o < t->n_outputs; o++)
      VLM_TRY(
          compare(&out[o], &rows[o], &t->want[s * t->n_outputs + o], vlm_session_output(session, o), err));
  }
  for (int32_t o = 0; o < t->n_outputs; o++) out[o].row_db = worst_rows(&rows[o]);
out:
  return st;
}

vlm_status vlm_trials_run_changed(const vlm_trials *t, vlm_trial_output *out, vlm_trial_change *change,
                                  void *user, int32_t samples, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = NULL;
  vlm_session *session = NULL;
  row_list *rows = NULL;
  int32_t n = samples > 0 && samples < t->n_samples ? samples : t->n_samples;
  VLM_TRY(vlm_new(&rows, t->n_outputs, err));
  VLM_TRY(changed_copy(&graph, t, change, user, err));
  VLM_TRY(vlm_session_create(&session, t->context, graph, NULL, err));
  VLM_TRY(measure(t, out, rows, session, graph, n, err));
out:
  vlm_session_free(session);
  if (graph) vlm_graph_free(graph);
  for (int32_t o = 0; rows && o < t->n_outputs; o++) vlm_free(rows[o].items);
  vlm_free(rows);
  return st;
}

typedef struct {
  const vlm_quant_plan *plan;
  const vlm_stats *stats;
  const vlm_quant_opts *opts;
} planned;

static vlm_status apply_plan(void *user, vlm_graph *graph, vlm_error *err) {
  const planned *p = user;
  return vlm_quant_apply(&(vlm_quant_graph){"model", graph}, p->plan, p->stats, p->opts, err);
}

vlm_status vlm_trials_run(const vlm_trials *t, vlm_trial_output *out, const vlm_quant_plan *plan,
                          const vlm_stats *stats, const vlm_quant_opts *opts, int32_t samples,
                          vlm_error *err) {
  return vlm_trials_run_changed(t, out, apply_plan, &(planned){plan, stats, opts}, samples, err);
}
