#include "eval/graph_eval.h"

#include <math.h>
#include <string.h>

#include "calib/graph_inputs.h"
#include "eval/graph_accuracy.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

typedef struct {
  vlm_graph_eval *out;
  const vlm_graph *graphs[2];
  vlm_session *sessions[2];
  vlm_tensor *inputs; /* of one run, for the graph that has more */
  const vlm_dataset *set;
  const vlm_graph_eval_opts *opts;
  vlm_error *err;
} graph_match;

static vlm_status run_side(graph_match *m, int side, const vlm_sample_arrays *arrays, vlm_graph_item *item) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = m->graphs[side];
  VLM_TRY(vlm_match_inputs(m->inputs, g, arrays->names, arrays->tensors, arrays->count, m->err));
  double start = vlm_clock_ms();
  VLM_TRY(vlm_session_run(m->sessions[side], m->inputs, g->n_inputs, m->err));
  if (!item) goto out;
  item->ms[side] = vlm_clock_ms() - start;
  VLM_TRY(vlm_samples_add(side ? &m->out->candidate_ms : &m->out->reference_ms, item->ms[side], m->err));
out:
  return st;
}

/* ---- comparing one sample ---- */

static void least(double *out, double value) {
  if (isnan(*out) || value < *out) *out = value;
}

static void count_top1(vlm_graph_eval *out, vlm_graph_item *item, const vlm_tensor *a, const vlm_tensor *b) {
  if (a->dtype != VLM_F32 || b->dtype != VLM_F32 || a->rank == 0 || a->dims[a->rank - 1] < 2) return;
  int64_t width = a->dims[a->rank - 1], rows = vlm_tensor_count(a) / width, equal = 0;
  for (int64_t r = 0; r < rows; r++)
    equal += vlm_top1((const float *)a->data + r * width, width) ==
             vlm_top1((const float *)b->data + r * width, width);
  out->equal += equal;
  out->rows += rows;
  if (rows) least(&item->agreement, 100.0 * (double)equal / (double)rows);
}

/* What the sample alone adds to an output's sums. */
static void note_sample(vlm_graph_item *item, const vlm_output_match *before, const vlm_output_match *after) {
  vlm_output_match one = *after;
  one.items -= before->items;
  one.matched -= before->matched;
  one.sqnr.signal -= before->sqnr.signal;
  one.sqnr.noise -= before->sqnr.noise;
  one.sqnr.count -= before->sqnr.count;
  one.sqnr.lost -= before->sqnr.lost;
  if (!one.integers && one.sqnr.count) least(&item->min_db, vlm_sqnr_db(&one.sqnr));
  if (vlm_output_match_counts(&one)) least(&item->agreement, vlm_output_match_percent(&one));
}

static vlm_status compare(graph_match *m, vlm_graph_item *item) {
  for (int32_t i = 0; i < m->out->n_outputs; i++) {
    const vlm_tensor *a = vlm_session_output(m->sessions[0], i), *b = vlm_session_output(m->sessions[1], i);
    vlm_output_match *output = &m->out->outputs[i], before = *output;
    const vlm_status st = vlm_output_match_add(output, a, b, m->err);
    if (st != VLM_OK) vlm_error_context(m->err, "output \"%s\"", m->out->names[i]);
    if (st != VLM_OK) return st;
    note_sample(item, &before, output);
    if (i == 0 && !output->selected) count_top1(m->out, item, a, b);
  }
  return VLM_OK;
}

static vlm_status look_up_label(graph_match *m, size_t i, vlm_graph_item *item) {
  vlm_status st = VLM_OK;
  if (!m->opts->labels) return VLM_OK;
  VLM_TRY(vlm_labels_find(&item->label, m->opts->labels, vlm_dataset_get(m->set, i), m->err));
  for (int k = 0; k < 1 + m->out->compared; k++)
    VLM_TRY(vlm_label_place(&item->place[k], vlm_session_output(m->sessions[k], 0), item->label, m->err));
out:
  return st;
}

/* ---- all samples ---- */

/* item NULL: first-run work, which is in neither side's times. */
static vlm_status run_sample(graph_match *m, size_t i, vlm_graph_item *item) {
  vlm_status st = VLM_OK;
  vlm_sample_arrays arrays = {0};
  int sides = 1 + m->out->compared;
  VLM_TRY(vlm_dataset_load_arrays(&arrays, m->set, i, m->err));
  for (int k = 0; k < sides; k++) VLM_TRY(run_side(m, (int)((i + (size_t)k) % (size_t)sides), &arrays, item));
  if (!item) goto out;
  *item = (vlm_graph_item){.ms = {item->ms[0], item->ms[1]}, .min_db = NAN, .agreement = NAN, .label = -1};
  VLM_TRY(vlm_arena_strdup(m->out->arena, &item->key, vlm_dataset_get(m->set, i)->key, m->err));
  if (m->out->compared) VLM_TRY(compare(m, item));
  VLM_TRY(look_up_label(m, i, item));
out:
  if (st != VLM_OK) vlm_error_context(m->err, "sample %s", vlm_dataset_get(m->set, i)->key);
  vlm_sample_arrays_free(&arrays);
  return st;
}

static vlm_status run_all(graph_match *m) {
  vlm_status st = VLM_OK;
  const vlm_graph_eval_opts *o = m->opts;
  size_t n = vlm_dataset_count(m->set);
  VLM_CHECK(n > 0, m->err, VLM_INPUT, "the data set is empty");
  VLM_TRY(vlm_arena_new(m->out->arena, &m->out->items, n, m->err));
  VLM_TRY(run_sample(m, 0, NULL));
  for (size_t i = 0; i < n; i++) {
    VLM_TRY(run_sample(m, i, &m->out->items[i]));
    m->out->samples++;
    if (o->on_item) VLM_TRY(o->on_item(o->user, &m->out->items[i], m->err));
    if (o->between) VLM_TRY(o->between(o->user, (int64_t)i + 1, (int64_t)n, m->err));
  }
  if (o->labels) VLM_TRY(vlm_graph_accuracy(m->out, &o->bootstrap, m->err));
out:
  return st;
}

/* ---- set-up ---- */

static vlm_status begin_outputs(vlm_graph_eval *out, const vlm_graph *reference, const vlm_graph *candidate,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  out->compared = candidate != NULL;
  out->n_outputs = reference->n_outputs;
  VLM_CHECK(!candidate || candidate->n_outputs == reference->n_outputs, err, VLM_INPUT,
            "%s has %d outputs, %s has %d", candidate->source, candidate->n_outputs, reference->source,
            reference->n_outputs);
  VLM_TRY(vlm_arena_create(&out->arena, err));
  VLM_TRY(vlm_arena_new(out->arena, &out->names, out->n_outputs, err));
  VLM_TRY(vlm_arena_new(out->arena, &out->outputs, out->n_outputs, err));
  for (int32_t i = 0; i < out->n_outputs; i++) {
    out->names[i] = reference->values[reference->outputs[i]].name;
    VLM_TRY(vlm_output_match_begin(&out->outputs[i], reference, i, err));
  }
out:
  return st;
}

vlm_status vlm_graph_evaluate(vlm_graph_eval *out, vlm_context *context, const vlm_graph *reference,
                              const vlm_graph *candidate, const vlm_dataset *set,
                              const vlm_graph_eval_opts *opts, vlm_error *err) {
  static const vlm_graph_eval_opts DEFAULTS = {.labels = NULL};
  vlm_status st = VLM_OK;
  graph_match m = {
      .out = out, .graphs = {reference, candidate}, .set = set, .opts = opts ? opts : &DEFAULTS, .err = err};
  const vlm_session_opts session = {.owns_constants = m.opts->owns_constants};
  memset(out, 0, sizeof *out);
  VLM_TRY(begin_outputs(out, reference, candidate, err));
  const bool more = candidate && candidate->n_inputs > reference->n_inputs;
  VLM_TRY(vlm_new(&m.inputs, more ? candidate->n_inputs : reference->n_inputs, err));
  VLM_TRY(vlm_session_create(&m.sessions[0], context, reference, &session, err));
  if (candidate) VLM_TRY(vlm_session_create(&m.sessions[1], context, candidate, &session, err));
  VLM_TRY(run_all(&m));
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
  vlm_arena_free(e->arena);
  memset(e, 0, sizeof *e);
}

/* ---- figures ---- */

int32_t vlm_graph_eval_worst(const vlm_graph_eval *e) {
  int32_t worst = -1;
  for (int32_t i = 0; i < e->n_outputs; i++) {
    const vlm_output_match *m = &e->outputs[i];
    if (m->integers || !m->sqnr.count) continue;
    if (worst < 0 || vlm_sqnr_db(&m->sqnr) < vlm_sqnr_db(&e->outputs[worst].sqnr)) worst = i;
  }
  return worst;
}

double vlm_graph_eval_min_db(const vlm_graph_eval *e) {
  const int32_t worst = vlm_graph_eval_worst(e);
  return worst < 0 ? NAN : vlm_sqnr_db(&e->outputs[worst].sqnr);
}

double vlm_graph_eval_agreement(const vlm_graph_eval *e) {
  double percent = NAN;
  if (e->rows) least(&percent, 100.0 * (double)e->equal / (double)e->rows);
  for (int32_t i = 0; i < e->n_outputs; i++)
    if (e->compared && vlm_output_match_counts(&e->outputs[i]))
      least(&percent, vlm_output_match_percent(&e->outputs[i]));
  return percent;
}
