#include "eval/graph_eval.h"

#include <math.h>
#include <string.h>

#include "calib/graph_inputs.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

typedef struct {
  vlm_graph_eval *out;
  const vlm_graph *graphs[2];
  vlm_session *sessions[2];
  vlm_tensor *inputs; /* of one run, for the graph that has more */
  const vlm_dataset *set;
  vlm_error *err;
} graph_match;

static vlm_status run_side(graph_match *m, int side, const vlm_sample_arrays *arrays, bool timed) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = m->graphs[side];
  VLM_TRY(vlm_match_inputs(m->inputs, g, arrays->names, arrays->tensors, arrays->count, m->err));
  double start = vlm_clock_ms();
  VLM_TRY(vlm_session_run(m->sessions[side], m->inputs, g->n_inputs, m->err));
  if (timed) VLM_TRY(vlm_samples_add(side ? &m->out->candidate_ms : &m->out->reference_ms, vlm_clock_ms() - start, m->err));
out:
  return st;
}

static void count_top1(vlm_graph_eval *out, const vlm_tensor *a, const vlm_tensor *b) {
  if (a->dtype != VLM_F32 || a->rank == 0 || a->dims[a->rank - 1] < 2) return;
  int64_t width = a->dims[a->rank - 1], rows = vlm_tensor_count(a) / width;
  for (int64_t r = 0; r < rows; r++)
    out->equal += vlm_top1((const float *)a->data + r * width, width) == vlm_top1((const float *)b->data + r * width, width);
  out->rows += rows;
}

static vlm_status compare(graph_match *m) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < m->out->n_outputs; i++) {
    const vlm_tensor *a = vlm_session_output(m->sessions[0], i), *b = vlm_session_output(m->sessions[1], i);
    st = vlm_sqnr_add_tensor(&m->out->sqnr[i], a, b, m->err);
    if (st != VLM_OK) {
      vlm_error_context(m->err, "output \"%s\"", m->out->names[i]);
      return st;
    }
    if (i == 0) count_top1(m->out, a, b);
  }
  return st;
}

static vlm_status run_sample(graph_match *m, size_t i, bool timed) {
  vlm_status st = VLM_OK;
  vlm_sample_arrays arrays = {0};
  int sides = m->sessions[1] ? 2 : 1;
  VLM_TRY(vlm_dataset_load_arrays(&arrays, m->set, i, m->err));
  for (int k = 0; k < sides; k++) VLM_TRY(run_side(m, (int)((i + (size_t)k) % (size_t)sides), &arrays, timed));
  if (timed && sides == 2) VLM_TRY(compare(m));
out:
  if (st != VLM_OK) vlm_error_context(m->err, "sample %s", vlm_dataset_get(m->set, i)->key);
  vlm_sample_arrays_free(&arrays);
  return st;
}

static vlm_status run_all(graph_match *m, const vlm_graph_eval_opts *opts) {
  vlm_status st = VLM_OK;
  size_t n = vlm_dataset_count(m->set);
  VLM_CHECK(n > 0, m->err, VLM_INPUT, "the data set is empty");
  VLM_TRY(run_sample(m, 0, false)); /* first-run work is in neither side's times */
  for (size_t i = 0; i < n; i++) {
    VLM_TRY(run_sample(m, i, true));
    m->out->samples++;
    if (opts && opts->between) VLM_TRY(opts->between(opts->user, (int64_t)i + 1, (int64_t)n, m->err));
  }
out:
  return st;
}

vlm_status vlm_graph_evaluate(vlm_graph_eval *out, vlm_context *context, const vlm_graph *reference, const vlm_graph *candidate, const vlm_dataset *set,
                              const vlm_graph_eval_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_session_opts session = {.owns_constants = opts && opts->owns_constants};
  graph_match m = {.out = out, .graphs = {reference, candidate}, .set = set, .err = err};
  memset(out, 0, sizeof *out);
  out->n_outputs = reference->n_outputs;
  VLM_CHECK(!candidate || candidate->n_outputs == reference->n_outputs, err, VLM_INPUT, "%s has %d outputs, %s has %d", candidate->source,
            candidate->n_outputs, reference->source, reference->n_outputs);
  VLM_TRY(vlm_new(&out->names, out->n_outputs, err));
  VLM_TRY(vlm_new(&out->sqnr, out->n_outputs, err));
  for (int32_t i = 0; i < out->n_outputs; i++) out->names[i] = reference->values[reference->outputs[i]].name;
  const bool more = candidate && candidate->n_inputs > reference->n_inputs;
  VLM_TRY(vlm_new(&m.inputs, more ? candidate->n_inputs : reference->n_inputs, err));
  VLM_TRY(vlm_session_create(&m.sessions[0], context, reference, &session, err));
  if (candidate) VLM_TRY(vlm_session_create(&m.sessions[1], context, candidate, &session, err));
  VLM_TRY(run_all(&m, opts));
out:
  vlm_session_free(m.sessions[0]);
  vlm_session_free(m.sessions[1]);
  vlm_free(m.inputs);
  if (st != VLM_OK) vlm_graph_eval_free(out);
  return st;
}

void vlm_graph_eval_free(vlm_graph_eval *e) {
  vlm_samples_free(&e->reference_ms);
  vlm_samples_free(&e->candidate_ms);
  vlm_free(e->names);
  vlm_free(e->sqnr);
  memset(e, 0, sizeof *e);
}

double vlm_graph_eval_min_db(const vlm_graph_eval *e) {
  double least = INFINITY;
  for (int32_t i = 0; i < e->n_outputs; i++) {
    double db = vlm_sqnr_db(&e->sqnr[i]);
    if (isnan(db) && e->sqnr[i].count) return -INFINITY; /* NaN in an output */
    if (db < least) least = db;
  }
  return least;
}
