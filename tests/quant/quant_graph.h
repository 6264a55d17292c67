/* Small graphs quantized in every mode: what is planned runs, near the float graph, and is stored as the
 * coverage says. */
#ifndef VLM_TESTS_QUANT_GRAPH_H
#define VLM_TESTS_QUANT_GRAPH_H

#include "calib/accumulate.h"
#include "calib/rows.h"
#include "calib/taps.h"
#include "quant/compare.h"
#include "quant/coverage.h"
#include "runtime/graph/bodies.h"
#include "runtime/graph/copy.h"
#include "tests/lower/lower_graph.h"

/* Builds variant v; the same at every call. */
typedef vlm_graph *graph_maker(int v);

typedef struct {
  const char *what;
  graph_maker *make;
  int variants;
  double min_db;        /* against the float graph, in every mode */
  double most_percent;  /* of the constants' bytes, each once; 0 = not looked at */
  double least_weights; /* percent of the weights in 8 bits */
  int32_t least_static; /* nodes in integers with ranges, where ranges are asked for */
} quant_case;

static inline vlm_value_id add_drawn(vlm_graph *g, vlm_dtype dtype, int rank, const int64_t *dims) {
  static double wide[MAX_ELEMENTS];
  vlm_tensor t = vlm_tensor_make(dtype, rank, dims, wide);
  assert_true(vlm_tensor_count(&t) <= MAX_ELEMENTS);
  for (int64_t i = 0; i < vlm_tensor_count(&t); i++) vlm_tensor_set(&t, i, (double)draw() * 0.1);
  return add_constant(g, dtype, rank, dims, wide);
}
static inline vlm_value_id add_weight(vlm_graph *g, int64_t rows, int64_t columns) {
  return add_drawn(g, VLM_F32, 2, (int64_t[]){rows, columns});
}
/* The transpose of a float32 matrix as a constant of its own. */
static inline vlm_value_id add_turned(vlm_graph *g, vlm_value_id id) {
  static float values[MAX_ELEMENTS];
  const vlm_tensor *t = &g->values[id].tensor;
  for (int64_t i = 0; i < t->dims[0]; i++)
    for (int64_t j = 0; j < t->dims[1]; j++)
      values[j * t->dims[0] + i] = ((const float *)t->data)[i * t->dims[1] + j];
  return add_constant(g, VLM_F32, 2, (int64_t[]){t->dims[1], t->dims[0]}, values);
}
static inline vlm_value_id add_two(vlm_graph *g, const char *name, const char *op, vlm_value_id a,
                                   vlm_value_id b, const vlm_attr *attrs) {
  return add_node(g, name, op, 2, (vlm_value_id[]){a, b}, attrs);
}

/* ---- running ---- */

static vlm_tensor case_inputs[MAX_INPUTS];
static float case_data[MAX_INPUTS][MAX_ELEMENTS];

/* Floats between -1 and 1, ids below 32, true. */
static inline int fill_inputs(const vlm_graph *g) {
  seed = 99;
  for (int32_t i = 0; i < g->n_inputs; i++) {
    vlm_tensor *t = &case_inputs[i];
    *t = g->values[g->inputs[i]].tensor;
    t->data = case_data[i];
    for (int64_t k = 0; k < vlm_tensor_count(t); k++) {
      double x = (double)draw();
      vlm_tensor_set(t, k,
                     t->dtype == VLM_BOOL  ? 1
                     : t->dtype == VLM_S64 ? (double)((int)(x * 16 + 16) % 32)
                                           : x);
    }
  }
  return g->n_inputs;
}

typedef struct {
  vlm_taps *taps;
  vlm_stats *stats;
} observer;

static inline bool observer_wants(void *user, const vlm_graph *graph, vlm_value_id value) {
  return vlm_taps_wants(((observer *)user)->taps, graph, value);
}
static inline vlm_status observe(void *user, const vlm_graph *graph, vlm_value_id value, const vlm_tensor *t,
                                 vlm_error *err) {
  observer *o = user;
  vlm_tap_place *place = vlm_taps_find(o->taps, graph, value);
  const vlm_token_layout layout = {.rest = VLM_TOKEN_GENERATED};
  vlm_status st = vlm_stats_entry(&place->entry, o->stats, place->path, graph->values[value].name, err);
  if (st == VLM_OK && place->by_row) vlm_rows_add(place->entry, t);
  return st == VLM_OK ? vlm_accumulate(place->entry, t, &layout, (vlm_digest){1, 1}, NULL, err) : st;
}

static inline vlm_stats *observe_graph(vlm_graph *g) {
  static char source[] = "g.onnx";
  vlm_bundle bundle = {.family = VLM_FAMILY_GRAPH, .source = source, .graphs = {[VLM_ROLE_MODEL] = g}};
  observer o;
  vlm_context *context;
  vlm_session *session;
  FINE(vlm_stats_create(&o.stats, (vlm_digest){0, 0}, "", &error));
  FINE(vlm_taps_make(&o.taps, &bundle, false, &error));
  FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = 1}, &error));
  const vlm_session_opts opts = {.tap = observe, .tap_user = &o, .tap_wants = observer_wants};
  FINE(vlm_session_create(&session, context, g, &opts, &error));
  FINE(vlm_session_run(session, case_inputs, fill_inputs(g), &error));
  vlm_session_free(session);
  vlm_context_free(context);
  vlm_taps_free(o.taps);
  return o.stats;
}

static inline double db_of(const vlm_tensor *got, const vlm_tensor *want) {
  double signal = 0, noise = 1e-30;
  assert_int_equal(vlm_tensor_count(got), vlm_tensor_count(want));
  for (int64_t i = 0; i < vlm_tensor_count(want); i++) {
    double a = (double)((const float *)got->data)[i], b = (double)((const float *)want->data)[i];
    signal += b * b;
    noise += (a - b) * (a - b);
  }
  assert_true(signal > 0);
  return 10 * log10(signal / noise);
}

/* ---- checks ---- */

/* What the coverage calls left float is what is there afterwards, no more and no less. */
static inline void expect_left(const char *what, const vlm_coverage *coverage, vlm_graph *g) {
  vlm_arena *arena;
  vlm_body_list bodies;
  int32_t left = 0;
  FINE(vlm_arena_create(&arena, &error));
  FINE(vlm_bodies_make(&bodies, g, "model", arena, &error));
  for (int32_t i = 0; i < coverage->n_left; i++) {
    vlm_value_id id = VLM_NO_VALUE;
    for (int32_t b = 0; b < bodies.count; b++)
      if (!strcmp(bodies.items[b].path, coverage->left[i].graph))
        id = vlm_graph_find(bodies.items[b].graph, coverage->left[i].value);
    if (id == VLM_NO_VALUE) fail_msg("%s: %s is not left float", what, coverage->left[i].value);
    assert_true(*coverage->left[i].reason);
  }
  for (int32_t b = 0; b < bodies.count; b++)
    for (vlm_value_id v = 0; v < bodies.items[b].graph->n_values; v++) {
      const vlm_value *value = &bodies.items[b].graph->values[v];
      bool is_float =
          value->tensor.dtype == VLM_F32 || value->tensor.dtype == VLM_F16 || value->tensor.dtype == VLM_F64;
      left += value->kind == VLM_VALUE_CONSTANT && is_float && value->tensor.rank >= 2 &&
              vlm_tensor_bytes(&value->tensor) > VLM_LEFT_FLOAT_BYTES;
    }
  if (left > coverage->n_left) fail_msg("%s: %d float constants, %d are named", what, left, coverage->n_left);
  vlm_bodies_free(&bodies);
  vlm_arena_free(arena);
}

/* Bytes of the constants, each content once: what a packed file of the graph holds. */
static inline double stored_bytes(vlm_graph *g) {
  static char source[] = "g.onnx";
  const vlm_bundle bundle = {.family = VLM_FAMILY_GRAPH, .source = source, .graphs = {[VLM_ROLE_MODEL] = g}};
  size_t bytes;
  FINE(vlm_bundle_weight_bytes(&bytes, &bundle, &error));
  return (double)bytes;
}

static inline void quantize_in_mode(const quant_case *c, int v, vlm_activation_mode mode,
                                    const vlm_stats *stats, const vlm_tensor *want) {
  static float values[MAX_ELEMENTS];
  char what[200];
  vlm_quant_plan *plan;
  vlm_coverage *coverage;
  vlm_graph *lowered;
  vlm_lower_report report = {0};
  vlm_difference_list differences = {0};
  const vlm_quant_opts opts = {.activations = mode};
  snprintf(what, sizeof what, "%s, variant %d, mode %d", c->what, v, (int)mode);
  const vlm_quant_graph graph = {"model", c->make(v)};
  FINE(vlm_quant_plan_make(&plan, &graph, 1, stats, &opts, &error));
  FINE(vlm_coverage_make(&coverage, &graph, 1, plan, &error));
  const double before = stored_bytes(graph.graph);
  FINE(vlm_quant_apply(&graph, plan, stats, &opts, &error));
  FINE(vlm_graph_copy(&lowered, graph.graph, "copy", &error));
  FINE(vlm_graph_resolve(lowered, &error));
  FINE(vlm_graph_lower(lowered, &report, &error));
  FINE(vlm_quant_compare(&differences, plan, &(vlm_quant_graph){"model", lowered}, &report, &error));
  if (vlm_differences_fail(&differences, &error) != VLM_OK) fail_msg("%s: %s", what, error.text);
  expect_left(what, coverage, graph.graph);
  int32_t integers = vlm_lower_report_forms(&report, VLM_FORM_STATIC);
  if (mode == VLM_ACTIVATIONS_STATIC && integers < c->least_static) fail_msg("%s: %d static", what, integers);
  double percent = 100 * stored_bytes(graph.graph) / before,
         int8 = vlm_coverage_weights_percent(&coverage->total);
  if (c->most_percent > 0 && percent > c->most_percent)
    fail_msg("%s: stored in %.1f %% of the bytes", what, percent);
  if (int8 < c->least_weights) fail_msg("%s: %.1f %% of the weights in 8 bits", what, int8);
  vlm_quant_plan_free(plan); /* the graphs keep the weights */
  const vlm_tensor got = run_graph(lowered, case_inputs, fill_inputs(lowered), values);
  double db = db_of(&got, want);
  if (!(db >= c->min_db)) fail_msg("%s: %.1f dB", what, db);
  if (int8 > 0 && db > 120) fail_msg("%s: %.1f dB: nothing is quantized", what, db);
  vlm_differences_free(&differences);
  vlm_lower_report_free(&report);
  vlm_coverage_free(coverage);
  vlm_graph_free(lowered);
  vlm_graph_free(graph.graph);
}

static inline void run_quant_case(const quant_case *c) {
  static float reference[MAX_ELEMENTS];
  for (int v = 0; v < c->variants; v++) {
    vlm_graph *g = c->make(v);
    vlm_stats *stats = observe_graph(g);
    const vlm_tensor want = run_graph(g, case_inputs, fill_inputs(g), reference);
    for (int mode = VLM_ACTIVATIONS_AUTO; mode <= VLM_ACTIVATIONS_NONE; mode++)
      quantize_in_mode(c, v, (vlm_activation_mode)mode, stats, &want);
    vlm_stats_free(stats);
    vlm_graph_free(g);
  }
}

#endif
